//! The worker: what is due for one account, for all of them, and again and again.

use std::{collections::BTreeSet, future::Future, pin::pin, task::Poll, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::{
    StreamExt,
    future::{self, Either},
    stream,
};
use mdm_core::SerialNumber;
use mdm_transport::ApiRequest;

use super::{AdeService, Refusal, TickReport, WorkReport, lease::Held};
use crate::{
    Client, Error, Policy,
    record::{AccountId, AccountRecord, GiveUpStep},
    store::{Changes, DeviceFilter, Reads},
    sync::{RoundKind, earlier, later, left_alone, next_round, past},
};

/// How many records are read at once where nothing is sent.
const PAGE: usize = 500;

/// However much there is to do, the loop breathes.
const SHORTEST_SLEEP: Duration = Duration::from_secs(1);

/// Work on one account under its lease.
pub(super) struct Pass<'a> {
    pub(super) service: &'a AdeService,
    pub(super) held: Held,
    pub(super) client: Client,
    pub(super) began: DateTime<Utc>,
    pub(super) report: WorkReport,
    pub(super) error: Option<Error>,
}

impl AdeService {
    /// Syncs on somebody's request, then gives devices their profiles. A [`RoundKind::Full`] within
    /// [`Policy::full_every`] of the last one is a delta.
    ///
    /// What Apple answers is in the report, also when it is an error.
    ///
    /// # Errors
    /// [`Refusal::TooSoon`] within [`Policy::manual_every`] of the last request, or while Apple is
    /// left alone; [`Refusal::UnderWay`] while a worker, here or on another node, has the account;
    /// [`Refusal::NoToken`], [`Refusal::NoAccount`]; [`Refusal::LeaseLost`] if another node has taken
    /// over; [`Error::Store`].
    pub async fn sync(&self, account: &AccountId, kind: RoundKind) -> Result<WorkReport, Error> {
        let policy = self.inner.policy.clone();
        let (held, record) = self
            .acquire(account, move |record, now| {
                if record.credentials.is_none() {
                    return Err(Refusal::NoToken);
                }
                let requested = past(record.sync.requested, now);
                let requested = requested.map(|last| later(last, policy.manual_every));
                if let Some(until) = requested.max(left_alone(&record.sync, &policy, now))
                    && until > now
                {
                    return Err(Refusal::TooSoon { until });
                }
                record.sync.requested = Some(now);
                Ok(())
            })
            .await?;
        let now = self.inner.clock.now();
        let full = past(record.sync.full_began, now)
            .map(|began| later(began, self.inner.policy.full_every));
        let kind = match full {
            Some(full) if full > now => RoundKind::Delta,
            _ => kind,
        };
        self.pass(held, record, Some(kind), WorkReport::default())
            .await
    }

    /// Does what is due for one account: a round of the sync, questions about replacements, profiles
    /// for devices that lack theirs, and forgetting devices that were released long ago. Where
    /// nothing is due, nothing is sent.
    ///
    /// One pass takes [`Policy::round_limit`] at most, and then the request under way; what is left
    /// is due at once.
    ///
    /// # Errors
    /// As [`AdeService::sync`], but for [`Refusal::TooSoon`] and [`Refusal::NoToken`].
    pub async fn work(&self, account: &AccountId) -> Result<WorkReport, Error> {
        let mut report = WorkReport::default();
        let record = self.account(account).await?;
        report.moved = self.move_to_replacements(&record).await?;
        report.retired = self.retire(account).await?;
        if !self.is_due(&record).await? {
            report.next = self.next(&record).await?;
            return Ok(report);
        }
        let (held, record) = self.acquire(account, |_, _| Ok(())).await?;
        let now = self.inner.clock.now();
        let (kind, due) = next_round(&record.sync, &self.inner.policy, now);
        self.pass(held, record, (due <= now).then_some(kind), report)
            .await
    }

    /// Does what is due for every account, some at once; one that fails does not stop the others. Tells
    /// the [`Observer`](crate::Observer) what came of it, and warnings that are new.
    ///
    /// # Errors
    /// [`Error::Store`] if the accounts cannot be listed.
    pub async fn tick(&self) -> Result<TickReport, Error> {
        let mut accounts: Vec<AccountId> = Vec::new();
        loop {
            let page = self.store().accounts(accounts.last(), PAGE).await?;
            if page.is_empty() {
                break;
            }
            accounts.extend(page);
        }
        let results = stream::iter(accounts)
            .map(|account| async move {
                let result = self.work(&account).await;
                self.tell(&account, &result).await;
                (account, result)
            })
            .buffer_unordered(self.inner.policy.parallel_accounts.max(1))
            .collect::<Vec<_>>()
            .await;
        let look = later(self.inner.clock.now(), self.inner.policy.look_every);
        let next = results.iter().filter_map(|(account, result)| match result {
            Ok(report) => report.next,
            Err(Error::Refused(Refusal::UnderWay { until, .. })) => Some(*until),
            Err(error) => {
                tracing::warn!(%account, %error, "work on an account failed");
                Some(look)
            }
        });
        Ok(TickReport {
            next: next.min(),
            accounts: results,
        })
    }

