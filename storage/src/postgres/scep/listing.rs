//! The certificates that were issued, page by page, for people who look.

use mdm_scep::store::StoreError;
use tokio_postgres::Row;

use super::rows::{self, get, number};
use crate::{issued::IssuedCertificate, postgres::PostgresStore};

const PAGE: &str = "SELECT der, revoked_at, revoked_for, granted, label, issued_at, key
     FROM scep_certificate WHERE key > $1 ORDER BY key LIMIT $2";

impl PostgresStore {
    /// At most `limit` of the certificates that `mdm-scep` has issued and that stand behind this place, in the order in
    /// which they came to the database. The list begins behind 0.
    ///
    /// A certificate that is on its way there at this moment may turn up in front of others that were listed: whoever
    /// follows the list, in the place of looking through it, looks back some seconds.
    ///
    /// # Errors
    /// Where the store cannot answer.
    pub async fn issued_certificates(
        &self,
        behind: i64,
        limit: usize,
    ) -> Result<Vec<IssuedCertificate>, StoreError> {
        let found = self.all(PAGE, &[&behind, &number(limit)]).await?;
        found.iter().map(issued).collect()
    }
}

fn issued(row: &Row) -> Result<IssuedCertificate, StoreError> {
    Ok(IssuedCertificate {
        record: rows::certificate_record(row)?,
        label: get(row, 4)?,
        issued_at: rows::time(row, 5)?,
        place: get(row, 6)?,
    })
}
