//! The runtime of the commands that talk to a server.

use std::future::Future;

use crate::failure::{Done, Failure};

/// Runs a command that talks to a server.
pub(crate) fn block_on(work: impl Future<Output = Done>) -> Done {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?
        .block_on(work)
}
