//! Client and server together and apart, over memory: no test opens a socket or waits.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

#[cfg(feature = "acme")]
mod acme_client;
#[cfg(feature = "acme")]
mod acme_incidents;
#[cfg(feature = "acme")]
mod acme_peers;
#[cfg(feature = "acme")]
mod acme_peers_device;
#[cfg(feature = "acme")]
mod acme_server;
mod authority;
mod certmonger;
mod challenges;
mod client;
mod ec;
mod enrol;
mod http;
mod incidents;
mod jscep;
mod limits;
mod listener;
mod micromdm;
mod mutation;
mod ocsp;
mod pairings;
mod peers;
mod pending;
mod profiles;
mod queries;
mod recorded;
mod renewal;
mod requests;
mod rollover;
mod shared_challenge;
mod stepca;
mod storing;
mod strongswan;
mod throwaway_signer;
#[cfg(feature = "webhook")]
mod webhook;
mod world;
