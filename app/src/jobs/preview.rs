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

/// Elements that make a browser look up a host, or connect to it, before any policy is asked: links are for that, and
/// Chromium makes a connection for a frame that it then refuses. The last two give an element an address later.
const REACHING: [&str; 9] =
    ["<link", "<iframe", "<frame", "<object", "<embed", "<portal", "<fencedframe", "<animate", "<set"];

/// The document without the elements that reach out in spite of a policy, and without addresses to go to: for a click on a
/// link Chromium connects too, before it refuses. Nothing else can make one where no script runs. Names of elements and
/// attributes cannot be written in any other way than by their letters, so that none is missed; a word in the text that
/// only looks like one is changed too, which harms nobody.
#[must_use]
pub fn tame(html: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut from = 0;
    let is =
        |at: usize, word: &str| html.get(at..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word));
    for (at, found) in html.match_indices(['<', 'h', 'H']) {
        let cut = if found == "<" {
            if !REACHING.iter().any(|tag| is(at, tag)) {
                continue;
            }
            at + 1
        } else {
            if !is(at, "href") || !leads_away(html.get(at + 4..).unwrap_or_default()) {
                continue;
            }
            at
        };
        out.push_str(html.get(from..cut).unwrap_or_default());
        out.push_str("no-");
        from = cut;
    }
    if out.is_empty() {
        return Cow::Borrowed(html);
    }
    out.push_str(html.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

/// Whether what follows `href` is an address elsewhere: not a place in the document itself, and not a picture that is
/// written into it.
fn leads_away(rest: &str) -> bool {
    let Some(value) = rest.trim_start().strip_prefix('=') else { return false };
    let value = value.trim_start().trim_start_matches(['"', '\'']);
    !value.starts_with('#') && !value.starts_with("data:image/")
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
    fn nothing_that_reaches_out_is_left() {
        for (html, tamed) in [
            ("a<LiNk rel=preconnect><link/>", "a<no-LiNk rel=preconnect><no-link/>"),
            ("<iFrame src=//x></iframe><frameset>", "<no-iFrame src=//x></iframe><no-frameset>"),
            ("<a href=//x>", "<a no-href=//x>"),
            ("<a HREF\n= \"http://x\">", "<a no-HREF\n= \"http://x\">"),
            (
                "<svg><a xlink:href='//x'><set attributeName=href to=//x>",
                "<svg><a xlink:no-href='//x'><no-set attributeName=href to=//x>",
            ),
            ("<use href=\"#a\"/><a href=''>", "<use href=\"#a\"/><a no-href=''>"),
        ] {
            assert_eq!(tame(html), tamed);
        }
        for html in
            ["<p>links <b>é<l", "<a href=#top>the href attribute</a>", "<image href='data:image/png;base64,'>", ""]
        {
            assert!(matches!(tame(html), Cow::Borrowed(_)), "{html}");
        }
    }
}
