//! Pushes over real sockets: against the fake push service, and against servers that behave badly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod admission;
mod batch;
mod breaker;
mod certificate_requests;
mod certificates;
mod connections;
mod delivery;
mod faults;
mod frames;
mod goodbyes;
mod hostile;
mod house;
mod interleavings;
mod privacy;
mod raw;
