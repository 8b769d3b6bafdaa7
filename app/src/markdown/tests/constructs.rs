//! Each construct in the shape that the stylesheet expects.

use super::super::{Options, plain_text, render, render_with, words};
use super::check::check;

#[track_caller]
fn gives(markdown: &str, html: &str) {
    let out = render(markdown, &[]);
    assert_eq!(out, html, "of {markdown:?}");
    check(&out).unwrap();
}

const COPY: &str = "<button type=\"button\" class=\"btn btn-quiet btn-s js-only\" data-copy=\"\"><svg class=\"icon \
    icon-s\" viewBox=\"0 0 20 20\" aria-hidden=\"true\"><use href=\"#i-copy\"/></svg>Copy</button>";
const SEAM: &str = "<span class=\"seam\"><svg viewBox=\"0 0 16 16\" aria-hidden=\"true\"><rect x=\"5\" y=\"1\" \
    width=\"6\" height=\"14\" class=\"ground\"/><circle cx=\"8\" cy=\"8\" r=\"3.25\" class=\"solid\"/></svg><span \
    class=\"seam-note\">Picked up where it left off</span></span>";
const CARET: &str = "<span class=\"caret\" aria-hidden=\"true\"></span>";

#[test]
fn paragraphs_and_marks() {
    gives("a *b* **c** ~~d~~ `e<`", "<p>a <em>b</em> <strong>c</strong> <del>d</del> <code>e&lt;</code></p>");
    gives("one\ntwo  \nthree\\\nfour\n\nfive", "<p>one\ntwo<br>three<br>four</p><p>five</p>");
    gives("a & b < c > d \"e\" &copy; &lt;b>", "<p>a &amp; b &lt; c &gt; d \"e\" © &lt;b&gt;</p>");
    gives("***", "<hr>");
    gives("> a\n>\n> b", "<blockquote><p>a</p><p>b</p></blockquote>");
    gives("a\u{0}b\u{1}c\rd", "<p>abc\nd</p>");
    gives("", "");
}

#[test]
fn headings_stand_below_the_question_and_leave_no_level_out() {
    gives("# a\n## b\n### c\n# d", "<h3>a</h3><h4>b</h4><h4>c</h4><h3>d</h3>");
    gives("## a\n#### b\n## c", "<h3>a</h3><h4>b</h4><h3>c</h3>");
    gives("### a\n# b\n## c", "<h3>a</h3><h3>b</h3><h4>c</h4>");
    gives("a\n===\nb\n---", "<h3>a</h3><h4>b</h4>");
}

#[test]
fn lists() {
    gives("- a\n- b", "<ul><li>a</li><li>b</li></ul>");
    gives("- a\n\n- b", "<ul><li><p>a</p></li><li><p>b</p></li></ul>");
    gives("1. a\n2. b\n   - c", "<ol><li>a</li><li>b<ul><li>c</li></ul></li></ol>");
    gives("7. a", "<ol start=\"7\"><li>a</li></ol>");
    gives("0. a", "<ol start=\"0\"><li>a</li></ol>");
}

#[test]
fn tasks() {
    let done = "<span class=\"box box-on\" role=\"img\" aria-label=\"done\"><svg class=\"icon\" viewBox=\"0 0 20 20\" \
        aria-hidden=\"true\"><use href=\"#i-check\"/></svg></span>";
    let open = "<span class=\"box\" role=\"img\" aria-label=\"open\"></span>";
    gives(
        "- [x] a\n- [ ] b",
        &format!("<ul class=\"tasks\"><li>{done}<div>a</div></li><li>{open}<div>b</div></li></ul>"),
    );
    gives(
        "- [x] a\n\n- b\n  - c",
        &format!(
            "<ul class=\"tasks\"><li>{done}<div><p>a</p></div></li><li><div><p>b</p><ul><li>c</li></ul></div></li></ul>"
        ),
    );
    gives(
        "- a\n- b\n  1. [ ] c",
        &format!("<ul><li>a</li><li>b<ol class=\"tasks\"><li>{open}<div>c</div></li></ol></li></ul>"),
    );
}

