//! What waits for an enrolment, and how it gets there and away. The phases are told in the schema.

use chrono::{DateTime, Utc};
use mdm_service::{
    Event, EventKind,
    queue::{Enqueued, NewCommand, Sequence},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    outbox, pushes,
    rows::{self, DISABLED},
};
use crate::sqlite::values;

pub(super) const RECIPIENT: &str = "SELECT key FROM enrollments WHERE id = ?1 AND status <> ?2";

pub(super) const PLACE: &str = "SELECT seq, rank FROM commands WHERE enrollment = ?1 AND uuid = ?2";

const INSERT: &str = "INSERT INTO commands (
         enrollment, rank, uuid, request_type, at, expires_at, key, body)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (enrollment, uuid) DO NOTHING";

const PUT: &str = "INSERT INTO queue (enrollment, phase, rank, seq, expires_at, key)
     VALUES (?1, 0, ?2, ?3, ?4, ?5)";

pub(super) const TAKE: &str = "DELETE FROM queue
     WHERE enrollment = ?1 AND phase IN (0, 1, 2) AND rank = ?2 AND seq = ?3";

const RESULT: &str =
    "INSERT INTO results (seq, at, status, body, expired) VALUES (?1, ?2, NULL, NULL, ?3)";

pub(super) const CANCEL_ALL: &str = "INSERT INTO results (seq, at)
     SELECT seq, ?2 FROM queue WHERE enrollment = ?1";

pub(super) const CLEAR: &str = "DELETE FROM queue WHERE enrollment = ?1";

/// The same of many, whose keys are a JSON array. In the order of the results' key, so that these are
/// written one after the other and not here and there.
pub(super) const CANCEL_ALL_OF: &str = "INSERT INTO results (seq, at)
     SELECT q.seq, ?2 FROM (SELECT DISTINCT value AS key FROM json_each(?1)) k
     CROSS JOIN queue q ON q.enrollment = k.key ORDER BY q.seq";

pub(super) const CLEAR_OF: &str =
    "DELETE FROM queue WHERE enrollment IN (SELECT value FROM json_each(?1))";

pub(super) const ERASURES: &str = "SELECT q.seq, q.rank FROM queue q
     CROSS JOIN commands c ON c.seq = q.seq
     WHERE q.enrollment = ?1 AND c.request_type = 'EraseDevice'";

/// What waits and is over, with what its event tells.
macro_rules! over {
    ($index:literal, $condition:literal) => {
        concat!(
            "SELECT q.enrollment, q.rank, q.seq, c.uuid, e.id
             FROM queue q INDEXED BY ",
            $index,
            " CROSS JOIN commands c ON c.seq = q.seq
             CROSS JOIN enrollments e ON e.key = q.enrollment
             WHERE q.expires_at <= ?1 AND ",
            $condition
        )
    };
}

pub(super) const OVER_OF: &str = over!("queue_by_end", "q.enrollment = ?2 ORDER BY q.expires_at");

pub(super) const OVER: &str = over!("queue_by_end_of_all", "true ORDER BY q.expires_at LIMIT ?2");

pub(super) const OVER_OF_KEY: &str = over!("queue_by_key", "q.enrollment = ?2 AND q.key = ?3");

pub(super) const OF_KEY: &str = "SELECT c.uuid FROM queue q INDEXED BY queue_by_key
     CROSS JOIN commands c ON c.seq = q.seq WHERE q.enrollment = ?1 AND q.key = ?2";

/// Where a command stands among its enrolment's.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) enrollment: i64,
    pub(super) rank: i64,
    pub(super) sequence: i64,
}

/// Something that waits and is over.
struct Over {
    place: Place,
    event: Event,
}

pub(super) fn enqueue(connection: &Connection, command: &NewCommand) -> rusqlite::Result<Enqueued> {
    let id = command.enrollment.to_string();
    let recipient: Option<i64> = connection
        .prepare_cached(RECIPIENT)?
        .query_row(params![id, DISABLED], |row| row.get(0))
        .optional()?;
    let Some(recipient) = recipient else {
        return Ok(Enqueued::NotEnrolled);
    };
    if let Some(key) = &command.key {
        if place(connection, recipient, &command.command_uuid)?.is_some() {
            return Ok(Enqueued::Duplicate);
        }
        if let Some(waiting) = waits_with(connection, recipient, key, command.at)? {
            return Ok(Enqueued::merged(waiting));
        }
    }
    let rank = -i64::from(command.priority);
    let at = command.at.timestamp_micros();
    let expires_at = command.expires_at.map(|end| end.timestamp_micros());
    let inserted = connection.prepare_cached(INSERT)?.execute(params![
        recipient,
        rank,
        command.command_uuid,
        command.request_type,
        at,
        expires_at,
        command.key,
        command.body.as_ref(),
    ])?;
    if inserted == 0 {
        return Ok(Enqueued::Duplicate);
    }
    let sequence = connection.last_insert_rowid();
    connection.prepare_cached(PUT)?.execute(params![
        recipient,
        rank,
        sequence,
        expires_at,
        command.key
    ])?;
    pushes::due_by(connection, recipient, command.at)?;
    Ok(Enqueued::Queued(Sequence::new(sequence.unsigned_abs())))
}

