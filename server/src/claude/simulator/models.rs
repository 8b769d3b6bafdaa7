//! `GET /v1/models`: the built-in table in the API's shape.

use serde_json::{Value, json};

use super::refusal::Refusal;
use crate::claude::models::{Model, built_in};

/// Entries a page, unless the request says otherwise.
const PAGE: usize = 20;

fn entry(model: &Model) -> Value {
    let yes = json!({"supported": true});
    let no = json!({"supported": false});
    let mut capabilities = json!({
        "batch": yes, "citations": yes, "code_execution": no, "image_input": yes, "pdf_input": yes,
        "context_management": {"supported": false},
        "server_tools": {"supported": false, "web_search": no, "code_execution": no},
    });
    if let (Some(all), Some(known)) = (capabilities.as_object_mut(), model.capabilities.as_object()) {
        all.extend(known.clone());
    }
    json!({
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "deprecated_at": null,
        "retires_at": null,
        "line": null,
        "max_input_tokens": model.max_input_tokens,
        "max_tokens": model.max_tokens,
        "capabilities": capabilities,
    })
}

/// A page of the list, as the query asks for it.
///
/// # Errors
/// A `limit` that is no number from 1 to 1,000.
pub fn list(query: &str) -> Result<Value, Refusal> {
    let parameter = |name: &str| {
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let limit = match parameter("limit") {
        None => PAGE,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=1000).contains(limit))
            .ok_or_else(|| Refusal::invalid("limit: Input should be between 1 and 1000"))?,
    };
    let models = built_in();
    let place = |id: &str| models.iter().position(|model| model.id == id);
    let (begin, end) = match (parameter("after_id"), parameter("before_id")) {
        (Some(after), _) => (place(after).map_or(models.len(), |at| at + 1), models.len()),
        (None, Some(before)) => {
            let end = place(before).unwrap_or(0);
            (end.saturating_sub(limit), end)
        }
        (None, None) => (0, models.len()),
    };
    let page: Vec<&Model> = models.iter().take(end).skip(begin).take(limit).collect();
    let has_more = if parameter("before_id").is_some() { begin > 0 } else { begin + page.len() < models.len() };
    Ok(json!({
        "data": page.iter().map(|model| entry(model)).collect::<Vec<_>>(),
        "has_more": has_more,
        "first_id": page.first().map(|model| &model.id),
        "last_id": page.last().map(|model| &model.id),
    }))
}

/// One model.
///
/// # Errors
/// When it is not there.
pub fn one(id: &str) -> Result<Value, Refusal> {
    built_in().iter().find(|model| model.id == id).map(entry).ok_or_else(|| Refusal::new(404, format!("model: {id}")))
}
