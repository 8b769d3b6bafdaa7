//! Any text at all.

use proptest::prelude::*;

use super::super::{Live, Options, Stream, render_with};
use super::safe::{pieces, safe};

/// What Markdown is made of, in bits that make trouble when they meet.
const TOKENS: &[&str] = &[
    "\n",
    "\n",
    "\n",
    "\n\n",
    "\n\n",
    " ",
    "  ",
    "    ",
    "\t",
    "\r\n",
    "a",
    "word",
    "b c",
    "é",
    "字",
    "1",
    "42",
    "*",
    "**",
    "***",
    "_",
    "__",
    "~",
    "~~",
    "`",
    "``",
    "```",
    "```rust\n",
    "~~~",
    "-",
    "- ",
    "+ ",
    "* ",
    "1. ",
    "2) ",
    "0. ",
    "> ",
    ">",
    "#",
    "# ",
    "## ",
    "###### ",
    "---",
    "***\n",
    "===",
    "|",
    "| ",
    " | ",
    "|---|---|\n",
    "| a | b |\n",
    "|:-:|--:|",
    "[",
    "]",
    "(",
    ")",
    "![",
    "](",
    "[a](https://b.example)",
    "![c](http://d.example/e)",
    "[f](javascript:g)",
    "[ ] ",
    "[x] ",
    "- [x] ",
    "[^1]",
    "[^n]",
    "<",
    ">",
    "<b>",
    "<br>",
    "<br />",
    "<br/>\n",
    "</p>",
    "<script>",
    "<!--",
    "-->",
    "<div>\n",
    "<pre>",
    "<https://h.example>",
    "&",
    "&amp;",
    "&#0;",
    "&lt;",
    "\\",
    "\\*",
    "\"",
    "'",
    ":",
    "!",
    "\u{0}",
    "\u{1}",
    "\u{a0}",
    "\u{200b}",
    "javascript:",
    "onclick=\"i\"",
];

fn markdownish() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(TOKENS), 0..60).prop_map(|tokens| tokens.concat())
}

