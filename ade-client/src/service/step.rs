//! Steps made of closures: what they read, what they decide, and what they tell their caller.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    Error, Refusal,
    record::AccountId,
    store::{AdeStore, Changes, Loaded, Reads, Step},
};

/// Runs `decide` in the store as one step, and gives what it told. A refusal writes nothing.
pub(super) async fn run<T, F>(
    store: &dyn AdeStore,
    account: &AccountId,
    reads: Reads,
    decide: F,
) -> Result<T, Error>
where
    T: Send + 'static,
    F: Fn(Loaded) -> Result<(Changes, T), Refusal> + Send + Sync + 'static,
{
    let step = Arc::new(Closure {
        reads,
        decide,
        told: Mutex::new(None),
    });
    store
        .commit(account, Arc::clone(&step) as Arc<dyn Step>)
        .await?;
    let told = step
        .told
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    match told {
        Some(told) => Ok(told?),
        // Only a store that breaks its contract never asks.
        None => Err(Error::Store(crate::StoreError::with_source(
            crate::store::StoreErrorKind::Other,
            "the step was not asked",
        ))),
    }
}

struct Closure<T, F> {
    reads: Reads,
    decide: F,
    told: Mutex<Option<Result<T, Refusal>>>,
}

impl<T, F> Step for Closure<T, F>
where
    T: Send,
    F: Fn(Loaded) -> Result<(Changes, T), Refusal> + Send + Sync,
{
    fn reads(&self) -> Reads {
        self.reads.clone()
    }

    fn decide(&self, loaded: Loaded) -> Option<Changes> {
        let (changes, told) = match (self.decide)(loaded) {
            Ok((changes, told)) => (Some(changes), Ok(told)),
            Err(refusal) => (None, Err(refusal)),
        };
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        changes
    }
}

impl<T, F> fmt::Debug for Closure<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("reads", &self.reads)
            .finish_non_exhaustive()
    }
}
