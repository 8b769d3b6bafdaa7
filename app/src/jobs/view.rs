//! What of a variant is shown, and how.

use serde_json::Value;

use super::preview;
use crate::{
    domain::{JobStatus, JobView, Variant},
    markdown,
};

use super::tree;
use crate::components::html::text;

/// How a variant's text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As the Markdown that it is.
    Rendered,
    /// As it was written.
    Raw,
    /// JSON, to be unfolded.
    Tree,
    /// HTML, in a frame that can do nothing.
    Preview,
}

impl Shape {
    /// By its name in an address.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Rendered, Self::Raw, Self::Tree, Self::Preview].into_iter().find(|shape| shape.name() == name)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rendered => "rendered",
            Self::Raw => "text",
            Self::Tree => "json",
            Self::Preview => "preview",
        }
    }

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Rendered => "Rendered",
            Self::Raw => "Text",
            Self::Tree => "JSON",
            Self::Preview => "Preview",
        }
    }
}

/// What the address asks to see of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    pub shape: Option<Shape>,
    /// Compared without marks.
    pub unmarked: bool,
}

/// The text that there is of a variant.
pub(super) fn written(variant: &Variant) -> Option<&str> {
    variant.text.as_deref().filter(|text| !text.is_empty())
}

/// The JSON that a text is.
pub(super) fn json_of(variant: &Variant) -> Option<Value> {
    let read = || serde_json::from_str::<Value>(written(variant)?.trim()).ok();
    variant.json.clone().or_else(read).filter(|json| json.is_object() || json.is_array())
}

/// The ways to show a variant, the best first.
pub(super) fn shapes(variant: &Variant) -> Vec<Shape> {
    let Some(text) = written(variant) else { return Vec::new() };
    if json_of(variant).is_some() {
        vec![Shape::Tree, Shape::Raw]
    } else if preview::html_of(text).is_some() {
        vec![Shape::Preview, Shape::Raw, Shape::Rendered]
    } else {
        vec![Shape::Rendered, Shape::Raw]
    }
}

/// The frame with a variant's preview.
pub(super) fn frame(view: &JobView, index: u32, class: &str) -> String {
    format!(
        "<iframe class=\"{class}\" sandbox loading=\"lazy\" referrerpolicy=\"no-referrer\" src=\"/jobs/{}/{index}/preview\" \
         title=\"Preview of variant {}\"></iframe>",
        view.job.job_id,
        index + 1
    )
}

/// A variant's text in this shape.
pub(super) fn body(view: &JobView, variant: &Variant, shape: Shape) -> String {
    let words = written(variant).unwrap_or_default();
    match shape {
        Shape::Rendered => ["<div class=\"prose\">", &rendered(words, variant.index), "</div>"].concat(),
        Shape::Raw => ["<pre class=\"raw\" tabindex=\"0\">", &text(words), "</pre>"].concat(),
        Shape::Tree => json_of(variant).map_or_else(String::new, |json| tree::tree(&json)),
        Shape::Preview => frame(view, variant.index, "preview preview-full"),
    }
}

/// Its elements' ids begin with the variant's number, so that footnotes of two variants differ.
pub(super) fn rendered(text: &str, index: u32) -> String {
    markdown::render_with(text, &[], &markdown::Options { prefix: format!("v{index}-"), caret: false })
}

/// What a variant is called as a file.
#[must_use]
pub fn file_name(variant: &Variant) -> String {
    let kind = match shapes(variant).first() {
        Some(Shape::Tree) => "json",
        Some(Shape::Preview) => "html",
        _ => "md",
    };
    format!("variant-{}.{kind}", variant.index + 1)
}

/// In a card and over a variant.
pub(super) const fn word(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Queued => "Queued",
        JobStatus::Running => "Writing",
        JobStatus::Complete => "Done",
        JobStatus::Failed => "Failed",
        JobStatus::Cancelled => "Cancelled",
    }
}
