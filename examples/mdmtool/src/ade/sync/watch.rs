//! A layer before the store that tells what each step changed, once it is written.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use ade_client::{
    AdeStore, StoreError,
    record::AccountId,
    store::{Changes, CommitLayer, Loaded, Reads, Step},
};
use async_trait::async_trait;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard, mpsc::UnboundedSender};

use super::changes::{self, Change};

#[derive(Debug)]
pub(super) struct Watch {
    changes: UnboundedSender<Change>,
    /// Held by the step that runs.
    running: AsyncMutex<()>,
}

impl Watch {
    pub(super) fn new(changes: UnboundedSender<Change>) -> Self {
        Self {
            changes,
            running: AsyncMutex::new(()),
        }
    }

    /// Waits until no step runs; as long as what comes back is held, none begins.
    pub(super) async fn idle(&self) -> MutexGuard<'_, ()> {
        self.running.lock().await
    }
}

/// A step, and what its last decision changes.
#[derive(Debug)]
struct Seen {
    step: Arc<dyn Step>,
    changes: Mutex<Vec<Change>>,
}

impl Seen {
    fn set(&self, changes: Vec<Change>) -> Vec<Change> {
        let mut seen = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut seen, changes)
    }
}

impl Step for Seen {
    fn reads(&self) -> Reads {
        self.step.reads()
    }

    fn decide(&self, loaded: Loaded) -> Option<Changes> {
        let before: BTreeMap<_, _> = loaded.devices.clone();
        let changes = self.step.decide(loaded);
        self.set(
            changes
                .as_ref()
                .map_or_else(Vec::new, |changes| changes::of(&before, changes)),
        );
        changes
    }
}

#[async_trait]
impl CommitLayer for Watch {
    async fn commit(
        &self,
        store: &dyn AdeStore,
        account: &AccountId,
        step: Arc<dyn Step>,
    ) -> Result<(), StoreError> {
        let _running = self.running.lock().await;
        let seen = Arc::new(Seen {
            step,
            changes: Mutex::default(),
        });
        store
            .commit(account, Arc::clone(&seen) as Arc<dyn Step>)
            .await?;
        for change in seen.set(Vec::new()) {
            // Nobody listens any more once the command has ended.
            let _ = self.changes.send(change);
        }
        Ok(())
    }
}
