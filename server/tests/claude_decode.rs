//! The decoder against transcripts in the real API's shapes, and against anything at all.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should fail")]
use std::{fs, path::Path};

use app::domain::Usage;
use proptest::prelude::*;
use seen::{Seen, decode};
use server::claude::{Delta, Fault, FaultKind};

#[path = "common/seen.rs"]
mod seen;

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests/fixtures").join(name)).unwrap()
}

/// Decodes the fixture whole, split at every offset, and byte by byte: all must be the same.
fn every_way(name: &str) -> Seen {
    let bytes = fixture(name);
    let whole = decode([&bytes[..]]);
    for cut in 0..=bytes.len() {
        assert_eq!(decode([&bytes[..cut], &bytes[cut..]]), whole, "{name} cut at {cut}");
    }
    for size in [1, 2, 3, 7] {
        assert_eq!(decode(bytes.chunks(size)), whole, "{name} in chunks of {size}");
    }
    whole
}

fn usage(input_tokens: u64, output_tokens: u64) -> Usage {
    Usage { input_tokens, output_tokens, ..Usage::default() }
}

/// The deltas without the signs of life, after checking that the reply begins with `Started` and came whole.
fn content(name: &str) -> Vec<Delta> {
    let seen = every_way(name);
    assert_eq!((seen.fault, seen.stopped), (None, true), "{name}");
    let mut rest = seen.deltas.into_iter().filter(|delta| *delta != Delta::Ping);
    assert!(matches!(rest.next(), Some(Delta::Started { model, .. }) if model == "claude-sonnet-5-5"), "{name}");
    rest.collect()
}

fn text(text: &str) -> Delta {
    Delta::Text(text.to_owned())
}

fn stopped(reason: &str) -> Delta {
    Delta::Stopped { stop_reason: Some(reason.to_owned()) }
}

#[test]
fn text_and_line_ends() {
    for name in ["text.sse", "crlf.sse"] {
        assert_eq!(
            content(name),
            [
                text("Hello"),
                text("! I'm"),
                text(" here \"to\"\n help\\you."),
                Delta::Usage(usage(25, 12)),
                stopped("end_turn")
            ]
        );
    }
    assert!(every_way("text.sse").deltas.contains(&Delta::Ping));
}

#[test]
fn thinking_its_signature_and_the_cache() {
    let total = Usage { cache_creation_input_tokens: 40, cache_read_input_tokens: 2048, ..usage(12, 61) };
    let first = Usage { output_tokens: 1, ..total };
    assert_eq!(
        every_way("thinking.sse").deltas[0],
        Delta::Started { usage: first, model: "claude-sonnet-5-5".to_owned() }
    );
    assert_eq!(
        content("thinking.sse"),
        [
            Delta::Thinking("27 × 453:".to_owned()),
            Delta::Thinking(" 27 × 400 = 10 800.".to_owned()),
            text("27 × 453 = 12 231"),
            Delta::Usage(total),
            stopped("end_turn"),
        ]
    );
    assert_eq!(content("redacted.sse"), [text("After it."), Delta::Usage(usage(25, 20)), stopped("end_turn")]);
}

#[test]
fn tool_use_is_skipped() {
    assert_eq!(content("tool_use.sse"), [text("Let me look."), Delta::Usage(usage(25, 54)), stopped("tool_use")]);
}

#[test]
fn what_is_not_known_is_skipped() {
    let want = [text("One."), text(" Two."), Delta::Usage(usage(25, 4)), stopped("end_turn")];
    assert_eq!(content("unknown.sse"), want);
}

#[test]
fn stop_reasons() {
    assert_eq!(content("max_tokens.sse"), [text("Cut"), Delta::Usage(usage(25, 1)), stopped("max_tokens")]);
    assert_eq!(content("refusal.sse"), [text("I can"), Delta::Usage(usage(25, 3)), stopped("refusal")]);
    assert_eq!(content("empty.sse"), [Delta::Usage(usage(25, 2)), stopped("end_turn")]);
}

#[test]
fn characters_of_many_bytes() {
    let mut all = String::new();
    for delta in content("multibyte.sse") {
        if let Delta::Text(text) = delta {
            all.push_str(&text);
        }
    }
    assert_eq!(all, "Grüße, 日本語 と 🧑‍🚀🇪🇺 e\u{301} نص عربي 😀é");
}

#[test]
fn an_error_in_mid_stream() {
    let seen = every_way("error.sse");
    assert!(seen.deltas.contains(&text("It begins")));
    assert_eq!(seen.fault, Some(Fault::new(FaultKind::Overloaded, "overloaded_error: Overloaded")));
    assert!(!seen.stopped);
}

#[test]
fn a_cut_off_stream_is_not_whole() {
    let seen = every_way("truncated.sse");
    assert_eq!((seen.fault, seen.stopped), (None, false));
    assert_eq!(seen.deltas.last(), Some(&text(" sentence")));
}

#[test]
fn garbage_is_a_fault() {
    for garbage in ["data: {\"type\":\n\n", "data: <html>\n\n", "event: message_stop\ndata: []\n\n", "data: {}\n\n"] {
        let seen = decode([garbage.as_bytes()]);
        assert_eq!(seen.fault.map(|fault| fault.kind), Some(FaultKind::Protocol), "{garbage}");
    }
    let wrong = "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":7}}\n\n";
    assert_eq!(decode([wrong.as_bytes()]).fault.map(|fault| fault.kind), Some(FaultKind::Protocol));
    let bytes = b"data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"\xff\"}}\n\n";
    assert_eq!(decode([&bytes[..]]).fault.map(|fault| fault.kind), Some(FaultKind::Protocol));
}

#[test]
fn an_event_of_a_megabyte_passes() {
    let long = "é".repeat(1 << 19);
    let event = format!(
        "data: {{\"type\":\"content_block_delta\",\"delta\":{{\"type\":\"text_delta\",\"text\":\"{long}\"}}}}\n\n"
    );
    assert_eq!(decode(event.as_bytes().chunks(1000)).deltas, [Delta::Text(long)]);
}

proptest! {
    #[test]
    fn any_bytes_in_any_cut(bytes in proptest::collection::vec(any::<u8>(), 0..400), size in 1..50_usize) {
        prop_assert_eq!(decode(bytes.chunks(size)), decode([&bytes[..]]));
    }

    #[test]
    fn a_damaged_transcript_in_any_cut(
        name in prop::sample::select(vec!["text.sse", "thinking.sse", "tool_use.sse", "unknown.sse", "multibyte.sse"]),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        size in 1..200_usize,
    ) {
        let mut bytes = fixture(name);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert_eq!(decode(bytes.chunks(size)), decode([&bytes[..]]));
    }
}
