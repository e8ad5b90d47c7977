//! Who the server is, and who we are.

use mdm_core::{Secret, StoreError, StoreErrorKind};
use mdm_storage::{PostgresStore, postgres::Options};
use mdm_tls::{ClientConfig, Roots};

use super::cluster::{Database, PASSWORD, database};
use crate::scep::{certificate, issue, key};

async fn connect(
    database: &Database,
    host: &str,
    password: &str,
    roots: Roots,
) -> Result<PostgresStore, StoreError> {
    let (port, name) = (database.cluster.port, &database.name);
    let address = format!(
        "host={host} hostaddr=127.0.0.1 port={port} user=mdm password='{password}' dbname={name}"
    );
    let tls = ClientConfig::builder().roots(roots).build().unwrap();
    let options = Options::default().with(|options| options.tls = Some(tls));
    PostgresStore::connect(&Secret::new(address), options).await
}

fn told(outcome: Result<PostgresStore, StoreError>) -> String {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unreachable, "{error:?}");
    let told = format!("{error:?}");
    assert!(
        !told.contains(PASSWORD) && !told.contains("hunter2"),
        "{told}"
    );
    told
}

#[tokio::test]
async fn a_server_is_talked_to_once_its_name_and_chain_are_verified() {
    let Some(database) = database().await else {
        return;
    };
    let roots = || Roots::Only(vec![database.cluster.root.clone()]);
    let store = connect(&database, "localhost", PASSWORD, roots()).await;
    let store = store.unwrap();
    issue(&store, 1).await.unwrap();
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE ssl AND datname = current_database()";
    assert!(database.number(encrypted).await > 0);
    assert!(!format!("{store:?}").contains(PASSWORD));

    let other = connect(&database, "db.example.com", PASSWORD, roots()).await;
    assert!(told(other).contains("TLS"));
    let stranger = Roots::Only(vec![certificate(&key())]);
    let untrusted = connect(&database, "localhost", PASSWORD, stranger).await;
    assert!(told(untrusted).contains("TLS"));
    let refused = connect(&database, "localhost", "hunter2", roots()).await;
    assert!(told(refused).contains("28P01"));
}

/// Whatever the server says it can.
#[tokio::test]
async fn another_host_is_never_talked_to_in_the_clear() {
    let Some(database) = database().await else {
        return;
    };
    let (port, name) = (database.cluster.port, &database.name);
    let address = format!(
        "host=db.example.com hostaddr=127.0.0.1 port={port} user=mdm password='{PASSWORD}' dbname={name}"
    );
    let refused = PostgresStore::connect(&Secret::new(address), Options::default()).await;
    assert!(told(refused).contains("TLS"));
}
