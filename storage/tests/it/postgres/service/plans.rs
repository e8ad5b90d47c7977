//! Whatever is looked for is found by an index, also by a server that may choose.

use tokio_postgres::Client;

use crate::postgres::cluster::{Database, database};

/// Many enrolments, most of whose commands are finished, as they are after a year.
const ROWS: &str = "
    INSERT INTO mdm_subscriber (name) VALUES ('vendor');
    INSERT INTO mdm_contact
        (key, id, device, version, status, certificate, pushable, last_seen_at, push_due_at)
    SELECT n, 'device:' || n, n, 1, 1, int8send(n), true, 0, CASE WHEN n % 10 = 0 THEN n END
    FROM generate_series(1, 4000) AS n;
    INSERT INTO mdm_enrollment (contact, id, device, owner, serial_number, topic, push_token,
        push_magic, token_update_tally, licences)
    SELECT n, 'device:' || n, n, 'owner-' || n % 1000, 'SERIAL' || n, 'topic', 'token', 'magic', 1, '[]'
    FROM generate_series(1, 4000) AS n;
    INSERT INTO mdm_certificate (sha256, device) SELECT int8send(n), n
    FROM generate_series(1, 4000) AS n;
    INSERT INTO mdm_command (enrollment, seq, rank, uuid, request_type, at, body)
    SELECT n % 4000 + 1, n, 0, 'c-' || n, 'DeviceInformation', n, 'body'
    FROM generate_series(1, 80000) AS n;
    INSERT INTO mdm_result (enrollment, seq, at, status, expired, body)
    SELECT n % 4000 + 1, n, n, 'Acknowledged', false, 'body'
    FROM generate_series(1, 60000) AS n;
    INSERT INTO mdm_queue (enrollment, phase, rank, seq, expires_at, key)
    SELECT n % 4000 + 1, n % 3, 0, n, CASE WHEN n % 5 = 0 THEN n END, CASE WHEN n % 7 = 0 THEN 'k-' || n END
    FROM generate_series(60001, 80000) AS n;
    INSERT INTO mdm_event (subscriber, enrollment, at, event)
    SELECT 1, 'device:' || n % 4000 + 1, n, '{}' FROM generate_series(1, 20000) AS n;
    INSERT INTO mdm_invitation (id, licences, data, created_at, expires_at)
    SELECT 'i-' || n, '[]', '{}', 0, n FROM generate_series(1, 5000) AS n;
    INSERT INTO mdm_escrow (holder, kind, at, value)
    SELECT 'device:' || n % 20, 'kind-' || n % 3, 0, 'secret' FROM generate_series(1, 20000) AS n;
    INSERT INTO mdm_pool (name, taken) VALUES ('licences', 0), ('others', 0);
    INSERT INTO mdm_place (pool, holder)
    SELECT CASE WHEN n % 2 = 0 THEN 'licences' ELSE 'others' END, 'device:' || n
    FROM generate_series(1, 4000) AS n;
    ANALYZE;";

/// A server that has all this, asked by a session that nobody has set anything for.
async fn filled() -> Option<(Database, Client)> {
    let database = database().await?;
    drop(database.open().await);
    let client = database.client().await;
    client.batch_execute(ROWS).await.unwrap();
    Some((database, client))
}

