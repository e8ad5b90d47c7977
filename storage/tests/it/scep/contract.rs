//! The contracts that every store of `mdm-scep` keeps.

use mdm_scep::store::contract;
use mdm_storage::SqliteStore;

use crate::scratch;

#[tokio::test]
async fn challenges_and_certificates_are_kept_by_the_rules() {
    let store = SqliteStore::open(scratch::path()).await.unwrap();
    contract::check(&store).await.unwrap();
}

#[tokio::test]
async fn requests_wait_by_the_rules() {
    let store = SqliteStore::open(scratch::path()).await.unwrap();
    contract::check_pending(&store).await.unwrap();
}
