//! What is done by itself: devices are asked what they are, what is over is forgotten.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use mdm_sdk::{
    core::Clock,
    pki,
    protocol::{
        Command, EnrollmentId,
        command::{DeviceInformation, Query},
        id::Channel,
    },
    service::{
        EnqueueError, EnqueueOptions, Enrollment, EnrollmentStatus, Event, EventKind, Service,
        StoreError,
        delivery::{Delivery, Subscriber},
        queue::Sequence,
        store::EnrollmentFilter,
    },
};

use crate::{admin::Counted, config, error::told, server::App};

/// The key that keeps a device from being asked twice.
const INVENTORY: &str = "inventory";

/// Enrolments that are looked at together.
const PAGE: usize = 500;

/// Rows that are deleted together.
const BATCH: usize = 1_000;

/// How long one node does the scheduled work before another may.
const TERM: TimeDelta = TimeDelta::minutes(10);

/// The name of the scheduled work.
const LEASE: &str = "schedule";

/// Asks each device what it is once it has enrolled.
#[derive(Debug)]
pub(crate) struct Inventory {
    service: Service,
}

impl Inventory {
    pub(crate) fn new(service: Service) -> Self {
        Self { service }
    }
}

#[async_trait]
impl Subscriber for Inventory {
    async fn deliver(&self, events: &[(Sequence, Event)]) -> Delivery {
        let enrolled = events
            .iter()
            .map(|(_, event)| event)
            .filter(|event| matches!(event.kind, EventKind::Enrolled { .. }))
            .map(|event| event.enrollment.clone())
            .filter(is_device);
        match ask(&self.service, enrolled.collect()).await {
            Ok(()) => Delivery::Taken,
            Err(error) => Delivery::unavailable(told(&error), None),
        }
    }
}

pub(crate) fn is_device(id: &EnrollmentId) -> bool {
    matches!(
        id.channel(),
        Channel::Device | Channel::UserEnrollmentDevice
    )
}

/// Queues `DeviceInformation` for each, unless one waits already.
async fn ask(service: &Service, ids: Vec<EnrollmentId>) -> Result<(), EnqueueError> {
    if ids.is_empty() {
        return Ok(());
    }
    let request = DeviceInformation::new([
        Query::DeviceName,
        Query::OsVersion,
        Query::BuildVersion,
        Query::ModelName,
        Query::Model,
        Query::ProductName,
        Query::SerialNumber,
        Query::IsSupervised,
    ]);
    let Ok(uuid) = new_uuid() else {
        tracing::error!("no randomness for the name of a command");
        return Ok(());
    };
    let options = EnqueueOptions::default().with(|options| {
        options.key = Some(INVENTORY.to_owned());
        options.priority = -1;
        // A query that an old system does not know is answered without it.
        options.is_unchecked = true;
    });
    let command = Command::new(uuid, &request);
    service.enqueue_each(&ids, &command, &options).await?;
    Ok(())
}

/// A random name for a command, in the form of a UUID.
pub(crate) fn new_uuid() -> Result<String, pki::Error> {
    let bytes = pki::random::<16>()?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().to_owned();
    let parts = [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ];
    Ok(parts.join("-"))
}

/// The work of the clock.
pub(crate) struct Schedule {
    app: App,
    settings: config::Schedule,
    node: String,
    next_sweep: Option<DateTime<Utc>>,
    next_call: Option<DateTime<Utc>>,
}

impl Schedule {
    pub(crate) fn new(app: App, settings: config::Schedule, node: String) -> Self {
        Self {
            app,
            settings,
            node,
            next_sweep: None,
            next_call: None,
        }
    }