/// Every step, often enough that the server has settled on a plan.
#[tokio::test]
async fn no_step_walks_a_table_that_grows() {
    let Some((database, client)) = filled().await else {
        return;
    };
    drop(client);
    let others = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    // A session that has ended has told what it did.
    let settle = async || while database.number(others).await > 1 {};
    let walks = "SELECT coalesce(sum(seq_scan), 0)::bigint FROM pg_stat_user_tables
         WHERE relname ~ '^mdm_' AND relname NOT IN ('mdm_subscriber', 'mdm_pool', 'mdm_storage_schema')";
    settle().await;
    let before = database.number(walks).await;
    let client = database.client().await;
    for n in 1..=12 {
        let report = |kind: u8, uuid: i64| {
            format!(
                "SELECT * FROM mdm_report('device:{n}', 'device:{n}', int8send({n}), 100000, {kind}::smallint,
                     'c-{uuid}', 'Acknowledged', 'body', 'device:{n}', 1, '{{}}', '{{\"at\":1}}',
                     ARRAY['device:{n}'], ARRAY['kind'], ARRAY[1::bigint], ARRAY[NULL::text],
                     ARRAY['s'::bytea], 200000, 300000, 50000)"
            )
        };
        let commit = format!(
            "SELECT * FROM mdm_commit('device:{n}', 'device:{n}',
                 (SELECT version FROM mdm_contact WHERE id = 'device:{n}'), 7, 2::smallint, true, true,
                 ARRAY['device:{n}'], ARRAY[1::smallint], ARRAY[int8send({n})], ARRAY[true],
                 ARRAY['topic'], ARRAY['token'::bytea], ARRAY['magic'::bytea], ARRAY[1::bigint],
                 ARRAY[NULL::boolean], ARRAY['SERIAL'], ARRAY[NULL::text], ARRAY['owner'], ARRAY['[]'],
                 ARRAY[NULL::text], ARRAY[NULL::text], ARRAY[NULL::text], ARRAY[NULL::bytea],
                 ARRAY[1::bigint], ARRAY[1::bigint], ARRAY[NULL::bigint], ARRAY[1::bigint],
                 ARRAY[NULL::bigint], ARRAY[NULL::bytea], ARRAY[NULL::bytea], ARRAY[NULL::bytea],
                 ARRAY[NULL::boolean], ARRAY['device:{n}'], ARRAY['licences'], ARRAY['licences'],
                 ARRAY[10000::bigint], 'i-{}', 1, ARRAY['device:{n}'], ARRAY['kind'],
                 ARRAY[1::bigint], ARRAY[NULL::text], ARRAY['s'::bytea], ARRAY['device:{n}'],
                 ARRAY[1::bigint], ARRAY['{{}}'])",
            4000 + n
        );
        let commit_and_cancel_erasures = format!(
            "WITH done AS MATERIALIZED ({commit}), gone AS (
                 DELETE FROM mdm_queue q USING done, mdm_contact d, mdm_command c
                 WHERE done.outcome = 'committed' AND d.id = 'device:{n}' AND q.enrollment = d.key
                     AND c.enrollment = q.enrollment AND c.seq = q.seq
                     AND c.request_type = 'EraseDevice'
                 RETURNING q.enrollment, q.seq
             ), cancelled AS (
                 INSERT INTO mdm_result (enrollment, seq, at, expired)
                 SELECT enrollment, seq, 5, false FROM gone
             )
             SELECT outcome, full_pool FROM done"
        );
        let enqueue = |one_by_one: bool| {
            format!(
                "SELECT * FROM mdm_enqueue({one_by_one}, ARRAY['device:{n}', 'device:{}'],
                     ARRAY['n-{n}-{one_by_one}', 'n-{n}-{one_by_one}'], ARRAY['R', 'R'], ARRAY[1::bigint, 1],
                     ARRAY[0, 0], ARRAY[200000::bigint, NULL], ARRAY['k', NULL],
                     ARRAY['body'::bytea, 'body'])",
                n + 1
            )
        };
        for step in [
            enqueue(false),
            enqueue(true),
            report(0, 0),
            report(1, 75_999 + n),
            report(2, 71_999 + n),
            report(2, n),
            format!("SELECT mdm_cancel('device:{n}', 'c-{}', 5)", 67_999 + n),
            "SELECT mdm_expire(60100, 3)".to_owned(),
            format!("SELECT mdm_clear(ARRAY['device:{n}', 'device:{}'], 5)", n + 100),
            "SELECT mdm_forget_finished(500, 10)".to_owned(),
            format!("SELECT * FROM mdm_due_pushes({}, 90000, 5)", n * 100),
            format!(
                "SELECT mdm_settle_pushes(90000, ARRAY['device:{0}', 'device:{n}'],
                     ARRAY['token'::bytea, 'x'], ARRAY[95000::bigint, NULL], ARRAY[1::bigint, NULL])",
                n * 10
            ),
            format!("SELECT mdm_wake(ARRAY['device:{}', 'device:{n}'], 1)", n + 1),
            commit,
            commit_and_cancel_erasures,
        ] {
            client.batch_execute(&step).await.unwrap();
        }
    }
    drop(client);
    settle().await;
    let walked = "SELECT coalesce(string_agg(concat(relname, ' ', seq_scan), ', '), '')
         FROM pg_stat_user_tables WHERE relname ~ '^mdm_' AND seq_scan > 0";
    let walked: String = {
        let client = database.client().await;
        client.query_one(walked, &[]).await.unwrap().get(0)
    };
    assert_eq!(database.number(walks).await, before, "{walked}");
}

