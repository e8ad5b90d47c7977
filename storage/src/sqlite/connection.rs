//! How connections to the file are opened.

use std::{
    fs::OpenOptions,
    io,
    path::{Path, PathBuf},
};

use mdm_core::{StoreError, StoreErrorKind};
use rusqlite::{Connection, OpenFlags};

use super::{
    Options,
    error::store_error,
    migrations::{check, migrate},
};

/// Statements that a connection keeps prepared: all of them, with room to spare.
const STATEMENTS: usize = 128;

/// What the writer keeps of the file in memory, as SQLite counts it (negative for KiB): room for all
/// pages that a thousand scattered devices touch, so that none is written twice in a transaction.
const WRITER_CACHE: i64 = -16 * 1024;

/// What a reader keeps: the inner pages of the trees. What it reads of them lies all over the file,
/// and a larger cache would fill up and find nothing again.
const READER_CACHE: i64 = -512;

/// A file and how to open it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) path: PathBuf,
    pub(super) options: Options,
}

impl Target {
    /// The connection that writes, with the schema brought up to date.
    pub(super) fn open_writer(&self) -> Result<Connection, StoreError> {
        if self.options.read_only {
            return self.open_reader();
        }
        create_private(&self.path)
            .map_err(|error| StoreError::with_source(StoreErrorKind::Unreachable, error))?;
        let mut connection = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // Looked at before anything is changed: a foreign or newer file stays as it is.
        check(&connection)?;
        connection
            .pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
            .and_then(|()| connection.pragma_update(None, "synchronous", "full"))
            .and_then(|()| connection.pragma_update(None, "cache_size", WRITER_CACHE))
            .map_err(store_error)?;
        if let Some(bytes) = self.options.max_bytes {
            let page: i64 = connection
                .pragma_query_value(None, "page_size", |row| row.get(0))
                .map_err(store_error)?;
            let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
            connection
                .pragma_update_and_check(None, "max_page_count", pages.max(1), |_| Ok(()))
                .map_err(store_error)?;
        }
        migrate(&mut connection)?;
        Ok(connection)
    }

    /// A connection that only reads.
    pub(super) fn open_reader(&self) -> Result<Connection, StoreError> {
        let connection = self.open(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        check(&connection)?;
        connection
            .pragma_update(None, "cache_size", READER_CACHE)
            .map_err(store_error)?;
        Ok(connection)
    }

    fn open(&self, mode: OpenFlags) -> Result<Connection, StoreError> {
        // Each connection stays on one thread at a time, so SQLite need not lock it.
        let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(store_error)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection
            .busy_timeout(self.options.busy_timeout)
            .map_err(store_error)?;
        Ok(connection)
    }
}

/// Creates the file, readable by its owner alone, unless it is there. SQLite gives the log beside it
/// the same permissions.
fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
