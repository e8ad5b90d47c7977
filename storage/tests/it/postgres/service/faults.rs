//! What fails, how it is told, and that no half of a step is left.

use std::{num::NonZeroUsize, time::Duration};

use mdm_core::{Secret, StoreError, StoreErrorKind};
use mdm_service::{
    EventKind,
    queue::{CommandState, Enqueued, Polled, ReportKind, Sequence, Settlement},
    store::{CommandStore, CommitError, EnrollmentStore, Outbox},
};
use mdm_storage::{PostgresStore, postgres::Options};

use crate::{
    fixture::*,
    postgres::{
        cluster::{Cluster, Database, database},
        proxy::Proxy,
    },
};

const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// One device with one command, and somebody who wants to know.
async fn waiting(database: &Database, store: &PostgresStore) {
    store.subscribe("vendor").await.unwrap();
    let id = enroll(store, 1).await;
    enqueue(store, &id, "c-1", 10).await.unwrap();
    nothing_is_half_recorded(database).await;
}

async fn answer(store: &PostgresStore) -> Result<Polled, StoreError> {
    report(store, 1, answered(&device(1), "c-1", 10)).await
}

async fn state(store: &PostgresStore) -> CommandState {
    let record = store.command(&device(1), "c-1").await.unwrap();
    record.unwrap().state
}

/// Each command waits or is finished, and what was settled was told.
async fn nothing_is_half_recorded(database: &Database) {
    let halves = "SELECT
         (SELECT count(*) FROM mdm_command c WHERE
             EXISTS (SELECT FROM mdm_queue q WHERE (q.enrollment, q.seq) = (c.enrollment, c.seq))
             = EXISTS (SELECT FROM mdm_result r WHERE (r.enrollment, r.seq) = (c.enrollment, c.seq)))
         + abs((SELECT count(*) FROM mdm_result WHERE status IS NOT NULL)
             - (SELECT count(*) FROM mdm_event WHERE event LIKE '%command_settled%'))
         + (SELECT count(*) FROM mdm_contact c WHERE NOT EXISTS (
             SELECT FROM mdm_enrollment e WHERE e.contact = c.key))";
    assert_eq!(database.number(halves).await, 0);
}

#[tokio::test]
async fn an_event_of_a_newer_program_hides_no_other() {
    const RAW: &str = r#"{"event":"device_sang","key":"C"}"#;
    let Some(database) = database().await else {
        return;
    };
    let store = database.open().await;
    store.subscribe("vendor").await.unwrap();
    enroll(&store, 1).await;
    let events = store.events("vendor", 9).await.unwrap();
    let first = i64::try_from(events[0].0.number()).unwrap();
    let client = database.client().await;
    let rewrite = "UPDATE mdm_event SET event = $1 WHERE seq = $2";
    client.execute(rewrite, &[&RAW, &first]).await.unwrap();
    let read = store.events("vendor", 9).await.unwrap();
    assert_eq!(read[0].1.kind, EventKind::unreadable(RAW));
    assert_eq!(read[1..], events[1..]);
    let place = [read[0].0];
    let now = events[0].1.at;
    store.bury_events("vendor", &place, "x", now).await.unwrap();
    let dead = store.dead_letters("vendor", Sequence::START, 9).await;
    assert_eq!(dead.unwrap()[0].event, read[0].1);
    store.revive_dead_letters("vendor", &place).await.unwrap();
    let kept =
        "SELECT count(*) FROM mdm_event WHERE event = '{\"event\":\"device_sang\",\"key\":\"C\"}'";
    assert_eq!(database.number(kept).await, 1);
}

#[tokio::test]
async fn a_decision_of_a_newer_program_hides_no_enrolment() {
    let Some(database) = database().await else {
        return;
    };
    let store = database.open().await;
    let client = database.client().await;
    for raw in DECISIONS_OF_A_NEWER_PROGRAM {
        let id = enroll(&store, 1).await;
        let rewrite = "UPDATE mdm_enrollment SET decision = $1";
        client.execute(rewrite, &[&raw]).await.unwrap();
        a_decision_hides_no_enrolment(&store, &id).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_in_a_step_records_nothing_and_is_replaced() {
    let Some(database) = database().await else {
        return;
    };
    let store = database.open().await;
    waiting(&database, &store).await;
    let mut client = database.client().await;
    let other = client.transaction().await.unwrap();
    // It has settled the command by then, and not told it.
    let lock = "LOCK TABLE mdm_event IN ACCESS EXCLUSIVE MODE";
    other.batch_execute(lock).await.unwrap();
    let reports = tokio::spawn({
        let store = store.clone();
        async move { answer(&store).await }
    });
    while database.number(WAITING).await == 0 {}
    let end = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    assert_eq!(database.number(end).await, 1);
    let error = reports.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unreachable);
    other.rollback().await.unwrap();
    assert_eq!(state(&store).await, CommandState::Queued);
    nothing_is_half_recorded(&database).await;
    let polled = answer(&store).await.unwrap();
    assert_eq!(polled.settlement(), Some(Settlement::Settled));
    nothing_is_half_recorded(&database).await;
}

/// The server has committed and nobody heard it.
#[tokio::test]
async fn an_answer_that_gets_lost_is_told_as_unavailable_and_asking_again_finds_it() {
    let Some(database) = database().await else {
        return;
    };
    let proxy = Proxy::before(database.cluster.socket()).await;
    let (port, name) = (proxy.address.port(), &database.name);
    let address = Secret::new(format!("host=127.0.0.1 port={port} user=mdm dbname={name}"));
    let one = Options::default().with(|options| options.connections = NonZeroUsize::MIN);
    let store = PostgresStore::connect(&address, one).await.unwrap();
    waiting(&database, &store).await;
    report(&store, 1, ReportKind::Idle).await.unwrap();

    proxy.cut();
    let error = enqueue(&store, &device(1), "c-2", 10).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unreachable);
    let again = enqueue(&store, &device(1), "c-2", 10).await.unwrap();
    assert_eq!(again, Enqueued::Duplicate);

    report(&store, 1, ReportKind::Idle).await.unwrap();
    proxy.cut();
    let error = answer(&store).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unreachable);
    let polled = answer(&store).await.unwrap();
    assert_eq!(polled.settlement(), Some(Settlement::Before));
    assert_eq!(polled.next().unwrap().command_uuid, "c-2");
    nothing_is_half_recorded(&database).await;
}

