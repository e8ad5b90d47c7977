//! The joints between the crates of the family.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod push;
