//! The store without a database: for tests, examples and a process that may forget.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_pki::Certificate;

use super::{ChallengeId, ChallengeRecord, Committed, Grant, Issuance, Spent, Store, StoreError};

/// Keeps everything in memory, up to a bound of challenges; certificates are never forgotten.
#[derive(Debug)]
pub struct MemoryStore {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    challenges: HashMap<ChallengeId, ChallengeRecord>,
    certificates: HashMap<Vec<u8>, Certificate>,
}

impl MemoryStore {
    /// An empty store of at most 100,000 challenges.
    pub fn new() -> Self {
        Self::with_limit(100_000)
    }

    /// An empty store of at most `limit` challenges.
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
        let State {
            challenges,
            certificates,
        } = &mut *state;
        let challenge = match &issuance.grant {
            Grant::Elsewhere { .. } => None,
            Grant::Challenge { id, .. } => match challenges.get_mut(id) {
                None => return Ok(Committed::Conflict),
                Some(record) => match &record.spent {
                    Some(spent) if spent.request == issuance.request => {
                        return Ok(Committed::Repeated(spent.certificate.clone()));
                    }
                    Some(_) => return Ok(Committed::Conflict),
                    None => Some(record),
                },
            },
        };
        let serial = issuance.certificate.serial().to_vec();
        if certificates.contains_key(&serial) {
            return Err(StoreError::Exists);
        }
        certificates.insert(serial, issuance.certificate.clone());
        if let Some(record) = challenge {
            record.spent = Some(Spent::new(issuance.request, issuance.certificate));
        }
        Ok(Committed::Stored)
    }

    async fn certificate(&self, serial: &[u8]) -> Result<Option<Certificate>, StoreError> {
        Ok(self.state().certificates.get(serial).cloned())
    }
}
