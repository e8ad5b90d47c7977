//! The service seen from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::print_stderr, reason = "a test says what it skips")]

mod admission;
mod captures;
mod check_in;
mod commands;
mod decide;
mod delivery;
mod device;
mod entry;
mod escrow;
mod faulty;
mod identity;
mod memory;
mod messages;
mod migration;
mod nanomdm;
mod pins;
mod proxies;
mod push;
mod push_worker;
mod refusals;
mod renewal;
mod reports;
mod retire;
mod sealed;
mod sealing;
mod takeover;
