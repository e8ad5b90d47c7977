//! Records as documents of JSON.

use serde::{Serialize, de::DeserializeOwned};

/// A document that cannot be read or written. `serde_json` repeats values in its errors, which may
/// be secrets; this says only where.
#[derive(Debug, thiserror::Error)]
#[error("a document fails as {category:?} at line {line}, column {column}")]
pub(crate) struct Unreadable {
    category: serde_json::error::Category,
    line: usize,
    column: usize,
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self {
            category: error.classify(),
            line: error.line(),
            column: error.column(),
        }
    }
}

/// The record of this document.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    Ok(serde_json::from_str(text)?)
}

/// The record's document.
pub(crate) fn write(record: &impl Serialize) -> Result<String, Unreadable> {
    Ok(serde_json::to_string(record)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_cannot_be_read_is_not_repeated() {
        let error = parse::<u32>(r#""hunter2""#).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
