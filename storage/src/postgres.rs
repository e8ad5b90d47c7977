//! PostgreSQL: one database under many nodes, which share nothing else.
//!
//! Each step is one transaction, and one statement but for those of `ade-client`; what may not happen twice is kept apart by locks on
//! rows and by unique constraints, so it does not matter which node asks. A step that lost a race to
//! another one is asked for again, a bounded number of times. Where a connection breaks, the outcome
//! of the step on its way is not known: it is told as unavailable, and the same request again gets what
//! was kept.

use std::{fmt, num::NonZeroUsize, time::Duration};

use mdm_core::{Secret, StoreError};
use mdm_tls::ClientConfig;

#[cfg(feature = "ade")]
mod ade;
#[cfg_attr(
    not(any(feature = "ade", feature = "scep", feature = "service")),
    expect(dead_code)
)]
mod engine;
mod error;
mod hosts;
mod migrations;
#[cfg(feature = "scep")]
mod scep;
#[cfg(feature = "service")]
mod service;
mod tls;

#[cfg(feature = "scep")]
pub use crate::issued::IssuedCertificate;
pub use crate::limits::Limits;
pub use migrations::SCHEMA_VERSION;

/// The stores of `mdm-service`, `mdm-scep` and `ade-client` in one PostgreSQL database, of version 13 or newer and the
/// encoding UTF-8.
///
/// What is secret lies in it as it is; statements are never logged with their values by this side. U+0000, which
/// PostgreSQL takes in no text, is kept as U+FFFD where `mdm-service` has texts of devices.
///
/// Clones share the connections and the limits. Needs a tokio runtime with its clock and its I/O.
///
/// ```no_run
/// # #[cfg(feature = "scep")]
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use mdm_core::Secret;
/// use mdm_scep::{Store, store::ChallengeId};
/// use mdm_storage::{PostgresStore, postgres::Options};
///
/// // TLS, with the server's name verified by the system's roots.
/// let address = Secret::new("postgresql://mdm:hunter2@db.example.com/mdm".to_owned());
/// let store = PostgresStore::connect(&address, Options::default()).await?;
/// assert!(store.challenge(&ChallengeId::of("hunter2")?).await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    engine: engine::Engine,
}

impl PostgresStore {
    /// Connects, and brings the schema up to date. Many nodes may do so at once: one migrates, the
    /// others wait for it.
    ///
    /// The address is what `libpq` takes: `postgresql://user:password@host:port/database`, or
    /// `host=/run/postgresql user=mdm dbname=mdm`. The connection is encrypted and the server's name and chain are
    /// verified, unless every host is a Unix socket or a loopback address and
    /// [`tls`](Options::tls) is not set, or the address says `sslmode=disable`. There is nothing in between.
    ///
    /// Several hosts are asked one after the other, each for its share of [`acquire_timeout`](Options::acquire_timeout), and
    /// the first that takes writes is taken: `postgresql://mdm@a.example.com,b.example.com/mdm`. So a standby that was
    /// promoted takes over without a restart: steps fail until it does, with `Unreachable` or `ReadOnly` as their kind, and
    /// are as safe to repeat as any. `target_session_attrs` asks for other servers; `load_balance_hosts=random` begins with
    /// another host each time.
    ///
    /// Sessions have settings of their own and keep prepared statements: a pooler in between has to pool
    /// sessions, not transactions.
    ///
    /// # Errors
    /// [`StoreError`] whose kind is `SchemaTooNew` if a newer program was here; `Unreachable` where the server
    /// is not reached, does not prove who it is, or does not let us in; `Locked` where somebody else migrates
    /// for longer than a minute; `Other` for an address that cannot be read.
    pub async fn connect(address: &Secret<String>, options: Options) -> Result<Self, StoreError> {
        let engine = engine::Engine::start(address, options)?;
        migrations::migrate(&engine).await?;
        Ok(Self { engine })
    }

    /// Closes what is idle, and the rest when it is done. Every clone answers `Closed` from now on.
    pub fn close(&self) {
        self.engine.close();
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

/// How a database is reached and used.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Most connections of this store. Default 8; the nodes together must stay below the server's
    /// `max_connections`.
    pub connections: NonZeroUsize,
    /// How long a step waits for a connection, a free one or a new one. Default 5 seconds.
    pub acquire_timeout: Duration,
    /// How long the server may take for a step, in whole milliseconds. A server that has not said anything after
    /// twice as long counts as lost, with its connection. Default 10 seconds.
    pub statement_timeout: Duration,
    /// How often a step is tried that loses against others. Default 8.
    pub attempts: NonZeroUsize,
    /// Whom to trust and who we are. Default: the system's roots, and no TLS for Unix sockets and
    /// loopback addresses.
    pub tls: Option<ClientConfig>,
    /// Most entries of some kinds, beyond which writes answer `Full`. May be exceeded by as many
    /// as are written at the same moment.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        let number = |n| NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN);
        Self {
            connections: number(8),
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            attempts: number(8),
            tls: None,
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
