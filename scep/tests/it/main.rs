//! Client and server together and apart, over memory: no test opens a socket or waits.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

mod authority;
mod certmonger;
mod challenges;
mod client;
mod enrol;
mod http;
mod incidents;
mod micromdm;
mod mutation;
mod peers;
mod pending;
mod profiles;
mod queries;
mod renewal;
mod requests;
mod rollover;
mod shared_challenge;
#[cfg(feature = "webhook")]
mod webhook;
mod world;