/// The command of that key that waits. One that is over makes room here.
fn waits_with(
    connection: &Connection,
    enrollment: i64,
    key: &str,
    now: DateTime<Utc>,
) -> rusqlite::Result<Option<String>> {
    let over = connection
        .prepare_cached(OVER_OF_KEY)?
        .query_row(params![now.timestamp_micros(), enrollment, key], |row| {
            self::over(row, now)
        })
        .optional()?;
    if let Some(over) = over {
        settle_as_expired(connection, &over)?;
        return Ok(None);
    }
    connection
        .prepare_cached(OF_KEY)?
        .query_row(params![enrollment, key], |row| row.get(0))
        .optional()
}

pub(super) fn place(
    connection: &Connection,
    enrollment: i64,
    command_uuid: &str,
) -> rusqlite::Result<Option<Place>> {
    connection
        .prepare_cached(PLACE)?
        .query_row(params![enrollment, command_uuid], |row| {
            place_of(row, enrollment)
        })
        .optional()
}

fn place_of(row: &Row<'_>, enrollment: i64) -> rusqlite::Result<Place> {
    Ok(Place {
        enrollment,
        sequence: row.get(0)?,
        rank: row.get(1)?,
    })
}

/// Takes a command out of the queue; whether it waited.
pub(super) fn take(connection: &Connection, place: Place) -> rusqlite::Result<bool> {
    let taken = connection.prepare_cached(TAKE)?.execute(params![
        place.enrollment,
        place.rank,
        place.sequence
    ])?;
    Ok(taken > 0)
}

/// Takes one command back; whether it waited.
pub(super) fn cancel(
    connection: &Connection,
    place: Place,
    at: DateTime<Utc>,
) -> rusqlite::Result<bool> {
    let waited = take(connection, place)?;
    if waited {
        connection.prepare_cached(RESULT)?.execute(params![
            place.sequence,
            at.timestamp_micros(),
            None::<bool>
        ])?;
    }
    Ok(waited)
}

/// Takes back everything that waits for one enrolment, and tells how many that were.
pub(super) fn clear(
    connection: &Connection,
    enrollment: i64,
    at: DateTime<Utc>,
) -> rusqlite::Result<u64> {
    let cancelled = connection
        .prepare_cached(CANCEL_ALL)?
        .execute(params![enrollment, at.timestamp_micros()])?;
    if cancelled > 0 {
        connection.prepare_cached(CLEAR)?.execute([enrollment])?;
    }
    Ok(cancelled as u64)
}

/// Takes back each `EraseDevice` that waits for one enrolment.
pub(super) fn cancel_erasures(
    connection: &Connection,
    enrollment: i64,
    at: DateTime<Utc>,
) -> rusqlite::Result<()> {
    let places: Vec<_> = connection
        .prepare_cached(ERASURES)?
        .query_map([enrollment], |row| place_of(row, enrollment))?
        .collect::<Result<_, _>>()?;
    for place in places {
        cancel(connection, place, at)?;
    }
    Ok(())
}

/// Takes back everything that waits for these enrolments, and tells how many that were.
pub(super) fn clear_all(
    connection: &Connection,
    enrollments: &[i64],
    at: DateTime<Utc>,
) -> rusqlite::Result<u64> {
    let keys = rows::to_json(&enrollments)?;
    let cancelled = connection
        .prepare_cached(CANCEL_ALL_OF)?
        .execute(params![keys, at.timestamp_micros()])?;
    if cancelled > 0 {
        connection.prepare_cached(CLEAR_OF)?.execute([keys])?;
    }
    Ok(cancelled as u64)
}

/// Settles everything that is over of one enrolment.
pub(super) fn expire_of(
    connection: &Connection,
    enrollment: i64,
    now: DateTime<Utc>,
) -> rusqlite::Result<()> {
    let over: Vec<_> = connection
        .prepare_cached(OVER_OF)?
        .query_map(params![now.timestamp_micros(), enrollment], |row| {
            self::over(row, now)
        })?
        .collect::<Result<_, _>>()?;
    over.iter()
        .try_for_each(|over| settle_as_expired(connection, over))
}

/// Settles what is over of all enrolments, at most `limit`.
pub(super) fn expire(
    connection: &Connection,
    now: DateTime<Utc>,
    limit: usize,
) -> rusqlite::Result<usize> {
    let over: Vec<_> = connection
        .prepare_cached(OVER)?
        .query_map(
            params![now.timestamp_micros(), values::limit(limit)],
            |row| self::over(row, now),
        )?
        .collect::<Result<_, _>>()?;
    over.iter()
        .try_for_each(|over| settle_as_expired(connection, over))?;
    Ok(over.len())
}

fn over(row: &Row<'_>, now: DateTime<Utc>) -> rusqlite::Result<Over> {
    let uuid: String = row.get(3)?;
    Ok(Over {
        place: Place {
            enrollment: row.get(0)?,
            rank: row.get(1)?,
            sequence: row.get(2)?,
        },
        event: Event::new(rows::id(row, 4)?, now, EventKind::command_expired(uuid)),
    })
}

fn settle_as_expired(connection: &Connection, over: &Over) -> rusqlite::Result<()> {
    take(connection, over.place)?;
    connection.prepare_cached(RESULT)?.execute(params![
        over.place.sequence,
        over.event.at.timestamp_micros(),
        true
    ])?;
    outbox::write(connection, &over.event)
}
