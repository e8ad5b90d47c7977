//! The contract of vaults and of a new sealing key.

use std::sync::Arc;

use mdm_service::{
    MemoryStore, Store,
    store::{ResealStore, VaultStore},
};

use crate::postgres::cluster::database;

trait Whole: Store + ResealStore + VaultStore {}

impl<S: Store + ResealStore + VaultStore> Whole for S {}

/// In memory, once it is said that PostgreSQL is missing.
async fn empty_store() -> Arc<dyn Whole> {
    match database().await {
        Some(database) => Arc::new(database.open().await),
        None => Arc::new(MemoryStore::new()),
    }
}

mdm_service::sealing_contract_tests!(empty_store);
