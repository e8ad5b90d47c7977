//! [`Outbox`] on PostgreSQL: a row for each subscriber and event.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_service::{DeadLetter, Event, StoreError, queue::Sequence, store::Outbox};
use tokio_postgres::Row;

use super::rows::{self, Events, get, number, text};
use crate::postgres::PostgresStore;

const SUBSCRIBE: &str = "SELECT mdm_subscribe($1)";

const UNSUBSCRIBE: &str = "SELECT mdm_unsubscribe($1)";

const SUBSCRIBERS: &str = "SELECT name FROM mdm_subscriber ORDER BY name";

const TELL: &str = "SELECT mdm_tell($1, $2, $3)";

const EVENTS: &str = "SELECT seq, enrollment, at, event FROM mdm_event
     WHERE subscriber = (SELECT key FROM mdm_subscriber WHERE name = $1)
     ORDER BY seq LIMIT $2";

const PENDING: &str = "SELECT count(*) FROM mdm_event
     WHERE subscriber = (SELECT key FROM mdm_subscriber WHERE name = $1)";

const ACKNOWLEDGE: &str = "DELETE FROM mdm_event
     WHERE subscriber = (SELECT key FROM mdm_subscriber WHERE name = $1) AND seq = ANY ($2)";

const BURY: &str = "WITH gone AS (
         DELETE FROM mdm_event
         WHERE subscriber = (SELECT key FROM mdm_subscriber WHERE name = $1) AND seq = ANY ($2)
         RETURNING subscriber, seq, enrollment, at, event
     ), kept AS (
         INSERT INTO mdm_dead_letter
             (subscriber, seq, enrollment, at, event, reason, buried_at)
         SELECT subscriber, seq, enrollment, at, event, $3, $4 FROM gone
     )
     SELECT count(*) FROM gone";

const DEAD: &str = "SELECT seq, enrollment, at, event, reason, buried_at FROM mdm_dead_letter
     WHERE subscriber = (SELECT key FROM mdm_subscriber WHERE name = $1) AND seq > $2
     ORDER BY seq LIMIT $3";

const REVIVE: &str = "WITH gone AS (
         DELETE FROM mdm_dead_letter
         WHERE subscriber = (SELECT key FROM mdm_subscriber WHERE name = $1) AND seq = ANY ($2)
         RETURNING subscriber, seq, enrollment, at, event
     ), kept AS (
         INSERT INTO mdm_event (subscriber, seq, enrollment, at, event)
         SELECT subscriber, seq, enrollment, at, event FROM gone
     )
     SELECT count(*) FROM gone";

const FORGET: &str = "WITH gone AS (
         DELETE FROM mdm_dead_letter
         WHERE subscriber = (SELECT key FROM mdm_subscriber WHERE name = $1) AND seq = ANY ($2)
         RETURNING seq
     )
     SELECT count(*) FROM gone";

#[async_trait]
impl Outbox for PostgresStore {
    async fn subscribe(&self, subscriber: &str) -> Result<bool, StoreError> {
        get(&self.engine.one(SUBSCRIBE, &[&text(subscriber)]).await?, 0)
    }

    async fn unsubscribe(&self, subscriber: &str) -> Result<bool, StoreError> {
        get(
            &self.engine.one(UNSUBSCRIBE, &[&text(subscriber)]).await?,
            0,
        )
    }

    async fn subscribers(&self) -> Result<Vec<String>, StoreError> {
        let found = self.engine.rows(SUBSCRIBERS, &[]).await?;
        found.iter().map(|row| get(row, 0)).collect()
    }

    async fn tell(&self, events: Vec<Event>) -> Result<(), StoreError> {
        let columns = Events::new(&events)?;
        self.engine
            .rows(TELL, &[&columns.enrollments, &columns.ats, &columns.events])
            .await
            .map(drop)
    }

    async fn events(
        &self,
        subscriber: &str,
        limit: usize,
    ) -> Result<Vec<(Sequence, Event)>, StoreError> {
        let found = self
            .engine
            .rows(EVENTS, &[&text(subscriber), &number(limit)])
            .await?;
        found.iter().map(rows::event).collect()
    }

    async fn pending_events(&self, subscriber: &str) -> Result<u64, StoreError> {
        rows::unsigned(&self.engine.one(PENDING, &[&text(subscriber)]).await?, 0)
    }

    async fn acknowledge_events(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
    ) -> Result<(), StoreError> {
        self.engine
            .rows(ACKNOWLEDGE, &[&text(subscriber), &numbers(sequences)])
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
        let at = at.timestamp_micros();
        let numbers = numbers(sequences);
        let buried = self
            .engine
            .one(BURY, &[&text(subscriber), &numbers, &text(reason), &at])
            .await?;
        rows::unsigned(&buried, 0)
    }

    async fn dead_letters(
        &self,
        subscriber: &str,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let (after, limit) = (number(after.number()), number(limit));
        let found = self
            .engine
            .rows(DEAD, &[&text(subscriber), &after, &limit])
            .await?;
        found.iter().map(dead_letter).collect()
    }

    async fn revive_dead_letters(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
    ) -> Result<u64, StoreError> {
        let revived = self
            .engine
            .one(REVIVE, &[&text(subscriber), &numbers(sequences)])
            .await?;
        rows::unsigned(&revived, 0)
    }

    async fn forget_dead_letters(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
    ) -> Result<u64, StoreError> {
        let forgotten = self
            .engine
            .one(FORGET, &[&text(subscriber), &numbers(sequences)])
            .await?;
        rows::unsigned(&forgotten, 0)
    }
}

fn dead_letter(row: &Row) -> Result<DeadLetter, StoreError> {
    let (sequence, event) = rows::event(row)?;
    let reason: String = get(row, 4)?;
    Ok(DeadLetter::new(
        sequence,
        event,
        reason,
        rows::time(row, 5)?,
    ))
}

fn numbers(sequences: &[Sequence]) -> Vec<i64> {
    let sequences = sequences.iter();
    sequences
        .map(|sequence| number(sequence.number()))
        .collect()
}
