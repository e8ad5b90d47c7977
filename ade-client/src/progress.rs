//! What happens, for somebody who watches it, and how far a sync is.

use std::{fmt, time::Duration};

use crate::{
    Error,
    record::AccountId,
    service::{Warning, WorkReport},
    sync::RoundKind,
};

/// Apple's pace where none was measured yet, as Microsoft Intune states it.
const DEVICES_A_MINUTE: u64 = 3_000;

/// Told what happens, such as a log, a metric or an administrator's mailbox. Called between two
/// requests: what takes long belongs elsewhere. A closure is one that is told of progress alone.
///
/// ```
/// use ade_client::{
///     Error, Observer, Progress,
///     record::AccountId,
///     service::{Warning, WorkReport},
/// };
///
/// struct Log;
///
/// impl Observer for Log {
///     fn progress(&self, account: &AccountId, progress: &Progress) {
///         println!("{account}: {} devices", progress.devices);
///     }
///
///     fn done(&self, account: &AccountId, work: &Result<WorkReport, Error>) {
///         match work {
///             Ok(report) => println!("{account}: {} assigned", report.assigned.assigned),
///             Err(error) => println!("{account}: {error}"),
///         }
///     }
///
///     fn warning(&self, account: &AccountId, warning: &Warning) {
///         println!("{account}: {warning}");
///     }
/// }
/// ```
pub trait Observer: Send + Sync {
    /// A page was stored.
    fn progress(&self, account: &AccountId, progress: &Progress);

    /// [`AdeService::tick`](crate::AdeService::tick) or [`run`](crate::AdeService::run) has worked on
    /// an account; an error is one of the store's, or a [refusal](crate::Refusal). Not told where
    /// nothing was due, and while somebody else works on the account.
    fn done(&self, _account: &AccountId, _work: &Result<WorkReport, Error>) {}

    /// A warning holds that was not told before, as by
    /// [`new_warnings`](crate::AdeService::new_warnings): with this it was. Each is logged as well.
    fn warning(&self, _account: &AccountId, _warning: &Warning) {}
}

impl<F: Fn(&AccountId, &Progress) + Send + Sync> Observer for F {
    fn progress(&self, account: &AccountId, progress: &Progress) {
        self(account, progress);
    }
}

/// How far a round is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What the round is for.
    pub kind: RoundKind,
    /// Pages stored in this round.
    pub pages: u64,
    /// Device records stored: in a full fetch since it began, also in rounds before; else in this
    /// round.
    pub devices: u64,
    /// How many a full fetch will have, as far as can be told from the devices that are known. None
    /// in a delta sync, and in a first full fetch.
    pub expected: Option<u64>,
    /// How long this round takes already.
    pub elapsed: Duration,
    /// How long the full fetch may still take: by the pace of this round, before its first page by
    /// 3,000 devices a minute.
    pub remaining: Option<Duration>,
}

impl Progress {
    /// A round where nothing came yet, of which `devices` records were stored in rounds before.
    pub fn new(kind: RoundKind, devices: u64, expected: Option<u64>) -> Self {
        let mut progress = Self {
            kind,
            pages: 0,
            devices,
            expected,
            elapsed: Duration::ZERO,
            remaining: None,
        };
        progress.estimate(devices);
        progress
    }

    /// Sets `remaining`; `before` are the devices that were stored before this round.
    fn estimate(&mut self, before: u64) {
        self.remaining = self.expected.map(|expected| {
            let left = expected.saturating_sub(self.devices);
            let measured = self.devices.saturating_sub(before);
            let (count, time) = match measured == 0 || self.elapsed.is_zero() {
                true => (DEVICES_A_MINUTE, Duration::from_secs(60)),
                false => (measured, self.elapsed),
            };
            let nanos = time.as_nanos().saturating_mul(u128::from(left)) / u128::from(count);
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        });
    }
}

/// Counts what a round stores.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    progress: Progress,
    /// The devices that the full fetch had taken when this round began with it.
    before: u64,
    expected: Option<u64>,
}

impl Meter {
    pub(crate) fn new(expected: Option<u64>) -> Self {
        Self {
            progress: Progress::new(RoundKind::Delta, 0, None),
            before: 0,
            expected,
        }
    }

    /// The next pages are a full fetch's, which has taken `before` already.
    pub(crate) fn fetch(&mut self, before: u64) {
        if self.progress.kind != RoundKind::Full || before == 0 {
            self.progress = Progress {
                pages: self.progress.pages,
                ..Progress::new(RoundKind::Full, before, self.expected)
            };
            self.before = before;
        }
    }

    /// The next pages tell what changed.
    pub(crate) fn sync(&mut self) {
        if self.progress.kind != RoundKind::Delta {
            self.progress = Progress {
                pages: self.progress.pages,
                ..Progress::new(RoundKind::Delta, 0, None)
            };
        }
    }

    /// A page was stored.
    pub(crate) fn page(&mut self, devices: u64, elapsed: Duration) -> &Progress {
        self.progress.pages += 1;
        self.progress.devices += devices;
        self.progress.elapsed = elapsed;
        self.progress.estimate(self.before);
        &self.progress
    }
}

impl fmt::Debug for dyn Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_told_by_apples_usual_pace_and_then_by_the_one_measured() {
        let mut meter = Meter::new(Some(9_000));
        meter.fetch(3_000);
        assert_eq!(meter.progress.remaining, Some(Duration::from_secs(120)));
        let progress = meter.page(1_000, Duration::from_secs(10));
        assert_eq!((progress.pages, progress.devices), (1, 4_000));
        assert_eq!(progress.remaining, Some(Duration::from_secs(50)));
        // More than expected.
        let progress = meter.page(6_000, Duration::from_secs(20));
        assert_eq!(progress.remaining, Some(Duration::ZERO));
        meter.sync();
        let progress = meter.page(5, Duration::from_secs(21));
        assert_eq!((progress.pages, progress.devices), (3, 5));
        assert_eq!((progress.expected, progress.remaining), (None, None));
    }
}
