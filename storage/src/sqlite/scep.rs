//! [`Store`] of `mdm-scep`: challenges and certificates; requests that wait are next door.

mod acme;
mod certificates;
mod challenges;
mod counter;
mod here;
mod listing;
mod pending;
#[cfg(test)]
mod plans;
mod rows;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_scep::store::{
    CertificateRecord, ChallengeId, ChallengeRecord, Committed, Issuance, Revocation, Store,
    StoreError,
};
use rusqlite::Connection;

use self::counter::CRL_NUMBER;
pub(super) use self::here::Here;
use super::SqliteStore;

#[async_trait]
impl Store for SqliteStore {
    async fn insert_challenge(
        &self,
        id: ChallengeId,
        record: ChallengeRecord,
    ) -> Result<(), StoreError> {
        let limit = self.engine.limits().challenges;
        self.scep_write(move |connection| challenges::insert(connection, &id, &record, limit))
            .await?
    }

    async fn challenge(&self, id: &ChallengeId) -> Result<Option<ChallengeRecord>, StoreError> {
        let id = *id;
        let find = move |connection: &Connection| challenges::find(connection, &id);
        match self.here.look(&self.engine, find) {
            Some(found) => Ok(found),
            None => self.scep_read(find).await,
        }
    }

    async fn forget_challenges(&self, expired_before: DateTime<Utc>) -> Result<usize, StoreError> {
        self.scep_write(move |connection| challenges::forget(connection, expired_before))
            .await
    }

    async fn commit(&self, issuance: Issuance) -> Result<Committed, StoreError> {
        self.scep_write(move |connection| certificates::commit(connection, &issuance))
            .await?
    }

    async fn certificate(&self, serial: &[u8]) -> Result<Option<CertificateRecord>, StoreError> {
        let find = |connection: &Connection| certificates::find(connection, serial);
        if let Some(found) = self.here.look(&self.engine, find) {
            return Ok(found);
        }
        let serial = serial.to_vec();
        self.scep_read(move |connection| certificates::find(connection, &serial))
            .await
    }

    async fn revoke(
        &self,
        serial: &[u8],
        revocation: Revocation,
    ) -> Result<Option<Revocation>, StoreError> {
        let serial = serial.to_vec();
        self.scep_write(move |connection| certificates::revoke(connection, &serial, &revocation))
            .await
    }

    async fn revoked(
        &self,
        valid_at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<CertificateRecord>, StoreError> {
        self.scep_read(move |connection| certificates::revoked(connection, valid_at, limit))
            .await
    }

    async fn next_crl_number(&self) -> Result<u64, StoreError> {
        self.scep_write(|connection| counter::next(connection, CRL_NUMBER))
            .await
    }
}

impl SqliteStore {
    /// A step whose outcome may itself be an error of the store; it has then written nothing.
    async fn scep_write<T, F>(&self, step: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let done = self.engine.write(step).await;
        done.map_err(StoreError::unavailable)
    }

    async fn scep_read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let done = self.engine.read(query).await;
        done.map_err(StoreError::unavailable)
    }
}
