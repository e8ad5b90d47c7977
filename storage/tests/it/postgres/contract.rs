//! The contracts that every store of `mdm-scep` keeps.

use mdm_scep::{acme::store::contract as acme, store::contract};

use super::cluster::database;

#[tokio::test]
async fn challenges_and_certificates_are_kept_by_the_rules() {
    let Some(database) = database().await else {
        return;
    };
    contract::check(&database.open().await).await.unwrap();
}

#[tokio::test]
async fn requests_wait_by_the_rules() {
    let Some(database) = database().await else {
        return;
    };
    let store = database.open().await;
    contract::check_pending(&store).await.unwrap();
}

#[tokio::test]
async fn accounts_orders_and_nonces_are_kept_by_the_rules() {
    let Some(database) = database().await else {
        return;
    };
    acme::check(&database.open().await).await.unwrap();
}
