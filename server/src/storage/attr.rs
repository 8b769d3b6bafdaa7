//! Items as DynamoDB has them, read and written by name.

use std::collections::HashMap;

use app::domain::{Piece, PieceKind, Timestamp};
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Serialize, de::DeserializeOwned};

use super::StoreError;

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn s(v: impl Into<String>) -> AttributeValue {
    AttributeValue::S(v.into())
}

pub(super) fn n(v: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(v.into().to_string())
}

/// The key of one item.
pub(super) fn key(pk: String, sk: impl Into<String>) -> Item {
    HashMap::from([("pk".to_owned(), s(pk)), ("sk".to_owned(), s(sk))])
}

/// `#name` in an expression stands for the attribute `name`: nobody has to know DynamoDB's 573 reserved words.
pub(super) fn names(expressions: &[&str]) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for rest in expressions.iter().flat_map(|e| e.split('#').skip(1)) {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        found.insert(format!("#{}", &rest[..end]), rest[..end].to_owned());
    }
    found
}

/// The values of an expression, `:name` each.
pub(super) fn values<const N: usize>(pairs: [(&str, AttributeValue); N]) -> Item {
    pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}

/// Writes an item.
pub(super) struct Writer(Item);

impl Writer {
    pub(super) fn new(pk: String, sk: impl Into<String>) -> Self {
        Self(key(pk, sk))
    }
    pub(super) fn put(mut self, name: &str, v: AttributeValue) -> Self {
        self.0.insert(name.to_owned(), v);
        self
    }
    pub(super) fn s(self, name: &str, v: impl Into<String>) -> Self {
        self.put(name, s(v))
    }
    pub(super) fn n(self, name: &str, v: impl Into<u64>) -> Self {
        self.put(name, n(v))
    }
    pub(super) fn time(self, name: &str, v: Timestamp) -> Self {
        self.n(name, v.millis())
    }
    pub(super) fn opt_n(self, name: &str, v: Option<impl Into<u64>>) -> Self {
        match v {
            Some(v) => self.n(name, v),
            None => self,
        }
    }
    pub(super) fn opt_s(self, name: &str, v: Option<impl Into<String>>) -> Self {
        match v {
            Some(v) => self.s(name, v),
            None => self,
        }
    }
    /// A unit variant, as its serde name.
    pub(super) fn word(self, name: &str, v: &impl Serialize) -> Result<Self, StoreError> {
        Ok(self.put(name, word(v)?))
    }
    pub(super) fn opt_word(self, name: &str, v: Option<&impl Serialize>) -> Result<Self, StoreError> {
        match v {
            Some(v) => self.word(name, v),
            None => Ok(self),
        }
    }
    /// Small structures that nothing is searched by.
    pub(super) fn opt_json(self, name: &str, v: Option<&impl Serialize>) -> Result<Self, StoreError> {
        match v {
            Some(v) => Ok(self.put(name, json(v)?)),
            None => Ok(self),
        }
    }
    pub(super) fn done(self) -> Item {
        self.0
    }
}

pub(super) fn json(v: &impl Serialize) -> Result<AttributeValue, StoreError> {
    serde_json::to_string(v).map(AttributeValue::S).map_err(StoreError::build)
}

pub(super) fn word(v: &impl Serialize) -> Result<AttributeValue, StoreError> {
    match serde_json::to_value(v).map_err(StoreError::build)? {
        serde_json::Value::String(w) => Ok(s(w)),
        _ => Err(StoreError::build("not a word")),
    }
}

/// Reads an item, taking its values out.
pub(super) struct Reader(Item);

