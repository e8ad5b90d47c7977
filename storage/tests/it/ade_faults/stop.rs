//! Where the program stops: before or after an exchange or a step of the store.

use std::{
    future::{Future, pending, poll_fn},
    io::Write,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
};

use ade_client::{
    AdeStore, StoreError,
    record::AccountId,
    store::{CommitLayer, Step},
};
use async_trait::async_trait;

/// Counts the points that the program passes, and stops it at one.
#[derive(Debug, Clone, Default)]
pub(super) struct Stops(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    passed: AtomicUsize,
    at: AtomicUsize,
    stopped: AtomicBool,
    tells: AtomicBool,
}

impl Stops {
    /// Stops at the `at`-th point from now on; zero for never.
    pub(super) fn set(&self, at: usize) {
        let passed = self.passed();
        self.0
            .at
            .store(if at == 0 { 0 } else { passed + at }, Ordering::SeqCst);
        self.0.stopped.store(false, Ordering::SeqCst);
    }

    /// Tells each point to whoever reads the standard output.
    pub(super) fn tell(&self) {
        self.0.tells.store(true, Ordering::SeqCst);
    }

    pub(super) fn passed(&self) -> usize {
        self.0.passed.load(Ordering::SeqCst)
    }

    /// Never comes back from the point where the program stops.
    pub(super) async fn pass(&self) {
        let number = self.0.passed.fetch_add(1, Ordering::SeqCst) + 1;
        if self.0.tells.load(Ordering::SeqCst) {
            // One write a line, so that a kill never leaves half of one.
            let line = format!("{}{number}\n", super::victim::SAYS);
            std::io::stdout().write_all(line.as_bytes()).unwrap();
        }
        if self.0.at.load(Ordering::SeqCst) == number {
            self.0.stopped.store(true, Ordering::SeqCst);
            pending::<()>().await;
        }
    }

    /// What `work` gives, or nothing if the program stopped meanwhile.
    pub(super) async fn or_stop<F: Future>(&self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if self.0.stopped.load(Ordering::SeqCst) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }
}

#[async_trait]
impl CommitLayer for Stops {
    async fn commit(
        &self,
        store: &dyn AdeStore,
        account: &AccountId,
        step: Arc<dyn Step>,
    ) -> Result<(), StoreError> {
        self.pass().await;
        let result = store.commit(account, step).await;
        self.pass().await;
        result
    }
}
