//! `/api/sessions/…`.

use leptos::prelude::*;
use server_fn::codec::{GetUrl, Json, PostUrl};

use crate::{
    domain::{Created, Empty, SessionList, SessionPage},
    error::ApiError,
};

/// Makes an empty session.
#[server(name = SessionsCreate, prefix = "/api", endpoint = "sessions/create", input = PostUrl, output = Json)]
pub async fn create() -> Result<Created, ApiError> {
    super::backend()?.create_session().await
}

/// The user's sessions, newest first, in pages of 50.
#[server(name = SessionsList, prefix = "/api", endpoint = "sessions/list", input = GetUrl, output = Json)]
pub async fn list(#[server(default)] page: Option<String>) -> Result<SessionList, ApiError> {
    super::backend()?.list_sessions(page.filter(|p| !p.is_empty())).await
}

/// One session and a page of its current branch; with `via`, of the branch that leads through that message.
#[server(name = SessionsGet, prefix = "/api", endpoint = "sessions/get", input = GetUrl, output = Json)]
pub async fn get(
    session_id: String,
    #[server(default)] page: Option<String>,
    #[server(default)] via: Option<String>,
) -> Result<SessionPage, ApiError> {
    let session = super::field("session_id", &session_id)?;
    let via = super::optional("via", via.as_deref())?;
    super::backend()?.get_session(session, page.filter(|p| !p.is_empty()), via).await
}

/// Gives a session another title.
#[server(name = SessionsRename, prefix = "/api", endpoint = "sessions/rename", input = PostUrl, output = Json)]
pub async fn rename(session_id: String, title: String) -> Result<Empty, ApiError> {
    let session = super::field("session_id", &session_id)?;
    super::backend()?.rename_session(session, title).await?;
    Ok(Empty {})
}

/// Deletes a session; for 60 s it can be restored.
#[server(name = SessionsDelete, prefix = "/api", endpoint = "sessions/delete", input = PostUrl, output = Json)]
pub async fn delete(session_id: String) -> Result<Empty, ApiError> {
    let session = super::field("session_id", &session_id)?;
    super::backend()?.delete_session(session).await?;
    Ok(Empty {})
}

/// Undoes a deletion.
#[server(name = SessionsRestore, prefix = "/api", endpoint = "sessions/restore", input = PostUrl, output = Json)]
pub async fn restore(session_id: String) -> Result<Empty, ApiError> {
    let session = super::field("session_id", &session_id)?;
    super::backend()?.restore_session(session).await?;
    Ok(Empty {})
}
