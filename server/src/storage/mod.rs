//! The table: keys and one file per kind of item.

pub mod items;
pub mod segment;

pub use items::{Base, DayTotals, Head, MessageItem, SessionItem, TurnItem, TurnState};
pub use segment::{By, End, Kind, Segment};
