//! One request at a time for one challenge, so that a challenge which arrives many times at once
//! costs one signature. Across nodes the store's commit decides.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use futures_util::lock::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::store::ChallengeId;

/// The gates that somebody stands at.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    open: Mutex<HashMap<ChallengeId, Weak<AsyncMutex<()>>>>,
}

impl Gates {
    /// Waits for the challenge's turn, which lasts as long as the guard.
    pub(crate) async fn pass(&self, id: ChallengeId) -> OwnedMutexGuard<()> {
        self.gate(id).lock_owned().await
    }

    fn gate(&self, id: ChallengeId) -> Arc<AsyncMutex<()>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = open.get(&id).and_then(Weak::upgrade) {
            return gate;
        }
        // Amortised: the map is swept when it could have doubled with dead entries.
        if open.len() == open.capacity() {
            open.retain(|_, gate| gate.strong_count() > 0);
        }
        let gate = Arc::new(AsyncMutex::new(()));
        open.insert(id, Arc::downgrade(&gate));
        gate
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn one_challenge_passes_once_at_a_time_and_others_do_not_wait() {
        let gates = Gates::default();
        let id = |byte| ChallengeId::from_bytes([byte; 32]);
        let first = gates.pass(id(1)).now_or_never().unwrap();
        assert!(gates.pass(id(1)).now_or_never().is_none());
        assert!(gates.pass(id(2)).now_or_never().is_some());
        drop(first);
        assert!(gates.pass(id(1)).now_or_never().is_some());
    }

    #[test]
    fn gates_that_nobody_stands_at_are_forgotten() {
        let gates = Gates::default();
        for number in 0..10_000_u32 {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            gates
                .pass(ChallengeId::from_bytes(bytes))
                .now_or_never()
                .unwrap();
        }
        assert!(gates.open.lock().unwrap().len() < 100);
    }
}
