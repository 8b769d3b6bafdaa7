//! The document around a page: head, theme, the page's data, and the scripts that bring it to life.

use std::sync::Arc;

use leptos::{nonce::use_nonce, prelude::*};

use crate::{
    components::{
        prose, reply,
        state::{self, Place},
    },
    domain::{Message, MessageId, Role, Seam, SessionId, TurnEvent, TurnId},
    page::{Fixed, PageData, PageKind, Theme},
    pages,
};

/// Where the site's hashed files are, as URLs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assets {
    pub js: String,
    pub wasm: String,
    /// The module that loads both and starts the page.
    pub boot: String,
    pub css: String,
    /// What only the sign-in, the jobs and the admin pages need beside it.
    pub desk: String,
}

const VIEWPORT: &str = "width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content";

/// The whole document. Only the style sheet blocks its painting.
pub fn shell(data: Arc<PageData>, fixed: &Fixed, assets: Arc<Assets>) -> impl IntoView + use<> {
    let theme = match data.theme {
        Theme::System => None,
        Theme::Light => Some("light"),
        Theme::Dark => Some("dark"),
    };
    // A page that grows without JavaScript must not be hydrated: hydration would wait for the end of it.
    let scripts = (data.kind != PageKind::Live).then(|| {
        view! {
            <link rel="modulepreload" href=assets.js.clone()/>
            <link rel="preload" href=assets.wasm.clone() r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
            <script type="module" src=assets.boot.clone()></script>
        }
    });
    let embedded = (data.kind != PageKind::Live).then(|| {
        let nonce = use_nonce().map(|n| n.to_string());
        view! { <script type="application/json" id="page-data" nonce=nonce inner_html=embed(&data)></script> }
    });
    let running = data.kind == PageKind::Chat && data.page.as_ref().is_some_and(|p| p.active_turn.is_some());
    let again = (running || fixed.again).then(|| {
        view! { <noscript inner_html="<meta http-equiv=\"refresh\" content=\"3\">"></noscript> }
    });
    let desk = (data.kind == PageKind::Jobs).then(|| view! { <link rel="stylesheet" href=assets.desk.clone()/> });
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content=VIEWPORT/>
                <title>{title(&data, fixed)}</title>
                <meta name="color-scheme" content="light dark"/>
                <meta name="referrer" content="same-origin"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="stylesheet" href=assets.css.clone()/>
                {desk}
                {scripts}
                {again}
            </head>
            <body class="shell">{pages::app(&data, fixed)}{embedded}</body>
        </html>
    }
}

/// What the window is called.
fn title(data: &PageData, fixed: &Fixed) -> String {
    let name = match (&data.page, data.kind) {
        _ if !fixed.title.is_empty() => fixed.title.as_str(),
        (_, PageKind::NotFound) => "Nothing here",
        (Some(page), _) => page.session.title.as_str(),
        (None, _) => "New chat",
    };
    [name, " · Outlast"].concat()
}

/// The page's data for the browser. Answers are there already, as HTML: of their texts only that there is one.
fn embed(data: &PageData) -> String {
    let mut data = data.clone();
    for message in data.page.iter_mut().flat_map(|p| &mut p.messages) {
        if message.role == Role::Assistant {
            shorten(&mut message.text);
            message.thinking.as_mut().map(shorten);
        }
    }
    serde_json::to_string(&data).unwrap_or_default().replace('<', "\\u003c")
}

fn shorten(text: &mut String) {
    if !text.is_empty() {
        prose::ELSEWHERE.clone_into(text);
    }
}

/// What ends the growing page's text where the reply goes on without it: says so, and looks again by itself after a
/// while. Not too soon: if there is no server yet, the browser shows a page of its own, and that ends it.
#[must_use]
pub fn live_lost() -> String {
    let look = "<a class=\"btn\" href=\"\">Look again</a>";
    let state = reply::reconnecting(look);
    ["</div></div>", &state, "<meta http-equiv=\"refresh\" content=\"10\">"].concat()
}

/// What ends the growing page's reply, from the end of its text on: closes the text and the line, says how it ended,
/// and leads on.
#[must_use]
pub fn live_end(end: &TurnEvent, session: SessionId, message: MessageId, seams: Vec<Seam>) -> String {
    let TurnEvent::End { outcome, stop_reason, usage, error, timing } = end else { return String::new() };
    let wrote = timing.is_none_or(|t| t.first_ms.is_some());
    // The form behind "Try again" needs a turn's id. Derived, so that sending it twice is one try.
    let took = timing.map_or(1, |t| t.total_ms.max(1));
    let fresh = TurnId::from_parts(message.timestamp().plus_millis(took), message.random().wrapping_add(1));
    let message = Message {
        message_id: message,
        parent_id: None,
        depth: None,
        role: Role::Assistant,
        text: if wrote { prose::ELSEWHERE.to_owned() } else { String::new() },
        thinking: None,
        turn_id: Some(message.into()),
        model: None,
        outcome: Some(*outcome),
        stop_reason: stop_reason.clone(),
        error: error.clone(),
        usage: Some(*usage),
        timing: *timing,
        seams,
        left_out: None,
        siblings: None,
        created_at: message.timestamp(),
    };
    let place = Place { session: Some(session), fresh, now: message.created_at };
    let (cap, foot) = (state::cap(&message), state::foot(place, &message, false));
    let on = ["<p class=\"live-on\"><a class=\"btn btn-main\" href=\"/c/", &session.to_string(), "\">Write on</a></p>"];
    ["</div>", &cap, "</div>", &foot, &on.concat()].concat()
}
