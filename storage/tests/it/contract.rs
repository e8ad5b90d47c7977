//! The contract that every store of the service keeps.

use mdm_storage::SqliteStore;

use crate::scratch;

async fn empty_store() -> SqliteStore {
    SqliteStore::open(scratch::path()).await.unwrap()
}

mdm_service::contract_tests!(empty_store);
