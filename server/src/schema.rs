//! The schema of structured results: read, checked and held against what came.
//!
//! Whoever hands in a job chooses it, so how long a check may take is settled before it is used: with its references
//! followed it has to stay small and shallow, and its patterns run in linear time.

use std::{collections::HashMap, fmt, sync::Arc};

use jsonschema::{PatternOptions, ValidationError, error::ValidationErrorKind};
use serde_json::{Map, Value};

/// The largest schema, in bytes.
const LARGEST: usize = 64 * 1024;
/// The deepest nesting of a schema, and of its references followed.
const DEEPEST: usize = 32;
/// The most parts of a schema with its references followed: each may be held against each part of a result.
const PARTS: u64 = 10_000;
/// The largest automaton of a pattern, in bytes.
const PATTERN: usize = 1 << 20;
/// The longest sentence about a misfit, in bytes.
const SENTENCE: usize = 500;

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

/// Keywords that hold schemas by name.
const MAPS: [&str; 6] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];
/// Keywords that hold data, in which nothing is a keyword.
const DATA: [&str; 5] = ["const", "enum", "default", "examples", "required"];
/// Formats of schemas whose references work alike.
const FORMATS: [&str; 4] = ["/2020-12/", "/2019-09/", "/draft-07/", "/draft-06/"];

/// How large a schema is with its references followed.
struct Sizes<'a> {
    root: &'a Value,
    /// By what a reference says; none while it is being followed.
    known: HashMap<&'a str, Option<(u64, usize)>>,
}

impl<'a> Sizes<'a> {
    /// Parts and depth of a schema that stands `deep` levels down.
    fn of(&mut self, schema: &'a Value, deep: usize) -> Result<(u64, usize), String> {
        let Value::Object(words) = schema else { return Ok((1, 1)) };
        if deep > DEEPEST {
            return Err(too_deep());
        }
        let (mut parts, mut depth) = (1u64, 0);
        let mut add = |(more, down): (u64, usize)| {
            parts = parts.saturating_add(more);
            depth = depth.max(down);
        };
        for (word, value) in words {
            match (word.as_str(), value) {
                ("$ref", Value::String(to)) => add(self.follow(to, deep)?),
                ("$dynamicRef" | "$recursiveRef", _) => {
                    return Err(format!("`{word}` cannot be used: name the place by `$ref`."));
                }
                ("$id", Value::String(_)) if deep > 1 => {
                    return Err("Only the whole schema may have an `$id`.".to_owned());
                }
                (word, _) if DATA.contains(&word) => add((1, 0)),
                // What is only referred to is counted where it is.
                ("$defs" | "definitions", Value::Object(_)) if deep == 1 => {}
                (word, Value::Object(schemas)) if MAPS.contains(&word) => {
                    for schema in schemas.values() {
                        add(self.of(schema, deep + 1)?);
                    }
                }
                (_, Value::Object(_)) => add(self.of(value, deep + 1)?),
                (_, Value::Array(schemas)) => {
                    for schema in schemas {
                        add(self.of(schema, deep + 1)?);
                    }
                }
                _ => add((1, 0)),
            }
        }
        Ok((parts, depth + 1))
    }

    fn follow(&mut self, to: &'a str, deep: usize) -> Result<(u64, usize), String> {
        let place = || to.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        let Some(target) = place() else {
            return Err(format!("`$ref` has to name a place in the schema, such as `#/$defs/name`: {to} is none."));
        };
        match self.known.get(to) {
            Some(Some((parts, depth))) if deep + depth <= DEEPEST => return Ok((*parts, *depth)),
            Some(Some(_)) => return Err(too_deep()),
            Some(None) => return Err(format!("The schema refers to itself at {to}, and that cannot be used.")),
            None => {}
        }
        self.known.insert(to, None);
        let size = self.of(target, deep + 1)?;
        self.known.insert(to, Some(size));
        Ok(size)
    }
}

fn too_deep() -> String {
    format!("The schema is nested more than {DEEPEST} levels deep, its references followed.")
}

