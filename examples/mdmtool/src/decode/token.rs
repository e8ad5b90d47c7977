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

/// A token out of its JSON, which is told as it stands.
pub(super) fn from_json(json: Value) -> Result<Document, Error> {
    let token = ServerToken::from_json(&serde_json::to_vec(&json)?)?;
    Ok(told(&token, json))
}

/// A token that was opened; what it says, secrets included, is what the caller asked for.
pub(super) fn decode(token: &ServerToken) -> Result<Document, Error> {
    Ok(told(token, serde_json::to_value(token)?))
}

fn told(token: &ServerToken, body: Value) -> Document {
    let mut told = Document::new(Kind::AdeToken, Some("ServerToken"), body);
    told.unknown_keys = token.extra.keys().cloned().collect();
    told
}