#[tokio::test]
async fn the_hot_queries_come_out_of_an_index_in_their_order() {
    let Some((_database, client)) = filled().await else {
        return;
    };
    for (sql, indexes) in [
        (
            // What comes next, as in mdm_next.
            "SELECT c.seq, c.uuid, c.body
             FROM (
                 (SELECT q.rank, q.seq FROM mdm_queue q WHERE q.enrollment = 7 AND q.phase = 0
                     ORDER BY q.rank, q.seq LIMIT 1)
                 UNION ALL
                 (SELECT q.rank, q.seq FROM mdm_queue q WHERE q.enrollment = 7 AND q.phase = 1
                     ORDER BY q.rank, q.seq LIMIT 1)
                 ORDER BY rank, seq LIMIT 1
             ) AS first
             JOIN mdm_command c ON c.enrollment = 7 AND c.seq = first.seq",
            ["mdm_queue_pkey", "mdm_command_pkey"].as_slice(),
        ),
        (
            "SELECT FROM mdm_contact WHERE id = 'device:7' FOR UPDATE",
            &["mdm_contact_id_key"],
        ),
        (
            "SELECT rank, seq FROM mdm_command WHERE enrollment = 7 AND uuid = 'c-7'",
            &["mdm_command_enrollment_uuid_key"],
        ),
        (
            "DELETE FROM mdm_queue
             WHERE enrollment = 7 AND phase IN (0, 1, 2) AND rank = 0 AND seq = 70006",
            &["mdm_queue_pkey"],
        ),
        (
            "SELECT FROM mdm_queue WHERE enrollment = 7 AND expires_at <= 1",
            &["mdm_queue_by_end"],
        ),
        (
            "SELECT key FROM mdm_contact WHERE push_due_at <= 4000
             ORDER BY push_due_at, key LIMIT 9 FOR UPDATE SKIP LOCKED",
            &["mdm_contact_by_due"],
        ),
        (
            "SELECT event FROM mdm_event
             WHERE subscriber = (SELECT key FROM mdm_subscriber WHERE name = 'vendor')
             ORDER BY seq LIMIT 9",
            &["mdm_event_pkey"],
        ),
        (
            "SELECT c.uuid, r.status FROM mdm_command c
             LEFT JOIN mdm_result r ON r.enrollment = c.enrollment AND r.seq = c.seq
             WHERE c.enrollment = (SELECT key FROM mdm_contact WHERE id = 'device:7') AND c.seq > 7
             ORDER BY c.seq LIMIT 9",
            &["mdm_command_pkey", "mdm_result_pkey"],
        ),
        (
            "SELECT e.owner FROM mdm_contact c JOIN mdm_enrollment e ON e.contact = c.key
             WHERE e.id > 'device:7' AND e.owner = 'owner-7' ORDER BY e.id LIMIT 9",
            &["mdm_enrollment_by_owner"],
        ),
        (
            "SELECT e.owner FROM mdm_contact c JOIN mdm_enrollment e ON e.contact = c.key
             WHERE c.id > 'device:7' ORDER BY c.id LIMIT 9",
            &["mdm_contact_id_key", "mdm_enrollment_pkey"],
        ),
        (
            "SELECT value FROM mdm_escrow WHERE holder = 'device:7' AND kind = 'kind-1'
             ORDER BY seq DESC LIMIT 9",
            &["mdm_escrow_by_kind"],
        ),
    ] {
        let plan = client.query(&format!("EXPLAIN {sql}"), &[]).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        for index in indexes {
            assert!(plan.iter().any(|step| step.contains(index)), "{plan:#?}");
        }
        let walks = |step: &String| step.contains("Seq Scan") && !step.contains("mdm_subscriber");
        assert!(!plan.iter().any(walks), "{plan:#?}");
        // Two rows at most, where two phases are put together.
        let sorts = plan.iter().any(|step| step.contains("Sort"));
        assert!(!sorts || sql.contains("UNION"), "{plan:#?}");
    }
}
