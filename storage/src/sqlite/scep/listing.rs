//! The certificates that were issued, page by page, for people who look.

use mdm_scep::store::StoreError;
use rusqlite::{Row, params};

use super::rows;
use crate::{
    issued::IssuedCertificate,
    sqlite::{
        SqliteStore,
        values::{self, time},
    },
};

pub(super) const PAGE: &str =
    "SELECT der, revoked_at, revoked_for, granted, label, issued_at, key FROM scep_certificate
     WHERE key > ?1 ORDER BY key LIMIT ?2";

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
        label: row.get(4)?,
        issued_at: time(row, 5)?,
        place: row.get(6)?,
    })
}
