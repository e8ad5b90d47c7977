//! `mdmtool scep`, client and server of the built program over real sockets.

mod caps;
mod enroll;
mod files;
mod hostile;
mod pending;
mod serve;
pub(crate) mod world;
