//! Tests of the renderer.

mod check;
mod constructs;
mod growing;
mod half;
mod hostile;
mod random;
mod safe;

use std::cell::Cell;

thread_local! {
    static PARSED: Cell<usize> = const { Cell::new(0) };
}

/// Called by `parse`, so that a test can count what is parsed.
pub(super) fn count_parsed(bytes: usize) {
    PARSED.with(|parsed| parsed.set(parsed.get() + bytes));
}

/// How many bytes this thread has parsed so far.
fn parsed() -> usize {
    PARSED.with(Cell::get)
}