/// Whole blocks, as a model would write them, and some that it would not.
fn documents() -> impl Strategy<Value = String> {
    let inline = prop::sample::select(
        &[
            "plain words",
            "**bold** and *it*",
            "`co|de`",
            "a [link](https://b.example/c_(d)) e",
            "f & <b>g</b>",
            "h<br>i<br/>",
            "snake_case",
            "2 * 3 * 4",
            "open ** and ` here",
            "end\\",
            "![i](https://j.example)",
            "a | b",
            "[k",
            "l]",
            "1. m",
            "- n",
            "~~o~~",
            "p  ",
            "# q",
            "x[^1]",
            "字字",
            "&amp; é",
        ][..],
    );
    let text = prop::collection::vec(inline, 1..5).prop_map(|parts| parts.join(" "));
    let lines = prop::collection::vec(text.clone(), 1..4).prop_map(|lines| lines.join("\n"));
    let indented = (lines.clone(), 1..5_usize).prop_map(|(lines, by)| lines.replace('\n', &format!("\n{:by$}", "")));
    let item = (
        prop::sample::select(&["- ", "* ", "+ ", "1. ", "2. ", "3) ", "- [x] ", "- [ ] ", "  - ", "   1. "][..]),
        indented,
    )
        .prop_map(|(mark, text)| format!("{mark}{text}"));
    let gap = prop::sample::select(&["\n", "\n", "\n\n", "\n\n\n", "\n  \n"][..]);
    let list = prop::collection::vec((item, gap.clone()), 1..5)
        .prop_map(|items| items.into_iter().map(|(item, gap)| item + gap).collect::<String>());
    let fence = (prop::sample::select(&["```", "~~~", "````", "  ```"][..]), lines.clone(), any::<bool>())
        .prop_map(|(mark, code, closed)| format!("{mark}rust\n{code}\n\n{code}\n{}", if closed { mark } else { "``" }));
    let table = prop::collection::vec(prop::collection::vec(text.clone(), 1..4), 1..4).prop_map(|rows| {
        let rows = rows.iter().map(|row| format!("| {} |\n", row.join(" | ")));
        let mut rows = rows.collect::<Vec<_>>();
        rows.insert(1, "|---|--:|\n".to_owned());
        rows.concat()
    });
    let block = prop_oneof![
        4 => lines.clone(),
        2 => list,
        1 => fence,
        1 => table,
        1 => (1..7_usize, text.clone()).prop_map(|(level, text)| format!("{} {text}", "#".repeat(level))),
        1 => (text.clone(), prop::sample::select(&["===", "---", "-"][..])).prop_map(|(text, line)| format!("{text}\n{line}")),
        1 => lines.clone().prop_map(|lines| format!("> {}", lines.replace('\n', "\n> "))),
        1 => lines.clone().prop_map(|lines| format!("    {}", lines.replace('\n', "\n    "))),
        1 => prop::sample::select(&["***", "- - -", "<div>\na\n</div>", "<!-- a\n\nb -->", "<pre>\n\n</pre>", "<br>"][..])
            .prop_map(str::to_owned),
    ];
    // The note is defined, so that a reference to it is one, whole or in parts.
    prop::collection::vec((block, gap), 1..9).prop_map(|blocks| {
        let blocks = blocks.into_iter().map(|(block, gap)| block + gap).collect::<String>();
        format!("[^1]: z\n\n{blocks}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_safe(text in any::<String>(), seams in prop::collection::vec(0..80_u32, 0..3)) {
        safe(&text, &seams, &[9000, 30000]).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn any_markdown_is_safe(
        text in markdownish(),
        seams in prop::collection::vec(0..300_u32, 0..4),
        cuts in prop::collection::vec(any::<u16>(), 0..12),
    ) {
        safe(&text, &seams, &cuts).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn in_parts_it_is_the_same_as_whole(
        text in documents(),
        cuts in prop::collection::vec(any::<u16>(), 0..40),
        seams in any::<bool>(),
    ) {
        let options = Options { prefix: "m".to_owned(), caret: false };
        let mut live = Live::new(options.clone());
        let mut stream = Stream::with(options.clone());
        let (mut closed, mut streamed, mut places) = (String::new(), String::new(), Vec::new());
        for piece in pieces(&text, &cuts) {
            live.push(piece);
            closed.push_str(&live.update().closed.concat());
            streamed.push_str(&stream.push(piece).unwrap_or_default());
            if seams {
                places.push(live.text().len() as u32);
                live.seam();
                stream.seam();
            }
        }
        let whole = render_with(&text, &places, &options);
        prop_assert_eq!(streamed + &stream.finish(), whole.clone());
        prop_assert_eq!(closed + &live.finish(), whole);
    }

    #[test]
    fn a_rewind_leaves_no_trace(
        text in documents(), other in documents(), keep in any::<u16>(), cuts in prop::collection::vec(any::<u16>(), 0..20),
    ) {
        // Cut off, a definition would leave references behind that are none.
        let (text, other) = (text.replace("[^1]", "(1)"), other.replace("[^1]", "(1)"));
        let mut live = Live::new(Options::default());
        let mut closed = Vec::new();
        for piece in pieces(&text, &cuts) {
            live.push(piece);
            closed.extend(live.update().closed);
        }
        let bytes = text.len() * usize::from(keep) / 65535;
        closed.truncate(live.truncate(bytes));
        for piece in pieces(&other, &cuts) {
            live.push(piece);
            closed.extend(live.update().closed);
        }
        let whole = text[..text.floor_char_boundary(bytes)].to_owned() + &other;
        prop_assert_eq!(live.text(), &whole);
        prop_assert_eq!(closed.concat() + &live.finish(), render_with(&whole, &[], &Options::default()));
    }
}
