//! [`PushStore`] on SQLite, and the row of what changes with polls and pushes.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_service::{
    Enrollment, EnrollmentId, PushTarget, StoreError, push::PushSettled, store::PushStore,
};
use rusqlite::{Connection, params};

use super::{
    enrollments,
    rows::{self, ENROLLED},
};
use crate::sqlite::{SqliteStore, values};

const SAVE: &str = "INSERT INTO contact (enrollment, last_seen_at, push_dead_at)
     VALUES (?1, ?2, ?3) ON CONFLICT (enrollment) DO UPDATE SET
         last_seen_at = ifnull(max(last_seen_at, ?2), ifnull(last_seen_at, ?2)),
         push_dead_at = ?3, push_due_at = iif(?4, push_due_at, NULL)";

/// Not where nobody can be pushed to, and not where it is due as early.
pub(super) const DUE_BY: &str = "UPDATE contact SET push_due_at = ?2
     WHERE enrollment = ?1 AND push_dead_at IS NULL
         AND (push_due_at IS NULL OR push_due_at > ?2)
         AND EXISTS (SELECT 1 FROM enrollments
             WHERE key = ?1 AND status = ?3 AND topic IS NOT NULL)";

pub(super) const WAITS: &str = "SELECT EXISTS (SELECT 1 FROM queue WHERE enrollment = ?1)";

pub(super) const SET_DUE: &str = "UPDATE contact SET push_due_at = ?2 WHERE enrollment = ?1";

pub(super) const SET_SEEN: &str = "UPDATE contact SET last_seen_at = ?2 WHERE enrollment = ?1";

pub(super) const IS_DUE: &str = "SELECT EXISTS (SELECT 1 FROM contact WHERE push_due_at <= ?1)";

pub(super) const DUE: &str = "SELECT e.topic, e.push_token, e.push_magic, e.id, c.enrollment
     FROM contact c JOIN enrollments e ON e.key = c.enrollment
     WHERE c.push_due_at <= ?1 ORDER BY c.push_due_at LIMIT ?2";

pub(super) const SETTLE: &str =
    "UPDATE contact SET push_due_at = ?3 WHERE enrollment = ?1 AND push_due_at = ?2";

pub(super) const DEAD: &str = "UPDATE contact SET push_dead_at = ?2, push_due_at = NULL
     WHERE enrollment = ?1 AND push_dead_at IS NULL
         AND EXISTS (SELECT 1 FROM enrollments WHERE key = ?1 AND push_token = ?3)";

#[async_trait]
impl PushStore for SqliteStore {
    async fn due_pushes(
        &self,
        now: DateTime<Utc>,
        lease: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<PushTarget>, StoreError> {
        let now = now.timestamp_micros();
        // Asked often, and mostly for nothing.
        let any: bool = self
            .engine
            .read(move |connection| {
                connection
                    .prepare_cached(IS_DUE)?
                    .query_row([now], |row| row.get(0))
            })
            .await?;
        if !any {
            return Ok(Vec::new());
        }
        self.engine
            .write(move |connection| {
                let due: Vec<_> = connection
                    .prepare_cached(DUE)?
                    .query_map(params![now, values::limit(limit)], |row| {
                        Ok((rows::push(row, 0)?, rows::id(row, 3)?, row.get(4)?))
                    })?
                    .collect::<Result<_, _>>()?;
                let mut targets = Vec::with_capacity(due.len());
                for (push, id, key) in due {
                    set_due(connection, key, Some(lease))?;
                    targets.extend(
                        push.map(|push| PushTarget::new(id, push.topic, push.token, push.magic)),
                    );
                }
                Ok(targets)
            })
            .await
    }

    async fn settle_pushes(
        &self,
        lease: DateTime<Utc>,
        outcomes: &[PushSettled],
    ) -> Result<(), StoreError> {
        let outcomes = outcomes.to_vec();
        self.engine
            .write(move |connection| {
                let lease = lease.timestamp_micros();
                for outcome in &outcomes {
                    let target = &outcome.target;
                    let Some(key) = enrollments::key(connection, &target.enrollment)? else {
                        continue;
                    };
                    let next = outcome.next.map(|next| next.timestamp_micros());
                    connection
                        .prepare_cached(SETTLE)?
                        .execute(params![key, lease, next])?;
                    if let Some(dead_at) = outcome.dead_at {
                        let marked = connection.prepare_cached(DEAD)?.execute(params![
                            key,
                            dead_at.timestamp_micros(),
                            target.token.expose()
                        ])?;
                        if marked > 0 {
                            enrollments::move_version(connection, key)?;
                        }
                    }
                }
                Ok(())
            })
            .await
    }

    async fn wake(&self, ids: &[EnrollmentId], at: DateTime<Utc>) -> Result<(), StoreError> {
        let ids = ids.to_vec();
        self.engine
            .write(move |connection| {
                for id in &ids {
                    if let Some(key) = enrollments::key(connection, id)? {
                        due_by(connection, key, at)?;
                    }
                }
                Ok(())
            })
            .await
    }
}

/// Keeps what an enrolment's state says here.
pub(super) fn save_contact(
    connection: &Connection,
    key: i64,
    state: &Enrollment,
) -> rusqlite::Result<()> {
    connection.prepare_cached(SAVE)?.execute(params![
        key,
        state.last_seen_at.map(|at| at.timestamp_micros()),
        state.push_dead_at.map(|at| at.timestamp_micros()),
        state.is_pushable(),
    ])?;
    Ok(())
}

/// Makes a push due at `at` at the latest, if the enrolment can be pushed to.
pub(super) fn due_by(connection: &Connection, key: i64, at: DateTime<Utc>) -> rusqlite::Result<()> {
    connection
        .prepare_cached(DUE_BY)?
        .execute(params![key, at.timestamp_micros(), ENROLLED])?;
    Ok(())
}

/// The same, if a command waits.
pub(super) fn due_if_waiting(
    connection: &Connection,
    key: i64,
    at: DateTime<Utc>,
) -> rusqlite::Result<()> {
    if waits(connection, key)? {
        due_by(connection, key, at)?;
    }
    Ok(())
}

/// Whether a command waits for the enrolment.
pub(super) fn waits(connection: &Connection, key: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(WAITS)?
        .query_row([key], |row| row.get(0))
}

pub(super) fn set_due(
    connection: &Connection,
    key: i64,
    due: Option<DateTime<Utc>>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(SET_DUE)?
        .execute(params![key, due.map(|due| due.timestamp_micros())])?;
    Ok(())
}

pub(super) fn set_seen(
    connection: &Connection,
    key: i64,
    at: DateTime<Utc>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(SET_SEEN)?
        .execute(params![key, at.timestamp_micros()])?;
    Ok(())
}
