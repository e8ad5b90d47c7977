//! [`VaultStore`] on SQLite.

use async_trait::async_trait;
use mdm_service::{
    StoreError,
    store::{SecretName, VaultStore},
};
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};

use crate::sqlite::{SqliteStore, values};

pub(super) const SECRET: &str = "SELECT sealed FROM vault WHERE name = ?1";

const PUT: &str = "INSERT INTO vault (name, sealed) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

pub(super) const REPLACE: &str = "UPDATE vault SET sealed = ?3 WHERE name = ?1 AND sealed = ?2";

pub(super) const NAMES: &str = "SELECT name FROM vault WHERE name > ?1 ORDER BY name LIMIT ?2";

#[async_trait]
impl VaultStore for SqliteStore {
    async fn secret(&self, name: &SecretName) -> Result<Option<Vec<u8>>, StoreError> {
        let name = name.to_string();
        self.engine
            .read(move |connection| find(connection, &name).optional())
            .await
    }

    async fn put_secret(&self, name: &SecretName, sealed: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let name = name.to_string();
        self.engine
            .write(move |connection| {
                connection
                    .prepare_cached(PUT)?
                    .execute(params![name, sealed])?;
                find(connection, &name)
            })
            .await
    }

    async fn replace_secret(
        &self,
        name: &SecretName,
        former: &[u8],
        sealed: Vec<u8>,
    ) -> Result<bool, StoreError> {
        let (name, former) = (name.to_string(), former.to_vec());
        self.engine
            .write(move |connection| {
                let replaced = connection
                    .prepare_cached(REPLACE)?
                    .execute(params![name, former, sealed])?;
                Ok(replaced > 0)
            })
            .await
    }

    async fn secret_names(
        &self,
        after: Option<&SecretName>,
        limit: usize,
    ) -> Result<Vec<SecretName>, StoreError> {
        let after = after.map(ToString::to_string).unwrap_or_default();
        self.engine
            .read(move |connection| {
                connection
                    .prepare_cached(NAMES)?
                    .query_map(params![after, values::limit(limit)], name)?
                    .collect()
            })
            .await
    }
}

fn find(connection: &Connection, name: &str) -> rusqlite::Result<Vec<u8>> {
    connection
        .prepare_cached(SECRET)?
        .query_row([name], |row| row.get(0))
}

fn name(row: &Row<'_>) -> rusqlite::Result<SecretName> {
    SecretName::new(row.get::<_, String>(0)?)
        .map_err(|error| values::unreadable(0, Type::Text, error))
}
