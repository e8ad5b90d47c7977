//! The store without a database: for tests, examples and a process that may forget.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::pending::{PendingId, PendingRequest, PendingStore, Resolution};

use super::{
    CertificateRecord, ChallengeId, ChallengeRecord, Committed, Grant, GrantKind, Issuance,
    RequestId, Revocation, Spent, Store, StoreError,
};

/// Keeps everything in memory, up to a bound of challenges and of pending requests; certificates are
/// never forgotten.
#[derive(Debug)]
pub struct MemoryStore {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    challenges: HashMap<ChallengeId, ChallengeRecord>,
    certificates: HashMap<Vec<u8>, CertificateRecord>,
    /// The serial numbers that requests for renewal ended in.
    renewals: HashMap<RequestId, Vec<u8>>,
    pending: HashMap<PendingId, PendingRequest>,
    crl_number: u64,
}

impl State {
    /// What speaks against spending the grant for this request.
    fn settled(&self, issuance: &Issuance) -> Option<Committed> {
        let repeated = |record: &CertificateRecord| Committed::Repeated(record.certificate.clone());
        match &issuance.grant {
            Grant::Elsewhere { .. } => None,
            Grant::Challenge { id, .. } | Grant::Order { permit: id, .. } => {
                match self.challenges.get(id) {
                    None => Some(Committed::Conflict),
                    Some(record) => record.spent.as_ref().map(|spent| {
                        if spent.request == issuance.request {
                            Committed::Repeated(spent.certificate.clone())
                        } else {
                            Committed::Conflict
                        }
                    }),
                }
            }
            Grant::Renewal { of, .. } => match self.certificates.get(of) {
                Some(old) if old.revoked.is_none() => self
                    .renewals
                    .get(&issuance.request)
                    .and_then(|serial| self.certificates.get(serial))
                    .map(repeated),
                _ => Some(Committed::Conflict),
            },
        }
    }
}

impl MemoryStore {
    /// An empty store of at most 100,000 challenges.
    pub fn new() -> Self {
        Self::with_limit(100_000)
    }

    /// An empty store of at most `limit` challenges and as many pending requests.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            limit,
            state: Mutex::default(),
        }
    }

    /// How many certificates were issued.
    pub fn issued(&self) -> usize {
        self.state().certificates.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn insert_challenge(
        &self,
        id: ChallengeId,
        record: ChallengeRecord,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.challenges.contains_key(&id) {
            return Err(StoreError::Exists);
        }
        if state.challenges.len() >= self.limit {
            return Err(StoreError::Full { limit: self.limit });
        }
        state.challenges.insert(id, record);
        Ok(())
    }

    async fn challenge(&self, id: &ChallengeId) -> Result<Option<ChallengeRecord>, StoreError> {
        Ok(self.state().challenges.get(id).cloned())
    }

    async fn forget_challenges(&self, expired_before: DateTime<Utc>) -> Result<usize, StoreError> {
        let mut state = self.state();
        let before = state.challenges.len();
        state
            .challenges
            .retain(|_, record| record.expires_at >= expired_before);
        Ok(before - state.challenges.len())
    }

    async fn commit(&self, issuance: Issuance) -> Result<Committed, StoreError> {
        let mut state = self.state();
        if let Some(settled) = state.settled(&issuance) {
            return Ok(settled);
        }
        let certificate = issuance.certificate;
        let serial = certificate.serial().to_vec();
        if state.certificates.contains_key(&serial) {
            return Err(StoreError::Exists);
        }
        let grant = &issuance.grant;
        if let Some(record) = grant.spends().and_then(|id| state.challenges.get_mut(id)) {
            record.spent = Some(Spent::new(issuance.request, certificate.clone()));
        }
        if grant.kind() == GrantKind::Renewal {
            state.renewals.insert(issuance.request, serial.clone());
        }
        let record = CertificateRecord::new(certificate);
        let record = record.with(|record| record.granted = Some(grant.kind()));
        state.certificates.insert(serial, record);
        Ok(Committed::Stored)
    }

    async fn certificate(&self, serial: &[u8]) -> Result<Option<CertificateRecord>, StoreError> {
        Ok(self.state().certificates.get(serial).cloned())
    }

    async fn revoke(
        &self,
        serial: &[u8],
        revocation: Revocation,
    ) -> Result<Option<Revocation>, StoreError> {
        let mut state = self.state();
        let record = state.certificates.get_mut(serial);
        Ok(record.map(|record| *record.revoked.get_or_insert(revocation)))
    }

    async fn revoked(
        &self,
        valid_at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<CertificateRecord>, StoreError> {
        Ok(self
            .state()
            .certificates
            .values()
            .filter(|record| record.revoked.is_some())
            .filter(|record| record.certificate.not_after() >= valid_at)
            .take(limit)
            .cloned()
            .collect())
    }

    async fn next_crl_number(&self) -> Result<u64, StoreError> {
        let mut state = self.state();
        state.crl_number += 1;
        Ok(state.crl_number)
    }
}

#[async_trait]
impl PendingStore for MemoryStore {
    async fn hold(&self, id: PendingId, request: PendingRequest) -> Result<(), StoreError> {
        let mut state = self.state();
        let full = state.pending.len() >= self.limit;
        match state.pending.get(&id) {
            Some(kept) if kept.request == request.request => return Err(StoreError::Exists),
            None if full => return Err(StoreError::Full { limit: self.limit }),
            _ => {}
        }
        state.pending.insert(id, request);
        Ok(())
    }

    async fn pending(&self, id: &PendingId) -> Result<Option<PendingRequest>, StoreError> {
        Ok(self.state().pending.get(id).cloned())
    }

    async fn resolve(
        &self,
        id: &PendingId,
        request: RequestId,
        resolution: Resolution,
    ) -> Result<Option<Resolution>, StoreError> {
        let mut state = self.state();
        let pending = state.pending.get_mut(id);
        Ok(pending
            .filter(|pending| pending.request == request)
            .map(|pending| pending.resolution.get_or_insert(resolution).clone()))
    }

    async fn unresolved(
        &self,
        limit: usize,
    ) -> Result<Vec<(PendingId, PendingRequest)>, StoreError> {
        let state = self.state();
        let mut unresolved: Vec<_> = state
            .pending
            .iter()
            .filter(|(_, pending)| pending.resolution.is_none())
            .map(|(id, pending)| (*id, pending.clone()))
            .collect();
        unresolved.sort_by_key(|(id, pending)| (pending.since, *id.as_bytes()));
        unresolved.truncate(limit);
        Ok(unresolved)
    }

    async fn forget_pending(&self, before: DateTime<Utc>) -> Result<usize, StoreError> {
        let mut state = self.state();
        let count = state.pending.len();
        state.pending.retain(|_, pending| pending.since >= before);
        Ok(count - state.pending.len())
    }
}
