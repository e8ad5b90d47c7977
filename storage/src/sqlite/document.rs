//! Records as documents of JSON, with columns beside them.

use rusqlite::{Row, types::Type};
use serde::{Serialize, de::DeserializeOwned};

use super::values::unreadable;

/// A document that cannot be read or written. `serde_json` repeats values in its errors, which may
/// be secrets; this says only where.
#[derive(Debug, thiserror::Error)]
#[error("a document fails as {category:?} at line {line}, column {column}")]
struct Unreadable {
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

/// The record whose document is the first column.
pub(super) fn read<T: DeserializeOwned>(row: &Row<'_>) -> rusqlite::Result<T> {
    parse(row.get_ref(0)?.as_str()?)
}

/// The same where there may be none.
#[cfg(feature = "ade")]
pub(super) fn read_optional<T: DeserializeOwned>(row: &Row<'_>) -> rusqlite::Result<Option<T>> {
    row.get_ref(0)?.as_str_or_null()?.map(parse).transpose()
}

fn parse<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| unreadable(0, Type::Text, Unreadable::from(error)))
}

/// The record's document.
pub(super) fn write(record: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(record)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(Unreadable::from(error))))
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
