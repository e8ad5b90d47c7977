//! [`PushStore`] on PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_service::{EnrollmentId, PushTarget, StoreError, push::PushSettled, store::PushStore};
use tokio_postgres::Row;

use super::rows::{self, micros, number};
use crate::postgres::PostgresStore;

const DUE: &str = "SELECT id, topic, push_token, push_magic FROM mdm_due_pushes($1, $2, $3)";

const SETTLE: &str = "SELECT mdm_settle_pushes($1, $2, $3, $4, $5)";

const WAKE: &str = "SELECT mdm_wake($1, $2)";

#[async_trait]
impl PushStore for PostgresStore {
    async fn due_pushes(
        &self,
        now: DateTime<Utc>,
        lease: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<PushTarget>, StoreError> {
        let (now, lease) = (now.timestamp_micros(), lease.timestamp_micros());
        let due = self
            .engine
            .rows(DUE, &[&now, &lease, &number(limit)])
            .await?;
        let targets = due.iter().filter_map(|row| target(row).transpose());
        targets.collect()
    }

    async fn settle_pushes(
        &self,
        lease: DateTime<Utc>,
        outcomes: &[PushSettled],
    ) -> Result<(), StoreError> {
        let targets = || outcomes.iter().map(|outcome| &outcome.target);
        let ids: Vec<_> = targets().map(|it| it.enrollment.to_string()).collect();
        let tokens: Vec<_> = targets().map(|target| target.token.expose()).collect();
        let nexts: Vec<_> = outcomes.iter().map(|it| micros(it.next)).collect();
        let deaths: Vec<_> = outcomes.iter().map(|it| micros(it.dead_at)).collect();
        let lease = lease.timestamp_micros();
        self.engine
            .rows(SETTLE, &[&lease, &ids, &tokens, &nexts, &deaths])
            .await
            .map(drop)
    }

    async fn wake(&self, ids: &[EnrollmentId], at: DateTime<Utc>) -> Result<(), StoreError> {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let at = at.timestamp_micros();
        self.engine.rows(WAKE, &[&ids, &at]).await.map(drop)
    }
}

/// The enrolment in the first column, and its address, if there is one, in the three that follow.
pub(super) fn target(row: &Row) -> Result<Option<PushTarget>, StoreError> {
    let Some(push) = rows::push(row, 1)? else {
        return Ok(None);
    };
    let id = rows::id(row, 0)?;
    Ok(Some(PushTarget::new(
        id, push.topic, push.token, push.magic,
    )))
}
