//! The document around a page.

use std::sync::Arc;

use leptos::{nonce::use_nonce, prelude::*};

use crate::{
    domain::{MessageId, SessionId, TurnEvent},
    page::{LIVE_MARKER, PageData, PageKind},
};

/// Where the site's hashed files are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assets {
    pub js: String,
    pub wasm: String,
    pub boot: String,
    pub css: String,
}

/// The whole document.
pub fn shell(data: Arc<PageData>, assets: Arc<Assets>) -> impl IntoView {
    let nonce = use_nonce().map(|n| n.to_string()).unwrap_or_default();
    let title = data.page.as_ref().map_or_else(|| "Outlast".to_owned(), |p| p.session.title.clone());
    let json = serde_json::to_string(&*data).unwrap_or_default().replace('<', "\\u003c");
    let live = (data.kind == PageKind::Live).then(|| view! { <div inner_html=LIVE_MARKER></div> });
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <title>{title.clone()}</title>
                <link rel="stylesheet" href=assets.css.clone()/>
                <script type="application/json" id="page-data" nonce=nonce inner_html=json></script>
            </head>
            <body><h1>{title}</h1>{live}</body>
        </html>
    }
}

/// What the growing page ends with, in place of the reply still running.
#[must_use]
pub fn live_end(end: &TurnEvent, _session: SessionId, message: MessageId) -> String {
    let TurnEvent::End { outcome, .. } = end else { return String::new() };
    format!("<p data-message=\"{message}\">{outcome:?}</p>")
}
