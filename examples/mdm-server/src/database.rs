//! The database: one SQLite file, or PostgreSQL for several nodes.

use std::sync::Arc;

use mdm_sdk::{
    ade::AdeStore,
    scep::{self, acme::AcmeStore},
    service::{
        self,
        store::{ResealStore, VaultStore},
    },
};
use mdm_storage::{PostgresStore, SqliteStore, postgres, sqlite::IssuedCertificate};

use crate::{config::Config, error::Error};

/// The file in the data directory.
pub(crate) const FILE: &str = "mdm.sqlite";

/// An open database. Clones share it.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

impl Database {
    /// Opens what the settings name, and brings its schema up to date.
    pub(crate) async fn open(config: &Config) -> Result<Self, Error> {
        let opened = match &config.database_url {
            None => {
                let store = SqliteStore::open(config.data.join(FILE)).await;
                store.map(Self::Sqlite)
            }
            Some(url) => {
                let store = PostgresStore::connect(url, postgres::Options::default()).await;
                store.map(Self::Postgres)
            }
        };
        opened.map_err(Error::part("the database"))
    }

    /// For enrolments and commands.
    pub(crate) fn service(&self) -> Arc<dyn service::Store> {
        match self {
            Self::Sqlite(store) => Arc::new(store.clone()),
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    /// For issued certificates and challenges.
    pub(crate) fn books(&self) -> Arc<dyn scep::Store> {
        match self {
            Self::Sqlite(store) => Arc::new(store.clone()),
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    /// Issued certificates behind a place, in the order in which they came.
    pub(crate) async fn issued_certificates(
        &self,
        behind: i64,
        limit: usize,
    ) -> Result<Vec<IssuedCertificate>, scep::store::StoreError> {
        match self {
            Self::Sqlite(store) => store.issued_certificates(behind, limit).await,
            Self::Postgres(store) => store.issued_certificates(behind, limit).await,
        }
    }

    /// For accounts and orders of ACME.
    pub(crate) fn orders(&self) -> Arc<dyn AcmeStore> {
        match self {
            Self::Sqlite(store) => Arc::new(store.clone()),
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    /// For device assignment.
    pub(crate) fn assignment(&self) -> Arc<dyn AdeStore> {
        match self {
            Self::Sqlite(store) => Arc::new(store.clone()),
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    /// For the server's own secrets.
    pub(crate) fn vault(&self) -> Arc<dyn VaultStore> {
        match self {
            Self::Sqlite(store) => Arc::new(store.clone()),
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    /// For what is sealed, as it lies there.
    pub(crate) fn sealed(&self) -> Arc<dyn ResealStore> {
        match self {
            Self::Sqlite(store) => Arc::new(store.clone()),
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    /// Finishes what is under way.
    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close(),
        }
    }
}
