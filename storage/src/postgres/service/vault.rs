//! [`VaultStore`] on PostgreSQL.

use async_trait::async_trait;
use mdm_service::{
    StoreError,
    store::{SecretName, VaultStore},
};

use super::rows::{Read, get, number};
use crate::postgres::PostgresStore;

const SECRET: &str = "SELECT sealed FROM mdm_vault WHERE name = $1";

const PUT: &str = "INSERT INTO mdm_vault (name, sealed) VALUES ($1, $2)
     ON CONFLICT (name) DO NOTHING RETURNING name";

const REPLACE: &str =
    "UPDATE mdm_vault SET sealed = $3 WHERE name = $1 AND sealed = $2 RETURNING name";

const NAMES: &str = "SELECT name FROM mdm_vault WHERE name > $1 ORDER BY name LIMIT $2";

#[async_trait]
impl VaultStore for PostgresStore {
    async fn secret(&self, name: &SecretName) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.engine.row(SECRET, &[&name.as_str()]).await?;
        found.map(|row| get(&row, 0)).transpose()
    }

    async fn put_secret(&self, name: &SecretName, sealed: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let put = self.engine.row(PUT, &[&name.as_str(), &sealed]).await?;
        if put.is_some() {
            return Ok(sealed);
        }
        // Whoever was first has committed: the statement waited for that, and nothing is ever deleted.
        get(&self.engine.one(SECRET, &[&name.as_str()]).await?, 0)
    }

    async fn replace_secret(
        &self,
        name: &SecretName,
        former: &[u8],
        sealed: Vec<u8>,
    ) -> Result<bool, StoreError> {
        let replaced = self
            .engine
            .row(REPLACE, &[&name.as_str(), &former, &sealed])
            .await?;
        Ok(replaced.is_some())
    }

    async fn secret_names(
        &self,
        after: Option<&SecretName>,
        limit: usize,
    ) -> Result<Vec<SecretName>, StoreError> {
        let after = after.map_or("", SecretName::as_str);
        let found = self.engine.rows(NAMES, &[&after, &number(limit)]).await?;
        let name = |row| SecretName::new(get::<&str>(row, 0)?).read();
        found.iter().map(name).collect()
    }
}
