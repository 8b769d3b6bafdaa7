//! Which addresses a text may lead to.

use pulldown_cmark::LinkType;

use super::write::escape;

/// Writes the address of a link as the value of `href`; `false` and nothing written if it may not be one.
pub(super) fn link(out: &mut String, kind: LinkType, url: &str) -> bool {
    // `<someone@example.com>` is given without its scheme.
    let mail = matches!(kind, LinkType::Email);
    let may = mail || web(url) || begins(url, "mailto:");
    if !may || url.contains(char::is_control) {
        return false;
    }
    out.push_str("<a href=\"");
    if mail {
        out.push_str("mailto:");
    }
    address(out, url);
    out.push_str("\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">");
    true
}

/// The host that an image would be loaded from, or `None` if it may not be loaded at all.
pub(super) fn image_host(url: &str) -> Option<&str> {
    if !web(url) || url.contains(char::is_control) {
        return None;
    }
    // Behind `https://`. Browsers take `\` for `/` here; whoever reads the host must, too.
    let authority = url.split(['/', '\\', '?', '#']).nth(2)?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then_some(host)
}

/// Writes an address into an attribute.
pub(super) fn address(out: &mut String, url: &str) {
    let mut rest = url;
    while let Some(at) = rest.find([' ', '"', '<', '>', '`']) {
        escape(out, &rest[..at], true);
        out.push_str(match rest.as_bytes()[at] {
            b' ' => "%20",
            b'"' => "%22",
            b'<' => "%3C",
            b'>' => "%3E",
            _ => "%60",
        });
        rest = &rest[at + 1..];
    }
    escape(out, rest, true);
}

fn web(url: &str) -> bool {
    begins(url, "https://") || begins(url, "http://")
}

/// Exactly at the beginning: what a browser would strip or forgive there is refused.
fn begins(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
}
