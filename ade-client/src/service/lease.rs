//! One worker at a time on an account: within this process by a mark, among nodes by a lease that
//! expires. Each step of a worker checks the lease and renews it, and a request that takes long renews it
//! too.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

use super::{AdeService, Refusal};
use crate::{
    Error,
    record::{AccountId, AccountRecord, Lease},
    store::{Changes, Loaded, Reads},
    sync::later,
};

/// The accounts that this process works on.
#[derive(Debug, Clone, Default)]
pub(super) struct Working(Arc<Mutex<BTreeSet<AccountId>>>);

impl Working {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<AccountId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The account is this worker's. The lease ends by [`AdeService::release`], or with its time.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) account: AccountId,
    number: u64,
    working: Working,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.working.lock().remove(&self.account);
    }
}

impl AdeService {
    /// Takes the account for this worker, if `allowed` lets it; what that changes is written in the
    /// same step.
    pub(super) async fn acquire<F>(
        &self,
        account: &AccountId,
        allowed: F,
    ) -> Result<(Held, AccountRecord), Error>
    where
        F: Fn(&mut AccountRecord, DateTime<Utc>) -> Result<(), Refusal> + Send + Sync + 'static,
    {
        let now = self.inner.clock.now();
        let until = later(now, self.inner.policy.lease);
        // A lease that is longer was taken by a wrong clock.
        let longest = later(until, self.inner.policy.longest_wait);
        let node = self.inner.node.clone();
        if !self.inner.working.lock().insert(account.clone()) {
            return Err(Refusal::UnderWay { node, until }.into());
        }
        let mut held = Held {
            account: account.clone(),
            number: 0,
            working: self.inner.working.clone(),
        };
        let record = self
            .step(account, Reads::account(), move |mut record, _| {
                if let Some(lease) = &record.lease
                    && lease.node != node
                    && lease.until > now
                    && lease.until <= longest
                {
                    return Err(Refusal::UnderWay {
                        node: lease.node.clone(),
                        until: lease.until,
                    });
                }
                allowed(&mut record, now)?;
                let last = record.lease.as_ref().map_or(0, |lease| lease.number);
                record.lease = Some(Lease::new(node.clone(), last.saturating_add(1), until));
                Ok((Changes::account(record.clone()), record))
            })
            .await?;
        held.number = record.lease.as_ref().map_or(0, |lease| lease.number);
        Ok((held, record))
    }

    /// One step of the worker that holds the account. The account is written with its renewed lease
    /// and whatever `decide` changes of it.
    pub(super) async fn held_step<T, F>(
        &self,
        held: &Held,
        reads: Reads,
        decide: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&mut AccountRecord, Loaded) -> Result<(Changes, T), Refusal> + Send + Sync + 'static,
    {
        let until = later(self.inner.clock.now(), self.inner.policy.lease);
        let number = held.number;
        self.step(&held.account, reads, move |mut record, loaded| {
            renew(&mut record, number, until)?;
            let (mut changes, told) = decide(&mut record, loaded)?;
            changes.account = Some(record);
            Ok((changes, told))
        })
        .await
    }

    /// Renews the lease, and nothing else.
    pub(super) async fn keep(&self, held: &Held) -> Result<(), Error> {
        self.held_step(held, Reads::account(), |_, _| Ok((Changes::default(), ())))
            .await
    }

    /// As [`AdeService::held_step`], for what is true whoever holds the account: it is written even if
    /// the lease was lost, which `decide` is told, but for the account.
    pub(super) async fn last_step<F>(
        &self,
        held: &Held,
        reads: Reads,
        decide: F,
    ) -> Result<(), Error>
    where
        F: Fn(&mut AccountRecord, Loaded, bool) -> Changes + Send + Sync + 'static,
    {
        let until = later(self.inner.clock.now(), self.inner.policy.lease);
        let number = held.number;
        let renewed = self
            .step(&held.account, reads, move |mut record, loaded| {
                let renewed = renew(&mut record, number, until);
                let mut changes = decide(&mut record, loaded, renewed.is_err());
                changes.account = renewed.is_ok().then_some(record);
                Ok((changes, renewed))
            })
            .await?;
        Ok(renewed?)
    }

    /// Lets the account go. A lease that was lost meanwhile is nothing to let go.
    pub(super) async fn release(&self, held: Held) -> Result<(), Error> {
        let now = self.inner.clock.now();
        let number = held.number;
        let released = self
            .step(&held.account, Reads::account(), move |mut record, _| {
                renew(&mut record, number, now)?;
                Ok((Changes::account(record), ()))
            })
            .await;
        match released {
            Err(Error::Refused(Refusal::LeaseLost | Refusal::NoAccount(_))) => Ok(()),
            other => other,
        }
    }
}

fn renew(record: &mut AccountRecord, number: u64, until: DateTime<Utc>) -> Result<(), Refusal> {
    // Numbers only grow, so this one is nobody else's, even if its time was over meanwhile.
    let lease = record.lease.as_mut().filter(|lease| lease.number == number);
    lease.ok_or(Refusal::LeaseLost)?.until = until;
    Ok(())
}
