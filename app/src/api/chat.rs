//! `/api/chat/…`: the calls that stream.

use leptos::prelude::*;
use server_fn::codec::{GetUrl, Json, PostUrl};

use crate::{
    domain::Empty,
    error::ApiError,
    sse::{EventStream, Sse},
};

/// Sends a message and follows the turn that answers it. The same `turn_id` again follows the same turn.
#[server(name = ChatSend, prefix = "/api", endpoint = "chat/send", input = PostUrl, output = Sse)]
pub async fn send(
    session_id: String,
    turn_id: String,
    text: String,
    #[server(default)] model: Option<String>,
    #[server(default)] parent_id: Option<String>,
    #[server(default)] new: Option<bool>,
) -> Result<EventStream, ApiError> {
    use crate::backend::{Parent, SendRequest};
    let send = SendRequest {
        session_id: super::field("session_id", &session_id)?,
        turn_id: super::field("turn_id", &turn_id)?,
        text,
        model: model.filter(|m| !m.is_empty()),
        parent: match parent_id.as_deref() {
            None | Some("") => Parent::Newest,
            Some("root") => Parent::Root,
            Some(id) => Parent::Message(super::field("parent_id", id)?),
        },
        new: new.unwrap_or(false),
    };
    super::backend()?.send(send).await
}

/// Another answer beside the one named.
#[server(name = ChatRetry, prefix = "/api", endpoint = "chat/retry", input = PostUrl, output = Sse)]
pub async fn retry(turn_id: String, message_id: String) -> Result<EventStream, ApiError> {
    let (turn, message) = (super::field("turn_id", &turn_id)?, super::field("message_id", &message_id)?);
    super::backend()?.retry(turn, message).await
}

/// Carries an answer on that was stopped, cut off or failed: a new one that begins with its text and goes on.
#[server(name = ChatContinue, prefix = "/api", endpoint = "chat/continue", input = PostUrl, output = Sse)]
pub async fn carry_on(turn_id: String, message_id: String) -> Result<EventStream, ApiError> {
    let (turn, message) = (super::field("turn_id", &turn_id)?, super::field("message_id", &message_id)?);
    super::backend()?.carry_on(turn, message).await
}

/// Follows a turn from a cursor to its end. The header `Last-Event-ID` wins over `cursor`.
#[server(name = ChatFollow, prefix = "/api", endpoint = "chat/follow", input = GetUrl, output = Sse)]
pub async fn follow(turn_id: String, #[server(default)] cursor: Option<String>) -> Result<EventStream, ApiError> {
    let turn = super::field("turn_id", &turn_id)?;
    let last = use_context::<http::request::Parts>()
        .and_then(|parts| Some(parts.headers.get("last-event-id")?.to_str().unwrap_or("x").to_owned()))
        .filter(|id| !id.is_empty());
    let cursor = super::optional("cursor", last.or(cursor).as_deref())?;
    super::backend()?.follow(turn, cursor.unwrap_or_default()).await
}

/// Stops a turn; what was written is kept. Idempotent.
#[server(name = ChatStop, prefix = "/api", endpoint = "chat/stop", input = PostUrl, output = Json)]
pub async fn stop(turn_id: String) -> Result<Empty, ApiError> {
    let turn = super::field("turn_id", &turn_id)?;
    super::backend()?.stop(turn).await?;
    Ok(Empty {})
}
