//! Checking several documents that a device is to have at once.

use std::collections::BTreeMap;

use super::*;
use crate::model::{Apply, Combine};

/// Checks what documents for one device mean for each other; each by itself is for [`validate`].
///
/// A second payload of a type that may be installed once, and a second declaration of a type of
/// which one applies, is an error of rule [`Rule::SingleInstance`]. Declarations that are combined
/// break [`Rule::CombineType`] where they set the same key differently and nothing says what comes of
/// it (a warning), or only the first counts (information).
///
/// Paths begin with the document's place in the list, `[1].Restrictions`.
pub fn validate_together(
    documents: &[(&'static Schema, &Dictionary)],
    target: Option<&Target>,
) -> Vec<Finding> {
    let log = Log::default();
    let root = Place::root(&log);
    let mut seen: BTreeMap<(Kind, &str), Vec<&Dictionary>> = BTreeMap::new();
    for (index, (schema, keys)) in documents.iter().enumerate() {
        let place = root.index(index);
        let earlier = seen.entry((schema.kind, schema.id)).or_default();
        if !earlier.is_empty() {
            if is_single(schema, target) {
                let message = "is not the only one of its type, and only one may be there";
                place.note(Rule::SingleInstance, Severity::Error, message);
            } else if schema.apply == Some(Apply::Combined) {
                combine(schema.keys, keys, earlier, &place, 0);
            }
        }
        earlier.push(keys);
    }
    log.into_findings()
}

/// Whether only one document of the type may be there; without a target, on any system.
fn is_single(schema: &Schema, target: Option<&Target>) -> bool {
    let single = |support: &Support| support.multiple == Some(false);
    let takes = |support: &&Support| support.introduced != Some(Bound::Never);
    schema.apply == Some(Apply::Single)
        || match target {
            Some(target) => single(&schema.support_on(target.platform)),
            None => {
                let mut systems = schema.support.iter().filter(takes).peekable();
                systems.peek().is_some() && systems.all(single)
            }
        }
}

/// Notes keys that earlier declarations set to another value, where that does not combine.
fn combine(
    keys: &'static [Key],
    entries: &Dictionary,
    earlier: &[&Dictionary],
    place: &Place<'_>,
    depth: usize,
) {
    for (name, value) in entries {
        let Some(key) = crate::walk::named(keys, name) else {
            continue;
        };
        let place = place.key(name);
        let mut others = earlier.iter().filter_map(|other| other.get(name));
        match (key.combine, value) {
            (None, Value::Dictionary(entries)) if !key.keys.is_empty() && depth < MAX_DEPTH => {
                let others: Vec<_> = others.filter_map(Value::as_dictionary).collect();
                combine(key.keys, entries, &others, &place, depth + 1);
            }
            (None, _) if others.any(|other| other != value) => {
                let message = "is set differently by another declaration";
                place.note(Rule::CombineType, Severity::Warning, message);
            }
            (Some(Combine::First), _) if others.any(|other| other != value) => {
                let message = "differs from another declaration, and one counts";
                place.note(Rule::CombineType, Severity::Info, message);
            }
            _ => {}
        }
    }
}
