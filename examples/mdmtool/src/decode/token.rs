//! Server tokens of Apple's device-assignment service.

use ade_client::ServerToken;
use serde_json::Value;

use crate::{
    document::{Document, Kind},
    error::Error,
};

/// Whether it is a token that has been opened already.
pub(super) fn is_one(json: &Value) -> bool {
    ["consumer_key", "access_token"]
        .iter()
        .all(|key| json.get(key).is_some())
}

pub(super) fn from_json(json: Value) -> Result<Document, Error> {
    let token = ServerToken::from_json(&serde_json::to_vec(&json)?)?;
    Ok(from_token(&token, json))
}

/// A token that was opened with the caller's key; what it says is what the caller asked for.
pub(super) fn from_token(token: &ServerToken, json: Value) -> Document {
    let mut told = Document::new(Kind::AdeToken, Some("ServerToken"), json);
    told.unknown_keys = token.extra.keys().cloned().collect();
    told
}
