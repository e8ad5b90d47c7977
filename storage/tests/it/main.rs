//! The stores seen from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod ade;
mod ade_faults;
#[cfg(all(feature = "postgres", unix))]
mod chaos;
mod concurrency;
mod contract;
mod faults;
mod fixture;
mod kill;
mod opening;
#[cfg(all(feature = "postgres", unix))]
mod postgres;
mod read_only;
mod scep;
mod scratch;
mod sealing;
mod service_faults;
mod service_migration;
