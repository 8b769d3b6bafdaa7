//! JSON as a tree that unfolds by itself (`details`), without a script.

use serde_json::Value;

use crate::components::html::text;

/// Deeper ones are shown in one line.
const DEEPEST: usize = 40;
/// So many levels are open at first.
const OPEN: usize = 3;

/// The tree.
pub(super) fn tree(json: &Value) -> String {
    let mut out = String::from("<div class=\"tree\">");
    node(&mut out, None, json, 0);
    out + "</div>"
}

fn node(out: &mut String, key: Option<&str>, json: &Value, depth: usize) {
    let key = key.map_or_else(String::new, |key| format!("<span class=\"k\">{}</span>: ", text(key)));
    let (count, kind) = match json {
        Value::Array(all) if depth < DEEPEST && !all.is_empty() => (all.len(), "[ ]"),
        Value::Object(all) if depth < DEEPEST && !all.is_empty() => (all.len(), "{ }"),
        other => {
            *out += &format!("<div>{key}{}</div>", text(&other.to_string()));
            return;
        }
    };
    let open = if depth < OPEN { " open" } else { "" };
    *out +=
        &format!("<details{open}><summary>{key}<span class=\"t\">{kind} {count}</span></summary><div class=\"in\">");
    match json {
        Value::Array(all) => all.iter().for_each(|item| node(out, None, item, depth + 1)),
        Value::Object(all) => all.iter().for_each(|(key, item)| node(out, Some(key), item, depth + 1)),
        _ => {}
    }
    *out += "</div></details>";
}
