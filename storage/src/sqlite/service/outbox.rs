//! [`Outbox`] on SQLite: a row for each subscriber and event.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_service::{DeadLetter, Event, EventKind, StoreError, queue::Sequence, store::Outbox};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::rows;
use crate::{
    document,
    sqlite::{SqliteStore, values},
};

const SUBSCRIBE: &str = "INSERT INTO subscribers (name) VALUES (?1) ON CONFLICT DO NOTHING";

pub(super) const SUBSCRIBER: &str = "SELECT key FROM subscribers WHERE name = ?1";

const SUBSCRIBERS: &str = "SELECT name FROM subscribers ORDER BY name";

pub(super) const UNSUBSCRIBE: [&str; 3] = [
    "DELETE FROM outbox WHERE subscriber = ?1",
    "DELETE FROM dead_letters WHERE subscriber = ?1",
    "DELETE FROM subscribers WHERE key = ?1",
];

const WRITE: &str = "INSERT INTO outbox (enrollment, at, event, subscriber)
     SELECT ?1, ?2, ?3, key FROM subscribers";

pub(super) const EVENTS: &str = "SELECT o.seq, o.enrollment, o.at, o.event
     FROM subscribers s JOIN outbox o ON o.subscriber = s.key
     WHERE s.name = ?1 ORDER BY o.seq LIMIT ?2";

pub(super) const PENDING: &str = "SELECT count(*)
     FROM subscribers s JOIN outbox o ON o.subscriber = s.key WHERE s.name = ?1";

pub(super) const ACKNOWLEDGE: &str = "DELETE FROM outbox WHERE subscriber = ?1 AND seq = ?2";

pub(super) const BURY: &str = "INSERT INTO dead_letters
         (subscriber, seq, enrollment, at, event, reason, buried_at)
     SELECT subscriber, seq, enrollment, at, event, ?3, ?4 FROM outbox
     WHERE subscriber = ?1 AND seq = ?2";

pub(super) const DEAD: &str = "SELECT d.seq, d.enrollment, d.at, d.event, d.reason, d.buried_at
     FROM subscribers s JOIN dead_letters d ON d.subscriber = s.key
     WHERE s.name = ?1 AND d.seq > ?2 ORDER BY d.seq LIMIT ?3";

pub(super) const REVIVE: &str = "INSERT INTO outbox (subscriber, seq, enrollment, at, event)
     SELECT subscriber, seq, enrollment, at, event FROM dead_letters
     WHERE subscriber = ?1 AND seq = ?2";

pub(super) const FORGET: &str = "DELETE FROM dead_letters WHERE subscriber = ?1 AND seq = ?2";

#[async_trait]
impl Outbox for SqliteStore {
    async fn subscribe(&self, subscriber: &str) -> Result<bool, StoreError> {
        let name = subscriber.to_owned();
        self.engine
            .write(move |connection| Ok(connection.prepare_cached(SUBSCRIBE)?.execute([name])? > 0))
            .await
    }

    async fn unsubscribe(&self, subscriber: &str) -> Result<bool, StoreError> {
        let name = subscriber.to_owned();
        self.engine
            .write(move |connection| {
                let Some(key) = key(connection, &name)? else {
                    return Ok(false);
                };
                for sql in UNSUBSCRIBE {
                    connection.prepare_cached(sql)?.execute([key])?;
                }
                Ok(true)
            })
            .await
    }

    async fn subscribers(&self) -> Result<Vec<String>, StoreError> {
        self.engine
            .read(|connection| {
                connection
                    .prepare_cached(SUBSCRIBERS)?
                    .query_map([], |row| row.get(0))?
                    .collect()
            })
            .await
    }

    async fn tell(&self, events: Vec<Event>) -> Result<(), StoreError> {
        self.engine
            .write(move |connection| events.iter().try_for_each(|event| write(connection, event)))
            .await
    }