#[test]
fn code_blocks_name_their_language() {
    let block = |name: &str, code: &str| {
        format!(
            "<figure class=\"code\"><figcaption>{name}{COPY}</figcaption><pre tabindex=\"0\"><code>{code}</code></pre></figure>"
        )
    };
    gives("```sql\na > b\n\nc\n```", &block("SQL", "a &gt; b\n\nc"));
    gives("~~~ JS\n<b>\n~~~", &block("JavaScript", "&lt;b&gt;"));
    gives("```rust,ignore\n```", &block("Rust", ""));
    gives("```{.py}\na\n```", &block("Python", "a"));
    gives("```brainf<ck\na\n```", &block("brainf&lt;ck", "a"));
    gives("```\n\na\n\n```", &block("Code", "\na\n"));
    gives("    a\n      b", &block("Code", "a\n  b"));
    gives("```c++\na", &block("C++", "a"));
    gives(&format!("```{}\na", "é".repeat(40)), &block(&"é".repeat(24), "a"));
}

#[test]
fn tables() {
    gives(
        "| a | b | c |\n|---|--:|:-:|\n| 1 | 2 |\n| *x* | y \\| z | w | v |",
        "<div class=\"table-scroll\" role=\"group\" aria-label=\"Table\" tabindex=\"0\"><table><thead><tr><th>a</th>\
         <th class=\"num\">b</th><th class=\"mid\">c</th></tr></thead><tbody><tr><td>1</td><td class=\"num\">2</td>\
         <td class=\"mid\"></td></tr><tr><td><em>x</em></td><td class=\"num\">y | z</td><td class=\"mid\">w</td></tr>\
         </tbody></table></div>",
    );
    gives(
        "| | b |\n|---|---|",
        "<div class=\"table-scroll\" role=\"group\" aria-label=\"Table\" tabindex=\"0\"><table><thead><tr><td></td>\
         <th>b</th></tr></thead></table></div>",
    );
}

