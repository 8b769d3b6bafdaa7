//! The boxes that stand in place of images.

use pulldown_cmark::{Event, Tag, TagEnd};

use super::{super::url, Writer, escape};

const IMAGE: &str = "<svg class=\"icon\" viewBox=\"0 0 20 20\" aria-hidden=\"true\"><use href=\"#i-image\"/></svg>";

/// An image whose description is being read.
pub(super) struct Image {
    pub(super) url: String,
    pub(super) alt: String,
    /// Images within its description.
    pub(super) depth: usize,
}

impl Writer<'_> {
    pub(super) fn within_image(&mut self, event: &Event<'_>) {
        let Some(image) = self.image.as_mut() else { return };
        match event {
            Event::Start(Tag::Image { .. }) => image.depth += 1,
            Event::End(TagEnd::Image) if image.depth > 0 => image.depth -= 1,
            Event::End(TagEnd::Image) => {
                if let Some(image) = self.image.take() {
                    self.blocked(&image);
                }
            }
            Event::InlineHtml(text) if super::is_break(text) => image.alt.push(' '),
            Event::Text(text) | Event::Code(text) | Event::InlineHtml(text) => image.alt.push_str(text),
            Event::SoftBreak | Event::HardBreak => image.alt.push(' '),
            _ => {}
        }
    }

    /// The box in an image's place. It may stand within a paragraph, so it is made of `span`s.
    fn blocked(&mut self, image: &Image) {
        let Some(host) = url::image_host(&image.url) else {
            return self.plain(&image.alt);
        };
        self.out.push_str("<span class=\"blocked\">");
        self.out.push_str(IMAGE);
        self.out.push_str("<span>Image from ");
        escape(&mut self.out, host, false);
        self.out.push_str(", not loaded.");
        if !image.alt.is_empty() {
            self.out.push_str(" <em>");
            escape(&mut self.out, &image.alt, false);
            self.out.push_str("</em>");
        }
        self.out.push_str("</span>");
        // A link can't hold a button.
        if !self.link {
            self.out.push_str("<button type=\"button\" class=\"btn js-only\" data-src=\"");
            url::address(&mut self.out, &image.url);
            self.out.push_str("\" data-alt=\"");
            escape(&mut self.out, &image.alt, true);
            self.out.push_str("\">Load it</button>");
        }
        self.out.push_str("</span>");
        self.end = Some(self.out.len());
    }
}
