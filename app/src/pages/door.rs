//! The sign-in page: one field. Rendered by the server alone.

use crate::{
    components::html::{attribute, hidden, text},
    page::Theme,
};

/// Why somebody was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Which part was wrong is not said.
    Wrong,
    /// Too many tries; seconds until the next.
    Wait(u64),
}

/// What the page shows.
#[derive(Debug, Clone, Copy)]
pub struct Door<'a> {
    /// An access code lets in.
    pub code: bool,
    /// So does the admin's password.
    pub admin: bool,
    /// Where to go on to.
    pub next: Option<&'a str>,
    pub trouble: Option<Trouble>,
    pub theme: Theme,
    /// The style sheets' addresses.
    pub css: [&'a str; 2],
}

/// The mark and the name.
pub(crate) const BRAND: &str = "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\">\
    <path class=\"mark-ring\" d=\"M13.9 3.72a8.5 8.5 0 1 0 6.38 6.38\"/>\
    <circle class=\"mark-dot\" cx=\"18\" cy=\"6\" r=\"2.4\"/></svg>Outlast";

/// The beginning of a document that the server alone renders, up to its body's tag.
pub(crate) fn head(title: &str, theme: Theme, css: [&str; 2]) -> String {
    let theme = match theme {
        Theme::System => "",
        Theme::Light => " data-theme=\"light\"",
        Theme::Dark => " data-theme=\"dark\"",
    };
    let sheets: String =
        css.iter().map(|href| ["<link rel=\"stylesheet\"", &attribute("href", href), ">"].concat()).collect();
    [
        "<!DOCTYPE html><html lang=\"en\"",
        theme,
        "><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1, \
         viewport-fit=cover, interactive-widget=resizes-content\"><title>",
        &text(title),
        "</title><meta name=\"color-scheme\" content=\"light dark\"><meta name=\"referrer\" content=\"same-origin\">\
         <meta name=\"robots\" content=\"noindex\"><link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">",
        &sheets,
        "</head>",
    ]
    .concat()
}

/// The whole document.
#[must_use]
pub fn document(door: &Door<'_>) -> String {
    let (sub, label, help) = match (door.code, door.admin) {
        (true, true) => (
            "With the access code, or as one of those who look after this Outlast.",
            "Access code or password",
            "The code is from whoever invited you.",
        ),
        (true, false) => ("This Outlast is for those who have its access code.", "Access code", ASK),
        (false, _) => ("For those who look after this Outlast.", "Password", PRINTED),
    };
    let trouble = match door.trouble {
        None => String::new(),
        Some(Trouble::Wrong) => {
            "<p class=\"door-no\" role=\"alert\" id=\"no\">That did not open. Look it over and try again.</p>"
                .to_owned()
        }
        Some(Trouble::Wait(seconds)) => [
            "<p class=\"door-no\" role=\"alert\" id=\"no\">Too many tries. You can try again in <strong>",
            &seconds.to_string(),
            " s</strong>.</p>",
        ]
        .concat(),
    };
    let (invalid, about) = match door.trouble {
        Some(Trouble::Wrong) => (" aria-invalid=\"true\"", "no help"),
        Some(Trouble::Wait(_)) => ("", "no help"),
        None => ("", "help"),
    };
    // Password managers want a name beside a password.
    let name = if door.code {
        ""
    } else {
        "<input class=\"hide\" autocomplete=\"username\" aria-label=\"User name\" value=\"admin\" tabindex=\"-1\" readonly>"
    };
    let alt = if door.code {
        ""
    } else {
        "<p class=\"alt\">Only here to chat? <a href=\"/\">Go to the chat</a>, no sign-in needed.</p>"
    };
    [
        &head("Sign in · Outlast", door.theme, door.css),
        "<body class=\"door\"><header><a class=\"brand\" href=\"/\">",
        BRAND,
        "</a></header><main id=\"main\"><form method=\"post\" action=\"/sign-in\"><div><h1>Sign in</h1><p>",
        sub,
        "</p></div>",
        &trouble,
        name,
        &door.next.map_or_else(String::new, |next| hidden("next", next)),
        "<div class=\"field\"><label for=\"secret\">",
        label,
        "</label><input class=\"input\" id=\"secret\" name=\"secret\" type=\"password\" \
         autocomplete=\"current-password\" autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"1024\" required \
         autofocus aria-describedby=\"",
        about,
        "\"",
        invalid,
        "><small id=\"help\">",
        help,
        "</small></div><button class=\"btn btn-main btn-wide\">Sign in</button>",
        alt,
        "</form></main><footer>A reply, once started, is never lost, and nobody pays while nobody talks.</footer>\
         </body></html>\n",
    ]
    .concat()
}

const ASK: &str = "It is from whoever invited you.";
const PRINTED: &str = "On a laptop it was printed once, when the server first started.";
