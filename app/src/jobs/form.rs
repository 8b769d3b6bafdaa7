//! `/jobs/new`: the form that hands a job in. A plain form, with JavaScript too.

use super::crumbs;
use crate::{
    components::{
        html::{attribute, hidden, text},
        icons::{icon, small},
    },
    domain::{JobId, Models},
    page::Fixed,
};

/// Why a job was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field that it is about.
    pub field: Option<String>,
    pub message: String,
}

/// What stands in the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Made when the form is, so that a form sent twice is one job.
    pub job_id: JobId,
    pub prompt: String,
    pub variants: String,
    pub model: String,
    pub schema: String,
    pub webhook: String,
    pub fault: Option<Fault>,
}

/// Schemas to start from: name, label, schema.
const EXAMPLES: [(&str, &str, &str); 3] = [
    (
        "headline",
        "Headline and reasons",
        r#"{
  "type": "object",
  "required": ["headline", "reasons", "button"],
  "properties": {
    "headline": { "type": "string", "maxLength": 60 },
    "reasons": {
      "type": "array",
      "minItems": 3,
      "maxItems": 3,
      "items": { "type": "string", "maxLength": 120 }
    },
    "button": { "type": "string", "maxLength": 24 }
  },
  "additionalProperties": false
}"#,
    ),
    (
        "record",
        "Product record",
        r#"{
  "type": "object",
  "required": ["name", "origin", "notes", "minutes"],
  "properties": {
    "name": { "type": "string" },
    "origin": { "type": "string" },
    "notes": { "type": "string", "maxLength": 160 },
    "minutes": { "type": "number" }
  },
  "additionalProperties": false
}"#,
    ),
    (
        "verdict",
        "Yes or no, with a reason",
        r#"{
  "type": "object",
  "required": ["answer", "reason"],
  "properties": {
    "answer": { "enum": ["yes", "no"] },
    "reason": { "type": "string", "maxLength": 300 }
  },
  "additionalProperties": false
}"#,
    ),
];

/// The schema of an example.
#[must_use]
pub fn example(name: &str) -> Option<&'static str> {
    EXAMPLES.iter().find(|(known, _, _)| *known == name).map(|(_, _, schema)| *schema)
}

/// The form.
#[must_use]
pub fn form_page(draft: &Draft, models: &Models) -> Fixed {
    let on = |field: &str| draft.fault.as_ref().filter(|fault| fault.field.as_deref() == Some(field));
    let general = draft.fault.as_ref().filter(|fault| {
        !fault
            .field
            .as_deref()
            .is_some_and(|field| ["prompt", "variants", "schema", "webhook", "model"].contains(&field))
    });
    let general = general.map_or_else(String::new, |fault| said("form-fault", &fault.message));
    let prompt = field(
        "prompt",
        "Prompt",
        on("prompt"),
        &format!(
            "<textarea class=\"input\" id=\"prompt\" name=\"prompt\" rows=\"8\" required{}>\n{}</textarea>",
            about("prompt", on("prompt")),
            text(&draft.prompt)
        ),
        // Filled in as one types.
        "<span id=\"prompt-count\"></span>",
    );
    let variants = field(
        "variants",
        "Variants",
        on("variants"),
        &format!(
            "<input class=\"input input-number\" id=\"variants\" name=\"variants\" type=\"number\" min=\"1\" max=\"10\" required{}{}>",
            attribute("value", &draft.variants),
            about("variants", on("variants"))
        ),
        "1 to 10, written at the same time",
    );
    let hook_open = if draft.webhook.is_empty() && on("webhook").is_none() { "" } else { " open" };
    let hook = field(
        "webhook",
        "Webhook",
        on("webhook"),
        &format!(
            "<input class=\"input\" id=\"webhook\" name=\"webhook\" type=\"url\" inputmode=\"url\" placeholder=\"https://\"{}{}>",
            attribute("value", &draft.webhook),
            about("webhook", on("webhook"))
        ),
        "Called once at the end, signed. Private addresses are refused.",
    );
    let main = [
        "<main id=\"main\" class=\"page\" tabindex=\"-1\"><div class=\"page-head\"><div><h1>New job</h1><p>Each variant is written \
         on its own and kept as it grows. You may close the tab at once.</p></div></div><form method=\"post\" action=\"/jobs\">",
        &hidden("job_id", &draft.job_id.to_string()),
        &general,
        "<div class=\"twocol\"><div>",
        &prompt,
        &variants,
        &pick(draft, models, on("model")),
        "<details class=\"disclose\"",
        hook_open,
        "><summary>When it is done<small>Tell another server</small>",
        &small("down"),
        "</summary><div>",
        &hook,
        "</div></details></div><div>",
        &schema(draft, on("schema")),
        "</div></div><div class=\"formfoot\"><p>The same prompt, answered once for each variant.</p>\
         <a class=\"btn btn-quiet\" href=\"/jobs\">Cancel</a><button class=\"btn btn-main\">Hand in<span id=\"how-many\"></span></button></div></form></main>",
    ]
    .concat();
    Fixed { title: "New job".to_owned(), bar: crumbs(&[("/jobs", "Jobs")], "New job", ""), main, ..Fixed::default() }
}

