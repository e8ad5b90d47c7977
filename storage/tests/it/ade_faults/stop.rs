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
    record::{AccountId, AccountRecord, DeviceRecord, ProfileRecord},
    store::{DeviceFilter, Step},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::SerialNumber;

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

/// A store whose steps are points.
#[derive(Debug, Clone)]
pub(super) struct Stopping {
    pub(super) inner: Arc<dyn AdeStore>,
    pub(super) stops: Stops,
}

#[async_trait]
impl AdeStore for Stopping {
    async fn commit(&self, account: &AccountId, step: Arc<dyn Step>) -> Result<(), StoreError> {
        self.stops.pass().await;
        let result = self.inner.commit(account, step).await;
        self.stops.pass().await;
        result
    }

    async fn account(&self, account: &AccountId) -> Result<Option<AccountRecord>, StoreError> {
        self.inner.account(account).await
    }

    async fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<AccountRecord>, StoreError> {
        self.inner.accounts(after, limit).await
    }

    async fn device(
        &self,
        account: &AccountId,
        serial: &SerialNumber,
    ) -> Result<Option<DeviceRecord>, StoreError> {
        self.inner.device(account, serial).await
    }

    async fn accounts_of(&self, serial: &SerialNumber) -> Result<Vec<AccountId>, StoreError> {
        self.inner.accounts_of(serial).await
    }

    async fn devices(
        &self,
        account: &AccountId,
        filter: &DeviceFilter,
        after: Option<&SerialNumber>,
        limit: usize,
    ) -> Result<Vec<DeviceRecord>, StoreError> {
        self.inner.devices(account, filter, after, limit).await
    }

    async fn count(&self, account: &AccountId, filter: &DeviceFilter) -> Result<u64, StoreError> {
        self.inner.count(account, filter).await
    }

    async fn next_due(&self, account: &AccountId) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.inner.next_due(account).await
    }

    async fn profiles(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ProfileRecord>, StoreError> {
        self.inner.profiles(account, after, limit).await
    }
}
