//! Any bytes as a streamed reply of the Messages API: cut anywhere, they decode to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/common/seen.rs"]
mod seen;

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let whole = seen::decode([bytes]);
    assert_eq!(seen::decode(bytes.chunks(usize::from(size).max(1))), whole);
});
