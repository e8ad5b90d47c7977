//! How much of Apple's vocabulary the tables hold.

use std::collections::BTreeSet;

use mdm_schema::{Key, Kind, Schema, find, schemas};
use serde::Serialize;

/// Counts, each as Apple's repository would be counted by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Stats {
    /// Check-in messages.
    pub check_in: usize,
    /// Check-in messages that the server answers with a document.
    pub check_in_responses: usize,
    /// Commands.
    pub commands: usize,
    /// Commands whose result has keys of its own.
    pub responses: usize,
    /// Payloads; some share a type.
    pub payload_files: usize,
    /// Types of payloads.
    pub payload_types: usize,
    /// Configurations.
    pub configurations: usize,
    /// Assets.
    pub assets: usize,
    /// Declarations about the management.
    pub management: usize,
    /// Activations.
    pub activations: usize,
    /// Documents that credential assets point to.
    pub credentials: usize,
    /// Status items.
    pub status_items: usize,
    /// Bodies of HTTP errors.
    pub errors: usize,
    /// Panes of Setup Assistant that can be skipped.
    pub skip_keys: usize,
    /// Documents of the declarative protocol.
    pub protocol: usize,
    /// Other documents.
    pub documents: usize,
    /// Keys of all these at any depth. One that leads back to itself is counted where it does, and
    /// not entered again.
    pub keys: usize,
}

/// Counts the tables.
pub fn stats() -> Stats {
    let count = |kind| schemas(kind).len();
    let with_keys = |kind| schemas(kind).iter().filter(|s| !s.keys.is_empty()).count();
    let names: BTreeSet<_> = schemas(Kind::Payload).iter().map(|s| s.name).collect();
    let sent = |schema: &&&'static Schema| schema.file.starts_with("declarative/protocol/");
    let protocol = schemas(Kind::Protocol).iter().filter(sent).count();
    Stats {
        check_in: count(Kind::CheckIn),
        check_in_responses: with_keys(Kind::CheckInResponse),
        commands: count(Kind::Command),
        responses: with_keys(Kind::Response),
        payload_files: count(Kind::Payload),
        payload_types: names.len(),
        configurations: count(Kind::Configuration),
        assets: count(Kind::Asset),
        management: count(Kind::Management),
        activations: count(Kind::Activation),
        credentials: count(Kind::Credential),
        status_items: count(Kind::StatusItem),
        errors: count(Kind::ErrorBody),
        skip_keys: skip_keys().len(),
        protocol,
        // Declarations and reasons have a form of their own, beside the documents sent as such.
        documents: count(Kind::Document) + count(Kind::Protocol) - protocol,
        keys: mdm_schema::all()
            .map(|schema| keys(schema.keys, &mut Vec::new()))
            .sum(),
    }
}

/// The panes of Setup Assistant that can be skipped.
pub(crate) fn skip_keys() -> &'static [Key] {
    find(Kind::Document, "SkipKeys").map_or(&[], |schema| schema.keys)
}

/// Counts the keys of Apple's lists; a key that lies within itself is not entered again.
fn keys(list: &'static [Key], outer: &mut Vec<&'static Key>) -> usize {
    let mut count = 0;
    for key in list.iter().filter(|key| !key.added) {
        count += 1 + named_values(key);
        if !outer.iter().any(|outer| std::ptr::eq(*outer, key)) {
            outer.push(key);
            count += keys(key.keys, outer);
            outer.pop();
        }
    }
    count
}

/// The values of a text that Apple's files list as keys below it.
fn named_values(key: &Key) -> usize {
    if key.allowed_are_keys {
        key.allowed.len()
    } else {
        0
    }
}

/// Whether a list of keys is one of those that it lies in.
pub(crate) fn is_among(list: &'static [Key], outer: &[&'static [Key]]) -> bool {
    outer.iter().any(|outer| std::ptr::eq(*outer, list))
}
