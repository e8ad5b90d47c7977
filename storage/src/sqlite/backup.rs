//! A copy of the file while it is in use.

use std::{fs::OpenOptions, path::Path, thread};

use mdm_core::{StoreError, StoreErrorKind};
use tokio::sync::oneshot;

use super::{Options, SqliteStore, connection::Target, error::store_error};

impl SqliteStore {
    /// Copies the store as it is at one moment into a new file, readable by its owner alone, which
    /// [`open`](Self::open) opens like any other. Reading and writing go on meanwhile, in this program
    /// and in others.
    ///
    /// # Errors
    /// [`StoreError`] if there is a file already, or it cannot be written.
    pub async fn backup(&self, to: impl AsRef<Path>) -> Result<(), StoreError> {
        let (from, to) = (self.path().to_owned(), to.as_ref().to_owned());
        let (answer, answered) = oneshot::channel();
        // On a thread and a connection of its own, since a large file takes its time.
        let copying = thread::Builder::new().name("sqlite-backup".to_owned());
        let copying = copying.spawn(move || {
            let _ = answer.send(copy(&from, &to));
        });
        copying.map_err(unreachable)?;
        answered
            .await
            .unwrap_or_else(|_| Err(StoreError::new(StoreErrorKind::Closed)))
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let name = to
        .to_str()
        .ok_or_else(|| unreachable(std::io::ErrorKind::InvalidFilename.into()))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // SQLite writes into an empty file, and would make one that others may read.
    options.open(to).map_err(unreachable)?;
    let target = Target {
        path: from.to_owned(),
        options: Options::default(),
    };
    let connection = target.open_reader()?;
    connection
        .execute("VACUUM INTO ?1", [name])
        .map(drop)
        .map_err(store_error)
}

fn unreachable(error: std::io::Error) -> StoreError {
    StoreError::with_source(StoreErrorKind::Unreachable, error)
}
