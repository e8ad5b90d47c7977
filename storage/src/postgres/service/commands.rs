//! [`CommandStore`] on PostgreSQL. The phases of the queue are told in the schema.

use std::{borrow::Cow, collections::HashSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_service::{
    EnrollmentId, StoreError,
    queue::{
        CommandFilter, CommandRecord, CommandState, Enqueued, NewCommand, Polled, Report, Sequence,
    },
    store::CommandStore,
};
use tokio_postgres::Row;

use super::{
    report,
    rows::{self, get, number, optional_text, text},
};
use crate::postgres::{PostgresStore, error::unreadable};

const ENQUEUE: &str = "SELECT n, outcome, place, waits
     FROM mdm_enqueue($1, $2, $3, $4, $5, $6, $7, $8, $9)";

macro_rules! records {
    ($from:literal, $conditions:literal) => {
        concat!(
            "SELECT c.seq, c.uuid, c.request_type, c.at, c.body, c.rank, c.expires_at, c.key,
                 r.at, r.status, r.expired, r.body, q.phase
             FROM ",
            $from,
            " WHERE c.enrollment = (SELECT key FROM mdm_contact WHERE id = $1) AND ",
            $conditions
        )
    };
}

macro_rules! page {
    ($from:literal) => {
        records!(
            $from,
            "c.seq > $2 AND ($4::text IS NULL OR c.request_type = $4) ORDER BY c.seq LIMIT $3"
        )
    };
}

const COMMAND: &str = records!(
    "mdm_command c
     LEFT JOIN mdm_result r ON r.enrollment = c.enrollment AND r.seq = c.seq
     LEFT JOIN mdm_queue q ON q.enrollment = c.enrollment AND q.phase IN (0, 1, 2)
         AND q.rank = c.rank AND q.seq = c.seq",
    "c.uuid = $2"
);

const ALL: &str = page!(
    "mdm_command c
     LEFT JOIN mdm_result r ON r.enrollment = c.enrollment AND r.seq = c.seq
     LEFT JOIN mdm_queue q ON q.enrollment = c.enrollment AND q.phase IN (0, 1, 2)
         AND q.rank = c.rank AND q.seq = c.seq"
);

const WAITING: &str = page!(
    "mdm_command c
     JOIN mdm_queue q ON q.enrollment = c.enrollment AND q.phase IN (0, 1, 2)
         AND q.rank = c.rank AND q.seq = c.seq
     LEFT JOIN mdm_result r ON false"
);

const FINISHED: &str = page!(
    "mdm_command c
     JOIN mdm_result r ON r.enrollment = c.enrollment AND r.seq = c.seq
     LEFT JOIN mdm_queue q ON false"
);

const CANCEL: &str = "SELECT mdm_cancel($1, $2, $3)";

const CLEAR: &str = "SELECT mdm_clear($1, $2)";

const EXPIRE: &str = "SELECT mdm_expire($1, $2)";

const FORGET: &str = "SELECT mdm_forget_finished($1, $2)";

#[async_trait]
impl CommandStore for PostgresStore {
    async fn enqueue(&self, commands: Vec<NewCommand>) -> Result<Vec<Enqueued>, StoreError> {
        let columns = Columns::new(&commands);
        let rows = self
            .engine
            .rows(
                ENQUEUE,
                &[
                    &has_to_be_looked_at_one_by_one(&commands),
                    &columns.ids,
                    &columns.uuids,
                    &columns.request_types,
                    &columns.ats,
                    &columns.ranks,
                    &columns.ends,
                    &columns.keys,
                    &columns.bodies,
                ],
            )
            .await?;
        let mut answers = Vec::with_capacity(rows.len());
        for row in &rows {
            answers.push((get::<i64>(row, 0)?, enqueued(row)?));
        }
        answers.sort_unstable_by_key(|(n, _)| *n);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    async fn record_report_and_next(&self, report: Report) -> Result<Polled, StoreError> {
        report::record_and_next(&self.engine, &report).await
    }

    async fn command(
        &self,
        id: &EnrollmentId,
        command_uuid: &str,
    ) -> Result<Option<CommandRecord>, StoreError> {
        let found = self
            .engine
            .row(COMMAND, &[&id.to_string(), &text(command_uuid)])
            .await?;
        found.map(|row| record(&row, id)).transpose()
    }

    async fn commands(
        &self,
        id: &EnrollmentId,
        filter: &CommandFilter,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<CommandRecord>, StoreError> {
        let page = match filter.waiting {
            None => ALL,
            Some(true) => WAITING,
            Some(false) => FINISHED,
        };
        let request_type = optional_text(filter.request_type.as_deref());
        let (after, limit) = (number(after.number()), number(limit));
        let found = self
            .engine
            .rows(page, &[&id.to_string(), &after, &limit, &request_type])
            .await?;
        found.iter().map(|row| record(row, id)).collect()
    }

    async fn cancel(
        &self,
        id: &EnrollmentId,
        command_uuid: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (id, at) = (id.to_string(), at.timestamp_micros());
        let row = self
            .engine
            .one(CANCEL, &[&id, &text(command_uuid), &at])
            .await?;
        get(&row, 0)
    }

    async fn clear(&self, ids: &[EnrollmentId], at: DateTime<Utc>) -> Result<u64, StoreError> {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let row = self
            .engine
            .one(CLEAR, &[&ids, &at.timestamp_micros()])
            .await?;
        rows::unsigned(&row, 0)
    }

    async fn expire(&self, now: DateTime<Utc>, limit: usize) -> Result<usize, StoreError> {
        self.counted(EXPIRE, now, limit).await
    }

    async fn forget_finished(
        &self,
        before: DateTime<Utc>,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.counted(FORGET, before, limit).await
    }
}

impl PostgresStore {
    /// How many, of at most `limit`, a step was done to.
    async fn counted(
        &self,
        sql: &str,
        at: DateTime<Utc>,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let at = at.timestamp_micros();
        let row = self.engine.one(sql, &[&at, &number(limit)]).await?;
        usize::try_from(get::<i64>(&row, 0)?).map_err(unreadable)
    }
}

/// Whether what becomes of one command depends on another of the batch.
fn has_to_be_looked_at_one_by_one(commands: &[NewCommand]) -> bool {
    let mut seen = HashSet::with_capacity(commands.len());
    let mut names = commands
        .iter()
        .map(|command| (&command.enrollment, text(&command.command_uuid)));
    commands.iter().any(|command| command.key.is_some()) || !names.all(|name| seen.insert(name))
}

fn enqueued(row: &Row) -> Result<Enqueued, StoreError> {
    match get(row, 1)? {
        "queued" => Ok(Enqueued::Queued(rows::sequence(row, 2)?)),
        "duplicate" => Ok(Enqueued::Duplicate),
        "merged" => Ok(Enqueued::merged(get::<String>(row, 3)?)),
        "not_enrolled" => Ok(Enqueued::NotEnrolled),
        other => Err(rows::unknown(other)),
    }
}

/// A command of `id`, as the columns of `records` tell it.
fn record(row: &Row, id: &EnrollmentId) -> Result<CommandRecord, StoreError> {
    let (uuid, request_type): (String, String) = (get(row, 1)?, get(row, 2)?);
    let body = rows::body(row, 4)?.into_bytes();
    let mut command = NewCommand::new(id.clone(), uuid, request_type, body, rows::time(row, 3)?);
    command.priority = i16::try_from(-get::<i32>(row, 5)?).map_err(unreadable)?;
    command.expires_at = rows::optional_time(row, 6)?;
    command.key = get(row, 7)?;
    let state = match (rows::optional_time(row, 8)?, get::<Option<i16>>(row, 12)?) {
        (Some(at), _) => match get::<Option<String>>(row, 9)? {
            Some(status) => CommandState::settled(status, rows::body(row, 11)?, at),
            None if get(row, 10)? => CommandState::expired(at),
            None => CommandState::cancelled(at),
        },
        (None, Some(0)) => CommandState::Queued,
        (None, Some(_)) => CommandState::NotNow,
        (None, None) => return Err(unreadable("a command that neither waits nor is finished")),
    };
    Ok(CommandRecord::new(command, rows::sequence(row, 0)?, state))
}

/// Commands as columns.
struct Columns<'a> {
    ids: Vec<String>,
    uuids: Vec<Cow<'a, str>>,
    request_types: Vec<Cow<'a, str>>,
    ats: Vec<i64>,
    ranks: Vec<i32>,
    ends: Vec<Option<i64>>,
    keys: Vec<Option<Cow<'a, str>>>,
    bodies: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn new(commands: &'a [NewCommand]) -> Self {
        let commands = || commands.iter();
        Self {
            ids: commands().map(|it| it.enrollment.to_string()).collect(),
            uuids: commands().map(|it| text(&it.command_uuid)).collect(),
            request_types: commands().map(|it| text(&it.request_type)).collect(),
            ats: commands().map(|it| it.at.timestamp_micros()).collect(),
            ranks: commands().map(|it| -i32::from(it.priority)).collect(),
            ends: commands().map(|it| rows::micros(it.expires_at)).collect(),
            keys: commands()
                .map(|it| optional_text(it.key.as_deref()))
                .collect(),
            bodies: commands().map(|it| it.body.as_ref()).collect(),
        }
    }
}
