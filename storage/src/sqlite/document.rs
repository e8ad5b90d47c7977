//! Records as documents of JSON, with columns beside them.

use rusqlite::{Row, types::Type};
use serde::{Serialize, de::DeserializeOwned};

use super::values::unreadable;
use crate::document;

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
    document::parse(text).map_err(|error| unreadable(0, Type::Text, error))
}

/// The record's document.
pub(super) fn write(record: &impl Serialize) -> rusqlite::Result<String> {
    document::write(record)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
