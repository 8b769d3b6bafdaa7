//! The bar over the transcript: the title and what can be done with the whole chat.

use crate::components::erased::{Erase, Erased};
use leptos::prelude::*;

use super::icons::icon;
use crate::{page::PageKind, pages::state::Page};

/// The bar, with the chat's menu once there is a chat.
pub fn bar(page: Page) -> Erased {
    let chat = move || page.session.get().map(|id| menu(page, &id.to_string()));
    let more = move || {
        page.session.with(Option::is_some).then(|| {
            view! {
                <button class="icon-btn" type="button" popovertarget="chat-menu" aria-label="Rename, delete">
                    {icon("more")}
                </button>
            }
            .erase()
        })
    };
    let plus = (page.data().kind != PageKind::NotFound).then(|| {
        let gone = move || page.session.with(Option::is_none);
        view! {
            <a class="icon-btn only-narrow" href="/" data-do="new" aria-label="New chat" hidden=gone>{icon("plus")}</a>
        }
        .erase()
    });
    view! {
        <header class="bar">
            <button class="icon-btn only-narrow" type="button" popovertarget="side" aria-label="Chats">
                {icon("menu")}
            </button>
            <h1>{move || page.title.get()}</h1>
            {plus}
            {more}
            {chat}
        </header>
    }
    .erase()
}

fn menu(page: Page, id: &str) -> Erased {
    let title = page.title;
    view! {
        <div class="menu" id="chat-menu" popover="auto" role="dialog" aria-label="This chat">
            <form class="field" method="post" action="/api/sessions/rename">
                <input type="hidden" name="session_id" value=id.to_owned()/>
                <label for="chat-title">"Title"</label>
                <div class="menu-row">
                    <input
                        class="input"
                        id="chat-title"
                        name="title"
                        maxlength="200"
                        required
                        autocomplete="off"
                        value=move || title.get()
                    />
                    <button class="btn">"Rename"</button>
                </div>
            </form>
            <form method="post" action="/api/sessions/delete">
                <input type="hidden" name="session_id" value=id.to_owned()/>
                <button class="btn btn-quiet btn-danger">{icon("trash")}"Delete this chat"</button>
            </form>
        </div>
    }
    .erase()
}
