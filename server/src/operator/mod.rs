//! What an operator asks from the command line: whether all is well, and what happened to a turn.
//!
//! Nothing here writes to the table, and no prompt or reply is printed unless it is asked for.

mod doctor;
mod reach;
mod standing;
mod turn;

use std::io::Write;

pub use doctor::doctor;
pub use turn::turn;

/// Writes a line for the person who asked. Whoever no longer reads, as `head` after its last line, is no error.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A span of time as one says it.
fn span(ms: u64) -> String {
    match ms / 1000 {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7200 => format!("{} min", s / 60),
        s @ 7200..172_800 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

/// A count with its noun.
fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_counts_are_said_as_people_do() {
        assert_eq!([0, 119_999, 120_000, 7_200_000, 172_800_000].map(span), ["0 s", "119 s", "2 min", "2 h", "2 days"]);
        assert_eq!((counted(1, "claim"), counted(0, "claim")), ("1 claim".to_owned(), "0 claims".to_owned()));
    }
}
