//! The `push` commands: certificates from files made here, and pushes to a fake Apple.

mod cert;
mod hostile;
mod mdmcert;
mod send;
pub(crate) mod world;
