//! Invitations, escrow and leases in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_protocol::EnrollmentId;

use super::MemoryStore;
use crate::{
    EscrowEntry, EscrowKind, Invitation,
    queue::Sequence,
    store::{EscrowStore, InvitationStore, LeaseStore, StoreError},
};

#[async_trait]
impl InvitationStore for MemoryStore {
    async fn invite(&self, invitation: Invitation) -> Result<(), StoreError> {
        let mut state = self.state();
        let id = invitation.id.clone();
        state.invitations.entry(id).or_insert(invitation);
        Ok(())
    }

    async fn invitation(&self, id: &str) -> Result<Option<Invitation>, StoreError> {
        Ok(self.state().invitations.get(id).cloned())
    }

    async fn forget_invitations(
        &self,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut state = self.state();
        let over: Vec<_> = state
            .invitations
            .values()
            .filter(|invitation| invitation.spent_by.is_none() && invitation.expires_at <= now)
            .take(limit)
            .map(|invitation| invitation.id.clone())
            .collect();
        for id in &over {
            state.invitations.remove(id);
        }
        Ok(over.len())
    }
}

#[async_trait]
impl EscrowStore for MemoryStore {
    async fn escrow(&self, entries: Vec<EscrowEntry>) -> Result<(), StoreError> {
        self.state().escrow.extend(entries);
        Ok(())
    }

    async fn escrowed(
        &self,
        id: &EnrollmentId,
        kind: Option<&EscrowKind>,
        limit: usize,
    ) -> Result<Vec<EscrowEntry>, StoreError> {
        let state = self.state();
        let takes = |entry: &&EscrowEntry| {
            entry.device == *id && kind.is_none_or(|kind| entry.kind == *kind)
        };
        let newest_first = state.escrow.iter().rev();
        Ok(newest_first.filter(takes).take(limit).cloned().collect())
    }

    async fn escrow_page(
        &self,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, EscrowEntry)>, StoreError> {
        let state = self.state();
        let numbered = (1..).map(Sequence::new).zip(&state.escrow);
        let page = numbered.filter(|(sequence, _)| *sequence > after);
        Ok(page
            .take(limit)
            .map(|(sequence, entry)| (sequence, entry.clone()))
            .collect())
    }
}

#[async_trait]
impl LeaseStore for MemoryStore {
    async fn lease(
        &self,
        name: &str,
        holder: &str,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let held = state.leases.get(name);
        if held.is_some_and(|(other, end)| other != holder && *end > now) {
            return Ok(false);
        }
        let lease = (holder.to_owned(), until);
        state.leases.insert(name.to_owned(), lease);
        Ok(true)
    }

    async fn release(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        let mut state = self.state();
        state
            .leases
            .retain(|lease, (held_by, _)| lease != name || held_by != holder);
        Ok(())
    }
}