    /// Works on all accounts until `shutdown` is ready: ticks, sleeps until something is due, at most
    /// [`Policy::look_every`], and so on. What is under way at the end is broken off; the next start
    /// goes on with it. Whoever wants to know what happens is an [`Observer`](crate::Observer).
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        loop {
            // The shutdown is looked at first, so that it is seen also by a clock that never waits.
            let once = pin!(self.tick_and_sleep());
            if let Either::Left(_) = future::select(shutdown.as_mut(), once).await {
                return;
            }
        }
    }

    async fn tick_and_sleep(&self) {
        let next = match self.tick().await {
            Ok(report) => report.next,
            Err(error) => {
                tracing::error!(%error, "the accounts could not be listed");
                None
            }
        };
        let look_every = self.inner.policy.look_every;
        let wait = next.map_or(look_every, |next| {
            (next - self.inner.clock.now()).to_std().unwrap_or_default()
        });
        let wait = wait.min(look_every).max(SHORTEST_SLEEP);
        self.inner.clock.sleep(wait).await;
    }

    /// Works under the lease, and lets it go whatever comes of it.
    async fn pass(
        &self,
        held: Held,
        record: AccountRecord,
        kind: Option<RoundKind>,
        report: WorkReport,
    ) -> Result<WorkReport, Error> {
        let Some(credentials) = record.credentials.clone() else {
            self.release(held).await?;
            return Ok(report);
        };
        let mut pass = Pass {
            service: self,
            client: self.client_for(&record.id, credentials.token)?,
            held,
            began: self.inner.clock.now(),
            report,
            error: None,
        };
        let done = pass.work(record, kind).await;
        let Pass {
            held,
            mut report,
            error,
            ..
        } = pass;
        let account = held.account.clone();
        let released = self.release(held).await;
        done.and(released)?;
        report.error = error;
        report.next = self.next(&self.account(&account).await?).await?;
        Ok(report)
    }

    async fn is_due(&self, record: &AccountRecord) -> Result<bool, Error> {
        let next = self.next(record).await?;
        // Looked at behind it: what is due at once is due when it was asked.
        Ok(next.is_some_and(|next| next <= self.inner.clock.now()))
    }

    /// When there is something to ask of Apple next.
    async fn next(&self, record: &AccountRecord) -> Result<Option<DateTime<Utc>>, Error> {
        if record.credentials.is_none() {
            return Ok(None);
        }
        let now = self.inner.clock.now();
        let (_, round) = next_round(&record.sync, &self.inner.policy, now);
        let assign = self.store().next_due(&record.id).await?;
        let replacement = self.replacement_due(&record.id).await?;
        let next = [Some(round), assign, replacement]
            .into_iter()
            .flatten()
            .min();
        Ok(next.max(left_alone(&record.sync, &self.inner.policy, now)))
    }

    /// Forgets devices that were released long ago.
    async fn retire(&self, account: &AccountId) -> Result<u64, Error> {
        let now = self.inner.clock.now();
        let before = earlier(now, self.inner.policy.retire_after);
        let filter = DeviceFilter::ReleasedBefore(before);
        let mut after: Option<SerialNumber> = None;
        let mut retired = 0;
        loop {
            let page = self
                .store()
                .devices(account, &filter, after.as_ref(), PAGE)
                .await?;
            let Some(last) = page.last() else {
                return Ok(retired);
            };
            after = Some(last.serial_number.clone());
            let serials = page.into_iter().map(|device| device.serial_number);
            let reads = Reads::devices(serials.collect());
            retired += self
                .step(account, reads, move |_, loaded| {
                    let gone = loaded.devices.into_values().filter(|device| {
                        let is_leaving = device
                            .give_up
                            .as_ref()
                            .is_some_and(|give_up| give_up.next != GiveUpStep::Done);
                        device.released().is_some_and(|at| at < before) && !is_leaving
                    });
                    let gone: Vec<_> = gone.map(|device| device.serial_number).collect();
                    let count = gone.len() as u64;
                    let changes = Changes::default().with(|changes| changes.forget_devices = gone);
                    Ok((changes, count))
                })
                .await?;
        }
    }

    /// Lets devices that want a profile which was replaced want its replacement.
    async fn move_to_replacements(&self, record: &AccountRecord) -> Result<u64, Error> {
        let mut moved = 0;
        for old in &record.replaced_profiles {
            moved += self.move_to_replacement(&record.id, old).await?;
        }
        Ok(moved)
    }

    async fn move_to_replacement(&self, account: &AccountId, old: &str) -> Result<u64, Error> {
        let last = self.last_replacement(account, old).await?;
        let filter = DeviceFilter::Wanting(old.to_owned());
        let now = self.inner.clock.now();
        let mut moved = 0;
        let mut after: Option<SerialNumber> = None;
        loop {
            let page = self
                .store()
                .devices(account, &filter, after.as_ref(), PAGE)
                .await?;
            let is_last = page.is_empty();
            after = page.last().map(|device| device.serial_number.clone());
            let serials = page.into_iter().map(|device| device.serial_number);
            let reads = Reads::devices(serials.collect()).with(|reads| {
                reads.profiles.push(old.to_owned());
                reads.wanting = is_last.then(|| old.to_owned());
            });
            let (old, last) = (old.to_owned(), last.clone());
            moved += self
                .step(account, reads, move |mut record, loaded| {
                    let is_known = loaded.profiles.contains_key(&old);
                    let Some(new) = last.as_ref().filter(|_| is_known) else {
                        record.replaced_profiles.remove(&old);
                        return Ok((Changes::account(record), 0));
                    };
                    let mut devices: Vec<_> = loaded.devices.into_values().collect();
                    devices.retain(|device| device.wanted_profile.as_ref() == Some(&old));
                    for device in &mut devices {
                        device.wanted_profile = Some(new.clone());
                        device.settle(now);
                    }
                    let count = devices.len() as u64;
                    let mut changes = Changes::devices(devices);
                    if is_last && loaded.counts.wanting == 0 {
                        record.replaced_profiles.remove(&old);
                        changes.account = Some(record);
                    }
                    Ok((changes, count))
                })
                .await?;
            if is_last {
                return Ok(moved);
            }
        }
    }

    /// The profile that stands at the end where one replaced another. What is replaced after this was
    /// read is gone through next time.
    async fn last_replacement(
        &self,
        account: &AccountId,
        old: &str,
    ) -> Result<Option<String>, Error> {
        let mut last: Option<String> = None;
        let mut seen = BTreeSet::from([old.to_owned()]);
        loop {
            let profile = self.profile(account, last.as_deref().unwrap_or(old)).await;
            match profile.map(|profile| profile.replaced_by) {
                Ok(Some(by)) if seen.insert(by.clone()) => last = Some(by),
                Ok(_) | Err(Error::Refused(Refusal::NoProfile(_))) => return Ok(last),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Pass<'_> {
    async fn work(&mut self, record: AccountRecord, kind: Option<RoundKind>) -> Result<(), Error> {
        if let Some(kind) = kind
            && !self.round(record, kind).await?
        {
            return Ok(());
        }
        let record = self.service.account(&self.held.account).await?;
        let left_alone = left_alone(&record.sync, self.policy(), self.now());
        if left_alone.is_some_and(|time| time > self.now()) {
            return Ok(());
        }
        if self.replacements().await? {
            self.assign(record.known.as_ref()).await?;
        }
        Ok(())
    }

    /// Sends a request and keeps the account meanwhile: with all its attempts one can take longer than
    /// the lease. Whenever it gets on, at the latest after an exchange, the lease is renewed if a part of
    /// it is over. A lease that is lost is found by the step that follows: what was sent has an answer.
    pub(super) async fn ask<R>(&self, request: &R) -> Result<R::Response, Error>
    where
        R: ApiRequest<Error = Error>,
    {
        let mut sent = pin!(self.client.send(request));
        loop {
            let part = (self.policy().lease / 4).max(SHORTEST_SLEEP);
            let due = later(self.now(), part);
            let done = future::poll_fn(|context| match sent.as_mut().poll(context) {
                Poll::Pending if self.now() < due => Poll::Pending,
                Poll::Pending => Poll::Ready(None),
                Poll::Ready(result) => Poll::Ready(Some(result)),
            });
            match done.await {
                Some(result) => return result,
                None => {
                    let kept = self.service.keep(&self.held).await;
                    if let Err(error) = kept {
                        tracing::debug!(account = %self.held.account, %error, "the lease was not renewed");
                    }
                }
            }
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.service.inner.clock.now()
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.service.inner.policy
    }

    /// Whether the time of this pass is over.
    pub(super) fn is_over(&self) -> bool {
        self.now() >= later(self.began, self.policy().round_limit)
    }
}
