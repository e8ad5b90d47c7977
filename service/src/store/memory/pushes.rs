//! Pushes in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_protocol::EnrollmentId;

use super::MemoryStore;
use crate::{
    PushTarget,
    push::PushSettled,
    store::{PushStore, StoreError},
};

#[async_trait]
impl PushStore for MemoryStore {
    async fn due_pushes(
        &self,
        now: DateTime<Utc>,
        lease: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<PushTarget>, StoreError> {
        let mut state = self.state();
        let mut due: Vec<_> = state
            .due
            .iter()
            .filter(|(_, due)| **due <= now)
            .map(|(id, due)| (*due, id.clone()))
            .collect();
        due.sort_unstable();
        due.truncate(limit);
        let mut targets = Vec::new();
        for (_, id) in due {
            targets.extend(state.target(&id));
            state.due.insert(id, lease);
        }
        Ok(targets)
    }

    async fn settle_pushes(
        &self,
        lease: DateTime<Utc>,
        outcomes: &[PushSettled],
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        for outcome in outcomes {
            let id = &outcome.target.enrollment;
            if state.due.get(id) == Some(&lease) {
                match outcome.next {
                    Some(next) => drop(state.due.insert(id.clone(), next)),
                    None => drop(state.due.remove(id)),
                }
            }
            let pushed = |token| token == &outcome.target.token;
            if let Some(dead_at) = outcome.dead_at
                && let Some(enrollment) = state.enrollments.get_mut(id)
                && enrollment.push_dead_at.is_none()
                && enrollment
                    .push
                    .as_ref()
                    .map(|push| &push.token)
                    .is_some_and(pushed)
            {
                enrollment.push_dead_at = Some(dead_at);
                state.due.remove(id);
                state.move_version(id);
            }
        }
        Ok(())
    }

    async fn wake(&self, ids: &[EnrollmentId], at: DateTime<Utc>) -> Result<(), StoreError> {
        let mut state = self.state();
        for id in ids {
            state.due_by(id, at);
        }
        Ok(())
    }
}
