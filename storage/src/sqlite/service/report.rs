//! What a report does, and what comes next: the hot path.

use chrono::{DateTime, Utc};
use mdm_service::{
    Body, Reported,
    queue::{Polled, PushTimes, QueuedCommand, Report, ReportKind, Sequence, Settlement},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    enrollments, escrow, outbox, pushes, queue,
    rows::{self, ENROLLED},
};

/// The certificate that the device must show, and the sender as the store knows it.
pub(super) const SENDER: &str = "SELECT d.certificate, s.key,
         s.status = ?3 AND s.topic IS NOT NULL AND c.push_dead_at IS NULL,
         c.last_seen_at, c.push_due_at
     FROM enrollments d LEFT JOIN enrollments s ON s.id = ?2
     LEFT JOIN contact c ON c.enrollment = s.key WHERE d.id = ?1";

pub(super) const IS_ASIDE: &str =
    "SELECT EXISTS (SELECT 1 FROM queue WHERE enrollment = ?1 AND phase = 2)";

pub(super) const RELEASE: &str = "UPDATE queue SET phase = 1 WHERE enrollment = ?1 AND phase = 2";

pub(super) const SET_ASIDE: &str = "UPDATE queue SET phase = 2
     WHERE enrollment = ?1 AND phase IN (0, 1, 2) AND rank = ?2 AND seq = ?3";

pub(super) const IS_OVER: &str =
    "SELECT EXISTS (SELECT 1 FROM queue WHERE enrollment = ?1 AND expires_at <= ?2)";

const RESULT: &str = "INSERT INTO results (seq, at, status, body) VALUES (?1, ?2, ?3, ?4)";

/// The first of one phase.
pub(super) const FIRST: &str = "SELECT rank, seq FROM queue
     WHERE enrollment = ?1 AND phase = ?2 ORDER BY rank, seq LIMIT 1";

pub(super) const OFFER: &str = "SELECT uuid, body FROM commands WHERE seq = ?1";

pub(super) const REPORTED: &str = "SELECT reported FROM enrollments WHERE key = ?1";

const SET_REPORTED: &str = "UPDATE enrollments SET reported = ?2 WHERE key = ?1";

/// Who reports.
struct Sender {
    key: i64,
    is_pushable: bool,
    last_seen_at: Option<DateTime<Utc>>,
    push_due_at: Option<DateTime<Utc>>,
}

/// Answers an `Idle` that changes nothing; `None` if it changes something.
pub(super) fn if_quiet(
    connection: &Connection,
    report: &Report,
) -> rusqlite::Result<Option<Polled>> {
    let sender = match sender(connection, report)? {
        Ok(sender) => sender,
        Err(answer) => return Ok(Some(answer)),
    };
    if report.moves_last_seen(sender.last_seen_at)
        || is_aside(connection, &sender)?
        || is_over(connection, &sender, report)?
    {
        return Ok(None);
    }
    let next = next(connection, &sender, report)?;
    let due = next_push(connection, &sender, report, next.is_some())?;
    let quiet = due == sender.push_due_at;
    Ok(quiet.then(|| Polled::taken(Settlement::NoCommand, next)))
}

/// Takes a report in.
pub(super) fn take(connection: &Connection, report: &Report) -> rusqlite::Result<Polled> {
    let sender = match sender(connection, report)? {
        Ok(sender) => sender,
        Err(answer) => return Ok(answer),
    };
    let settlement = settle(connection, &sender, report)?;
    if is_over(connection, &sender, report)? {
        queue::expire_of(connection, sender.key, report.at)?;
    }
    let next = next(connection, &sender, report)?;
    let due = next_push(connection, &sender, report, next.is_some())?;
    if due != sender.push_due_at {
        pushes::set_due(connection, sender.key, due)?;
    }
    if report.moves_last_seen(sender.last_seen_at) {
        pushes::set_seen(connection, sender.key, report.at)?;
    }
    Ok(Polled::taken(settlement, next))
}

/// The sender, or what it is answered where there is nothing to look at.
fn sender(connection: &Connection, report: &Report) -> rusqlite::Result<Result<Sender, Polled>> {
    let device = report.enrollment.of_device().to_string();
    let found = connection
        .prepare_cached(SENDER)?
        .query_row(
            params![device, report.enrollment.to_string(), ENROLLED],
            |row| {
                let pinned: Option<[u8; 32]> = row.get(0)?;
                let sender = match row.get::<_, Option<i64>>(1)? {
                    None => None,
                    Some(key) => Some(Sender {
                        key,
                        is_pushable: row.get(2)?,
                        last_seen_at: rows::optional_time(row, 3)?,
                        push_due_at: rows::optional_time(row, 4)?,
                    }),
                };
                Ok((pinned, sender))
            },
        )
        .optional()?;
    Ok(match found {
        Some((Some(pinned), sender)) if pinned == *report.certificate.as_bytes() => {
            // A user that never sent a `TokenUpdate` has no queue.
            sender.ok_or_else(|| {
                let settlement = match report.kind {
                    ReportKind::Idle => Settlement::NoCommand,
                    _ => Settlement::Unknown,
                };
                Polled::taken(settlement, None)
            })
        }
        _ => Err(Polled::NotPinned),
    })
}

