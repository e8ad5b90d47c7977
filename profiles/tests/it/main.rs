//! Profiles read, checked, built, signed and verified.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod builder;
mod deterministic;
mod diff;
#[cfg(feature = "crypto")]
mod enrollment;
mod given;
mod lint;
mod predict;
mod profile;
#[cfg(feature = "full")]
mod property;
#[cfg(all(feature = "crypto", feature = "full"))]
mod recipe;
#[cfg(feature = "crypto")]
mod signed;
mod typed;
mod variables;
