//! [`CommandStore`] on SQLite: the hot path. The phases of `queue` are told in the schema.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_service::{
    Body, EnrollmentId, StoreError,
    queue::{
        CommandRecord, CommandState, Enqueued, NewCommand, Polled, QueuedCommand, Report,
        ReportKind, Sequence, Settlement,
    },
    store::CommandStore,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    outbox,
    rows::{self, DISABLED},
};
use crate::sqlite::{SqliteStore, values};

/// The sender's key and the certificate that its device must show.
pub(super) const SENDER: &str = "SELECT s.key, d.certificate
     FROM enrollments d LEFT JOIN enrollments s ON s.id = ?2 WHERE d.id = ?1";

pub(super) const SEQUENCE: &str = "SELECT seq FROM commands WHERE enrollment = ?1 AND uuid = ?2";

pub(super) const TAKE: &str =
    "DELETE FROM queue WHERE enrollment = ?1 AND phase IN (0, 1, 2) AND seq = ?2";

const PUT_FRESH: &str = "INSERT INTO queue (enrollment, phase, seq) VALUES (?1, 0, ?2)";

const PUT_ASIDE: &str = "INSERT INTO queue (enrollment, phase, seq) VALUES (?1, 2, ?2)";

pub(super) const SET_ASIDE: &str =
    "SELECT EXISTS (SELECT 1 FROM queue WHERE enrollment = ?1 AND phase = 2)";

pub(super) const RELEASE: &str = "UPDATE queue SET phase = 1 WHERE enrollment = ?1 AND phase = 2";

const RESULT: &str = "INSERT INTO results (seq, at, status, body) VALUES (?1, ?2, ?3, ?4)";

pub(super) const NEXT_FRESH: &str = "SELECT seq, uuid, body FROM commands WHERE seq = (
         SELECT min(seq) FROM queue WHERE enrollment = ?1 AND phase = 0)";

pub(super) const NEXT: &str = "SELECT seq, uuid, body FROM commands WHERE seq = (
         SELECT min(seq) FROM (
             SELECT min(seq) AS seq FROM queue WHERE enrollment = ?1 AND phase = 0
             UNION ALL
             SELECT min(seq) FROM queue WHERE enrollment = ?1 AND phase = 1))";

const RECIPIENT: &str = "SELECT key FROM enrollments WHERE id = ?1 AND status <> ?2";

const INSERT: &str = "INSERT INTO commands (enrollment, uuid, request_type, at, body)
     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (enrollment, uuid) DO NOTHING";

macro_rules! record {
    ($condition:literal) => {
        concat!(
            "SELECT c.seq, c.uuid, c.request_type, c.at, c.body, r.seq, r.at, r.status, r.body,
                 EXISTS (SELECT 1 FROM queue q
                     WHERE q.enrollment = c.enrollment AND q.phase IN (1, 2) AND q.seq = c.seq)
             FROM commands c LEFT JOIN results r ON r.seq = c.seq
             WHERE c.enrollment = (SELECT key FROM enrollments WHERE id = ?1) AND ",
            $condition
        )
    };
}

pub(super) const COMMAND: &str = record!("c.uuid = ?2");

pub(super) const COMMANDS: &str = record!("c.seq > ?2 ORDER BY c.seq LIMIT ?3");

pub(super) const FINISHED: &str = "SELECT seq FROM results WHERE at < ?1 ORDER BY at LIMIT ?2";

#[async_trait]
impl CommandStore for SqliteStore {
    async fn enqueue(&self, commands: Vec<NewCommand>) -> Result<Vec<Enqueued>, StoreError> {
        self.engine
            .write(move |connection| {
                commands
                    .iter()
                    .map(|command| enqueue(connection, command))
                    .collect()
            })
            .await
    }

    async fn record_report_and_next(&self, report: Report) -> Result<Polled, StoreError> {
        self.engine
            .write(move |connection| report_and_next(connection, &report))
            .await
    }

    async fn command(
        &self,
        id: &EnrollmentId,
        command_uuid: &str,
    ) -> Result<Option<CommandRecord>, StoreError> {
        let (id, uuid) = (id.clone(), command_uuid.to_owned());
        self.engine
            .read(move |connection| {
                connection
                    .prepare_cached(COMMAND)?
                    .query_row(params![id.to_string(), uuid], |row| record(row, &id))
                    .optional()
            })
            .await
    }

