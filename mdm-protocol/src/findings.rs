//! What all envelopes say about keys that are none of theirs.

use mdm_schema::{Finding, Log, Place, Rule, Severity};

/// A warning for each of these keys of a document, as many as one reading notes of anything.
pub(crate) fn unknown_keys<'a>(
    keys: impl IntoIterator<Item = &'a String>,
    message: &'static str,
) -> Vec<Finding> {
    let log = Log::default();
    let root = Place::root(&log);
    for key in keys {
        let place = root.key(key);
        place.note(Rule::UnknownKey, Severity::Warning, message);
    }
    log.into_findings()
}
