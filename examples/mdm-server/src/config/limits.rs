//! How often one address may ask. Behind some are whole offices, which enrol thousands of devices in an hour.

use std::{sync::Arc, time::Duration};

use mdm_sdk::scep::limit::{Rate, RateLimit, Scope, TokenBuckets};
use serde::Deserialize;

/// What one address may do in some time, on one node.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Requests of SCEP, of ACME and of OCSP, each by itself, within 10 minutes.
    pub(crate) requests_per_peer: u32,
    /// Identities that are asked for within an hour. One account of ACME gets no more.
    pub(crate) identities_per_peer: u32,
    /// New accounts of ACME within a day: they are kept for good.
    pub(crate) accounts_per_peer: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_peer: 60_000,
            identities_per_peer: 20_000,
            accounts_per_peer: 20_000,
        }
    }
}

impl Limits {
    /// Full buckets, for one of the servers.
    pub(crate) fn buckets(&self) -> Arc<dyn RateLimit> {
        const HOUR: Duration = Duration::from_secs(3_600);
        let requests = Rate::new(self.requests_per_peer, HOUR / 6);
        let identities = Rate::new(self.identities_per_peer, HOUR);
        let accounts = Rate::new(self.accounts_per_peer, HOUR * 24);
        let buckets = TokenBuckets::new()
            .rate(Scope::Request, requests)
            .rate(Scope::NewOrder, identities)
            .rate(Scope::Enrolment, identities)
            .rate(Scope::NewAccount, accounts);
        Arc::new(buckets)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use mdm_sdk::scep::limit::{Admission, Who};

    use super::*;

    const OFFICE: Who<'static> = Who::Peer("192.0.2.1");

    #[tokio::test]
    async fn an_office_that_enrols_ten_thousand_devices_in_an_hour_does_not_notice() {
        let buckets = Limits::default().buckets();
        for device in 0..10_000 {
            let now = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(360 * device);
            // A device asks about a dozen times until it has its identity.
            let scopes = [Scope::NewAccount, Scope::NewOrder, Scope::Enrolment];
            for scope in scopes.into_iter().chain([Scope::Request; 12]) {
                let admission = buckets.admit(scope, OFFICE, now).await;
                assert_eq!(admission, Admission::Admitted, "{scope:?} {device}");
            }
        }
    }

    #[tokio::test]
    async fn every_scope_has_an_end() {
        let limits = Limits {
            requests_per_peer: 4,
            identities_per_peer: 3,
            accounts_per_peer: 2,
        };
        let buckets = limits.buckets();
        for (scope, most) in [
            (Scope::Request, 4),
            (Scope::NewOrder, 3),
            (Scope::Enrolment, 3),
            (Scope::NewAccount, 2),
        ] {
            for number in 0..=most {
                let admission = buckets.admit(scope, OFFICE, DateTime::UNIX_EPOCH).await;
                let is_admitted = admission == Admission::Admitted;
                assert_eq!(is_admitted, number < most, "{scope:?} {number}");
            }
        }
    }
}
