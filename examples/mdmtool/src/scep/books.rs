//! The store of a server, which other commands work with while the server runs.

use std::{fs, path::PathBuf};

use clap::Args;
use mdm_storage::sqlite::SqliteStore;

use super::advice;
use crate::failure::Failure;

/// The store of a server.
#[derive(Debug, Args)]
pub(super) struct Books {
    /// The server's store: challenges, certificates, requests that wait. The server may run meanwhile.
    #[arg(long, value_name = "FILE")]
    store: PathBuf,
}

impl Books {
    /// The store, made if it is not there.
    pub(super) async fn open_or_make(&self) -> Result<SqliteStore, Failure> {
        SqliteStore::open(&self.store)
            .await
            .map_err(|error| advice::of_opening(&error))
    }

    /// The store, which has to be there.
    pub(super) async fn open(&self) -> Result<SqliteStore, Failure> {
        // Opening one makes it, and an empty one in the wrong place would look like a server without certificates.
        match fs::metadata(&self.store) {
            Ok(_) => self.open_or_make().await,
            Err(source) => Err(Failure::File(mdmtool::Error::Read {
                name: self.store.display().to_string(),
                source,
            })),
        }
    }
}
