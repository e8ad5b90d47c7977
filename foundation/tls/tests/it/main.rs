//! Handshakes over loopback: what is taken, what is refused, and with which reason.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod alpn;
mod clients;
mod made;
mod servers;
mod streams;
