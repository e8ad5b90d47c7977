//! [`CommandStore`] on SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_service::{
    Body, EnrollmentId, StoreError,
    queue::{
        CommandFilter, CommandRecord, CommandState, Enqueued, NewCommand, Polled, Report,
        ReportKind, Sequence,
    },
    store::CommandStore,
};
use rusqlite::{OptionalExtension, Row, params};

use super::{enrollments, queue, report, rows};
use crate::sqlite::{SqliteStore, values};

macro_rules! record {
    ($condition:literal) => {
        concat!(
            "SELECT c.seq, c.uuid, c.request_type, c.at, c.rank, c.expires_at, c.key, c.body,
                 r.seq, r.at, r.status, r.body, r.status IS NULL AND r.expired,
                 EXISTS (SELECT 1 FROM queue q WHERE q.enrollment = c.enrollment
                     AND q.phase IN (1, 2) AND q.rank = c.rank AND q.seq = c.seq)
             FROM commands c LEFT JOIN results r ON r.seq = c.seq
             WHERE c.enrollment = (SELECT key FROM enrollments WHERE id = ?1) AND ",
            $condition
        )
    };
}

pub(super) const COMMAND: &str = record!("c.uuid = ?2");

pub(super) const COMMANDS: &str = record!(
    "c.seq > ?2 AND (?4 IS NULL OR (r.seq IS NULL) = ?4) AND (?5 IS NULL OR c.request_type = ?5)
     ORDER BY c.seq LIMIT ?3"
);

pub(super) const FINISHED: &str = "SELECT seq FROM results WHERE at < ?1 ORDER BY at LIMIT ?2";

#[async_trait]
impl CommandStore for SqliteStore {
    async fn enqueue(&self, commands: Vec<NewCommand>) -> Result<Vec<Enqueued>, StoreError> {
        self.engine
            .write(move |connection| {
                commands
                    .iter()
                    .map(|command| queue::enqueue(connection, command))
                    .collect()
            })
            .await
    }

    async fn record_report_and_next(&self, report: Report) -> Result<Polled, StoreError> {
        // Most devices ask and get nothing: a reader sees that, and the writer goes undisturbed. If
        // anything has to be written after all, the writer begins from the start.
        if matches!(report.kind, ReportKind::Idle) {
            let asked = report.clone();
            let quiet = self
                .engine
                .read(move |connection| report::if_quiet(connection, &asked))
                .await?;
            if let Some(polled) = quiet {
                return Ok(polled);
            }
        }
        self.engine
            .write(move |connection| report::take(connection, &report))
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
        filter: &CommandFilter,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<CommandRecord>, StoreError> {
        let (id, filter) = (id.clone(), filter.clone());
        self.engine
            .read(move |connection| {
                connection
                    .prepare_cached(COMMANDS)?
                    .query_map(
                        params![
                            id.to_string(),
                            values::number(after.number()),
                            values::limit(limit),
                            filter.waiting,
                            filter.request_type,
                        ],
                        |row| record(row, &id),
                    )?
                    .collect()
            })
            .await
    }

    async fn cancel(
        &self,
        id: &EnrollmentId,
        command_uuid: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (id, uuid) = (id.clone(), command_uuid.to_owned());
        self.engine
            .write(move |connection| {
                let Some(key) = enrollments::key(connection, &id)? else {
                    return Ok(false);
                };
                match queue::place(connection, key, &uuid)? {
                    Some(place) => queue::cancel(connection, place, at),
                    None => Ok(false),
                }
            })
            .await
    }

    async fn clear(&self, ids: &[EnrollmentId], at: DateTime<Utc>) -> Result<u64, StoreError> {
        let ids = ids.to_vec();
        self.engine
            .write(move |connection| {
                let mut keys = Vec::with_capacity(ids.len());
                for id in &ids {
                    keys.extend(enrollments::key(connection, id)?);
                }
                queue::clear_all(connection, &keys, at)
            })
            .await
    }

    async fn expire(&self, now: DateTime<Utc>, limit: usize) -> Result<usize, StoreError> {
        self.engine
            .write(move |connection| queue::expire(connection, now, limit))
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

fn record(row: &Row<'_>, id: &EnrollmentId) -> rusqlite::Result<CommandRecord> {
    let uuid: String = row.get(1)?;
    let request_type: String = row.get(2)?;
    let body: Vec<u8> = row.get(7)?;
    let mut command = NewCommand::new(id.clone(), uuid, request_type, body, rows::time(row, 3)?);
    let rank: i64 = row.get(4)?;
    command.priority =
        i16::try_from(-rank).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(4, rank))?;
    command.expires_at = rows::optional_time(row, 5)?;
    command.key = row.get(6)?;
    let finished: Option<i64> = row.get(8)?;
    let status: Option<String> = row.get(10)?;
    let state = match (finished, status) {
        (None, _) if row.get(13)? => CommandState::NotNow,
        (None, _) => CommandState::Queued,
        (Some(_), Some(status)) => {
            let body = Body::from(row.get::<_, Option<Vec<u8>>>(11)?.unwrap_or_default());
            CommandState::settled(status, body, rows::time(row, 9)?)
        }
        (Some(_), None) if row.get::<_, Option<bool>>(12)? == Some(true) => {
            CommandState::expired(rows::time(row, 9)?)
        }
        (Some(_), None) => CommandState::cancelled(rows::time(row, 9)?),
    };
    Ok(CommandRecord::new(command, rows::sequence(row, 0)?, state))
}
