//! HTML that a model wrote, as a document that can run nothing and reach nothing.
//!
//! What holds it is the answer's own policy ([`POLICY`]), which comes with the document however it is opened, and the
//! `sandbox` of the frame around it.

use std::borrow::Cow;

/// The policy of a preview: no script, no form, no request, no navigation of any page but itself; only its own styles and
/// pictures that are written into it. Without `allow-scripts` a sandboxed document does not follow `meta refresh` either.
pub const POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// The document in a variant: the whole text, or its first block of code in HTML.
#[must_use]
pub fn html_of(text: &str) -> Option<&str> {
    let begins = |text: &str, with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    let whole = text.trim_start();
    if ["<!doctype html", "<html"].iter().any(|start| begins(whole, start)) {
        return Some(whole);
    }
    let mut at = 0;
    let mut from = None;
    for line in text.split_inclusive('\n') {
        let (bare, next) = (line.trim(), at + line.len());
        match from {
            None if begins(bare, "```html") && bare.len() == 7 => from = Some(next),
            Some(from) if bare == "```" => return text.get(from..at),
            _ => {}
        }
        at = next;
    }
    text.get(from?..).filter(|rest| !rest.trim().is_empty())
}

/// The document without `link` elements: a policy does not stop a browser from looking up the hosts that they name, or
/// from connecting to them. Nothing else can make one where no script runs.
#[must_use]
pub fn tame(html: &str) -> Cow<'_, str> {
    const LINK: &str = "<link";
    let mut out = String::new();
    let mut from = 0;
    for (at, _) in html.match_indices('<') {
        if html.get(at..at + LINK.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(LINK)) {
            out.push_str(html.get(from..=at).unwrap_or_default());
            out.push_str("no-");
            from = at + 1;
        }
    }
    if from == 0 {
        return Cow::Borrowed(html);
    }
    out.push_str(html.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_found() {
        for (text, html) in [
            ("<!DOCTYPE html><p>a", Some("<!DOCTYPE html><p>a")),
            ("\n <HTML>a", Some("<HTML>a")),
            ("Here:\n```html\n<p>a\n```\nDone.", Some("<p>a\n")),
            ("```HTML\n<p>a", Some("<p>a")),
            ("```html\n", None),
            ("```rust\n<html>\n```", None),
            ("Some `<html>` in words", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(html_of(text), html, "{text}");
        }
    }

    #[test]
    fn there_is_no_link_left() {
        assert_eq!(
            tame("<p>a<LiNk rel=preconnect href=//x><link/>"),
            "<p>a<no-LiNk rel=preconnect href=//x><no-link/>"
        );
        assert!(matches!(tame("<p>links <b>é<l"), Cow::Borrowed(_)));
    }
}
