//! Single keys of a payload from the command line: `--set minLength=8`.

use clap::Args;
use mdm_plist::{Dictionary, Value};
use mdm_profiles::payload::Payload;

use super::frame::Pair;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct Keys {
    /// Another key of the payload, or another value of one that the recipe sets: a number, true,
    /// false, a list or an object in JSON, or else a text; nothing takes the key away.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    keys: Vec<Pair>,
}

impl Keys {
    /// The payload's keys with these set.
    pub(super) fn put<P: Payload>(&self, payload: &P) -> Result<Dictionary, Failure> {
        let mut keys = payload.to_dictionary();
        for Pair(key, text) in &self.keys {
            if text.is_empty() {
                keys.remove(key);
            } else {
                keys.insert(key.clone(), value(text)?);
            }
        }
        Ok(keys)
    }
}

fn value(text: &str) -> Result<Value, Failure> {
    let Ok(json) = serde_json::from_str::<serde_json::Value>(text) else {
        return Ok(text.into());
    };
    from_json(&json)
}

/// JSON as a property list, which has no null.
pub(super) fn from_json(json: &serde_json::Value) -> Result<Value, Failure> {
    let value = mdm_protocol::ddm::json::to_value(json).ok().flatten();
    value.ok_or_else(|| {
        Failure::input(
            "a property list has no null, and no number beyond 64 bits",
            "leave the key out",
        )
    })
}