    /// Works until `stop` is ready, and leaves the rest to another node.
    pub(crate) async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            () = self.work() => {}
        }
        let store = self.app.service.store();
        if let Err(error) = store.release(LEASE, &self.node).await {
            tracing::warn!(error = told(&error), "a lease ends by itself");
        }
    }

    async fn work(&mut self) {
        loop {
            self.round().await;
            let every = Duration::from_secs(self.settings.every_seconds.max(1).into());
            self.app.clock.sleep(every).await;
        }
    }

    /// Each step by itself: what keeps one from being done keeps no other.
    async fn round(&mut self) {
        let app = self.app.clone();
        let (now, store) = (app.clock.now(), app.service.store());
        match store.lease(LEASE, &self.node, now, now + TERM).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return waits("lease", &error),
        }
        if self.next_sweep.is_none_or(|next| next <= now) {
            match self.sweep(now).await {
                Ok(()) => {
                    let hours = self.settings.inventory_hours;
                    // Often enough that no device waits much longer than it should.
                    let minutes = i64::from(hours.clamp(1, 24)) * 60 / 24;
                    self.next_sweep = Some(now + TimeDelta::minutes(minutes));
                }
                Err(error) => waits("look at all devices", &error),
            }
        }
        let kept = before(
            now,
            TimeDelta::days(self.settings.keep_commands_days.into()),
        );
        all("expiry of commands", || store.expire(now, BATCH)).await;
        all("deletion of commands", || {
            store.forget_finished(kept, BATCH)
        })
        .await;
        all("deletion of invitations", || {
            store.forget_invitations(now, BATCH)
        })
        .await;
        if let Err(error) = app.authority.challenges.forget_expired(now).await {
            waits("deletion of challenges", &error);
        }
        if let Some(acme) = &app.acme
            && let Err(error) = acme.forget_old().await
        {
            waits("deletion of orders", &error);
        }
    }

    /// Looks at every enrolment: counts them, asks whose last word is old, and has those call whose identity may end
    /// unseen.
    async fn sweep(&mut self, now: DateTime<Utc>) -> Result<(), EnqueueError> {
        let hours = self.settings.inventory_hours;
        let old = before(now, TimeDelta::hours(hours.into()));
        let calls = self.app.renewal;
        let calls = calls.filter(|_| self.next_call.is_none_or(|next| next <= now));
        let mut counted = Counted::default();
        let mut after = None;
        loop {
            let page = self.page(after.as_ref()).await?;
            for enrollment in &page {
                counted.add(enrollment);
            }
            let devices = || {
                page.iter().filter(|enrollment| {
                    is_device(&enrollment.id) && enrollment.status == EnrollmentStatus::Enrolled
                })
            };
            let is_due = |it: &&Enrollment| it.reported.as_ref().is_none_or(|it| it.at < old);
            if hours > 0 {
                let due = devices().filter(is_due).map(|it| it.id.clone());
                ask(&self.app.service, due.collect()).await?;
            }
            if let Some(pace) = calls {
                let silent = devices().filter(|it| is_silent(it, before(now, pace.silence())));
                let silent: Vec<_> = silent.map(|it| it.id.clone()).collect();
                self.app.service.push(&silent).await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.id.clone()),
                _ => break,
            }
        }
        if let Some(pace) = calls {
            self.next_call = Some(now + pace.every());
        }
        self.app.metrics.counted(counted);
        Ok(())
    }

    async fn page(&self, after: Option<&EnrollmentId>) -> Result<Vec<Enrollment>, StoreError> {
        let store = self.app.service.store();
        store
            .enrollments(&EnrollmentFilter::new(), after, PAGE)
            .await
    }
}

/// The time so long ago.
fn before(now: DateTime<Utc>, ago: TimeDelta) -> DateTime<Utc> {
    let then = now.checked_sub_signed(ago);
    then.unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// Whether it was last heard of before `since`.
fn is_silent(enrollment: &Enrollment, since: DateTime<Utc>) -> bool {
    enrollment.last_seen_at.is_none_or(|seen| seen < since)
}

/// Repeats a step until it has less to do than it could.
async fn all<F>(what: &str, step: impl Fn() -> F)
where
    F: Future<Output = Result<usize, StoreError>>,
{
    loop {
        match step().await {
            Ok(BATCH) => {}
            Ok(_) => return,
            Err(error) => return waits(what, &error),
        }
    }
}

fn waits(what: &str, error: &dyn std::error::Error) {
    tracing::error!(what, error = told(error), "scheduled work waits");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_ago_than_times_reach_is_at_their_beginning() {
        let now = DateTime::UNIX_EPOCH;
        let ages = TimeDelta::days(u32::MAX.into());
        assert_eq!(before(now, ages), DateTime::<Utc>::MIN_UTC);
        assert_eq!(before(now + TimeDelta::hours(1), TimeDelta::hours(1)), now);
    }
}
