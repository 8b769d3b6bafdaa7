//! What a half-finished text shows.

use super::super::{Live, Options};
use super::check::check;

/// What the whole of a text shows when it has come this far.
fn shows(text: &str) -> String {
    let mut live = Live::new(Options::default());
    live.push(text);
    let update = live.update();
    let html = update.closed.concat() + &update.tail;
    check(&html).unwrap();
    html.replace("<ul>", "").replace("</ul>", "")
}

#[track_caller]
fn like(half: &str, whole: &str) {
    assert_eq!(shows(half), shows(&format!("{whole}\n")), "{half:?} should look like {whole:?}");
}

#[test]
fn marks_count_as_closed() {
    like("a **b", "a **b**");
    like("a **b ", "a **b**");
    like("a **b*", "a **b**");
    like("a *b **c", "a *b **c***");
    like("a **b *c*", "a **b *c***");
    like("a ***b", "a ***b***");
    like("a ~~b", "a ~~b~~");
    like("a ~~b~", "a ~~b~~");
    like("a _b", "a _b_");
    like("a `b", "a `b`");
    like("a ``b`c`", "a ``b`c``");
    like("**a `b", "**a `b`**");
    like("# a **b", "# a **b**");
    like("- a\n- **b", "- a\n- **b**");
    like("> **b\n> c", "> **b\n> c**");
    like("| a |\n|---|\n| **b", "| a |\n|---|\n| **b** |");
}

#[test]
fn what_isnt_clear_is_held_back() {
    like("a **", "a");
    like("a `", "a");
    like("a *", "a");
    like("a b*", "a b");
    like("a \\", "a");
    like("a **[", "a");
    for tag in ["<", "<b", "<br", "<br/", "<br ", "<br /"] {
        like(&format!("a {tag}"), "a");
        like(&format!("| a |\n|---|\n| b{tag}"), "| a |\n|---|\n| b |");
    }
    like("a <br>", "a <br>");
    like("a <bra", "a <bra");
    for mark in
        ["-", "- ", "#", "## ", ">", "> ", "1", "1.", "1. ", "---", "***", "=", "**", "```", "```ru", "- [", "- [x]"]
    {
        like(&format!("a\n\n{mark}"), "a");
    }
    like("a\n-", "a");
    like("a\n--", "a");
    like("- a\n- ", "- a");
    like("- a\n  - [ ", "- a");
}

#[test]
fn but_text_is_left_alone() {
    like("2 * 3 * 4", "2 * 3 * 4");
    like("snake_case and a_b", "snake_case and a_b");
    like("list[i] and [a] b", "list[i] and [a] b");
    like("a\\*b", "a\\*b");
    like("`a` and *b* and", "`a` and *b* and");
    like("a **b\n\nc", "a **b\n\nc");
    like("see [a](b c d **e", "see [a](b c d **e**");
    like("<https://a_b.example/c_d> e", "<https://a_b.example/c_d> e");
    like("a (1) and 2) b", "a (1) and 2) b");
}

#[test]
fn a_link_shows_its_label_until_it_is_complete() {
    like("a [b c", "a b c");
    like("a [b](", "a b");
    like("a [b](https://c.example/d", "a b");
    like("a **[b](https://c.example/d", "a **b**");
    like("a [**b](https://c", "a **b**");
    like("a [b](https://c.example/d \"e f", "a b");
    like("a [b](https://c.example/(d)", "a b");
    like("a ![b", "a");
    like("a ![b](https://c", "a");
    like("a **b ![c](https://d", "a **b**");
    like("[![a](https://b", "");
    like("a[^", "a");
    like("a[^12", "a");
    assert!(shows("a[^1] b").contains("<sup class=\"fn\">"));
    assert!(shows("a [b](https://c.example)").contains("<a href"));
}

#[test]
fn a_fence_is_a_code_block_at_once() {
    like("```rust\n", "```rust\n```");
    like("```rust\na **b", "```rust\na **b\n```");
    like("```rust\na\n``", "```rust\na\n```");
    like("```rust\na\n```", "```rust\na\n```");
    like("- a\n  ```\n  b\n  `", "- a\n  ```\n  b\n  ```");
    assert!(shows("```rust\n").contains("<figcaption>Rust<"));
}

#[test]
fn a_table_waits_for_its_second_line() {
    like("a\n\n| b", "a");
    like("a\n\n| b | c |\n", "a");
    like("a\n\n| b | c |\n|--", "a");
    like("a\n\n| b | c |\n|---|---", "a");
    like("a\n\nb | c", "a\n\nb");
    like("a\n\nb | c\n-", "a\n\nb");
    like("| b | c |\n|---|---|\n", "| b | c |\n|---|---|");
    like("| b | c |\n|---|---|\n| d", "| b | c |\n|---|---|\n| d | |");
    like("| b | c |\n|---|---|\n| d |", "| b | c |\n|---|---|\n| d | |");
    like("| b | c |\n|---|---|\n|", "| b | c |\n|---|---|");
    like("a `b | c` d", "a `b | c` d");
    // The next line has decided.
    assert_eq!(shows("| a\nb"), "<p>| a\nb</p>");
    // And a long line isn't a table's heading.
    let long = "word ".repeat(30);
    like(&format!("a | {long}"), &format!("a | {long}"));
}

#[test]
fn the_caret_is_never_lost() {
    let mut live = Live::new(Options { caret: true, ..Options::default() });
    assert_eq!(live.update().tail, "", "nothing written yet");
    let text = "# a\n\nb **c** [d](https://e.example)\n\n- f\n- [x] g\n\n1. h\n\n```sql\ni\n```\n\n| j |\n|---|\n| k |\n\n\
        ---\n\n![l](https://m.example)\n\n> n\n\no[^1]\n\n[^1]: p\n\n<div>\n\n";
    for c in text.chars() {
        live.push(c.encode_utf8(&mut [0; 4]));
        let update = live.update();
        assert_eq!(update.tail.matches("caret").count(), 1, "{:?}", live.text());
        assert_eq!(update.closed.concat().matches("caret").count(), 0);
    }
}

#[test]
fn what_is_shown_is_hardly_ever_taken_back() {
    // Character by character, the visible text only ever grows.
    let text = "Read **customers and *their* orders** together, see [the docs](https://a.example/b_c) and `a | b`.\n\n\
        ## Steps\n\n1. **Night one:** run both\n2. Night two\n   - ship ~~old~~ new\n   - [x] done\n\n\
        ```rust\nlet a = \"**b**\";\n```\n\nThen:\n\n| Step | Time |\n|:--|--:|\n| Read *orders* | 26 |\n\n> Quote\n\nEnd.\n";
    let mut live = Live::new(Options::default());
    let mut closed = String::new();
    let mut before = String::new();
    for c in text.chars() {
        live.push(c.encode_utf8(&mut [0; 4]));
        let update = live.update();
        closed.push_str(&update.closed.concat());
        let now = visible(&format!("{closed}{}", update.tail));
        assert!(now.starts_with(before.trim_end()), "{before:?} became {now:?}");
        before = now;
    }
}

fn visible(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some(tag) = rest.find('<') {
        out.push_str(&rest[..tag]);
        rest = &rest[tag + rest[tag..].find('>').unwrap() + 1..];
    }
    out + rest
}
