//! Devices and their users in memory.

use async_trait::async_trait;
use mdm_protocol::EnrollmentId;

use super::{MemoryStore, State};
use crate::{
    Enrollment, EnrollmentStatus, Fingerprint, PushTarget,
    enrollment::decide::{Cascade, Loaded, Step, Version},
    store::{CommitError, EnrollmentFilter, EnrollmentStore, StoreError},
};

#[async_trait]
impl EnrollmentStore for MemoryStore {
    async fn load(
        &self,
        id: &EnrollmentId,
        certificate: &Fingerprint,
    ) -> Result<Loaded, StoreError> {
        let state = self.state();
        let device = id.of_device();
        Ok(Loaded {
            version: state.versions.get(&device).copied().unwrap_or_default(),
            user: (*id != device)
                .then(|| state.enrollments.get(id).cloned())
                .flatten(),
            device: state.enrollments.get(&device).cloned(),
            certificate_owner: state.pins.get(certificate).cloned(),
        })
    }

    async fn commit(
        &self,
        id: &EnrollmentId,
        version: Version,
        step: Step,
    ) -> Result<(), CommitError> {
        let mut state = self.state();
        let device = id.of_device();
        state.check(&device, version, &step)?;
        state.versions.insert(device.clone(), version.next());
        state.cascade(id, &step);
        if let Some(pin) = step.device.as_ref().and_then(|device| device.certificate) {
            state.pins.insert(pin, device.clone());
        }
        if let Some(spend) = &step.invitation
            && let Some(invitation) = state.invitations.get_mut(&spend.id)
        {
            invitation.spent_at.get_or_insert(spend.at);
            invitation.spent_by = Some(device);
        }
        for enrollment in step.device.into_iter().chain(step.user) {
            state.save(enrollment);
        }
        if step.wakes && state.waits(id) {
            state.due_by(id, step.at);
        }
        state.escrow.extend(step.escrow);
        for event in &step.events {
            state.write_event(event);
        }
        Ok(())
    }

    async fn enrollment(&self, id: &EnrollmentId) -> Result<Option<Enrollment>, StoreError> {
        Ok(self.state().enrollments.get(id).cloned())
    }

    async fn enrollments(
        &self,
        filter: &EnrollmentFilter,
        after: Option<&EnrollmentId>,
        limit: usize,
    ) -> Result<Vec<Enrollment>, StoreError> {
        let state = self.state();
        let after = after.map(ToString::to_string).unwrap_or_default();
        let mut found: Vec<_> = state
            .enrollments
            .values()
            .filter(|enrollment| filter.takes(enrollment))
            .map(|enrollment| (enrollment.id.to_string(), enrollment))
            .filter(|(id, _)| *id > after)
            .collect();
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let page = found.into_iter().take(limit);
        Ok(page.map(|(_, enrollment)| enrollment.clone()).collect())
    }

    async fn places_taken(&self, pool: &str) -> Result<u64, StoreError> {
        Ok(self.state().places_taken(pool, None))
    }

    async fn push_targets(
        &self,
        ids: &[EnrollmentId],
    ) -> Result<Vec<Option<PushTarget>>, StoreError> {
        let state = self.state();
        Ok(ids.iter().map(|id| state.target(id)).collect())
    }
}

impl State {
    /// Everything that may refuse the step.
    fn check(
        &self,
        device: &EnrollmentId,
        version: Version,
        step: &Step,
    ) -> Result<(), CommitError> {
        let known = self.enrollments.get(device);
        let current = self.versions.get(device).copied().unwrap_or_default();
        let pin = step.device.as_ref().and_then(|device| device.certificate);
        let taken = pin
            .and_then(|pin| self.pins.get(&pin))
            .is_some_and(|owner| owner != device);
        if current != version || taken || (known.is_none() && step.device.is_none()) {
            return Err(CommitError::Conflict);
        }
        if let Some(spend) = &step.invitation {
            self.invitations
                .get(&spend.id)
                .filter(|invitation| invitation.may_be_spent(device, spend.at))
                .ok_or(CommitError::InvitationSpent)?;
        }
        for claim in step.claims.iter().filter(|_| step.device.is_some()) {
            let has = known.is_some_and(|known| known.licences.contains(&claim.pool));
            if !has && self.places_taken(&claim.pool, Some(device)) >= claim.limit {
                return Err(CommitError::pool_full(&claim.pool));
            }
        }
        Ok(())
    }

    fn places_taken(&self, pool: &str, besides: Option<&EnrollmentId>) -> u64 {
        let takes = |enrollment: &&Enrollment| {
            Some(&enrollment.id) != besides && enrollment.licences.iter().any(|has| has == pool)
        };
        self.enrollments.values().filter(takes).count() as u64
    }

    fn save(&mut self, mut enrollment: Enrollment) {
        let known = self.enrollments.get(&enrollment.id);
        let seen = known.and_then(|known| known.last_seen_at);
        enrollment.last_seen_at = enrollment.last_seen_at.max(seen);
        if !enrollment.is_pushable() {
            self.due.remove(&enrollment.id);
        }
        self.enrollments.insert(enrollment.id.clone(), enrollment);
    }

    fn cascade(&mut self, id: &EnrollmentId, step: &Step) {
        match step.cascade {
            Cascade::None => {}
            Cascade::User => drop(self.cancel_queue_of(id, step.at)),
            Cascade::Erasures => self.cancel_erasures(&id.of_device(), step.at),
            Cascade::Device => {
                let device = id.of_device();
                let family: Vec<_> = self
                    .enrollments
                    .keys()
                    .filter(|id| id.of_device() == device)
                    .cloned()
                    .collect();
                for id in &family {
                    self.cancel_queue_of(id, step.at);
                    let users = self.enrollments.get_mut(id).filter(|e| e.id != device);
                    if let Some(user) = users.filter(|e| e.status != EnrollmentStatus::Disabled) {
                        user.status = EnrollmentStatus::Disabled;
                        user.disabled_at = Some(step.at);
                        user.push = None;
                        user.push_dead_at = None;
                        self.due.remove(id);
                    }
                }
            }
        }
    }
}
