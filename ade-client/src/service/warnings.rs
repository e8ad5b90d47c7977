//! What a person should know of an account before devices stop enrolling.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::AdeService;
use crate::{
    Error, Policy,
    record::{AccountId, AccountRecord, Trouble, TroubleKind},
    store::{Changes, Counts, Reads},
};

/// Something about an account that needs a person. `Display` says it in a sentence, without a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// The token ends soon: download a new one for the same server.
    TokenExpires {
        /// When.
        at: DateTime<Utc>,
        /// The days before, of [`Policy::warn_days`].
        days: u32,
    },
    /// The token has ended.
    TokenExpired {
        /// When.
        at: DateTime<Utc>,
    },
    /// As many devices as [`Policy::warn_devices`], or more.
    Devices {
        /// How many are the account's.
        count: u64,
    },
    /// As many profiles as [`Policy::warn_profiles`], or more.
    Profiles {
        /// How many there are.
        count: u64,
    },
    /// Something keeps the account from working, such as a newer token that was downloaded elsewhere.
    Trouble(Trouble),
}

impl Warning {
    /// The name under which [`AccountRecord::warned`] remembers it.
    pub fn name(&self) -> String {
        match self {
            Self::TokenExpires { days, .. } => format!("token_expires_{days}"),
            Self::TokenExpired { .. } => "token_expired".to_owned(),
            Self::Devices { .. } => "devices".to_owned(),
            Self::Profiles { .. } => "profiles".to_owned(),
            Self::Trouble(trouble) => format!("trouble_{}", trouble.kind),
        }
    }
}

/// Whether the warning of this name says something about a token, and nothing about the next.
pub(super) fn is_of_token(name: &str) -> bool {
    name.starts_with("token_") || name.starts_with("trouble_")
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |time: &DateTime<Utc>| time.format("%Y-%m-%d %H:%M UTC");
        match self {
            Self::TokenExpires { at, .. } => write!(f, "the server token expires on {}", day(at)),
            Self::TokenExpired { at } => write!(f, "the server token expired on {}", day(at)),
            Self::Devices { count } => write!(f, "the account has {count} devices"),
            Self::Profiles { count } => write!(f, "the account has {count} profiles"),
            Self::Trouble(Trouble { kind, detail, .. }) => match advice(kind) {
                Some(advice) => write!(f, "{advice} ({detail})"),
                None => f.write_str(detail),
            },
        }
    }
}

fn advice(kind: &TroubleKind) -> Option<&'static str> {
    Some(match kind {
        TroubleKind::TokenExpired => "the server token's year is over: download a new one",
        TroubleKind::TokenRevoked => {
            "Apple does not accept the server token any more: its administrator is gone or changed \
             the password, download a new one"
        }
        TroubleKind::TokenSuperseded => {
            "a newer server token was downloaded elsewhere, which ends this one: install that one \
             or download another"
        }
        TroubleKind::TermsNotSigned => {
            "new terms and conditions wait in Apple's portal: an administrator has to accept them"
        }
        TroubleKind::AccessDenied => "the server token may not do what it is used for",
        TroubleKind::ProfileNotFound => {
            "Apple does not know a profile that devices want: replace it"
        }
        _ => return None,
    })
}

impl AdeService {
    /// The warnings that hold now.
    ///
    /// Of the times before a token's end only the last one that has come holds.
    ///
    /// # Errors
    /// [`Refusal::NoAccount`](super::Refusal::NoAccount).
    pub async fn warnings(&self, account: &AccountId) -> Result<Vec<Warning>, Error> {
        let (now, policy) = (self.inner.clock.now(), self.policy().clone());
        self.step(account, counts(), move |record, loaded| {
            let warnings = holding(&record, loaded.counts, &policy, now);
            Ok((Changes::default(), warnings))
        })
        .await
    }

    /// The warnings that hold now and were not told before; with this they were. One that no longer
    /// holds is told again when it does, and so are those about a token when it is replaced.
    ///
    /// Two callers at once are told different ones. Where there is an [`Observer`](crate::Observer),
    /// [`AdeService::tick`] and [`AdeService::run`] tell it.
    ///
    /// # Errors
    /// [`Refusal::NoAccount`](super::Refusal::NoAccount).
    pub async fn new_warnings(&self, account: &AccountId) -> Result<Vec<Warning>, Error> {
        let (now, policy) = (self.inner.clock.now(), self.policy().clone());
        self.step(account, counts(), move |mut record, loaded| {
            let mut warnings = holding(&record, loaded.counts, &policy, now);
            let names = warnings.iter().map(Warning::name).collect();
            let told = std::mem::replace(&mut record.warned, names);
            warnings.retain(|warning| !told.contains(&warning.name()));
            let changes = match told == record.warned {
                true => Changes::default(),
                false => Changes::account(record),
            };
            Ok((changes, warnings))
        })
        .await
    }
}

fn counts() -> Reads {
    Reads::account().with(|reads| reads.counts = true)
}

/// Whether a warning holds that was not told, as far as can be seen without counting.
pub(super) fn is_new(record: &AccountRecord, policy: &Policy, now: DateTime<Utc>) -> bool {
    holding(record, Counts::default(), policy, now)
        .iter()
        .any(|warning| !record.warned.contains(&warning.name()))
}

fn holding(
    record: &AccountRecord,
    counts: Counts,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Vec<Warning> {
    let expiry = record
        .credentials
        .as_ref()
        .and_then(|credentials| credentials.token.access_token_expiry);
    let mut warnings: Vec<_> = expiry
        .and_then(|at| of_expiry(at, policy, now))
        .into_iter()
        .collect();
    if counts.present >= policy.warn_devices {
        warnings.push(Warning::Devices {
            count: counts.present,
        });
    }
    if counts.profiles >= policy.warn_profiles {
        warnings.push(Warning::Profiles {
            count: counts.profiles,
        });
    }
    warnings.extend(record.trouble.clone().map(Warning::Trouble));
    warnings
}

fn of_expiry(at: DateTime<Utc>, policy: &Policy, now: DateTime<Utc>) -> Option<Warning> {
    let left = at - now;
    if left <= TimeDelta::zero() {
        return Some(Warning::TokenExpired { at });
    }
    let days = policy
        .warn_days
        .iter()
        .copied()
        .filter(|days| left <= TimeDelta::days(i64::from(*days)))
        .min()?;
    Some(Warning::TokenExpires { at, days })
}
