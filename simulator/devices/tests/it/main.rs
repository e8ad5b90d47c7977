//! A device against servers that a test writes by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod acme;
mod commands;
mod enrollment;
mod scep;
mod server;