fn settle(
    connection: &Connection,
    sender: &Sender,
    report: &Report,
) -> rusqlite::Result<Settlement> {
    let uuid = match &report.kind {
        ReportKind::NotNow { command_uuid, .. } | ReportKind::Final { command_uuid, .. } => {
            command_uuid
        }
        _ => {
            // Most `Idle`s find nothing set aside, and then write nothing.
            if is_aside(connection, sender)? {
                connection.prepare_cached(RELEASE)?.execute([sender.key])?;
            }
            return Ok(Settlement::NoCommand);
        }
    };
    let Some(place) = queue::place(connection, sender.key, uuid)? else {
        return Ok(Settlement::Unknown);
    };
    let ReportKind::Final {
        status,
        body,
        event,
        reported,
        escrow,
        ..
    } = &report.kind
    else {
        let waited = connection.prepare_cached(SET_ASIDE)?.execute(params![
            sender.key,
            place.rank,
            place.sequence
        ])?;
        return Ok(match waited {
            0 => Settlement::Before,
            _ => Settlement::SetAside,
        });
    };
    if !queue::take(connection, place)? {
        return Ok(Settlement::Before);
    }
    connection.prepare_cached(RESULT)?.execute(params![
        place.sequence,
        report.at.timestamp_micros(),
        status,
        body.as_ref(),
    ])?;
    if let Some(told) = reported {
        join_reported(connection, sender.key, report, told)?;
    }
    escrow::write(connection, escrow)?;
    outbox::write(connection, event)?;
    Ok(Settlement::Settled)
}

/// Joins what a device says of itself to what is known.
fn join_reported(
    connection: &Connection,
    key: i64,
    report: &Report,
    told: &Reported,
) -> rusqlite::Result<()> {
    let known: Option<Reported> = connection
        .prepare_cached(REPORTED)?
        .query_row([key], |row| rows::optional_json(row, 0))?;
    let Some(joined) = report.joined(known, told) else {
        return Ok(());
    };
    connection
        .prepare_cached(SET_REPORTED)?
        .execute(params![key, rows::to_json(&joined.reported)?])?;
    match joined.is_news {
        true => enrollments::move_version(connection, key),
        false => Ok(()),
    }
}

/// What the device shall do next.
fn next(
    connection: &Connection,
    sender: &Sender,
    report: &Report,
) -> rusqlite::Result<Option<QueuedCommand>> {
    let phases: &[i64] = match report.kind {
        ReportKind::NotNow { .. } => &[0],
        _ => &[0, 1],
    };
    let mut best: Option<(i64, i64)> = None;
    for phase in phases {
        let first = connection
            .prepare_cached(FIRST)?
            .query_row([sender.key, *phase], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        best = match (best, first) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    let Some((_, sequence)) = best else {
        return Ok(None);
    };
    connection
        .prepare_cached(OFFER)?
        .query_row([sequence], |row| {
            let uuid: String = row.get(0)?;
            let body = Body::from(row.get::<_, Vec<u8>>(1)?);
            Ok(QueuedCommand::new(
                Sequence::new(sequence.unsigned_abs()),
                uuid,
                body,
            ))
        })
        .map(Some)
}

/// When the next push is due, in the precision of the store.
fn next_push(
    connection: &Connection,
    sender: &Sender,
    report: &Report,
    delivered: bool,
) -> rusqlite::Result<Option<DateTime<Utc>>> {
    let wanted = if !sender.is_pushable {
        None
    } else if delivered {
        Some(report.push.delivered)
    } else {
        let waits = pushes::waits(connection, sender.key)?;
        Some(report.push.set_aside).filter(|_| waits)
    };
    Ok(PushTimes::settled(report.at, sender.push_due_at, wanted))
}

fn is_aside(connection: &Connection, sender: &Sender) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(IS_ASIDE)?
        .query_row([sender.key], |row| row.get(0))
}

fn is_over(connection: &Connection, sender: &Sender, report: &Report) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(IS_OVER)?
        .query_row(params![sender.key, report.at.timestamp_micros()], |row| {
            row.get(0)
        })
}
