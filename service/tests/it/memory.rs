//! The memory store keeps the contract.

use mdm_service::MemoryStore;

async fn empty_store() -> MemoryStore {
    MemoryStore::new()
}

mdm_service::contract_tests!(empty_store);
