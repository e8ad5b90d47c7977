//! What of a result did not go into its type: keys that it does not have, values that do not fit.

use mdm_plist::{Dictionary, Kept, KeyPath, Segment, Value};
use mdm_schema::{Finding, Rule, Severity};
use serde::de::DeserializeOwned;

use super::tree::Tree;
use crate::error::Error;

/// The most values that are left out of one result. Real devices were seen with one.
pub(super) const MAX_MISFITS: usize = 16;

/// What of a report did not go into the typed result. All of it that can be read is in
/// [`Envelope::dictionary`](super::Envelope::dictionary).
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Rest {
    /// Keys that neither the result's type nor the envelope has.
    pub unknown: Vec<KeyPath>,
    /// Values of a wrong type, and malformed ones anywhere in the report: the result was decoded
    /// without them. At most 16.
    pub findings: Vec<Finding>,
}

/// Decodes, and where a value does not fit, again without it.
pub(super) fn decode<T: DeserializeOwned>(tree: Tree) -> Result<(T, Rest), Error> {
    let Tree {
        mut keys,
        malformed,
    } = tree;
    if malformed.len() > MAX_MISFITS {
        return Err(Error::Invalid {
            key: "the report",
            problem: "malformed in more than 16 values",
        });
    }
    let malformed = malformed.into_iter().map(|path| {
        let problem = "the text is not a valid value of its type";
        Finding::new(path, Rule::Type, Severity::Warning, problem)
    });
    let mut findings: Vec<Finding> = malformed.collect();
    loop {
        let error = match Kept::<T>::from_dictionary(keys.clone()) {
            Ok(kept) => {
                let unknown = kept.unknown().to_vec();
                return Ok((kept.value, Rest { unknown, findings }));
            }
            Err(error) => error,
        };
        let path = innermost_key(error.path());
        if !error.is_data() || findings.len() == MAX_MISFITS || !remove(&mut keys, &path) {
            return Err(error.into());
        }
        findings.push(Finding::new(
            error.path().to_string(),
            Rule::Type,
            Severity::Warning,
            error.kind().to_string(),
        ));
    }
}

/// The steps to the innermost key: an array is left out whole, so that its indices stay true.
fn innermost_key(path: &KeyPath) -> Vec<Segment> {
    let mut steps: Vec<Segment> = path.segments().cloned().collect();
    while matches!(steps.last(), Some(Segment::Index(_))) {
        steps.pop();
    }
    steps
}

/// Takes the value at the end of the steps out; false where there is none.
fn remove(keys: &mut Dictionary, path: &[Segment]) -> bool {
    let Some((Segment::Key(last), steps)) = path.split_last() else {
        return false;
    };
    let mut holder = Some(keys);
    let mut steps = steps.iter();
    while let Some(Segment::Key(key)) = steps.next() {
        let mut value = holder.and_then(|keys| keys.get_mut(key));
        while let Some(Segment::Index(index)) = steps.as_slice().first() {
            let array = value.and_then(Value::as_array_mut);
            value = array.and_then(|items| items.get_mut(*index));
            steps.next();
        }
        holder = value.and_then(Value::as_dictionary_mut);
    }
    holder.and_then(|keys| keys.remove(last)).is_some()
}