    async fn events(
        &self,
        subscriber: &str,
        limit: usize,
    ) -> Result<Vec<(Sequence, Event)>, StoreError> {
        let name = subscriber.to_owned();
        self.engine
            .read(move |connection| {
                connection
                    .prepare_cached(EVENTS)?
                    .query_map(params![name, values::limit(limit)], event)?
                    .collect()
            })
            .await
    }

    async fn pending_events(&self, subscriber: &str) -> Result<u64, StoreError> {
        let name = subscriber.to_owned();
        self.engine
            .read(move |connection| {
                connection
                    .prepare_cached(PENDING)?
                    .query_row([name], |row| rows::unsigned(row, 0))
            })
            .await
    }

    async fn acknowledge_events(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
    ) -> Result<(), StoreError> {
        self.each(subscriber, sequences, |connection, key, sequence| {
            connection
                .prepare_cached(ACKNOWLEDGE)?
                .execute([key, sequence])
        })
        .await
        .map(drop)
    }

    async fn bury_events(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
        reason: &str,
        at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let (reason, at) = (reason.to_owned(), at.timestamp_micros());
        self.each(subscriber, sequences, move |connection, key, sequence| {
            let letter: [&dyn ToSql; 4] = [&key, &sequence, &reason, &at];
            connection.prepare_cached(BURY)?.execute(letter)?;
            connection
                .prepare_cached(ACKNOWLEDGE)?
                .execute([key, sequence])
        })
        .await
    }

    async fn dead_letters(
        &self,
        subscriber: &str,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let name = subscriber.to_owned();
        self.engine
            .read(move |connection| {
                let after = values::number(after.number());
                connection
                    .prepare_cached(DEAD)?
                    .query_map(params![name, after, values::limit(limit)], |row| {
                        let (sequence, event) = event(row)?;
                        let reason: String = row.get(4)?;
                        Ok(DeadLetter::new(
                            sequence,
                            event,
                            reason,
                            rows::time(row, 5)?,
                        ))
                    })?
                    .collect()
            })
            .await
    }

    async fn revive_dead_letters(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
    ) -> Result<u64, StoreError> {
        self.each(subscriber, sequences, |connection, key, sequence| {
            connection
                .prepare_cached(REVIVE)?
                .execute([key, sequence])?;
            connection.prepare_cached(FORGET)?.execute([key, sequence])
        })
        .await
    }

    async fn forget_dead_letters(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
    ) -> Result<u64, StoreError> {
        self.each(subscriber, sequences, |connection, key, sequence| {
            connection.prepare_cached(FORGET)?.execute([key, sequence])
        })
        .await
    }
}

impl SqliteStore {
    /// Does something to each row of a subscriber, as one; tells to how many.
    async fn each(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
        act: impl Fn(&Connection, i64, i64) -> rusqlite::Result<usize> + Send + 'static,
    ) -> Result<u64, StoreError> {
        let (name, sequences) = (subscriber.to_owned(), sequences.to_vec());
        self.engine
            .write(move |connection| {
                let Some(key) = key(connection, &name)? else {
                    return Ok(0);
                };
                let mut done = 0;
                for sequence in sequences {
                    done += act(connection, key, values::number(sequence.number()))? as u64;
                }
                Ok(done)
            })
            .await
    }
}

fn key(connection: &Connection, subscriber: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(SUBSCRIBER)?
        .query_row([subscriber], |row| row.get(0))
        .optional()
}

fn event(row: &Row<'_>) -> rusqlite::Result<(Sequence, Event)> {
    let written = row.get_ref(3)?.as_str()?;
    let kind = document::parse(written).unwrap_or_else(|_| EventKind::unreadable(written));
    let event = Event::new(rows::id(row, 1)?, rows::time(row, 2)?, kind);
    Ok((rows::sequence(row, 0)?, event))
}

/// Puts an event into each subscriber's outbox, in the transaction of what it tells.
pub(super) fn write(connection: &Connection, event: &Event) -> rusqlite::Result<()> {
    connection.prepare_cached(WRITE)?.execute(params![
        event.enrollment.to_string(),
        event.at.timestamp_micros(),
        rows::to_json(&event.kind)?,
    ])?;
    Ok(())
}
