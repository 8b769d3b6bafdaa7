//! What a turn's log adds up to: pieces of text and thinking, in order.

use serde::{Deserialize, Serialize};

/// Whether a piece is meant to be read as the reply, or is the model's thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PieceKind {
    Text,
    Thinking,
}

/// A stretch of one kind. Whole characters only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    pub kind: PieceKind,
    pub text: String,
}
