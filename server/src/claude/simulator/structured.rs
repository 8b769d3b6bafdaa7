//! Results that fit a schema, as the structured outputs of the API do; or, scripted, that don't.

use serde_json::{Map, Value, json};

use super::words;

/// Deeper nesting is left out: a schema may refer to itself.
const DEEPEST: usize = 6;

/// A value that fits the schema, as far as its usual words go.
#[must_use]
pub fn instance(schema: &Value, seed: u64) -> Value {
    value(schema, schema, seed, 0)
}

/// The same without something that is required.
#[must_use]
pub fn misfit(schema: &Value, seed: u64) -> Value {
    let mut value = instance(schema, seed);
    let last = schema.get("required").and_then(Value::as_array).and_then(|r| r.last()).and_then(Value::as_str);
    match (value.as_object_mut(), last) {
        (Some(object), Some(last)) => {
            object.remove(last);
            value
        }
        _ => json!("this does not fit"),
    }
}

fn value(root: &Value, schema: &Value, seed: u64, depth: usize) -> Value {
    let number = |name: &str| schema.get(name).and_then(Value::as_f64);
    if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
        let target = path.strip_prefix('#').and_then(|path| root.pointer(path));
        return target.filter(|_| depth < DEEPEST).map_or(Value::Null, |target| value(root, target, seed, depth + 1));
    }
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    if let Some(all) = schema.get("enum").and_then(Value::as_array).filter(|all| !all.is_empty()) {
        return all.get(seed as usize % all.len()).cloned().unwrap_or_default();
    }
    if let Some(first) = ["anyOf", "oneOf", "allOf"].iter().find_map(|name| schema.get(name)?.get(0)) {
        return value(root, first, seed, depth + 1);
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        Some(kind) => kind.as_str(),
        None if schema.get("properties").is_some() => Some("object"),
        None => None,
    };
    match kind {
        Some("object") => object(root, schema, seed, depth),
        Some("array") => {
            let item = schema.get("items").cloned().unwrap_or_else(|| json!({"type": "string"}));
            let least = number("minItems").unwrap_or(0.0) as usize;
            let count =
                if depth < DEEPEST { least.max(2).min(number("maxItems").map_or(50, |m| m as usize)) } else { least };
            (0..count as u64).map(|i| value(root, &item, seed.wrapping_add(i + 1), depth + 1)).collect()
        }
        Some("integer" | "number") => {
            let least = number("minimum").or_else(|| Some(number("exclusiveMinimum")? + 1.0)).unwrap_or(1.0);
            let most = number("maximum").unwrap_or(least + 40.0);
            json!((least + (seed % 7) as f64).min(most) as i64)
        }
        Some("boolean") => json!(seed.is_multiple_of(2)),
        Some("null") => Value::Null,
        _ => {
            let text = words::prose(seed, 4, false);
            let most = number("maxLength").map_or(200, |most| most as usize);
            let mut text: String = text.as_str().trim().chars().take(most).collect();
            while text.chars().count() < number("minLength").unwrap_or(0.0) as usize {
                text.push('x');
            }
            Value::String(text)
        }
    }
}

fn object(root: &Value, schema: &Value, seed: u64, depth: usize) -> Value {
    let mut object = Map::new();
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    for (i, (name, property)) in properties.into_iter().flatten().enumerate() {
        if depth < DEEPEST || required.contains(&name.as_str()) {
            object.insert(name.clone(), value(root, property, seed.wrapping_add(i as u64 * 31), depth + 1));
        }
    }
    for name in required {
        object.entry(name).or_insert_with(|| json!("something"));
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    #[test]
    fn instances_fit_and_misfits_do_not() {
        for schema in [
            r#"{"type":"object","required":["a","b"],"properties":{"a":{"type":"string","maxLength":9},"b":{"enum":[1,2]}}}"#,
            r#"{"type":"array","minItems":3,"items":{"type":"integer","minimum":5,"maximum":6}}"#,
            r##"{"type":"object","required":["n"],"properties":{"n":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":"boolean"}}}"##,
            r#"{"anyOf":[{"type":"number"},{"type":"string"}]}"#,
        ] {
            let read = Schema::read(schema).unwrap();
            for seed in 0..9 {
                assert_eq!(read.check(&instance(read.value(), seed).to_string()), Ok(()), "{schema}");
            }
            let misfit = misfit(read.value(), 1).to_string();
            assert!(read.check(&misfit).is_err() || schema.contains("anyOf"), "{misfit}");
        }
    }
}
