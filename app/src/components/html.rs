//! HTML as text. Most of the page is written by the server and never changes in the browser, or is replaced as a whole:
//! there a string costs far less WebAssembly than a view does. What it contains from outside goes through [`text`].

use std::sync::{Arc, Mutex};

use leptos::tachys::reactive_graph::SharedReactiveFunction;

/// Text, escaped for content and for attribute values in double quotes.
#[must_use]
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// HTML that is written again when a signal it reads has changed: for `inner_html`. All of one type, so that the
/// browser carries the code for it once.
pub fn lazy(html: impl FnMut() -> String + Send + 'static) -> SharedReactiveFunction<String> {
    Arc::new(Mutex::new(html))
}

/// HTML that only the server writes, since it stays as it is: the browser does without the code for it.
pub fn once(html: impl FnOnce() -> String) -> String {
    if cfg!(feature = "ssr") { html() } else { String::new() }
}

/// ` name="value"`.
#[must_use]
pub fn attribute(name: &str, value: &str) -> String {
    [" ", name, "=\"", &text(value), "\""].concat()
}

/// A field that a form sends along.
#[must_use]
pub fn hidden(name: &str, value: &str) -> String {
    ["<input type=\"hidden\" name=\"", name, "\"", &attribute("value", value), ">"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        assert_eq!(text("<a href=\"x\">'&'</a>"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
        assert_eq!(
            hidden("title", "\"><script>"),
            "<input type=\"hidden\" name=\"title\" value=\"&quot;&gt;&lt;script&gt;\">"
        );
    }
}
