//! One SQLite file: write-ahead log, one writer thread with group commit, several readers.
//!
//! Every write is durable before it is answered (`synchronous=FULL`). Writes that arrive while
//! another is on its way to the disk share the next transaction, so a busy store needs fewer disk
//! flushes than writes. One that fails leaves no trace and does not touch its neighbours.

use std::{num::NonZeroUsize, path::Path, time::Duration};

use mdm_core::StoreError;

#[cfg(feature = "ade")]
mod ade;
mod backup;
mod connection;
#[cfg(any(feature = "ade", feature = "scep"))]
mod document;
#[cfg_attr(
    not(any(feature = "ade", feature = "scep", feature = "service")),
    expect(dead_code)
)]
mod engine;
mod error;
mod line;
mod migrations;
#[cfg(test)]
#[cfg(any(feature = "ade", feature = "scep", feature = "service"))]
mod plans;
#[cfg(feature = "scep")]
mod scep;
#[cfg(feature = "service")]
mod service;
#[cfg(any(feature = "ade", feature = "scep", feature = "service"))]
mod values;

#[cfg(feature = "scep")]
pub use crate::issued::IssuedCertificate;
pub use crate::limits::Limits;
pub use migrations::SCHEMA_VERSION;

/// The stores of `mdm-service`, `ade-client` and `mdm-scep` in one SQLite file.
///
/// Tokens, keys and whatever else is secret lie in it as they are; the file is its owner's alone,
/// and no statement is ever logged with its values.
///
/// Built with `LIBSQLITE3_FLAGS="-DHAVE_FDATASYNC=1 -DSQLITE_DEFAULT_MEMSTATUS=0"` in the environment, SQLite flushes what
/// a commit wrote without the times of its file, which takes a flush less, and counts no memory that nobody asks about; it
/// does neither by itself where it is built in.
///
/// Clones share the file, the threads and the limits. Once the last one is dropped the threads
/// finish what is queued and end; [`close`](Self::close) waits for that.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    engine: engine::Engine,
    #[cfg(feature = "scep")]
    here: scep::Here,
}

impl SqliteStore {
    /// Opens the file, creating it (readable by its owner alone) and bringing its schema up to
    /// date.
    ///
    /// # Errors
    /// [`StoreError`] whose kind is `SchemaTooNew` if a newer program wrote the file, `Corrupt` if
    /// it is damaged or another program's, `Locked`, `ReadOnly`, `Full` or `Unreachable` as the file
    /// system has it. The file is then as it was.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, Options::default()).await
    }

    /// [`open`](Self::open) with other options.
    ///
    /// # Errors
    /// See [`open`](Self::open).
    pub async fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let engine = engine::Engine::start(connection::Target {
            path: path.as_ref().to_owned(),
            options,
        })
        .await?;
        Ok(Self {
            engine,
            #[cfg(feature = "scep")]
            here: scep::Here::default(),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.engine.path()
    }

    /// Finishes what is queued and closes the file. Every clone answers `Closed` from now on.
    pub async fn close(self) {
        // Whoever lets go last works the log into the file.
        #[cfg(feature = "scep")]
        self.here.close();
        self.engine.close().await;
    }
}

/// How a file is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Connections that only read, each with a thread. Default 2.
    pub readers: NonZeroUsize,
    /// Steps that may wait for the writer; a caller beyond that waits to get in line. Default 1024.
    pub queue: NonZeroUsize,
    /// Most steps in one transaction. Default 256.
    pub batch: NonZeroUsize,
    /// How long to wait for another program's lock. Default 5 seconds.
    pub busy_timeout: Duration,
    /// Most bytes that the file may grow to, rounded down to pages; beyond, writes answer `Full`.
    /// Default: the disk.
    pub max_bytes: Option<u64>,
    /// Opens an existing file without ever writing to it. Default no.
    pub read_only: bool,
    /// Most entries of some kinds, beyond which writes answer `Full`.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        let number = |n| NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN);
        Self {
            readers: number(2),
            queue: number(1024),
            batch: number(256),
            busy_timeout: Duration::from_secs(5),
            max_bytes: None,
            read_only: false,
            limits: Limits::default(),
        }
    }
}

impl Options {
    /// The options after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }
}
