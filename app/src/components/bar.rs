//! The bar over the transcript: the title and what can be done with the whole chat.

use leptos::prelude::*;

use super::{
    erased::{Erase, Erased},
    html::{attribute, hidden, lazy, once, text},
    icons::icon,
};
use crate::{
    page::{Fixed, PageKind},
    pages::state::Page,
};

/// The bar, with the chat's menu once there is a chat.
pub fn bar(page: Page) -> Erased {
    view! { <header class="bar" inner_html=lazy(move || inside(page))></header> }.erase()
}

/// The bar of a page that only the server renders.
pub fn fixed(fixed: &Fixed) -> Erased {
    let inside = once(|| fixed.bar.clone());
    view! { <header class="bar" inner_html=inside></header> }.erase()
}

fn inside(page: Page) -> String {
    let title = page.title.get();
    let chat = page.session.get().map(|id| id.to_string());
    let plus = if chat.is_some() || page.data().kind == PageKind::NotFound {
        let open = "<a class=\"icon-btn only-narrow\" href=\"/\" data-do=\"new\" aria-label=\"New chat\">";
        [open, &icon("plus"), "</a>"].concat()
    } else {
        String::new()
    };
    [
        "<button class=\"icon-btn only-narrow\" type=\"button\" popovertarget=\"side\" aria-label=\"Chats\">",
        &icon("menu"),
        "</button><h1>",
        &text(&title),
        "</h1>",
        &plus,
        &chat.map_or_else(String::new, |id| menu(&id, &title)),
    ]
    .concat()
}

fn menu(id: &str, title: &str) -> String {
    [
        "<button class=\"icon-btn\" type=\"button\" popovertarget=\"chat-menu\" aria-label=\"Rename, delete\">",
        &icon("more"),
        "</button><div class=\"menu\" id=\"chat-menu\" popover=\"auto\" role=\"dialog\" aria-label=\"This chat\">\
         <form class=\"field\" method=\"post\" action=\"/api/sessions/rename\">",
        &hidden("session_id", id),
        "<label for=\"chat-title\">Title</label><div class=\"menu-row\"><input class=\"input\" id=\"chat-title\" \
         name=\"title\" maxlength=\"200\" required autocomplete=\"off\"",
        &attribute("value", title),
        "><button class=\"btn\">Rename</button></div></form><form method=\"post\" action=\"/api/sessions/delete\">",
        &hidden("session_id", id),
        "<button class=\"btn btn-quiet btn-danger\">",
        &icon("trash"),
        "Delete this chat</button></form></div>",
    ]
    .concat()
}
