//! The store of a server, which other commands work with while the server runs.

use std::{fs, path::PathBuf};

use clap::Args;
use mdm_core::StoreErrorKind;
use mdm_scep::store::StoreError;
use mdm_storage::sqlite::SqliteStore;
use mdmtool::one_line;

use crate::{failure::Failure, kind::Kind};

/// The store of a server.
#[derive(Debug, Args)]
pub(crate) struct Books {
    /// The server's store: challenges, certificates, requests that wait, accounts and orders. The server may run
    /// meanwhile.
    #[arg(long, value_name = "FILE")]
    store: PathBuf,
}

impl Books {
    /// The store, made if it is not there.
    pub(crate) async fn open_or_make(&self) -> Result<SqliteStore, Failure> {
        SqliteStore::open(&self.store)
            .await
            .map_err(|error| not_opened(&error))
    }

    /// The store, which has to be there.
    pub(crate) async fn open(&self) -> Result<SqliteStore, Failure> {
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

/// What went wrong with a store, as a failure.
pub(crate) fn failure(error: &StoreError) -> Failure {
    Failure::told(Kind::Store, one_line(error), "")
}

/// Why a store cannot be opened, as a failure.
fn not_opened(error: &mdm_core::StoreError) -> Failure {
    let next = match error.kind() {
        StoreErrorKind::SchemaTooNew { .. } => "use the newer program that wrote it",
        StoreErrorKind::Locked => "try again: another program works with it",
        _ => {
            "check that --store names a file that may be written, and that is not another program's"
        }
    };
    Failure::told(Kind::Store, one_line(error), next)
}
