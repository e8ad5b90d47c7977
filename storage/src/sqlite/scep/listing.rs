//! The certificates that were issued, page by page, for people who look.

use chrono::{DateTime, Utc};
use mdm_scep::store::{CertificateRecord, StoreError};
use rusqlite::{Row, params};

use super::rows;
use crate::sqlite::{
    SqliteStore,
    values::{self, time},
};

pub(super) const PAGE: &str =
    "SELECT der, revoked_at, revoked_for, label, issued_at, key FROM scep_certificate
     WHERE key > ?1 ORDER BY key LIMIT ?2";

/// A certificate as it stands in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssuedCertificate {
    /// The certificate, and whether it still counts.
    pub record: CertificateRecord,
    /// Whose enrolment it was issued for.
    pub label: String,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// Its place in the list, from which the next page begins.
    pub place: i64,
}

impl SqliteStore {
    /// At most `limit` of the certificates that `mdm-scep` has issued and that stand behind this place, in the order in
    /// which they were issued. The list begins behind 0.
    ///
    /// # Errors
    /// Where the store cannot answer.
    pub async fn issued_certificates(
        &self,
        behind: i64,
        limit: usize,
    ) -> Result<Vec<IssuedCertificate>, StoreError> {
        self.scep_read(move |connection| {
            connection
                .prepare_cached(PAGE)?
                .query_map(params![behind, values::limit(limit)], issued)?
                .collect()
        })
        .await
    }
}

fn issued(row: &Row<'_>) -> rusqlite::Result<IssuedCertificate> {
    Ok(IssuedCertificate {
        record: rows::certificate_record(row)?,
        label: row.get(3)?,
        issued_at: time(row, 4)?,
        place: row.get(5)?,
    })
}
