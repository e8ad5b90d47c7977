//! The PostgreSQL store seen from outside, on a server of the test's own. Without PostgreSQL a test says so
//! and passes, unless `REQUIRE_PEERS=1` turns that into a failure.

#![allow(clippy::print_stderr)]

use mdm_core::{StoreError as Cause, StoreErrorKind};
use mdm_scep::store::StoreError;

mod ade;
mod bounds;
mod cluster;
mod contract;
mod failover;
mod faults;
mod kill;
mod listing;
mod opening;
mod plans;
mod proxy;
mod race;
mod service;
mod tls;

/// What the database said.
fn cause(error: &StoreError) -> StoreErrorKind {
    let StoreError::Unavailable(cause) = error else {
        panic!("{error:?}");
    };
    cause.downcast_ref::<Cause>().unwrap().kind()
}
