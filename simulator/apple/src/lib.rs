//! A fake Apple for tests: ADE service and APNs over real sockets.

pub mod ade;
pub mod apns;
pub mod http;
