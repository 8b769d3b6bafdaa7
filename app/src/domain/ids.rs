//! Ids are ULIDs: 26 characters, sortable by their time, made by whoever makes the thing.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::Timestamp;

/// The text is no ULID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdError;

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a ULID")
    }
}

impl std::error::Error for IdError {}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Ulid);

        impl $name {
            /// Makes an id from a time and 80 bits of randomness (the upper 48 bits of `random` are ignored).
            #[must_use]
            pub fn from_parts(at: Timestamp, random: u128) -> Self {
                Self(Ulid::from_parts(at.millis(), random))
            }

            /// When the id's maker says it was made.
            #[must_use]
            pub fn timestamp(self) -> Timestamp {
                Timestamp::from_millis(self.0.timestamp_ms())
            }

            /// The random part's low bits: for sharding.
            #[must_use]
            pub fn random(self) -> u128 {
                self.0.random()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            /// Takes the 26 characters in either case; the canonical form is upper case.
            fn from_str(s: &str) -> Result<Self, IdError> {
                // The first character of a ULID is at most 7: 26 base-32 digits hold 130 bits.
                if s.len() != 26 || !s.starts_with(|c: char| ('0'..='7').contains(&c)) {
                    return Err(IdError);
                }
                Ulid::from_string(s).map(Self).map_err(|_| IdError)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(s: String) -> Result<Self, IdError> {
                s.parse()
            }
        }
    };
}

id!(
    /// Whoever holds a signed identity cookie.
    UserId
);
id!(
    /// One conversation of one user.
    SessionId
);
id!(
    /// One generation of one assistant message. Made by the client, so that a repeated send is the same send.
    TurnId
);
id!(
    /// One item of a session. An assistant message has the id of the turn that wrote it.
    MessageId
);

id!(
    /// One request for several answers. Made by the client, so that a repeated submission is the same one.
    JobId
);

impl From<JobId> for SessionId {
    /// A job's prompt and results stand in a session of their own, which no list shows.
    fn from(id: JobId) -> Self {
        Self(id.0)
    }
}

impl From<SessionId> for JobId {
    /// The job whose session this is, if it is one's.
    fn from(id: SessionId) -> Self {
        Self(id.0)
    }
}

impl From<TurnId> for MessageId {
    /// A turn writes exactly one message, which is named after it: from a message's id its turn,
    /// its session and its owner are found in one read.
    fn from(id: TurnId) -> Self {
        Self(id.0)
    }
}

impl From<MessageId> for TurnId {
    /// The turn that wrote this message, if it is an assistant's.
    fn from(id: MessageId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_26_characters_of_crockford_base_32() {
        let id = TurnId::from_parts(Timestamp::from_millis(1_764_000_000_000), 42);
        assert_eq!(id.to_string().len(), 26);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_lowercase().parse(), Ok(id));
        assert_eq!(id.timestamp().millis(), 1_764_000_000_000);
        for bad in [
            "",
            "x",
            "01ARZ3NDEKTSV4RRFFQ69G5FA",
            "81ARZ3NDEKTSV4RRFFQ69G5FAV",
            "01ARZ3NDEKTSV4RRFFQ69G5FAU",
            "01ARZ3NDEKTSV4RRFFQ69G5Fé",
        ] {
            assert_eq!(bad.parse::<TurnId>(), Err(IdError), "{bad}");
        }
    }
}
