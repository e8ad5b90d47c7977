//! What a program does with the service: it ticks, and sleeps until something is due.

use std::{sync::Arc, time::Duration};

use ade_client::{AdeService, AdeStore, Error, Policy};
use chrono::{DateTime, Utc};
use mdm_core::{Clock, ManualClock};

use super::line::Line;

const USER_AGENT: &str = "fault-test/1.0";

/// Nobody else works on the store, so what is due next can be foreseen.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

pub(super) fn service(store: impl AdeStore + 'static, line: Line, url: &str) -> AdeService {
    let clock: Arc<dyn Clock> = line.clock.clone();
    AdeService::builder(store, line, clock, USER_AGENT)
        .base_url(url)
        .policy(Policy::default())
        .build()
}

/// As [`AdeService::run`], until a time.
pub(super) async fn until(service: &AdeService, clock: &ManualClock, end: DateTime<Utc>) {
    let mut ticks = 0;
    while clock.now() < end {
        let report = service.tick().await.unwrap();
        for (_, result) in &report.accounts {
            if let Err(error) = result {
                assert!(matches!(error, Error::Refused(_)), "{error:?}");
            }
        }
        let next = report.next.unwrap_or(end);
        let wait = (next - clock.now()).to_std().unwrap_or_default();
        let left = (end - clock.now()).to_std().unwrap_or_default();
        clock.advance(wait.clamp(Duration::from_secs(1), LONGEST).min(left));
        ticks += 1;
        assert!(ticks < 3_000, "it never comes to rest");
    }
}
