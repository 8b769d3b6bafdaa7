//! The schema of structured results: read, checked and held against what came.

use std::fmt;

use serde_json::Value;

/// The largest schema, in bytes.
const LARGEST: usize = 64 * 1024;
/// The deepest nesting of a schema.
const DEEPEST: usize = 32;

/// A JSON Schema that results have to fit.
pub struct Schema {
    value: Value,
    validator: jsonschema::Validator,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schema(..)")
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(all) => 1 + all.iter().map(depth).max().unwrap_or(0),
        Value::Object(all) => 1 + all.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// A sentence for the person who wrote it, that names the place.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.len() > LARGEST {
            return Err(format!("The schema has {} bytes, and the limit is {LARGEST}.", text.len()));
        }
        let value: Value = serde_json::from_str(text)
            .map_err(|e| format!("The schema is no JSON: {} at line {}, column {}.", kind(&e), e.line(), e.column()))?;
        if !value.is_object() {
            return Err("The schema has to be a JSON object.".to_owned());
        }
        if depth(&value) > DEEPEST {
            return Err(format!("The schema is nested more than {DEEPEST} levels deep."));
        }
        if let Err(error) = jsonschema::meta::validate(&value) {
            return Err(format!("This is no JSON Schema: {error} (at {}).", place(error.instance_path().as_str())));
        }
        let validator = jsonschema::validator_for(&value).map_err(|e| format!("This schema cannot be used: {e}."))?;
        Ok(Self { value, validator })
    }

    /// As it is sent.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Whether a result fits.
    ///
    /// # Errors
    /// A sentence that says what does not.
    pub fn check(&self, text: &str) -> Result<(), String> {
        let value = parse(text).map_err(|e| format!("it is no JSON: {e}"))?;
        self.validator.validate(&value).map_err(|error| {
            let mut fault = format!("{error} (at {})", place(error.instance_path().as_str()));
            fault.truncate(fault.floor_char_boundary(500));
            fault
        })
    }
}

fn place(path: &str) -> &str {
    if path.is_empty() { "the top" } else { path }
}

fn kind(error: &serde_json::Error) -> &'static str {
    if error.is_eof() { "it ends too soon" } else { "something is wrong" }
}

/// A result as JSON. A fence around it is no fault.
///
/// # Errors
/// What is wrong, and where.
pub fn parse(text: &str) -> Result<Value, String> {
    let text = text.trim();
    let inner = text.strip_prefix("```").and_then(|t| t.strip_suffix("```"));
    let inner = inner.map_or(text, |t| t.strip_prefix("json").unwrap_or(t).trim());
    serde_json::from_str(inner).map_err(|e| format!("{} at line {}, column {}", kind(&e), e.line(), e.column()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERO: &str =
        r#"{"type":"object","required":["title"],"properties":{"title":{"type":"string","maxLength":9}}}"#;

    #[test]
    fn what_is_no_schema_is_refused_with_the_place() {
        for (text, part) in [
            ("{", "line 1"),
            ("[]", "object"),
            (r#"{"type":"objekt"}"#, "/type"),
            (r#"{"properties":{"a":{"minimum":"x"}}}"#, "/properties/a/minimum"),
        ] {
            let fault = Schema::read(text).unwrap_err();
            assert!(fault.contains(part), "{text}: {fault}");
        }
        assert!(Schema::read(&format!("{{\"title\":\"{}\"}}", "x".repeat(LARGEST))).unwrap_err().contains("limit"));
        let deep = format!("{}true{}", "{\"not\":".repeat(40), "}".repeat(40));
        assert!(Schema::read(&deep).unwrap_err().contains("deep"));
        // Nothing is fetched from anywhere.
        assert!(Schema::read(r#"{"$ref":"http://127.0.0.1:1/x.json"}"#).is_err());
    }

    #[test]
    fn results_are_held_against_it() {
        let schema = Schema::read(HERO).unwrap();
        assert_eq!(schema.check(r#"{"title":"Hi"}"#), Ok(()));
        assert_eq!(schema.check("```json\n{\"title\":\"Hi\"}\n```"), Ok(()));
        assert!(schema.check(r#"{"title":"far too long"}"#).unwrap_err().contains("/title"));
        assert!(schema.check("{}").unwrap_err().contains("title"));
        assert!(schema.check("Hello").unwrap_err().contains("no JSON"));
    }
}