impl Reader {
    pub(super) fn new(item: Item) -> Self {
        Self(item)
    }
    pub(super) fn opt_s(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(AttributeValue::S(v)) => Ok(Some(v)),
            Some(_) => Err(wrong(name)),
        }
    }
    pub(super) fn s(&mut self, name: &str) -> Result<String, StoreError> {
        self.opt_s(name)?.ok_or_else(|| wrong(name))
    }
    pub(super) fn opt_n<T: TryFrom<u64>>(&mut self, name: &str) -> Result<Option<T>, StoreError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(AttributeValue::N(v)) => {
                v.parse::<u64>().ok().and_then(|v| T::try_from(v).ok()).map(Some).ok_or_else(|| wrong(name))
            }
            Some(_) => Err(wrong(name)),
        }
    }
    pub(super) fn n<T: TryFrom<u64>>(&mut self, name: &str) -> Result<T, StoreError> {
        self.opt_n(name)?.ok_or_else(|| wrong(name))
    }
    pub(super) fn time(&mut self, name: &str) -> Result<Timestamp, StoreError> {
        self.n(name).map(Timestamp::from_millis)
    }
    pub(super) fn parse<T: std::str::FromStr>(&mut self, name: &str) -> Result<T, StoreError> {
        self.s(name)?.parse().map_err(|_| wrong(name))
    }
    pub(super) fn opt_parse<T: std::str::FromStr>(&mut self, name: &str) -> Result<Option<T>, StoreError> {
        self.opt_s(name)?.map(|v| v.parse().map_err(|_| wrong(name))).transpose()
    }
    /// What stands behind `prefix` in the partition key.
    pub(super) fn id<T: std::str::FromStr>(&mut self, prefix: &str) -> Result<T, StoreError> {
        let pk = self.s("pk")?;
        pk.strip_prefix(prefix).and_then(|id| id.parse().ok()).ok_or_else(|| wrong("pk"))
    }
    pub(super) fn opt_word<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, StoreError> {
        self.opt_s(name)?
            .map(|v| serde_json::from_value(serde_json::Value::String(v)).map_err(|_| wrong(name)))
            .transpose()
    }
    pub(super) fn word<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, StoreError> {
        self.opt_word(name)?.ok_or_else(|| wrong(name))
    }
    pub(super) fn opt_json<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, StoreError> {
        self.opt_s(name)?.map(|v| serde_json::from_str(&v).map_err(|_| wrong(name))).transpose()
    }
    pub(super) fn flag(&mut self, name: &str) -> bool {
        matches!(self.0.remove(name), Some(AttributeValue::Bool(true)))
    }
    pub(super) fn set(&mut self, name: &str) -> Result<Vec<String>, StoreError> {
        match self.0.remove(name) {
            None => Ok(Vec::new()),
            Some(AttributeValue::Ss(v)) => Ok(v),
            Some(_) => Err(wrong(name)),
        }
    }
    /// Content: absent means none.
    pub(super) fn pieces(&mut self, name: &str) -> Result<Vec<Piece>, StoreError> {
        let list = match self.0.remove(name) {
            None => return Ok(Vec::new()),
            Some(AttributeValue::L(list)) => list,
            Some(_) => return Err(wrong(name)),
        };
        let piece = |v| match v {
            AttributeValue::M(m) => match m.into_iter().next() {
                Some((k, AttributeValue::S(text))) if k == "t" => Some(Piece { kind: PieceKind::Text, text }),
                Some((k, AttributeValue::S(text))) if k == "k" => Some(Piece { kind: PieceKind::Thinking, text }),
                _ => None,
            },
            _ => None,
        };
        list.into_iter().map(|v| piece(v).ok_or_else(|| wrong(name))).collect()
    }
}

/// Content as native strings: JSON in a string would cost a byte more for every line break and quotation mark.
/// `t` is text, `k` is thinking.
pub(super) fn pieces(pieces: &[Piece]) -> AttributeValue {
    let piece = |p: &Piece| {
        let kind = match p.kind {
            PieceKind::Text => "t",
            PieceKind::Thinking => "k",
        };
        AttributeValue::M(HashMap::from([(kind.to_owned(), s(p.text.as_str()))]))
    };
    AttributeValue::L(pieces.iter().map(piece).collect())
}

fn wrong(name: &str) -> StoreError {
    StoreError::corrupt(format!("`{name}` is missing or wrong"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_an_expression_is_found_once() {
        let found = names(&["SET #a = :a, #b_c=#a", "attribute_not_exists(#d) OR #ttl < :now"]);
        let mut keys: Vec<_> = found.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["#a", "#b_c", "#d", "#ttl"]);
        assert_eq!(found["#ttl"], "ttl");
    }
}
