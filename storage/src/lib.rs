//! The stores of `mdm-service`, `ade-client` and `mdm-scep` in a database.
//!
//! | Module | What lives there |
//! |---|---|
//! | [`sqlite`] | [`SqliteStore`]: one file, nothing to install or to run (feature `sqlite`, default) |
//! | `postgres` | `PostgresStore`: one database for many nodes; the same stores (feature `postgres`) |
//!
//! [`SqliteStore`] is `mdm_service::Store` with the feature `service`, `ade_client::AdeStore` with
//! `ade`, and with `scep` the `Store`, `PendingStore` and `AcmeStore` of `mdm_scep`; all are on by default.
//!
#![cfg_attr(
    all(feature = "ade", feature = "scep", feature = "service"),
    doc = "```"
)]
#![cfg_attr(
    not(all(feature = "ade", feature = "scep", feature = "service")),
    doc = "```ignore"
)]
//! use ade_client::{AdeStore, record::AccountId};
//! use mdm_scep::{Store, store::ChallengeId};
//! use mdm_service::{EnrollmentId, store::EnrollmentStore};
//! use mdm_storage::{SqliteStore, sqlite::Options};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("mdm.sqlite");
//! // 10 GB at most; beyond that devices are asked to come back later.
//! let options = Options::default().with(|options| options.max_bytes = Some(10_000_000_000));
//! let store = SqliteStore::open_with(&path, options).await?;
//!
//! // Goes into `mdm_service::Service::builder(store.clone(), ..)` and into
//! // `ade_client::AdeService::builder(store.clone(), ..)`, and as an `Arc` into
//! // `mdm_scep::EmbeddedCa::new(.., store)`; here it is asked directly.
//! let id = EnrollmentId::device("00008101-001938611EE9001E")?;
//! assert!(store.enrollment(&id).await?.is_none());
//! assert!(store.account(&AccountId::new("acme")?).await?.is_none());
//! assert!(store.challenge(&ChallengeId::of("hunter2")?).await?.is_none());
//!
//! store.close().await;
//! # Ok(())
//! # }
//! ```

#[cfg(any(
    all(
        feature = "sqlite",
        any(feature = "ade", feature = "scep", feature = "service")
    ),
    all(
        feature = "postgres",
        any(feature = "ade", feature = "scep", feature = "service")
    )
))]
mod document;
#[cfg(all(feature = "scep", any(feature = "postgres", feature = "sqlite")))]
mod issued;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod limits;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
