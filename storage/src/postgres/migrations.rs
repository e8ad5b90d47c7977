//! The schema and how older databases get to it. A step is never edited once released; a change is a new
//! step at the end, in which a function that is asked or answers differently has another name.

use mdm_core::{StoreError, StoreErrorKind};
use tokio_postgres::GenericClient;

use super::{engine::Engine, error::store_error};

/// The newest schema version that this program knows.
pub const SCHEMA_VERSION: u32 = STEPS.len() as u32;

/// All of them whatever the features: one schema for every build.
const STEPS: &[&str] = &[
    include_str!("migrations/0001_scep.sql"),
    include_str!("migrations/0002_acme.sql"),
    include_str!("migrations/0003_grants.sql"),
    include_str!("migrations/0004_service.sql"),
    include_str!("migrations/0005_service_steps.sql"),
    include_str!("migrations/0006_ade.sql"),
    include_str!("migrations/0007_vault.sql"),
    include_str!("migrations/0008_acme_keys.sql"),
    include_str!("migrations/0009_reports.sql"),
];

/// Keeps the other nodes waiting, for a minute at most. What it is for may take its time.
const LOCK: &str = "SET LOCAL lock_timeout = '1min'; SET LOCAL statement_timeout = 0;
     SELECT pg_advisory_xact_lock(1296321875);
     CREATE TABLE IF NOT EXISTS mdm_storage_schema (version integer NOT NULL);";

/// Brings the schema to [`SCHEMA_VERSION`], all steps in one transaction. A database that is up to date is
/// only read.
pub(super) async fn migrate(engine: &Engine) -> Result<(), StoreError> {
    let mut client = engine.client().await?;
    let exists = "SELECT to_regclass('mdm_storage_schema') IS NOT NULL";
    let exists = client.query_one(exists, &[]).await;
    let exists: bool = exists.and_then(|row| row.try_get(0)).map_err(store_error)?;
    if exists && found(&**client).await? == SCHEMA_VERSION {
        return Ok(());
    }
    let transaction = client.transaction().await.map_err(store_error)?;
    transaction.batch_execute(LOCK).await.map_err(store_error)?;
    // Another node may have been faster.
    let found = found(&*transaction).await?;
    if found == SCHEMA_VERSION {
        return Ok(());
    }
    let version = format!(
        "DELETE FROM mdm_storage_schema;
         INSERT INTO mdm_storage_schema (version) VALUES ({SCHEMA_VERSION});"
    );
    for step in STEPS.iter().skip(found as usize) {
        transaction.batch_execute(step).await.map_err(store_error)?;
    }
    let written = transaction.batch_execute(&version).await;
    written.map_err(store_error)?;
    transaction.commit().await.map_err(store_error)
}

/// The version of the schema, 0 where there is none, if it is one that this program may write to.
async fn found(client: &impl GenericClient) -> Result<u32, StoreError> {
    let version = "SELECT version FROM mdm_storage_schema";
    let row = client.query_opt(version, &[]).await.map_err(store_error)?;
    let version: i32 = match row {
        Some(row) => row.try_get(0).map_err(store_error)?,
        None => 0,
    };
    let found = u32::try_from(version)
        .map_err(|error| StoreError::with_source(StoreErrorKind::Corrupt, error))?;
    if found > SCHEMA_VERSION {
        return Err(StoreError::new(StoreErrorKind::SchemaTooNew {
            found,
            known: SCHEMA_VERSION,
        }));
    }
    Ok(found)
}