#[tokio::test]
async fn a_step_that_waits_too_long_records_nothing_and_goes_on_when_the_lock_is_gone() {
    let Some(database) = database().await else {
        return;
    };
    waiting(&database, &database.open().await).await;
    for (setting, kind) in [
        ("statement_timeout", StoreErrorKind::Other),
        ("lock_timeout", StoreErrorKind::Locked),
    ] {
        let impatient = Options::default().with(|options| {
            if setting == "statement_timeout" {
                options.statement_timeout = Duration::from_millis(200);
            }
        });
        let settings = format!(
            "ALTER DATABASE {} SET lock_timeout = '{}'",
            database.name,
            if setting == "lock_timeout" {
                "200ms"
            } else {
                "0"
            }
        );
        let mut client = database.client().await;
        client.batch_execute(&settings).await.unwrap();
        let store = database.open_with(impatient).await;
        let other = client.transaction().await.unwrap();
        let lock = "SELECT FROM mdm_contact FOR UPDATE";
        other.batch_execute(lock).await.unwrap();
        let error = answer(&store).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{setting}");
        let error = enqueue(&store, &device(1), "c-2", 10).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{setting}");
        let error = take(&store, 1, token_update()).await.unwrap_err();
        assert!(
            matches!(&error, CommitError::Store(error) if error.kind() == kind),
            "{error:?}"
        );
        // Who has nothing to write waits for nobody, and neither does who only looks.
        assert_eq!(state(&store).await, CommandState::Queued);
        other.rollback().await.unwrap();
        assert_eq!(uuids(&store, &device(1)).await, ["c-1"]);
        nothing_is_half_recorded(&database).await;
    }
    let polled = answer(&database.open().await).await.unwrap();
    assert_eq!(polled.settlement(), Some(Settlement::Settled));
}

/// Whatever the server runs out of, at the last of the tables that a step writes to.
#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_half_recorded() {
    let Some(database) = database().await else {
        return;
    };
    let store = database.open().await;
    waiting(&database, &store).await;
    let client = database.client().await;
    for (code, kind) in [
        ("53100", StoreErrorKind::Full),
        ("53000", StoreErrorKind::Full),
        ("53400", StoreErrorKind::Full),
        ("53200", StoreErrorKind::Full),
    ] {
        let full = format!(
            "CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{code}';
             END $$;
             CREATE OR REPLACE TRIGGER full_disk BEFORE INSERT ON mdm_event
             FOR EACH ROW EXECUTE FUNCTION full_disk();
             CREATE OR REPLACE TRIGGER full_disk BEFORE INSERT ON mdm_queue
             FOR EACH ROW EXECUTE FUNCTION full_disk();"
        );
        client.batch_execute(&full).await.unwrap();
        assert_eq!(answer(&store).await.unwrap_err().kind(), kind, "{code}");
        let error = enqueue(&store, &device(1), "c-2", 10).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{code}");
        let error = take(&store, 2, authenticate()).await.unwrap_err();
        assert!(
            matches!(&error, CommitError::Store(error) if error.kind() == kind),
            "{error:?}"
        );
    }
    assert_eq!(state(&store).await, CommandState::Queued);
    assert_eq!(uuids(&store, &device(1)).await, ["c-1"]);
    assert!(store.enrollment(&device(2)).await.unwrap().is_none());
    nothing_is_half_recorded(&database).await;

    // Room is made; the same store goes on.
    let room = "DROP TRIGGER full_disk ON mdm_event; DROP TRIGGER full_disk ON mdm_queue";
    client.batch_execute(room).await.unwrap();
    answer(&store).await.unwrap();
    enroll(&store, 2).await;
    nothing_is_half_recorded(&database).await;
}

