//! What the crate promises, each promise by a named test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod binary;
mod document;
mod hostile;
mod kept;
mod leniency;
mod lenient;
mod limits;
mod property;
mod python;
mod shapes;
mod writing;
