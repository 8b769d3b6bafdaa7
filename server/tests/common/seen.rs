//! What a streamed reply decodes to, however its bytes are cut. The fuzz target takes this file too.

use server::claude::{Delta, Fault, decode::Decoder};

/// What a stream that ends here came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) deltas: Vec<Delta>,
    pub(crate) fault: Option<Fault>,
    pub(crate) stopped: bool,
}

pub(crate) fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    let mut decoder = Decoder::default();
    let mut deltas = Vec::new();
    for chunk in chunks {
        decoder.push(chunk);
        loop {
            match decoder.next_delta() {
                Ok(Some(delta)) => deltas.push(delta),
                Ok(None) => break,
                Err(fault) => return Seen { deltas, fault: Some(fault), stopped: decoder.stopped() },
            }
        }
    }
    Seen { deltas, fault: None, stopped: decoder.stopped() }
}
