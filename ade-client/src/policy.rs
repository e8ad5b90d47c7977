//! How often Apple is asked, how long is waited: defaults as today's products have them, all
//! changeable.

use std::time::Duration;

use crate::endpoint::{AssignMethod, MAX_ITEMS};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The rules of one account's traffic and bookkeeping.
///
/// Apple publishes no limits but that of its pages; the times are those of the products that are in
/// use (Microsoft Intune's documentation), which Apple accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The time between two full fetches; one asked for earlier becomes a delta sync. Default 7 days.
    pub full_every: Duration,
    /// The time between two delta syncs that nobody asked for. Default 12 hours.
    pub delta_every: Duration,
    /// The time between two rounds on somebody's request. Default 15 minutes.
    pub manual_every: Duration,
    /// How long one round may take; what is left goes on in the next one. Default 15 minutes.
    pub round_limit: Duration,
    /// When a round that ran out of time goes on. Default at once.
    pub resume_after: Duration,
    /// The time between two full fetches that Apple forces by not knowing a cursor any more.
    /// Default 12 hours.
    pub recover_every: Duration,
    /// How long to wait after Apple was busy, not reached, or gave the same cursor again, unless it
    /// says itself. Default 15 minutes.
    pub wait_after_error: Duration,
    /// The longest wait that Apple may ask for. Default 7 days.
    pub longest_wait: Duration,
    /// Devices in one page, held between 1 and what the account allows. Default 1000.
    pub page_size: u32,
    /// Devices in one request that names them, held between 1 and what the account allows.
    /// Default 1000.
    pub batch_size: u32,
    /// How long a device that Apple refused to assign, or throttled without saying how long, is left
    /// alone. Default 24 hours.
    pub cool_down: Duration,
    /// The method that assigns profiles. Default POST.
    pub assign_method: AssignMethod,
    /// How long released devices are remembered. Default 30 days.
    pub retire_after: Duration,
    /// Whether a replacement takes over the profile and the tags of its original. Default yes.
    pub take_over_replaced: bool,
    /// How long a node keeps an account to itself without a sign of life. Longer than one exchange with
    /// Apple takes at most, which is a minute, or two workers meet. Default 2 minutes.
    pub lease: Duration,
    /// How often is looked for work that nobody could foresee, as what other nodes and callers have
    /// put into the store. Nothing is sent for it. Default 1 minute.
    pub look_every: Duration,
    /// How many accounts are worked on at once. Default 4.
    pub parallel_accounts: usize,
    /// Warns when a token's end is as many days away. Default 30, 7 and 1.
    pub warn_days: Vec<u32>,
    /// Warns at as many devices in one account. Default 200,000.
    pub warn_devices: u64,
    /// Warns at as many profiles in one account. Default 1,000.
    pub warn_profiles: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            full_every: 7 * DAY,
            delta_every: 12 * HOUR,
            manual_every: 15 * MINUTE,
            round_limit: 15 * MINUTE,
            resume_after: Duration::ZERO,
            recover_every: 12 * HOUR,
            wait_after_error: 15 * MINUTE,
            longest_wait: 7 * DAY,
            page_size: MAX_ITEMS,
            batch_size: MAX_ITEMS,
            cool_down: DAY,
            assign_method: AssignMethod::default(),
            retire_after: 30 * DAY,
            take_over_replaced: true,
            lease: 2 * MINUTE,
            look_every: MINUTE,
            parallel_accounts: 4,
            warn_days: vec![30, 7, 1],
            warn_devices: 200_000,
            warn_profiles: 1_000,
        }
    }
}

impl Policy {
    /// Changes some of the rules.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}
