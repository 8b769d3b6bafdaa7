//! The words of the product as types: ids, cursors, events, sessions, messages.
//!
//! Shared by server and browser. Only std, serde, ids and time in here; nothing is conditional.

pub mod content;
pub mod cursor;
pub mod event;
pub mod ids;
pub mod job;
pub mod json;
pub mod model;
pub mod session;
pub mod timestamp;

pub use content::{Piece, PieceKind};
pub use cursor::Cursor;
pub use event::{Outcome, Timing, TurnError, TurnEvent, Usage};
pub use ids::{IdError, JobId, MessageId, SessionId, TurnId, UserId};
pub use job::{Job, JobList, JobRow, JobStatus, JobView, Submitted, Variant};
pub use model::{ModelInfo, Models};
pub use session::{Created, Empty, Message, Role, Seam, Session, SessionList, SessionPage, SessionRow, Siblings};
pub use timestamp::Timestamp;
