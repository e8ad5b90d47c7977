//! The memory store keeps the contract of vaults and of a new sealing key.

use std::sync::Arc;

use mdm_service::MemoryStore;

async fn empty_store() -> Arc<MemoryStore> {
    Arc::default()
}

mdm_service::sealing_contract_tests!(empty_store);
