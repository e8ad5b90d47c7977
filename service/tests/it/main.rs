//! The service seen from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod check_in;
mod decide;
mod device;
mod faulty;
mod identity;
mod memory;
mod push;
mod refusals;
mod renewal;
mod reports;
mod takeover;
