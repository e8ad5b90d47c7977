//! Whatever is looked for is found by an index.

use mdm_scep::{acme::store::contract as acme, store::contract};

use super::cluster::database;

/// Everything that the contracts ask for, functions included, on a server that walks a table only where it has no
/// other way.
#[tokio::test]
async fn no_step_walks_a_table() {
    let Some(database) = database().await else {
        return;
    };
    drop(database.open().await);
    let client = database.client().await;
    let name = &database.name;
    let settings = format!("ALTER DATABASE {name} SET enable_seqscan = off");
    client.batch_execute(&settings).await.unwrap();
    let walks = "SELECT coalesce(sum(seq_scan), 0)::bigint FROM pg_stat_user_tables
         WHERE relname ~ '^(scep|acme)_'";
    let others = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    // A session that has ended has told what it did.
    let settle = async || while database.number(others).await > 1 {};
    settle().await;
    let before = database.number(walks).await;

    let store = database.open().await;
    contract::check(&store).await.unwrap();
    contract::check_pending(&store).await.unwrap();
    acme::check(&store).await.unwrap();
    drop(store);
    settle().await;
    let found = "SELECT coalesce(sum(idx_scan), 0)::bigint FROM pg_stat_user_tables
         WHERE relname ~ '^(scep|acme)_'";
    assert!(database.number(found).await > 100);
    assert_eq!(database.number(walks).await, before);
}

#[tokio::test]
async fn pages_come_out_of_an_index_in_their_order() {
    let Some(database) = database().await else {
        return;
    };
    drop(database.open().await);
    let client = database.client().await;
    let settings = "SET enable_seqscan = off; SET enable_bitmapscan = off";
    client.batch_execute(settings).await.unwrap();
    for (sql, index) in [
        (
            "SELECT id FROM scep_pending WHERE approved IS NULL ORDER BY since, id LIMIT 9",
            "scep_pending_undecided",
        ),
        (
            "SELECT der FROM scep_certificate WHERE revoked_at IS NOT NULL AND not_after >= 7
             ORDER BY not_after LIMIT 9",
            "scep_certificate_revoked",
        ),
        (
            "SELECT der FROM scep_certificate WHERE key > 7 ORDER BY key LIMIT 9",
            "scep_certificate_by_key",
        ),
        (
            "SELECT document FROM acme_order WHERE account = '\\x01'
             AND key < CASE WHEN '\\x02'::bytea IS NULL THEN 7
                 ELSE (SELECT key FROM acme_order WHERE id = '\\x02') END
             ORDER BY key DESC LIMIT 9",
            "acme_order_of_account",
        ),
        (
            "SELECT id FROM acme_order WHERE serial = '\\x01' ORDER BY key DESC LIMIT 1",
            "acme_order_by_serial",
        ),
        (
            "SELECT serial FROM acme_order WHERE replaces = 'x' ORDER BY key DESC LIMIT 1",
            "acme_order_by_replaced",
        ),
        (
            "SELECT FROM acme_order WHERE account = '\\x01' AND open_until > 7 LIMIT 9",
            "acme_order_open",
        ),
    ] {
        let plan = client.query(&format!("EXPLAIN {sql}"), &[]).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().any(|step| step.contains(index)), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("Sort")), "{plan:#?}");
    }
}
