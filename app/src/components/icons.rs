//! Icons and the marks at the end of a reply's line. Drawn once per page, in a sprite, and referred to by name.

use crate::components::erased::{Erase, Erased};
use leptos::prelude::*;

/// The sprite. Only the server writes it out; the browser finds it in the page.
pub fn sprite() -> Erased {
    #[cfg(feature = "ssr")]
    let symbols = include_str!("icons.svg");
    #[cfg(not(feature = "ssr"))]
    let symbols = "";
    view! { <svg class="sprite" aria-hidden="true" inner_html=symbols></svg> }.erase()
}

/// An icon of 20 px.
pub fn icon(name: &'static str) -> Erased {
    drawn("icon", name)
}

/// An icon of 16 px, beside small text.
pub fn small(name: &'static str) -> Erased {
    drawn("icon icon-s", name)
}

fn drawn(class: &'static str, name: &'static str) -> Erased {
    let used = ["<use href=\"#i-", name, "\"/>"].concat();
    view! { <svg class=class viewBox="0 0 20 20" aria-hidden="true" inner_html=used></svg> }.erase()
}

/// How a reply's line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    /// A dot, breathing.
    Live,
    /// A tick across the line.
    End,
    /// A square: stopped or refused.
    Stop,
    /// A ring: connection lost.
    Lost,
    /// A cross.
    Fail,
    /// Three dots: the length limit.
    Cut,
}

impl Cap {
    /// The class and the drawing, on 16 × 16.
    const fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Live => ("cap cap-live", "<circle cx=\"8\" cy=\"8\" r=\"4\" class=\"solid\"/>"),
            Self::End => ("cap cap-end", "<path d=\"M8 0v8M3 8h10\"/>"),
            Self::Stop => ("cap cap-stop", "<rect x=\"4.5\" y=\"4.5\" width=\"7\" height=\"7\" class=\"solid\"/>"),
            Self::Lost => (
                "cap cap-lost",
                "<circle cx=\"8\" cy=\"8\" r=\"6\" class=\"ground\"/><circle cx=\"8\" cy=\"8\" r=\"3.5\"/>",
            ),
            Self::Fail => (
                "cap cap-fail",
                "<circle cx=\"8\" cy=\"8\" r=\"7\" class=\"ground\"/><path d=\"M4.5 4.5l7 7M11.5 4.5l-7 7\"/>",
            ),
            Self::Cut => ("cap cap-cut", "<path d=\"M8 3.5v2M8 8v2M8 12.5v2\"/>"),
        }
    }

    /// The mark.
    pub fn view(self) -> Erased {
        let (class, drawing) = self.parts();
        view! { <svg class=class viewBox="0 0 16 16" aria-hidden="true" inner_html=drawing></svg> }.erase()
    }
}
