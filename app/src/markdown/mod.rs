//! Markdown to HTML.

/// Renders a text that is still growing, block by block.
#[derive(Debug, Default)]
pub struct Stream(String);

impl Stream {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The HTML of the blocks that are finished now.
    pub fn push(&mut self, text: &str) -> Option<String> {
        self.0.push_str(text);
        let at = self.0.rfind("\n\n")?;
        let rest = self.0.split_off(at + 2);
        Some(paragraphs(&std::mem::replace(&mut self.0, rest)))
    }

    /// The HTML of the rest.
    #[must_use]
    pub fn finish(self) -> String {
        paragraphs(&self.0)
    }
}

fn paragraphs(text: &str) -> String {
    let escape = |t: &str| t.replace('&', "&amp;").replace('<', "&lt;");
    text.split("\n\n").filter(|t| !t.trim().is_empty()).map(|t| format!("<p>{}</p>", escape(t))).collect()
}