    async fn commands(
        &self,
        id: &EnrollmentId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<CommandRecord>, StoreError> {
        let id = id.clone();
        self.engine
            .read(move |connection| {
                let after = values::number(after.number());
                connection
                    .prepare_cached(COMMANDS)?
                    .query_map(
                        params![id.to_string(), after, values::limit(limit)],
                        |row| record(row, &id),
                    )?
                    .collect()
            })
            .await
    }

    async fn forget_finished(
        &self,
        before: DateTime<Utc>,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.engine
            .write(move |connection| {
                let finished: Vec<i64> = connection
                    .prepare_cached(FINISHED)?
                    .query_map(
                        params![before.timestamp_micros(), values::limit(limit)],
                        |row| row.get(0),
                    )?
                    .collect::<Result<_, _>>()?;
                let mut result = connection.prepare_cached("DELETE FROM results WHERE seq = ?1")?;
                let mut command =
                    connection.prepare_cached("DELETE FROM commands WHERE seq = ?1")?;
                for sequence in &finished {
                    result.execute([sequence])?;
                    command.execute([sequence])?;
                }
                Ok(finished.len())
            })
            .await
    }
}

fn enqueue(connection: &Connection, command: &NewCommand) -> rusqlite::Result<Enqueued> {
    let recipient: Option<i64> = connection
        .prepare_cached(RECIPIENT)?
        .query_row(params![command.enrollment.to_string(), DISABLED], |row| {
            row.get(0)
        })
        .optional()?;
    let Some(recipient) = recipient else {
        return Ok(Enqueued::NotEnrolled);
    };
    let inserted = connection.prepare_cached(INSERT)?.execute(params![
        recipient,
        command.command_uuid,
        command.request_type,
        command.at.timestamp_micros(),
        command.body.as_ref(),
    ])?;
    if inserted == 0 {
        return Ok(Enqueued::Duplicate);
    }
    let sequence = connection.last_insert_rowid();
    connection
        .prepare_cached(PUT_FRESH)?
        .execute(params![recipient, sequence])?;
    Ok(Enqueued::Queued(Sequence::new(sequence.unsigned_abs())))
}

fn report_and_next(connection: &Connection, report: &Report) -> rusqlite::Result<Polled> {
    let device = report.enrollment.of_device().to_string();
    let sender = connection
        .prepare_cached(SENDER)?
        .query_row([device, report.enrollment.to_string()], |row| {
            Ok((
                row.get::<_, Option<i64>>(0)?,
                row.get::<_, Option<[u8; 32]>>(1)?,
            ))
        })
        .optional()?;
    let sender = match sender {
        Some((sender, Some(pinned))) if pinned == *report.certificate.as_bytes() => sender,
        _ => return Ok(Polled::NotPinned),
    };
    // A user that never sent a `TokenUpdate` has no queue.
    let Some(sender) = sender else {
        let settlement = match report.kind {
            ReportKind::Idle => Settlement::NoCommand,
            _ => Settlement::Unknown,
        };
        return Ok(Polled::taken(settlement, None));
    };
    let settlement = settle(connection, sender, report)?;
    let next = match report.kind {
        ReportKind::NotNow { .. } => NEXT_FRESH,
        _ => NEXT,
    };
    let next = connection
        .prepare_cached(next)?
        .query_row([sender], |row| {
            let body = Body::from(row.get::<_, Vec<u8>>(2)?);
            let uuid: String = row.get(1)?;
            Ok(QueuedCommand::new(rows::sequence(row, 0)?, uuid, body))
        })
        .optional()?;
    Ok(Polled::taken(settlement, next))
}

fn settle(connection: &Connection, sender: i64, report: &Report) -> rusqlite::Result<Settlement> {
    let uuid = match &report.kind {
        ReportKind::NotNow { command_uuid, .. } | ReportKind::Final { command_uuid, .. } => {
            command_uuid
        }
        _ => {
            // Most `Idle`s find nothing set aside, and then write nothing.
            if connection
                .prepare_cached(SET_ASIDE)?
                .query_row([sender], |row| row.get(0))?
            {
                connection.prepare_cached(RELEASE)?.execute([sender])?;
            }
            return Ok(Settlement::NoCommand);
        }
    };
    let sequence: Option<i64> = connection
        .prepare_cached(SEQUENCE)?
        .query_row(params![sender, uuid], |row| row.get(0))
        .optional()?;
    let Some(sequence) = sequence else {
        return Ok(Settlement::Unknown);
    };
    let taken = connection
        .prepare_cached(TAKE)?
        .execute(params![sender, sequence])?;
    if taken == 0 {
        return Ok(Settlement::Before);
    }
    let ReportKind::Final {
        status,
        body,
        event,
        ..
    } = &report.kind
    else {
        connection
            .prepare_cached(PUT_ASIDE)?
            .execute(params![sender, sequence])?;
        return Ok(Settlement::SetAside);
    };
    connection.prepare_cached(RESULT)?.execute(params![
        sequence,
        report.at.timestamp_micros(),
        status,
        body.as_ref(),
    ])?;
    outbox::write(connection, event)?;
    Ok(Settlement::Settled)
}

fn record(row: &Row<'_>, id: &EnrollmentId) -> rusqlite::Result<CommandRecord> {
    let uuid: String = row.get(1)?;
    let request_type: String = row.get(2)?;
    let body: Vec<u8> = row.get(4)?;
    let command = NewCommand::new(id.clone(), uuid, request_type, body, rows::time(row, 3)?);
    let finished: Option<i64> = row.get(5)?;
    let status: Option<String> = row.get(7)?;
    let state = match (finished, status) {
        (None, _) if row.get(9)? => CommandState::NotNow,
        (None, _) => CommandState::Queued,
        (Some(_), None) => CommandState::cancelled(rows::time(row, 6)?),
        (Some(_), Some(status)) => {
            let body = Body::from(row.get::<_, Option<Vec<u8>>>(8)?.unwrap_or_default());
            CommandState::settled(status, body, rows::time(row, 6)?)
        }
    };
    Ok(CommandRecord::new(command, rows::sequence(row, 0)?, state))
}
