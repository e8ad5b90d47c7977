//! Sums of a time and a span that cannot overflow, and a sleep that somebody may end.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::Clock;

/// The time `wait` after `now`, or the last one there is.
pub(crate) fn after(now: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(wait)
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Sleeps until `stop` is ready; whether it is.
pub(crate) async fn stopped_within(
    clock: &dyn Clock,
    wait: Duration,
    mut stop: Pin<&mut (impl Future<Output = ()> + Send)>,
) -> bool {
    let mut sleep = pin!(clock.sleep(wait));
    poll_fn(|context| {
        if stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(true);
        }
        match wait {
            Duration::ZERO => Poll::Ready(false),
            _ => sleep.as_mut().poll(context).map(|()| false),
        }
    })
    .await
}
