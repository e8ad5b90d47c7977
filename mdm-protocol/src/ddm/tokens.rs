//! The answer to `tokens`, also the data of the `DeclarativeManagement` command.

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Tells a device whether anything has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct TokensResponse {
    /// `SyncTokens`.
    pub sync_tokens: SyncTokens,
}

impl TokensResponse {
    /// The token of this moment; the fraction of a second is cut off.
    pub fn new(declarations_token: impl Into<String>, timestamp: DateTime<Utc>) -> Self {
        Self {
            sync_tokens: SyncTokens {
                declarations_token: declarations_token.into(),
                timestamp: timestamp.trunc_subsecs(0),
            },
        }
    }
}

/// What the device compares with what it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SyncTokens {
    /// `DeclarationsToken`: opaque, at most
    /// [`MAX_DECLARATIONS_TOKEN_BYTES`](super::MAX_DECLARATIONS_TOKEN_BYTES); changes when any
    /// declaration does, and only then.
    pub declarations_token: String,
    /// `Timestamp`: RFC 3339 in whole seconds (Q23).
    #[serde(serialize_with = "write_time", deserialize_with = "read_time")]
    pub timestamp: DateTime<Utc>,
}

fn write_time<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time.format("%Y-%m-%dT%H:%M:%SZ"))
}

fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    let text = String::deserialize(deserializer)?;
    DateTime::parse_from_rfc3339(&text)
        .map(|time| time.to_utc())
        .map_err(serde::de::Error::custom)
}
