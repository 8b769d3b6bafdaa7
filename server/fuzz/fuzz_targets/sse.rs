//! Any bytes as a turn's event stream: cut anywhere, they decode to the same frames, and those survive the wire.
#![no_main]

use app::sse::{Decoder, Frame, encode};
use libfuzzer_sys::fuzz_target;

fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame> {
    let mut decoder = Decoder::default();
    chunks.into_iter().for_each(|chunk| decoder.push(chunk));
    decoder.collect()
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let whole = decode([bytes]);
    assert_eq!(decode(bytes.chunks(usize::from(size).max(1))), whole);
    let wire: Vec<u8> = whole.iter().flat_map(|frame| encode(frame).to_vec()).collect();
    assert_eq!(decode([&wire[..]]), whole);
});
