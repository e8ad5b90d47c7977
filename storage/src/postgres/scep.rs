//! [`Store`] of `mdm-scep`: challenges and certificates; requests that wait are next door.

mod acme;
mod listing;
mod pending;
mod rows;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_scep::store::{
    CertificateRecord, ChallengeId, ChallengeRecord, Committed, Issuance, Revocation, Store,
    StoreError,
};
use tokio_postgres::Row;

use self::rows::{Read, get};
use super::{PostgresStore, engine::Parameters, error::unreadable};

const INSERT_CHALLENGE: &str = "SELECT scep_insert_challenge($1, $2, $3, $4, $5, $6, $7, $8)";

const CHALLENGE: &str = "SELECT h.request, c.der, h.label, h.bound, h.issued_at, h.expires_at
     FROM scep_challenge h LEFT JOIN scep_certificate c ON c.serial = h.serial WHERE h.id = $1";

const FORGET_CHALLENGES: &str = "SELECT scep_forget_challenges($1)";

const COMMIT: &str =
    "SELECT outcome, earlier FROM scep_commit_granted($1, $2, $3, $4, $5, $6, $7, $8)";

const CERTIFICATE: &str =
    "SELECT der, revoked_at, revoked_for, granted FROM scep_certificate WHERE serial = $1";

const REVOKE: &str = "SELECT counts_at, counts_for FROM scep_revoke($1, $2, $3)";

const REVOKED: &str = "SELECT der, revoked_at, revoked_for, granted FROM scep_certificate
     WHERE revoked_at IS NOT NULL AND not_after >= $1 ORDER BY not_after LIMIT $2";

const NEXT_CRL_NUMBER: &str =
    "UPDATE scep_counter SET value = value + 1 WHERE name = 'crl_number' RETURNING value";

#[async_trait]
impl Store for PostgresStore {
    async fn insert_challenge(
        &self,
        id: ChallengeId,
        record: ChallengeRecord,
    ) -> Result<(), StoreError> {
        let limit = self.engine.limits().challenges;
        let spent = record.spent.as_ref();
        let row = self
            .one(
                INSERT_CHALLENGE,
                &[
                    &id.as_bytes().as_slice(),
                    &record.label,
                    &record.bound.to_text(),
                    &record.issued_at.timestamp_micros(),
                    &record.expires_at.timestamp_micros(),
                    &spent.map(|spent| spent.request.as_bytes().as_slice()),
                    &spent.map(|spent| spent.certificate.serial()),
                    &rows::number(limit),
                ],
            )
            .await?;
        kept(&row, limit)
    }

    async fn challenge(&self, id: &ChallengeId) -> Result<Option<ChallengeRecord>, StoreError> {
        let found = self.first(CHALLENGE, &[&id.as_bytes().as_slice()]).await?;
        found.as_ref().map(rows::challenge).transpose()
    }

    async fn forget_challenges(&self, expired_before: DateTime<Utc>) -> Result<usize, StoreError> {
        self.forgotten(FORGET_CHALLENGES, expired_before).await
    }

    async fn commit(&self, issuance: Issuance) -> Result<Committed, StoreError> {
        let certificate = &issuance.certificate;
        let (grant_kind, grant_by, label) = rows::grant_columns(&issuance.grant)?;
        let row = self
            .one(
                COMMIT,
                &[
                    &grant_kind,
                    &grant_by,
                    &label,
                    &issuance.request.as_bytes().as_slice(),
                    &certificate.serial(),
                    &issuance.at.timestamp_micros(),
                    &certificate.not_after().timestamp_micros(),
                    &certificate.to_der(),
                ],
            )
            .await?;
        match get(&row, 0)? {
            "stored" => Ok(Committed::Stored),
            "repeated" => Ok(Committed::Repeated(rows::certificate(&row, 1)?)),
            "conflict" => Ok(Committed::Conflict),
            "exists" => Err(StoreError::Exists),
            other => Err(rows::unknown(other)),
        }
    }

    async fn certificate(&self, serial: &[u8]) -> Result<Option<CertificateRecord>, StoreError> {
        let found = self.first(CERTIFICATE, &[&serial]).await?;
        found.as_ref().map(rows::certificate_record).transpose()
    }

    async fn revoke(
        &self,
        serial: &[u8],
        revocation: Revocation,
    ) -> Result<Option<Revocation>, StoreError> {
        let at = revocation.at.timestamp_micros();
        let reason = i16::from(revocation.reason.number());
        let row = self.first(REVOKE, &[&serial, &at, &reason]).await?;
        match row {
            Some(row) => rows::revocation(&row, 0),
            None => Ok(None),
        }
    }

    async fn revoked(
        &self,
        valid_at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<CertificateRecord>, StoreError> {
        let valid_at = valid_at.timestamp_micros();
        let found = self
            .all(REVOKED, &[&valid_at, &rows::number(limit)])
            .await?;
        found.iter().map(rows::certificate_record).collect()
    }

    async fn next_crl_number(&self) -> Result<u64, StoreError> {
        let row = self.one(NEXT_CRL_NUMBER, &[]).await?;
        Ok(get::<i64>(&row, 0)?.unsigned_abs())
    }
}

/// How the keeping of one of so many entries at most ended.
fn kept(row: &Row, limit: usize) -> Result<(), StoreError> {
    match get(row, 0)? {
        "kept" => Ok(()),
        "exists" => Err(StoreError::Exists),
        "full" => Err(StoreError::Full { limit }),
        other => Err(rows::unknown(other)),
    }
}

impl PostgresStore {
    async fn all(&self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, StoreError> {
        let rows = self.engine.rows(sql, parameters).await;
        rows.map_err(StoreError::unavailable)
    }

    async fn first(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Option<Row>, StoreError> {
        let row = self.engine.row(sql, parameters).await;
        row.map_err(StoreError::unavailable)
    }

    /// The row of a statement that answers one.
    async fn one(&self, sql: &str, parameters: Parameters<'_>) -> Result<Row, StoreError> {
        let row = self.first(sql, parameters).await?;
        row.ok_or_else(|| StoreError::unavailable(unreadable("no row")))
    }

    /// How many a statement has forgotten that takes a time.
    async fn forgotten(&self, sql: &str, before: DateTime<Utc>) -> Result<usize, StoreError> {
        let row = self.one(sql, &[&before.timestamp_micros()]).await?;
        usize::try_from(get::<i64>(&row, 0)?).read()
    }
}
