//! Reads the renderer's HTML as strictly as can be: whatever isn't on a list here is a fault.

/// Tags and the attributes that each may have.
const ALLOWED: &[(&str, &[&str])] = &[
    ("a", &["href", "rel", "target", "id", "aria-label"]),
    ("blockquote", &[]),
    ("br", &[]),
    ("button", &["type", "class", "data-copy", "data-src", "data-alt"]),
    ("circle", &["cx", "cy", "r", "class"]),
    ("code", &[]),
    ("del", &[]),
    ("div", &["class", "role", "aria-label", "tabindex", "id"]),
    ("em", &[]),
    ("figcaption", &[]),
    ("figure", &["class"]),
    ("h3", &[]),
    ("h4", &[]),
    ("hr", &[]),
    ("li", &[]),
    ("ol", &["start", "class"]),
    ("p", &[]),
    ("pre", &["tabindex"]),
    ("rect", &["x", "y", "width", "height", "class"]),
    ("span", &["class", "role", "aria-label", "aria-hidden"]),
    ("strong", &[]),
    ("sup", &["class"]),
    ("svg", &["class", "viewBox", "aria-hidden"]),
    ("table", &[]),
    ("tbody", &[]),
    ("td", &["class"]),
    ("th", &["class"]),
    ("thead", &[]),
    ("tr", &[]),
    ("ul", &["class"]),
    ("use", &["href"]),
];

const PHRASING: &[&str] = &["a", "br", "button", "code", "del", "em", "span", "strong", "sup", "svg"];
const FLOW: &[&str] = &["blockquote", "div", "figure", "h3", "h4", "hr", "ol", "p", "table", "ul"];

/// What may stand in an element directly.
fn may_hold(parent: &str, child: &str) -> bool {
    match parent {
        "" | "blockquote" | "div" | "li" => PHRASING.contains(&child) || FLOW.contains(&child),
        "ol" | "ul" => child == "li",
        "table" => child == "thead" || child == "tbody",
        "thead" | "tbody" => child == "tr",
        "tr" => child == "th" || child == "td",
        "figure" => child == "figcaption" || child == "pre",
        "pre" => child == "code",
        "svg" => ["use", "rect", "circle"].contains(&child),
        _ => PHRASING.contains(&child),
    }
}

/// Where only elements may stand, and no text.
fn bare(parent: &str) -> bool {
    ["ol", "ul", "table", "thead", "tbody", "tr", "figure", "pre", "svg"].contains(&parent)
}

/// Checks a piece of HTML.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn check(html: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut ids = Vec::new();
    let mut rest = html;
    while !rest.is_empty() {
        let fault = |what: &str| Err(format!("{what} at {:?} in {html}", rest.chars().take(60).collect::<String>()));
        let parent = open.last().copied().unwrap_or_default();
        let text = rest.find('<').unwrap_or(rest.len());
        if text > 0 {
            if bare(parent) {
                return fault("text where none may be");
            }
            check_text(&rest[..text])?;
            rest = &rest[text..];
            continue;
        }
        let Some(end) = rest.find('>') else { return fault("an open tag") };
        let tag = &rest[1..end];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return fault("closes what isn't open");
            }
        } else {
            let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
            let name = tag.split(' ').next().unwrap_or_default();
            let Some((_, attributes)) = ALLOWED.iter().find(|(allowed, _)| *allowed == name) else {
                return fault("a tag that isn't allowed");
            };
            if !may_hold(parent, name) {
                return fault("nested as HTML doesn't allow");
            }
            let interactive = ["a", "button"];
            if interactive.contains(&name) && open.iter().any(|name| interactive.contains(name)) {
                return fault("an interactive element in another");
            }
            check_attributes(&tag[name.len()..], attributes, &mut ids)?;
            if closed != ["use", "rect", "circle"].contains(&name) {
                return fault("closed in itself, or not");
            }
            if !closed && name != "br" && name != "hr" {
                open.push(name);
            }
        }
        rest = &rest[end + 1..];
        if open.len() > 400 {
            return Err("deeper than a browser nests".to_owned());
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("left open: {open:?} in {html}")) }
}

fn check_text(text: &str) -> Result<(), String> {
    if text.contains('>') || text.contains(|c: char| c.is_ascii_control() && c != '\n' && c != '\t') {
        return Err(format!("not escaped: {text:?}"));
    }
    for entity in text.split('&').skip(1) {
        if !["amp;", "lt;", "gt;", "quot;"].iter().any(|known| entity.starts_with(known)) {
            return Err(format!("an entity not ours: {entity:?}"));
        }
    }
    Ok(())
}

fn check_attributes<'a>(mut rest: &'a str, allowed: &[&str], ids: &mut Vec<&'a str>) -> Result<(), String> {
    while !rest.is_empty() {
        let parts = rest.strip_prefix(' ').and_then(|rest| rest.split_once("=\""));
        let Some((name, value)) = parts.and_then(|(name, rest)| Some((name, rest.split_once('"')?))) else {
            return Err(format!("not an attribute: {rest:?}"));
        };
        let (value, after) = value;
        if !allowed.contains(&name) {
            return Err(format!("an attribute that isn't allowed: {name:?}"));
        }
        check_text(value)?;
        let fine = match name {
            "href" => ["http://", "https://", "mailto:", "#"].iter().any(|scheme| lower(value).starts_with(scheme)),
            "data-src" => ["http://", "https://"].iter().any(|scheme| lower(value).starts_with(scheme)),
            _ => true,
        };
        if !fine {
            return Err(format!("leads where it may not: {value:?}"));
        }
        if name == "id" {
            if ids.contains(&value) {
                return Err(format!("an id twice: {value:?}"));
            }
            ids.push(value);
        }
        rest = after;
    }
    Ok(())
}

fn lower(value: &str) -> String {
    value.to_ascii_lowercase()
}

#[test]
fn the_check_itself_finds_faults() {
    for good in ["", "a &amp; b", "<p>a<br>b</p>", "<ul><li><p>a</p></li></ul>", "<a href=\"https://a\">a</a>"] {
        check(good).unwrap();
    }
    for bad in [
        "<p>",
        "</p>",
        "<p><em>a</p></em>",
        "<p><p>a</p></p>",
        "<p><div>a</div></p>",
        "<script>a</script>",
        "<p onclick=\"a\">a</p>",
        "<p class=a>a</p>",
        "a > b",
        "a & b",
        "<ul>a</ul>",
        "<a href=\"javascript:a\">a</a>",
        "<a href=\"/a\">a</a>",
        "<a href=\"#a\"><em><a href=\"#b\">a</a></em></a>",
        "<td>a</td>",
        "<div id=\"a\"></div><div id=\"a\"></div>",
        "<img src=\"a\">",
        "a\u{0}",
    ] {
        assert!(check(bad).is_err(), "{bad}");
    }
}