fn said(id: &str, message: &str) -> String {
    [
        "<p class=\"fault\" role=\"alert\"",
        &attribute("id", id),
        ">",
        &icon("alert"),
        "<span>",
        &text(message),
        "</span></p>",
    ]
    .concat()
}

/// What a field says about its fault.
fn about(name: &str, fault: Option<&Fault>) -> String {
    fault.map_or_else(String::new, |_| format!(" aria-invalid=\"true\" aria-describedby=\"{name}-fault\""))
}

fn field(name: &str, label: &str, fault: Option<&Fault>, input: &str, hint: &str) -> String {
    let fault = fault.map_or_else(String::new, |fault| said(&format!("{name}-fault"), &fault.message));
    let hint = if hint.is_empty() { String::new() } else { format!("<small>{hint}</small>") };
    format!("<div class=\"field\"><label for=\"{name}\">{label}</label>{input}{fault}{hint}</div>")
}

fn pick(draft: &Draft, models: &Models, fault: Option<&Fault>) -> String {
    let chosen = if draft.model.is_empty() { &models.default } else { &draft.model };
    let options: String = models
        .models
        .iter()
        .map(|m| {
            let selected = if m.id == *chosen { " selected>" } else { ">" };
            ["<option", &attribute("value", &m.id), selected, &text(&m.name), "</option>"].concat()
        })
        .collect();
    let select = format!(
        "<span class=\"select\"><select class=\"input\" id=\"job-model\" name=\"model\"{}>{options}</select>{}</span>",
        about("job-model", fault),
        small("down")
    );
    field("job-model", "Model", fault, &select, "")
}

/// The editor: examples are buttons of the same form, so that they work without JavaScript and nothing written is lost.
fn schema(draft: &Draft, fault: Option<&Fault>) -> String {
    let examples: String = EXAMPLES
        .iter()
        .map(|(name, label, _)| {
            format!(
                "<button class=\"btn btn-quiet btn-s\" formaction=\"/jobs/new\" formnovalidate name=\"example\" value=\"{name}\">{label}</button>"
            )
        })
        .collect();
    let foot = fault.map_or_else(
        || "<p id=\"schema-fault\" role=\"status\"></p>".to_owned(),
        |fault| said("schema-fault", &fault.message),
    );
    let invalid = if fault.is_some() { " aria-invalid=\"true\"" } else { "" };
    let rows = draft.schema.lines().count().clamp(12, 24);
    format!(
        "<div class=\"field\"><label for=\"schema\">Shape of the answer</label><div class=\"editor\"><div class=\"editor-head\">\
         <span class=\"quiet\">Examples:</span>{examples}<button class=\"btn btn-quiet btn-s push\" formaction=\"/jobs/new\" \
         formnovalidate name=\"tidy\" value=\"1\">Tidy</button></div><textarea id=\"schema\" name=\"schema\" rows=\"{rows}\" \
         spellcheck=\"false\" autocapitalize=\"off\" autocomplete=\"off\" aria-describedby=\"schema-fault\"{invalid} \
         placeholder=\"Free text. For JSON, a JSON Schema.\">\n{}</textarea><div class=\"editor-foot\">{foot}</div></div>\
         <small>An answer that does not fit is asked for again, at most twice.</small></div>",
        text(&draft.schema)
    )
}