#[test]
fn links_lead_to_web_and_mail_only() {
    let to = |url: &str, text: &str| {
        format!("<p><a href=\"{url}\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">{text}</a></p>")
    };
    gives("[a](https://b.example/?c&d \"title\")", &to("https://b.example/?c&amp;d", "a"));
    gives("[*a*](HTTP://b.example)", &to("HTTP://b.example", "<em>a</em>"));
    gives("<https://b.example>", &to("https://b.example", "https://b.example"));
    gives("<a@b.example>", &to("mailto:a@b.example", "a@b.example"));
    gives("[a](mailto:a@b.example)", &to("mailto:a@b.example", "a"));
    gives("[a](<https://b.example/\"'\\<\\>` c>)", &to("https://b.example/%22'%3C%3E%60%20c", "a"));
    gives("[a][b]\n\n[b]: https://c.example", &to("https://c.example", "a"));
    for url in
        ["javascript:a", "data:text/html,a", "/a", "a", "#a", "//a.example", "ftp://a", "vbscript:a", "http:a", ""]
    {
        gives(&format!("[*a* b]({url})"), "<p><em>a</em> b</p>");
    }
}

#[test]
fn images_wait_to_be_asked() {
    let icon = "<svg class=\"icon\" viewBox=\"0 0 20 20\" aria-hidden=\"true\"><use href=\"#i-image\"/></svg>";
    gives(
        "![](https://charts.example.com/a.png)",
        &format!(
            "<p><span class=\"blocked\">{icon}<span>Image from charts.example.com, not loaded.</span><button \
             type=\"button\" class=\"btn js-only\" data-src=\"https://charts.example.com/a.png\" data-alt=\"\">Load \
             it</button></span></p>"
        ),
    );
    gives(
        "![a *b* \"c\"](http://u:p@h.example:81\\x@y/)",
        &format!(
            "<p><span class=\"blocked\">{icon}<span>Image from h.example:81, not loaded. <em>a b \"c\"</em></span>\
             <button type=\"button\" class=\"btn js-only\" data-src=\"http://u:p@h.example:81\\x@y/\" data-alt=\"a b \
             &quot;c&quot;\">Load it</button></span></p>"
        ),
    );
    gives(
        "[![a](https://b.example/c.png)](https://d.example)",
        &format!(
            "<p><a href=\"https://d.example\" rel=\"noopener noreferrer nofollow\" target=\"_blank\"><span \
             class=\"blocked\">{icon}<span>Image from b.example, not loaded. <em>a</em></span></span></a></p>"
        ),
    );
    gives("![a `b`](data:image/png;base64,x) ![](/c) ![d](javascript:e)", "<p>a b  d</p>");
}

#[test]
fn raw_html_is_text() {
    gives("a <b onclick=\"x\">c</b>", "<p>a &lt;b onclick=\"x\"&gt;c&lt;/b&gt;</p>");
    gives("<div>\n  a\n</div>\n\nb", "<p>&lt;div&gt;<br>  a<br>&lt;/div&gt;</p><p>b</p>");
    gives("<!-- a -->", "<p>&lt;!-- a --&gt;</p>");
}

#[test]
fn a_bare_br_is_a_line_break_and_nothing_else_is() {
    for tag in ["<br>", "<br/>", "<br />"] {
        gives(&format!("a{tag}b"), "<p>a<br>b</p>");
        gives(&format!("**a{tag}b**"), "<p><strong>a<br>b</strong></p>");
        gives(&format!("a\n\n{tag}\n\nb"), "<p>a</p><p><br></p><p>b</p>");
        gives(&format!("{tag}\nb"), "<p><br>b</p>");
        assert!(render(&format!("|a|\n|-|\n|b{tag}c|\n"), &[]).contains("<td>b<br>c</td>"));
        // As an example it stays one.
        gives(&format!("`{tag}`"), &format!("<p><code>{}</code></p>", tag.replace('<', "&lt;").replace('>', "&gt;")));
        gives(&format!("\\{tag}"), &format!("<p>{}</p>", tag.replace('<', "&lt;").replace('>', "&gt;")));
        assert_eq!(plain_text(&format!("a{tag}b\n\n{tag}\n\nc")), "a b c");
    }
    for tag in [
        "<br class=\"a\">",
        "<br onclick=\"a\">",
        "<br/ >",
        "<br  />",
        "<BR>",
        "</br>",
        "<br\n>",
        "<brr>",
        "<hr>",
        "<b>",
        "<br><script>",
    ] {
        let out = render(&format!("a {tag} b\n\n{tag}\n\n|a|\n|-|\n|{tag}|\n"), &[]);
        check(&out).unwrap();
        assert!(out.contains("&lt;"), "{tag:?}: {out}");
    }
    gives("<div>\n<br>\n</div>", "<p>&lt;div&gt;<br>&lt;br&gt;<br>&lt;/div&gt;</p>");
}

#[test]
fn footnotes_have_ids_of_their_own() {
    let options = Options { prefix: "m\"1".to_owned(), caret: false };
    let out = render_with("a[^x] b[^x] c[^y]\n\n[^x]: one\n\n[^y]: two", &[], &options);
    assert_eq!(
        out,
        "<p>a<sup class=\"fn\"><a href=\"#m&quot;1-fn-1\" id=\"m&quot;1-ref-1\" aria-label=\"Note 1\">1</a></sup> \
         b<sup class=\"fn\"><a href=\"#m&quot;1-fn-1\" aria-label=\"Note 1\">1</a></sup> \
         c<sup class=\"fn\"><a href=\"#m&quot;1-fn-2\" id=\"m&quot;1-ref-2\" aria-label=\"Note 2\">2</a></sup></p>\
         <div class=\"fn-note\" id=\"m&quot;1-fn-1\"><sup class=\"fn\"><a href=\"#m&quot;1-ref-1\" aria-label=\"Note 1, \
         back to the text\">1</a></sup><div><p>one</p></div></div>\
         <div class=\"fn-note\" id=\"m&quot;1-fn-2\"><sup class=\"fn\"><a href=\"#m&quot;1-ref-2\" aria-label=\"Note 2, \
         back to the text\">2</a></sup><div><p>two</p></div></div>"
    );
    check(&out).unwrap();
    gives("a[^x]", "<p>a[^x]</p>");
    gives(
        "[a[^1]](https://b.example)\n\n[^1]: c",
        "<p>[a<sup class=\"fn\"><a href=\"#fn-1\" id=\"ref-1\" aria-label=\"Note 1\">1</a></sup>](https://b.example)</p>\
         <div class=\"fn-note\" id=\"fn-1\"><sup class=\"fn\"><a href=\"#ref-1\" aria-label=\"Note 1, back to the \
         text\">1</a></sup><div><p>c</p></div></div>",
    );
}

#[test]
fn seams_stand_where_the_text_goes_on() {
    let seam = |markdown: &str, seams: &[u32]| {
        let out = render(markdown, seams);
        check(&out).unwrap();
        out.replace(SEAM, "|")
    };
    assert_eq!(seam("abc", &[0]), "<p>|abc</p>");
    assert_eq!(seam("abc", &[2]), "<p>ab|c</p>");
    assert_eq!(seam("abc", &[3]), "<p>abc</p>", "nothing goes on there");
    assert_eq!(seam("abc\n\ndef", &[3]), "<p>abc</p><p>|def</p>");
    assert_eq!(seam("abc\n\ndef", &[4]), "<p>abc</p><p>|def</p>");
    assert_eq!(seam("abc\n\n- def", &[5]), "<p>abc</p><ul><li>|def</li></ul>");
    assert_eq!(seam("aéb", &[2]), "<p>a|éb</p>", "no character is torn");
    assert_eq!(seam("abcd", &[3, 1, 1]), "<p>a|bc|d</p>");
    assert_eq!(seam("a `bc` d", &[4]), "<p>a |<code>bc</code> d</p>");
    assert_eq!(seam("a&amp;b", &[3]), "<p>a&amp;|b</p>");
    assert_eq!(seam("a **bc**", &[5]), "<p>a <strong>b|c</strong></p>");
    assert!(!seam("```\nabc\n```\n\nd", &[5]).contains('|'), "inside a code block it isn't shown");
    assert!(seam("a\n\n```\nabc\n```\n\nd", &[1]).ends_with("<p>|d</p>"));
    assert!(seam("[abc](https://d.example)", &[2]).starts_with("<p>|<a "));
    assert!(seam("| a | b |\n|---|---|\n| c | d |", &[12]).contains("<td>|c</td>"));
    assert!(seam("a", &[u32::MAX]).contains("<p>a</p>"));
}

#[test]
fn the_caret_stands_behind_the_last_character() {
    let caret = |markdown: &str| {
        let out = render_with(markdown, &[], &Options { caret: true, ..Options::default() });
        check(&out).unwrap();
        out.replace(CARET, "|")
    };
    assert_eq!(caret("a"), "<p>a|</p>");
    assert_eq!(caret("- a\n- **b**"), "<ul><li>a</li><li><strong>b|</strong></li></ul>");
    assert_eq!(caret("a `b`"), "<p>a <code>b|</code></p>");
    assert!(caret("```\na\nb\n").contains("<code>a\nb|</code>"));
    assert!(caret("```sql\n").contains("<code>|</code>"));
    assert_eq!(caret("***"), "<hr><p>|</p>");
    assert!(caret("![a](https://b.example)").ends_with("</button></span>|</p>"));
    assert!(caret("| a |\n|---|\n| b |").contains("<td>b|</td>"));
}

#[test]
fn too_deep_comes_out_flat() {
    for markdown in [
        format!("{} a", ">".repeat(1000)),
        format!("{}a", "- ".repeat(1000)),
        format!("{}a{}", "*".repeat(999), "*".repeat(999)),
        format!("{}a", "*b **c ".repeat(300)) + &"** *".repeat(300),
        (59..68).fold(String::new(), |all, depth| {
            let quote = "> ".repeat(depth);
            format!("{all}{quote}| a | b |\n{quote}|---|---|\n{quote}| 1 | 2 |\n\n{quote}- [x] c\n\n{quote}```\n{quote}d\n\n")
        }),
    ] {
        check(&render(&markdown, &[3])).unwrap();
    }
}

#[test]
fn plain_text_is_one_line_of_words() {
    assert_eq!(
        plain_text("# A *b*c\n\n- d `e`\n- [x] f\n\n```\ng\nh\n```\n> i[^1] ![j](k)\n\n[^1]: l"),
        "A bc d e f g h i j l"
    );
    assert_eq!(plain_text("| a | b |\n|---|---|\n| c | d |"), "a b c d");
    assert_eq!(plain_text("<b>a</b>&amp;"), "<b>a</b>&");
    assert_eq!(plain_text(" \n"), "");
}

#[test]
fn words_are_counted_as_read() {
    assert_eq!(words(""), 0);
    assert_eq!(words("one, two\nthree"), 3);
    assert_eq!(words("- **don't** # e-mail | 31,400 |"), 3);
    assert_eq!(words("これは three 字"), 5);
}
