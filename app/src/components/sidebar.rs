//! The chats, by day. On a narrow window a drawer, which the browser opens and closes by itself (`popover`).

use crate::components::erased::{Erase, Erased};
use leptos::prelude::*;

use super::{
    icons::{icon, small},
    words,
};
use crate::{domain::SessionRow, page::Theme, pages::state::Page};

/// The whole sidebar.
pub fn sidebar(page: Page) -> Erased {
    let fresh = move || page.session.with(Option::is_none).then_some("page");
    view! {
        <nav class="side" id="side" popover="auto" aria-label="Chats">
            <div class="side-top">
                <a class="brand" href="/">{mark()}"Outlast"</a>
                <button
                    class="icon-btn only-narrow"
                    type="button"
                    popovertarget="side"
                    popovertargetaction="hide"
                    aria-label="Close"
                >
                    {icon("close")}
                </button>
            </div>
            <ul class="side-nav">
                <li>
                    <a class="row" href="/" data-do="new" aria-current=fresh>
                        {icon("plus")}
                        <span>"New chat"</span>
                        <kbd class="wide-only js-only">"N"</kbd>
                    </a>
                </li>
            </ul>
            <div class="side-list" tabindex="-1">{move || chats(page)}</div>
            <div class="side-foot">
                <button class="btn btn-quiet btn-s js-only only-wide" type="button" popovertarget="keys">"Keyboard"</button>
                {theme(page)}
            </div>
        </nav>
    }
    .erase()
}

fn mark() -> Erased {
    let drawing = "<path class=\"mark-ring\" d=\"M13.9 3.72a8.5 8.5 0 1 0 6.38 6.38\"/>\
        <circle class=\"mark-dot\" cx=\"18\" cy=\"6\" r=\"2.4\"/>";
    view! { <svg viewBox="0 0 24 24" aria-hidden="true" inner_html=drawing></svg> }.erase()
}

/// The list under its days. Made anew when anything in it changes; the elements stay where they are.
fn chats(page: Page) -> Erased {
    let (now, tz) = (page.now.get(), page.tz.get());
    let list = page.sessions.get();
    if list.sessions.is_empty() {
        return view! { <h2>"Your chats will be listed here."</h2> }.erase();
    }
    let mut days: Vec<(String, Vec<Erased>)> = Vec::new();
    for chat in &list.sessions {
        let day = words::day(chat.updated_at, now, tz);
        let row = row(page, chat);
        match days.last_mut() {
            Some((last, rows)) if *last == day => rows.push(row),
            _ => days.push((day, vec![row])),
        }
    }
    let days = days.into_iter().map(|(day, rows)| view! { <h2>{day}</h2><ul>{rows}</ul> }.erase()).collect::<Vec<_>>();
    let older = list.next.is_some().then(|| {
        view! {
            <button class="btn btn-quiet btn-s js-only" type="button" data-do="older-chats">
                "Older chats"{small("down")}
            </button>
        }
        .erase()
    });
    view! { {days}{older} }.erase()
}

fn row(page: Page, chat: &SessionRow) -> Erased {
    let id = chat.session_id;
    let text = id.to_string();
    if page.renaming.get() == Some(id) {
        return view! {
            <li>
                <form class="row row-edit" method="post" action="/api/sessions/rename" data-session=text.clone()>
                    <input type="hidden" name="session_id" value=text.clone()/>
                    <label class="hide" for="row-title">"Title"</label>
                    <input id="row-title" name="title" value=chat.title.clone() maxlength="200" required autocomplete="off"/>
                    <button class="icon-btn" aria-label="Save the title">{icon("check")}</button>
                </form>
            </li>
        }
        .erase();
    }
    let open = page.session.get() == Some(id);
    let running = if open { page.running.with(Option::is_some) } else { chat.active_turn.is_some() };
    let dot = if running {
        view! { <span class="dot dot-live" role="img" aria-label="being written"></span> }.erase()
    } else if page.unseen.with(|u| u.contains(&id)) {
        view! { <span class="dot dot-done" role="img" aria-label="finished, not seen yet"></span> }.erase()
    } else {
        ().erase()
    };
    view! {
        <li>
            <div class="row" data-session=text.clone()>
                <a class="row-link" href=["/c/", &text].concat() aria-current=open.then_some("page")>
                    {chat.title.clone()}
                </a>
                {dot}
                <span class="row-tools js-only">
                    <button class="icon-btn" type="button" data-do="rename-row" aria-label="Rename">
                        {icon("pencil")}
                    </button>
                    <button class="icon-btn" type="button" data-do="delete-row" aria-label="Delete">
                        {icon("trash")}
                    </button>
                </span>
            </div>
        </li>
    }
    .erase()
}

/// System, light, dark: three buttons of one form.
fn theme(page: Page) -> Erased {
    let button = move |theme: Theme, value: &'static str, label: &'static str, name: &'static str| {
        let pressed = move || if page.theme.get() == theme { "true" } else { "false" };
        view! {
            <button name="theme" value=value aria-label=label title=label aria-pressed=pressed>{icon(name)}</button>
        }
        .erase()
    };
    view! {
        <form method="post" action="/theme">
            <div class="seg" role="group" aria-label="Theme">
                {button(Theme::System, "system", "As the system", "auto")}
                {button(Theme::Light, "light", "Light", "sun")}
                {button(Theme::Dark, "dark", "Dark", "moon")}
            </div>
        </form>
    }
    .erase()
}
