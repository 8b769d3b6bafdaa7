//! Any text as Markdown, whole and while it grows: the HTML is safe and nests.
#![no_main]

use app::markdown;
use libfuzzer_sys::fuzz_target;

#[path = "../../../app/src/markdown/tests/check.rs"]
mod check;
#[path = "../../../app/src/markdown/tests/safe.rs"]
mod safe;

fuzz_target!(|input: (&str, Vec<u16>, Vec<u16>)| {
    let (text, seams, cuts) = input;
    let seams: Vec<u32> = seams.into_iter().take(8).map(u32::from).collect();
    if let Err(fault) = safe::safe(text, &seams, &cuts[..cuts.len().min(16)]) {
        panic!("{fault}");
    }
});
