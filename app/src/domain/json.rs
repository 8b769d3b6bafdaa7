//! Reading from JSON, small. What serde derives for a struct, once per type of field, weighs 40 KB in WASM; reading a
//! value first and then its fields does the same with a tenth of it. Writing is derived: only the server writes.
//!
//! As with serde, unknown fields are passed over; an absent one is `null`.

use serde_json::Value;

use super::{Cursor, JobId, MessageId, SessionId, Timestamp, TurnId};

/// What can be read from a JSON value.
pub trait FromJson: Sized {
    /// `None` if the value is something else.
    fn from_json(json: &Value) -> Option<Self>;
}

/// A field of an object.
pub fn field<T: FromJson>(json: &Value, name: &str) -> Option<T> {
    T::from_json(json.get(name).unwrap_or(&Value::Null))
}

impl FromJson for String {
    fn from_json(json: &Value) -> Option<Self> {
        json.as_str().map(str::to_owned)
    }
}

impl FromJson for bool {
    fn from_json(json: &Value) -> Option<Self> {
        json.as_bool()
    }
}

impl FromJson for u64 {
    fn from_json(json: &Value) -> Option<Self> {
        json.as_u64()
    }
}

impl FromJson for u32 {
    fn from_json(json: &Value) -> Option<Self> {
        json.as_u64()?.try_into().ok()
    }
}

impl FromJson for i32 {
    fn from_json(json: &Value) -> Option<Self> {
        json.as_i64()?.try_into().ok()
    }
}

impl FromJson for Cursor {
    fn from_json(json: &Value) -> Option<Self> {
        json.as_u64()?.try_into().ok()
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(json: &Value) -> Option<Self> {
        if json.is_null() { Some(None) } else { T::from_json(json).map(Some) }
    }
}

/// An absent list is an empty one.
impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(json: &Value) -> Option<Self> {
        match json {
            Value::Null => Some(Vec::new()),
            Value::Array(all) => all.iter().map(T::from_json).collect(),
            _ => None,
        }
    }
}

macro_rules! from_words {
    ($($name:ident)*) => {
        $(impl FromJson for $name {
            fn from_json(json: &Value) -> Option<Self> {
                json.as_str()?.parse().ok()
            }
        })*
    };
}

from_words! { MessageId SessionId TurnId JobId Timestamp }

/// `FromJson` for a struct by its fields, or for an enum by its words; and `Deserialize` through it.
macro_rules! from_json {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::domain::json::FromJson for $name {
            fn from_json(json: &serde_json::Value) -> Option<Self> {
                json.is_object().then_some(())?;
                Some(Self { $($field: $crate::domain::json::field(json, stringify!($field))?),* })
            }
        }
        $crate::domain::json::deserialize!($name);
    };
    ($name:ident: $($word:literal = $variant:ident),*) => {
        from_json!($name: $($word = $variant),*; |_| None);
    };
    // Words that are not among them go to the function.
    ($name:ident: $($word:literal = $variant:ident),*; $other:expr) => {
        impl $crate::domain::json::FromJson for $name {
            fn from_json(json: &serde_json::Value) -> Option<Self> {
                let other: fn(&str) -> Option<Self> = $other;
                match json.as_str()? {
                    $($word => Some(Self::$variant),)*
                    word => other(word),
                }
            }
        }
        $crate::domain::json::deserialize!($name);
    };
}

/// `Deserialize` through `FromJson`.
macro_rules! deserialize {
    ($name:ident) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let json = serde_json::Value::deserialize(deserializer)?;
                let read = <Self as $crate::domain::json::FromJson>::from_json(&json);
                read.ok_or_else(|| serde::de::Error::custom(concat!("a malformed ", stringify!($name))))
            }
        }
    };
}

pub(crate) use {deserialize, from_json};
