//! The store in memory, under the contract; and records as the texts that another store may keep.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_scep::{
    acme::{
        AccountId, AcmeStore, MemoryAcmeStore, OrderId,
        jwk::Thumbprint,
        store::{
            AccountRecord, AccountWritten, Kept, NonceId, OrderCommitted, OrderInserted,
            OrderRecord, Version, contract,
        },
    },
    store::StoreError,
};
use serde::{Serialize, de::DeserializeOwned};

use super::world::{World, ec, enrol};

/// Keeps what comes back from JSON.
#[derive(Debug, Default)]
struct ThroughJson(MemoryAcmeStore);

fn through<T: Serialize + DeserializeOwned>(record: &T) -> T {
    serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap()
}

type R<T> = Result<T, StoreError>;

#[async_trait]
impl AcmeStore for ThroughJson {
    async fn insert_account(&self, id: AccountId, record: AccountRecord) -> R<AccountWritten> {
        self.0.insert_account(id, through(&record)).await
    }

    async fn account(&self, id: &AccountId) -> R<Option<Kept<AccountRecord>>> {
        self.0.account(&through(id)).await
    }

    async fn account_of_key(&self, key: &Thumbprint) -> R<Option<AccountId>> {
        self.0.account_of_key(key).await
    }

    async fn update_account(
        &self,
        id: &AccountId,
        version: Version,
        record: AccountRecord,
    ) -> R<AccountWritten> {
        self.0.update_account(id, version, through(&record)).await
    }

    async fn insert_order(
        &self,
        id: OrderId,
        record: OrderRecord,
        open: usize,
    ) -> R<OrderInserted> {
        self.0.insert_order(id, through(&record), open).await
    }

    async fn order(&self, id: &OrderId) -> R<Option<Kept<OrderRecord>>> {
        self.0.order(&through(id)).await
    }

    async fn commit_order(
        &self,
        id: &OrderId,
        version: Version,
        record: OrderRecord,
    ) -> R<OrderCommitted> {
        self.0.commit_order(id, version, through(&record)).await
    }

    async fn orders(
        &self,
        account: &AccountId,
        before: Option<&OrderId>,
        limit: usize,
    ) -> R<Vec<(OrderId, OrderRecord)>> {
        self.0.orders(account, before, limit).await
    }

    async fn order_of_certificate(&self, serial: &[u8]) -> R<Option<OrderId>> {
        self.0.order_of_certificate(serial).await
    }

    async fn spend_nonce(&self, nonce: NonceId, expires_at: DateTime<Utc>) -> R<bool> {
        self.0.spend_nonce(nonce, expires_at).await
    }

    async fn forget(&self, now: DateTime<Utc>) -> R<usize> {
        self.0.forget(now).await
    }
}

#[tokio::test]
async fn the_memory_store_holds_to_the_contract() {
    contract::check(&MemoryAcmeStore::new()).await.unwrap();
}

#[tokio::test]
async fn records_survive_as_texts() {
    contract::check(&ThroughJson::default()).await.unwrap();
    let store = Arc::new(ThroughJson::default());
    let world = World::over(|it| it, |_| store, |it| it, |builder| builder);
    enrol(&world, &ec()).await;
}
