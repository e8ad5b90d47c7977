//! The tables, held against themselves and against random documents.

#[cfg(feature = "sample")]
mod property;
mod tables;
