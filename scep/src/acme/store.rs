//! What outlives a request of ACME: accounts, orders with all that belongs to them, nonces that were
//! spent, keys that were attested. Certificates and permits live in [`Store`](crate::Store).
//!
//! An order is one record with its authorisations and challenges inside: every step of the protocol changes
//! one record, and [`commit_order`](AcmeStore::commit_order) compares the version that the step was decided on.

pub mod contract;
mod id;
mod memory;
mod order;

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::{
    id::{AccountId, NonceId, OrderId, Token},
    memory::{MemoryAcmeStore, StoreLimits},
    order::{
        AttestedProof, AuthorizationRecord, AuthorizationState, OfferedChallenge, OfferedState,
        OrderRecord, Progress, Proof,
    },
};
use super::{
    jwk::{Jwk, Thumbprint},
    jws::FlattenedJws,
    resource::AccountStatus,
};
use crate::store::StoreError;

/// Where accounts and orders are kept.
///
/// A store decides nothing but what has to be decided in one step with the writing: whether a version is the last
/// one, whether a key is taken. [`contract::check`] tells whether a store of one's own does what it must.
/// Records are `serde` types, so that a store may keep them as one text beside the columns that it looks for.
#[async_trait]
pub trait AcmeStore: fmt::Debug + Send + Sync {
    /// Keeps a new account, unless its key or its external account is another's.
    ///
    /// # Errors
    /// [`StoreError::Full`] where a bound is reached; where the store cannot answer.
    async fn insert_account(
        &self,
        id: AccountId,
        record: AccountRecord,
    ) -> Result<AccountWritten, StoreError>;

    /// The account, whatever its status.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn account(&self, id: &AccountId) -> Result<Option<Kept<AccountRecord>>, StoreError>;

    /// The account of the key with this thumbprint, whatever its status.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn account_of_key(&self, key: &Thumbprint) -> Result<Option<AccountId>, StoreError>;

    /// Replaces an account of this version, unless its new key is another's.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn update_account(
        &self,
        id: &AccountId,
        version: Version,
        record: AccountRecord,
    ) -> Result<AccountWritten, StoreError>;

    /// Keeps a new order, unless its account has `open` open ones already, or the certificate that it
    /// [replaces](OrderRecord::replaces) is replaced by an order that has not failed.
    ///
    /// # Errors
    /// [`StoreError::Full`] where a bound is reached; where the store cannot answer.
    async fn insert_order(
        &self,
        id: OrderId,
        record: OrderRecord,
        open: usize,
    ) -> Result<OrderInserted, StoreError>;

    /// The order.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn order(&self, id: &OrderId) -> Result<Option<Kept<OrderRecord>>, StoreError>;

    /// Replaces an order of this version and keeps its [attested keys](OrderRecord::attested_keys) for ever, in
    /// one atomic step, unless one of these keys is another order's.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn commit_order(
        &self,
        id: &OrderId,
        version: Version,
        record: OrderRecord,
    ) -> Result<OrderCommitted, StoreError>;

    /// At most `limit` orders of an account, the newest first, that are older than `before`.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn orders(
        &self,
        account: &AccountId,
        before: Option<&OrderId>,
        limit: usize,
    ) -> Result<Vec<(OrderId, OrderRecord)>, StoreError>;

    /// The order that ended in the certificate of this serial number.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn order_of_certificate(&self, serial: &[u8]) -> Result<Option<OrderId>, StoreError>;

    /// Spends a nonce, and says whether this was certainly the first time. It has to be remembered until `expires_at`; a
    /// store without room for it may also say no from then on to whatever expires as early as one that it has forgotten.
    ///
    /// # Errors
    /// [`StoreError::Full`] where a bound is reached; where the store cannot answer.
    async fn spend_nonce(
        &self,
        nonce: NonceId,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, StoreError>;

    /// Forgets the nonces that expired before this time and the orders that need [be kept](OrderRecord::keep_until)
    /// no longer, and says how many entries that were.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn forget(&self, now: DateTime<Utc>) -> Result<usize, StoreError>;
}

/// Which writing of a record is meant. A store makes them up; no two writings of one record have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(pub u64);

/// A record as it was last written.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Kept<T> {
    /// The record.
    pub record: T,
    /// Its version.
    pub version: Version,
}

impl<T> Kept<T> {
    /// The record in this version.
    pub fn new(record: T, version: Version) -> Self {
        Self { record, version }
    }
}

/// How the writing of an account ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccountWritten {
    /// It is kept.
    Written,
    /// The account is of another version meanwhile, or not kept.
    Conflict,
    /// The key is that of this other account.
    KeyTaken(AccountId),
    /// The external account is bound to another account.
    ExternalTaken,
}

/// How the writing of a new order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OrderInserted {
    /// It is kept.
    Inserted,
    /// The account has too many open orders.
    TooManyOpen,
    /// Another order replaces the certificate already.
    Replaced,
}

/// How a commit of an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OrderCommitted {
    /// It is kept, in this version.
    Committed(Version),
    /// The order is of another version meanwhile, or not kept.
    Conflict,
    /// A key that it attests was attested in another order.
    KeyUsed,
}

/// What is known of an account (RFC 8555 section 7.1.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AccountRecord {
    /// Its key, under whose thumbprint it is found.
    pub key: Jwk,
    /// Whether it may do anything.
    pub status: AccountStatus,
    /// How its owner can be reached, as URLs.
    pub contacts: Vec<String>,
    /// Whether its owner agreed to the terms of service.
    pub terms_of_service_agreed: bool,
    /// The key identifier of the account elsewhere that it was bound to when it was made, which is bound to no other.
    pub external: Option<String>,
    /// What bound it, to be told again (RFC 8555 section 7.3.4); nothing for accounts that were bound before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_binding: Option<FlattenedJws>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl AccountRecord {
    /// A valid account of this key.
    pub fn new(key: Jwk, created_at: DateTime<Utc>) -> Self {
        Self {
            key,
            status: AccountStatus::Valid,
            contacts: Vec::new(),
            terms_of_service_agreed: false,
            external: None,
            external_binding: None,
            created_at,
        }
    }
}

/// 32 bytes as a member of a JSON object.
mod bytes32 {
    use serde::{Deserializer, Serializer, de::Error as _};

    use crate::acme::base64url;

    pub(super) fn serialize<S: Serializer>(
        bytes: &[u8; 32],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        base64url::bytes::serialize(bytes, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; 32], D::Error> {
        let bytes = base64url::bytes::deserialize(deserializer)?;
        bytes
            .try_into()
            .map_err(|_| D::Error::custom("not 32 bytes"))
    }
}
