//! The contract of vaults and of a new sealing key.

use mdm_storage::SqliteStore;

use crate::scratch;

async fn empty_store() -> SqliteStore {
    SqliteStore::open(scratch::path()).await.unwrap()
}

mdm_service::sealing_contract_tests!(empty_store);
