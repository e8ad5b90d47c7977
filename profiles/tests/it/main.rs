//! Profiles read, checked, built, encrypted, signed and verified.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

mod builder;
mod deterministic;
mod diff;
#[cfg(feature = "crypto")]
mod encrypted;
#[cfg(feature = "crypto")]
mod enrollment;
mod given;
mod lint;
#[cfg(feature = "crypto")]
mod packed;
#[cfg(feature = "crypto")]
mod peers;
#[cfg(feature = "crypto")]
mod pinned;
mod predict;
mod profile;
mod programs;
#[cfg(feature = "full")]
mod property;
#[cfg(all(feature = "crypto", feature = "full"))]
mod recipe;
#[cfg(feature = "crypto")]
mod roundtrip;
#[cfg(feature = "crypto")]
mod signed;
mod typed;
mod variables;
#[cfg(feature = "crypto")]
mod writers;
