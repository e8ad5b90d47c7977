//! The contract that every store of `ade-client` keeps.

use mdm_storage::SqliteStore;

use crate::scratch;

async fn empty_store() -> SqliteStore {
    SqliteStore::open(scratch::path()).await.unwrap()
}

ade_client::contract_tests!(empty_store);
