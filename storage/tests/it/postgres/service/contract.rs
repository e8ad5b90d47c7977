//! The contract that every store of the service keeps.

use std::sync::Arc;

use mdm_service::{MemoryStore, Store};

use crate::postgres::cluster::database;

/// In memory, once it is said that PostgreSQL is missing.
async fn empty_store() -> Arc<dyn Store> {
    match database().await {
        Some(database) => Arc::new(database.open().await),
        None => Arc::new(MemoryStore::new()),
    }
}

mdm_service::contract_tests!(empty_store);
