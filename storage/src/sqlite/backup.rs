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

#[cfg(all(test, feature = "service"))]
mod tests {
    use mdm_service::store::Outbox;

    use super::*;

    #[tokio::test]
    async fn a_copy_is_the_store_of_that_moment_and_replaces_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("mdm")).await.unwrap();
        store.subscribe("before").await.unwrap();
        let copy = folder.path().join("copy");
        store.backup(&copy).await.unwrap();
        store.subscribe("after").await.unwrap();
        let error = store.backup(&copy).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unreachable);

        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = copy.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
        let copied = SqliteStore::open(&copy).await.unwrap();
        assert_eq!(copied.subscribers().await.unwrap(), ["before"]);
    }
}
