//! Checks and shapes of what people write.

use app::error::ApiError;

/// A session's title until it has one.
pub(super) const UNTITLED: &str = "New chat";
/// Characters of the first message that become the title.
const TITLE: usize = 60;

/// A message that may be sent: not blank, not longer than `limit` characters.
pub(crate) fn message(text: &str, limit: usize) -> Result<(), ApiError> {
    if text.trim().is_empty() {
        return Err(ApiError::invalid("text", "Write something first."));
    }
    let chars = text.chars().count();
    if chars > limit {
        return Err(ApiError::too_large("text", format!("{chars} characters, and the limit is {limit}.")));
    }
    Ok(())
}

/// A title that may be given: trimmed, on one line, 1 to `limit` characters.
pub(crate) fn title(text: &str, limit: usize) -> Result<String, ApiError> {
    let title = one_line(text, usize::MAX);
    if title.is_empty() {
        return Err(ApiError::invalid("title", "A title needs at least one character."));
    }
    let chars = title.chars().count();
    if chars > limit {
        return Err(ApiError::too_large("title", format!("{chars} characters, and the limit of a title is {limit}.")));
    }
    Ok(title)
}

/// The title that a first message gives: its first 60 characters, on one line.
pub(crate) fn first_title(message: &str) -> String {
    // A script for the simulator is no title.
    let spoken: Vec<&str> = message.lines().filter(|l| !l.trim_start().starts_with("/sim ")).collect();
    let title = one_line(&spoken.join("\n"), TITLE);
    if title.is_empty() { one_line(message, TITLE) } else { title }
}

fn one_line(text: &str, limit: usize) -> String {
    let visible = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty());
    let joined = visible.collect::<Vec<_>>().join(" ");
    joined.chars().take(limit).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_beginning_of_the_first_message_on_one_line() {
        assert_eq!(first_title("  Why is\n\tthe sky blue?  "), "Why is the sky blue?");
        assert_eq!(first_title(&"ü".repeat(100)).chars().count(), 60);
        assert_eq!(first_title("Hello\n/sim tokens=5"), "Hello");
        assert_eq!(first_title("/sim tokens=5"), "/sim tokens=5");
    }

    #[test]
    fn limits_count_characters_not_bytes() {
        assert!(message(&"😀".repeat(10), 10).is_ok());
        assert_eq!(message(&"a".repeat(11), 10).unwrap_err().code.status(), 413);
        assert_eq!(message(" \n ", 10).unwrap_err().code.status(), 422);
        assert_eq!(title(" a \n b ", 200).unwrap(), "a b");
        assert!(title("\u{0}\n", 200).is_err() && title(&"x".repeat(201), 200).is_err());
    }
}
