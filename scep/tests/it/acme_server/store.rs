//! The store in memory, under the contract.

use mdm_scep::acme::{MemoryAcmeStore, store::contract};

#[tokio::test]
async fn the_memory_store_holds_to_the_contract() {
    contract::check(&MemoryAcmeStore::new()).await.unwrap();
}
