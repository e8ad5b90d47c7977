//! Sums of a time and a span that cannot overflow.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The time `wait` after `now`, or the last one there is.
pub(crate) fn after(now: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(wait)
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
