//! The service seen from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod memory {
    use mdm_service::MemoryStore;

    async fn empty_store() -> MemoryStore {
        MemoryStore::new()
    }

    mdm_service::contract_tests!(empty_store);
}