/// That a schema is small enough to be held against anything.
fn is_bounded(schema: &Map<String, Value>, whole: &Value) -> Result<(), String> {
    if let Some(format) = schema.get("$schema").and_then(Value::as_str)
        && !FORMATS.iter().any(|known| format.replace("/schema#", "/").contains(known))
    {
        return Err(format!("`$schema` has to be 2020-12, or not older than draft-06: {format} is not."));
    }
    let (parts, _) = Sizes { root: whole, known: HashMap::new() }.of(whole, 1)?;
    if parts > PARTS {
        return Err(format!("The schema has {parts} parts, its references followed, and the limit is {PARTS}."));
    }
    Ok(())
}

/// What is wrong with a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// For whoever wrote the result: it may quote it.
    pub fault: String,
    /// For anybody: in the schema's words alone.
    pub told: String,
}

impl Misfit {
    fn new(error: &ValidationError<'_>) -> Self {
        let at = place(error.schema_path().as_str()).to_owned();
        let told = match error.kind() {
            ValidationErrorKind::Required { property } => format!("{property} is missing (by {at})"),
            _ => format!("it breaks the schema at {at}"),
        };
        Self { fault: cut(format!("{error} (at {})", place(error.instance_path().as_str()))), told: cut(told) }
    }
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(SENTENCE));
    text
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
        let Value::Object(words) = &value else { return Err("The schema has to be a JSON object.".to_owned()) };
        // Of whatever it holds: data too is compared level by level.
        if depth(&value) > 2 * DEEPEST {
            return Err(too_deep());
        }
        is_bounded(words, &value)?;
        if let Err(error) = jsonschema::meta::validate(&value) {
            return Err(format!("This is no JSON Schema: {error} (at {}).", place(error.instance_path().as_str())));
        }
        let patterns = PatternOptions::regex().size_limit(PATTERN).dfa_size_limit(PATTERN);
        let validator = jsonschema::options().with_pattern_options(patterns).build(&value);
        let validator = validator.map_err(|e| format!("This schema cannot be used: {e}."))?;
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
    /// What does not.
    pub fn check(&self, text: &str) -> Result<(), Misfit> {
        let value = parse(text).map_err(|e| {
            let fault = format!("it is no JSON: {e}");
            Misfit { told: fault.clone(), fault }
        })?;
        self.validator.validate(&value).map_err(|error| Misfit::new(&error))
    }

    /// As [`Schema::check`], on a thread that nobody else waits for: a long result may take a while.
    pub fn checked(self: &Arc<Self>, text: String) -> tokio::task::JoinHandle<Result<(), Misfit>> {
        let schema = Arc::clone(self);
        tokio::task::spawn_blocking(move || schema.check(&text))
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
        assert!(
            Schema::read(r#"{"$schema":"http://json-schema.org/draft-04/schema#"}"#).unwrap_err().contains("older")
        );
        // Nothing is fetched from anywhere.
        assert!(Schema::read(r#"{"$ref":"http://127.0.0.1:1/x.json"}"#).is_err());
    }

    /// What would take for ever is refused before it is held against anything.
    #[test]
    fn a_schema_that_grows_by_its_references_is_refused() {
        let steps = |n: usize, step: &dyn Fn(usize) -> String| {
            let defs: Vec<String> = (0..n).map(|i| format!("\"a{i}\":{}", step(i + 1))).collect();
            format!("{{\"$ref\":\"#/$defs/a0\",\"$defs\":{{{},\"a{n}\":{{\"type\":\"null\"}}}}}}", defs.join(","))
        };
        let to = |i: usize| format!("{{\"$ref\":\"#/$defs/a{i}\"}}");
        let doubling = |i: usize| format!("{{\"allOf\":[{0},{0}]}}", to(i));
        assert!(Schema::read(&steps(14, &doubling)).unwrap_err().contains("parts"));
        let told = Schema::read(&steps(41, &doubling)).unwrap_err();
        assert!(told.contains("deep") || told.contains("parts"), "{told}");
        // Neither does a long chain overflow a stack, here or in the validator.
        assert!(Schema::read(&steps(1_500, &to)).unwrap_err().contains("deep"));
        // As deep by another way in.
        let (inner, outer) = (steps(25, &to), r##"{"properties":{"x":{"$ref":"#/$defs/a24"}},"$ref":"#/$defs/a0""##);
        assert!(Schema::read(&inner).is_ok());
        assert!(Schema::read(&inner.replacen("{\"$ref\":\"#/$defs/a0\"", outer, 1)).is_ok());
        // Held against a deep result each level would double the work.
        let around = r##"{"$defs":{"n":{"properties":{"c":{"anyOf":[{"$ref":"#/$defs/n"},{"$ref":"#/$defs/n"}]}}}},"$ref":"#/$defs/n"}"##;
        for itself in [around, r##"{"$ref":"#"}"##, r##"{"items":{"$ref":"#"}}"##] {
            assert!(Schema::read(itself).unwrap_err().contains("itself"), "{itself}");
        }
        for other in [
            r##"{"$dynamicRef":"#x"}"##,
            r##"{"$ref":"#x","$defs":{"x":{"$anchor":"x"}}}"##,
            r##"{"properties":{"a":{"$id":"http://x.example/","$ref":"#/a"}},"a":true}"##,
        ] {
            assert!(Schema::read(other).is_err(), "{other}");
        }
        // What is called like a keyword, and data that looks like one, are neither.
        let fine = r##"{"properties":{"$id":{"type":"string"},"id":{"const":{"$ref":"elsewhere"}},"default":{"$ref":"#/$defs/b"}},
            "$defs":{"b":{"type":"boolean"}}}"##;
        Schema::read(fine).unwrap();
    }

    /// A pattern that backtracks would never end on this; one that needs it is refused.
    #[test]
    fn patterns_run_in_linear_time() {
        let schema = Schema::read(r#"{"type":"string","pattern":"^(a|a)*$"}"#).unwrap();
        let long = format!("\"{}b\"", "a".repeat(100_000));
        assert!(schema.check(&long).is_err());
        assert!(Schema::read(r#"{"pattern":"(?=x)x"}"#).unwrap_err().contains("cannot be used"));
        assert!(Schema::read(r#"{"pattern":"((a{1000}){1000}){1000}"}"#).is_err());
    }

    #[test]
    fn results_are_held_against_it() {
        let schema = Schema::read(HERO).unwrap();
        let told = |text: &str| schema.check(text).unwrap_err().told;
        assert_eq!(schema.check(r#"{"title":"Hi"}"#), Ok(()));
        assert_eq!(schema.check("```json\n{\"title\":\"Hi\"}\n```"), Ok(()));
        let long = schema.check(r#"{"title":"far too long"}"#).unwrap_err();
        assert!(long.fault.contains("far too long") && long.fault.contains("/title"), "{long:?}");
        assert!(long.told.contains("/properties/title/maxLength") && !long.told.contains("far"), "{long:?}");
        assert_eq!(told("{}"), "\"title\" is missing (by /required)");
        assert!(told("Hello").contains("no JSON") && !told("Hello").contains("Hello"));
    }

    /// A reply's own words stand nowhere but in the reply, keys of its objects included.
    #[test]
    fn what_is_told_of_a_misfit_quotes_nothing_of_it() {
        let schema = r#"{"additionalProperties":{"type":"integer"},"propertyNames":{"maxLength":6},"maxProperties":2}"#;
        let schema = Schema::read(schema).unwrap();
        for text in [r#"{"secret":"x"}"#, r#"{"secretive":1}"#, r#"{"secret":1,"a":1,"b":1}"#, r#"{"secret": oops}"#] {
            let Misfit { fault, told } = schema.check(text).unwrap_err();
            assert!(!fault.is_empty() && !told.contains("secret"), "{told}");
        }
        let closed = Schema::read(r#"{"additionalProperties":false}"#).unwrap();
        assert_eq!(closed.check(r#"{"secret":1}"#).unwrap_err().told, "it breaks the schema at /additionalProperties");
    }
}
