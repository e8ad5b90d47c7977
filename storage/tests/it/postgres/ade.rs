//! The store of `ade-client` on PostgreSQL.

use std::sync::Arc;

use ade_client::{AdeStore, store::MemoryAdeStore};

use super::cluster::database;

/// In memory, once it is said that PostgreSQL is missing.
async fn empty_store() -> Arc<dyn AdeStore> {
    match database().await {
        Some(database) => Arc::new(database.open().await),
        None => Arc::new(MemoryAdeStore::default()),
    }
}

mod contract {
    use super::empty_store;

    ade_client::contract_tests!(empty_store);
}
