//! The program itself on loopback, with simulated devices, a fake Apple and receivers of events.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    missing_docs
)]

mod account;
mod acme;
mod addresses;
mod assignment;
mod backup;
mod bounds;
mod enrolment;
mod events;
mod filevault;
mod mdmb;
mod mutual_tls;
mod ota;
mod postgres;
mod process;
mod proxy;
mod queue;
mod renewal;
mod revocation;
mod sign_in;
mod takeover;
mod vault;
mod world;