#[tokio::test]
async fn a_database_that_only_reads_says_so_and_still_offers_what_waits() {
    let Some(database) = database().await else {
        return;
    };
    let store = database.open().await;
    waiting(&database, &store).await;
    report(&store, 1, ReportKind::Idle).await.unwrap();
    drop(store);
    let name = &database.name;
    let settings = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    let client = database.client().await;
    client.batch_execute(&settings).await.unwrap();
    let store = database.open().await;
    let read_only = StoreErrorKind::ReadOnly;
    assert_eq!(answer(&store).await.unwrap_err().kind(), read_only);
    let error = enqueue(&store, &device(1), "c-2", 10).await.unwrap_err();
    assert_eq!(error.kind(), read_only);
    let error = take(&store, 2, authenticate()).await.unwrap_err();
    assert!(matches!(&error, CommitError::Store(error) if error.kind() == read_only));
    assert_eq!(
        store.subscribe("other").await.unwrap_err().kind(),
        read_only
    );
    let polled = report(&store, 1, ReportKind::Idle).await.unwrap();
    assert_eq!(polled.next().unwrap().command_uuid, "c-1");
}

/// Also where the server is set not to wait for its disk.
#[tokio::test]
async fn what_is_answered_is_on_the_disk() {
    let Some(database) = database().await else {
        return;
    };
    let name = &database.name;
    let settings = format!(
        "ALTER DATABASE {name} SET synchronous_commit = off;
         CREATE TABLE seen (setting text);
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO seen VALUES (current_setting('synchronous_commit'));
             RETURN NULL;
         END $$;"
    );
    let client = database.client().await;
    client.batch_execute(&settings).await.unwrap();
    let store = database.open().await;
    let trigger = "CREATE TRIGGER look AFTER INSERT ON mdm_result EXECUTE FUNCTION look()";
    client.batch_execute(trigger).await.unwrap();
    waiting(&database, &store).await;
    answer(&store).await.unwrap();
    let on = "SELECT count(*) FROM seen WHERE setting = 'on'";
    assert_eq!(database.number(on).await, 1);
}

/// What one device was answered until the server was gone, and the command that it was not answered.
struct Told {
    settled: Vec<String>,
    unknown: Option<String>,
}

async fn work_until_it_fails(store: PostgresStore, n: usize, round: usize) -> Told {
    let mut settled = Vec::new();
    for c in 0.. {
        let uuid = format!("c-{round}-{c}");
        let queued = enqueue(&store, &device(n), &uuid, 100).await;
        let Ok(_) = queued else {
            let unknown = None;
            return Told { settled, unknown };
        };
        match report(&store, n, answered(&device(n), &uuid, 100)).await {
            Ok(polled) => assert_eq!(polled.settlement(), Some(Settlement::Settled)),
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Unreachable, "{error:?}");
                let unknown = Some(uuid);
                return Told { settled, unknown };
            }
        }
        settled.push(uuid);
    }
    unreachable!()
}

/// Killed while it commits, and started again as a failover does, several times.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_outlives_the_server_and_the_rest_is_whole_or_not_there() {
    const DEVICES: usize = 6;
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let cluster: &'static Cluster = Box::leak(Box::new(cluster));
    let database = cluster.database().await;
    let nodes = [database.open().await, database.open().await];
    nodes[0].subscribe("vendor").await.unwrap();
    for n in 0..DEVICES {
        enroll(&nodes[0], n).await;
    }
    for (round, enough) in [1, 60, 200].into_iter().enumerate() {
        let tasks: Vec<_> = (0..DEVICES)
            .map(|n| tokio::spawn(work_until_it_fails(nodes[n % 2].clone(), n, round)))
            .collect();
        let done = format!(
            "SELECT count(*) FROM mdm_command c JOIN mdm_result USING (enrollment, seq)
             WHERE c.uuid LIKE 'c-{round}-%'"
        );
        while database.number(&done).await < enough {}
        cluster.kill();
        let mut told = Vec::new();
        for task in tasks {
            told.push(task.await.unwrap());
        }
        assert!(cluster.run(), "{}", cluster.log());

        // The stores find their connections broken and make new ones.
        nothing_is_half_recorded(&database).await;
        for (n, Told { settled, unknown }) in told.into_iter().enumerate() {
            let node = &nodes[(n + 1) % 2];
            for uuid in settled {
                let record = node.command(&device(n), &uuid).await.unwrap().unwrap();
                assert!(matches!(record.state, CommandState::Settled { .. }));
            }
            let Some(uuid) = unknown else { continue };
            let polled = report(node, n, answered(&device(n), &uuid, 100))
                .await
                .unwrap();
            let settlement = polled.settlement().unwrap();
            assert!(matches!(
                settlement,
                Settlement::Settled | Settlement::Before
            ));
        }
        nothing_is_half_recorded(&database).await;
        // What was enqueued without an answer is done with.
        let ids: Vec<_> = (0..DEVICES).map(device).collect();
        nodes[0].clear(&ids, NOW).await.unwrap();
    }
}
