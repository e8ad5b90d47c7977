//! The server of ACME, spoken to in raw JSON and with signatures made here, so that no mistake of ours in reading and writing
//! is made on both sides.

mod accounts;
mod ahead;
mod attestation;
mod chains;
mod faults;
mod finalize;
mod hosts;
mod limits;
mod mutation;
mod orders;
mod peers;
pub(crate) mod raw;
mod requests;
mod review;
mod revocation;
mod store;
pub(crate) mod world;
