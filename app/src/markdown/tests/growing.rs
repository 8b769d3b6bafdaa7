//! What is closed stays, and costs nothing more.

use super::super::{Live, Options, Stream, render};
use super::parsed;

const TEXT: &str = "# a\n\nb\nc\n\n- d\n\n  e\n- f\n\ng\n===\n\n1. h\n\n   ```\n   i\n\n   j\n   ```\n2. k\n\n```rust\n\
    l\n\nm\n```\n| n | o |\n|---|---|\n| p | q |\n\nr[^1]\ns\n***\n> t\nu\n\n<div>\nv\n\n    w\n\n    x\n\n[^1]: y\n\n    z\n";

#[test]
fn closed_blocks_and_the_rest_are_the_whole() {
    for size in 1..40 {
        let mut live = Live::new(Options::default());
        let mut stream = Stream::new();
        let (mut closed, mut streamed) = (String::new(), String::new());
        for chunk in TEXT.as_bytes().chunks(size) {
            let chunk = std::str::from_utf8(chunk).unwrap();
            live.push(chunk);
            closed.push_str(&live.update().closed.concat());
            streamed.push_str(&stream.push(chunk).unwrap_or_default());
        }
        assert_eq!(closed + &live.finish(), render(TEXT, &[]), "by {size}");
        assert_eq!(streamed + &stream.finish(), render(TEXT, &[]), "by {size}");
    }
}

#[test]
fn a_paragraph_behind_a_blank_line_closes_what_is_before() {
    let mut live = Live::new(Options::default());
    live.push("a\n\nb");
    let update = live.update();
    assert_eq!(update.closed, ["<p>a</p>"]);
    assert_eq!(update.tail, "<p>b</p>");
    live.push("\n- c");
    assert_eq!(live.update().closed, [""; 0], "it may become something else until its line is complete");
    live.push("\n");
    assert_eq!(live.update().closed, ["<p>b</p>"]);
    live.push("\n2");
    assert_eq!(live.update().closed, [""; 0]);
    live.push("nd");
    assert_eq!(live.update().closed, [""; 0], "a number may begin an item");
    live.push(" line\n");
    assert_eq!(live.update().closed, ["<ul><li>c</li></ul>"]);
    assert_eq!(live.finish(), "<p>2nd line</p>");
}

#[test]
fn what_completes_a_text_never_ends_a_block() {
    for text in ["a ` b\n``\n", "a * b *c\n**\n", "a _b\n__\n", "a `b\n~~\n"] {
        let mut live = Live::new(Options::default());
        live.push(text);
        assert_eq!(live.update().closed, [""; 0], "{text:?}");
    }
}

#[test]
fn a_blank_line_is_enough_without_javascript() {
    let mut stream = Stream::new();
    assert_eq!(stream.push("a"), None);
    assert_eq!(stream.push("b\n"), None);
    assert_eq!(stream.push("\n").as_deref(), Some("<p>ab</p>"));
    assert_eq!(stream.push("\n"), None);
    assert_eq!(stream.push("- c\n\n"), None, "a list may go on");
    assert_eq!(stream.push("d\n\ne").as_deref(), Some("<ul><li>c</li></ul><p>d</p>"));
    assert_eq!(stream.finish(), "<p>e</p>");
}

#[test]
fn a_rewind_says_what_remains() {
    let mut live = Live::new(Options::default());
    live.push("# a\n\nb\n\nc\n\nd");
    assert_eq!(live.update().closed.len(), 3);
    assert_eq!(live.truncate("# a\n\nb\n\nc".len()), 1, "what closed the second is cut");
    let update = live.update();
    assert_eq!(update.closed, ["<p>b</p>"]);
    assert_eq!(update.tail, "<p>c</p>");
    assert_eq!(live.truncate(3), 0);
    live.push("x\n\n## e");
    live.push("\n");
    let update = live.update();
    assert_eq!(update.closed.concat() + &update.tail, "<h3>ax</h3><h4>e</h4>");
    live.push("é");
    let end = live.text().len();
    live.truncate(end - 1);
    assert!(!live.text().ends_with('é'));
    assert_eq!(live.truncate(0), 0);
    assert_eq!(live.update(), super::super::Update::default());
}

#[test]
fn seams_are_where_they_are_in_the_whole() {
    let mut live = Live::new(Options::default());
    let mut stream = Stream::new();
    let (mut all, mut streamed) = (String::new(), String::new());
    let parts = ["abc", "\n\nde", "f\n\n```\ng", "\n```\n", "\nh"];
    let mut seams = Vec::new();
    for part in parts {
        live.push(part);
        streamed.push_str(&stream.push(part).unwrap_or_default());
        seams.push(live.text().len() as u32);
        live.seam();
        stream.seam();
        all.push_str(&live.update().closed.concat());
    }
    let whole = render(&parts.concat(), &seams);
    assert_eq!(whole.matches("seam-note").count(), 3);
    assert_eq!(all + &live.finish(), whole);
    assert_eq!(streamed + &stream.finish(), whole);
    // One that was rewound is gone.
    let mut live = Live::new(Options::default());
    live.push("abc");
    live.seam();
    live.truncate(2);
    live.push("d e");
    assert_eq!(live.update().tail, "<p>abd e</p>");
}

#[test]
fn footnotes_are_references_before_they_are_defined() {
    let text = "a[^x] b\n\nc[^2] d\n\n[^x]: e\n\n[^2]: f\n";
    let mut live = Live::new(Options { prefix: "m".to_owned(), caret: false });
    let mut closed = String::new();
    for c in text.chars() {
        live.push(c.encode_utf8(&mut [0; 4]));
        closed.push_str(&live.update().closed.concat());
    }
    let options = Options { prefix: "m".to_owned(), caret: false };
    assert_eq!(closed + &live.finish(), super::super::render_with(text, &[], &options));
}

#[test]
fn a_long_text_costs_its_length() {
    let paragraph = "Read customers and their orders together, in **pages**, so that neither side holds more.\n\n";
    let total = 1000 * paragraph.len();
    for (pieces, times) in [(1, 5), (4, 25)] {
        let mut live = Live::new(Options::default());
        let mut stream = Stream::new();
        let start = parsed();
        for _ in 0..1000 {
            for piece in paragraph.as_bytes().chunks(paragraph.len().div_ceil(pieces)) {
                live.push(std::str::from_utf8(piece).unwrap());
                drop(live.update());
            }
        }
        let cost = parsed() - start;
        assert!(cost < times * total, "{cost} bytes parsed for {total}");
        let start = parsed();
        for _ in 0..1000 {
            stream.push(paragraph);
        }
        let cost = parsed() - start;
        assert!(cost < 3 * total, "{cost} bytes parsed for {total}");
    }
}
