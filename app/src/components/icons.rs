//! Icons and the marks at the end of a reply's line. Drawn once per page, in a sprite, and referred to by name.

/// The sprite. Only the server writes it out; the browser finds it in the page.
#[must_use]
pub const fn sprite() -> &'static str {
    #[cfg(feature = "ssr")]
    let symbols = include_str!("icons.svg");
    #[cfg(not(feature = "ssr"))]
    let symbols = "";
    symbols
}

/// An icon of 20 px.
#[must_use]
pub fn icon(name: &str) -> String {
    drawn("", name)
}

/// An icon of 16 px, beside small text.
#[must_use]
pub fn small(name: &str) -> String {
    drawn(" icon-s", name)
}

fn drawn(class: &str, name: &str) -> String {
    ["<svg class=\"icon", class, "\" viewBox=\"0 0 20 20\" aria-hidden=\"true\"><use href=\"#i-", name, "\"/></svg>"]
        .concat()
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
    /// The mark, on 16 × 16.
    #[must_use]
    pub fn html(self) -> String {
        let (class, drawing) = match self {
            Self::Live => ("live", "<circle cx=\"8\" cy=\"8\" r=\"4\" class=\"solid\"/>"),
            Self::End => ("end", "<path d=\"M8 0v8M3 8h10\"/>"),
            Self::Stop => ("stop", "<rect x=\"4.5\" y=\"4.5\" width=\"7\" height=\"7\" class=\"solid\"/>"),
            Self::Lost => {
                ("lost", "<circle cx=\"8\" cy=\"8\" r=\"6\" class=\"ground\"/><circle cx=\"8\" cy=\"8\" r=\"3.5\"/>")
            }
            Self::Fail => {
                ("fail", "<circle cx=\"8\" cy=\"8\" r=\"7\" class=\"ground\"/><path d=\"M4.5 4.5l7 7M11.5 4.5l-7 7\"/>")
            }
            Self::Cut => ("cut", "<path d=\"M8 3.5v2M8 8v2M8 12.5v2\"/>"),
        };
        ["<svg class=\"cap cap-", class, "\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">", drawing, "</svg>"].concat()
    }
}
