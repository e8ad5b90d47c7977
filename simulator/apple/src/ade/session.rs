//! Sessions: what `/session` gives out and every other endpoint wants to see.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::{SessionLoss, random_hex};

#[derive(Default)]
pub(super) struct Sessions {
    open: HashMap<String, Session>,
    loss: SessionLoss,
}

struct Session {
    ends: DateTime<Utc>,
    requests: u32,
}

impl Sessions {
    pub(super) fn open(
        &mut self,
        lifetime: Duration,
        now: DateTime<Utc>,
    ) -> Result<String, mdm_pki::Error> {
        // The form that has been seen; clients have to take it as opaque.
        let token = format!(
            "{}O1O{}O{}O11Op1O{}",
            now.timestamp_millis(),
            random_hex::<16>()?,
            random_hex::<8>()?,
            random_hex::<16>()?
        );
        let lifetime = TimeDelta::from_std(lifetime).unwrap_or(TimeDelta::days(1));
        self.open.insert(
            token.clone(),
            Session {
                ends: now + lifetime,
                requests: 0,
            },
        );
        Ok(token)
    }

    /// Whether the session is open; else how it is refused.
    pub(super) fn check(
        &mut self,
        token: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), SessionLoss> {
        let session = token.and_then(|token| self.open.get_mut(token));
        match session {
            Some(session) if session.ends > now => {
                session.requests += 1;
                Ok(())
            }
            _ => Err(self.loss),
        }
    }

    /// A new session in the stead of this one, if it has served its number of requests.
    pub(super) fn rotate(
        &mut self,
        token: &str,
        every: Option<u32>,
        lifetime: Duration,
        now: DateTime<Utc>,
    ) -> Option<String> {
        if self.open.get(token)?.requests < every? {
            return None;
        }
        let next = self.open(lifetime, now).ok()?;
        self.open.remove(token);
        Some(next)
    }

    pub(super) fn drop_all(&mut self, loss: SessionLoss) {
        self.open.clear();
        self.loss = loss;
    }
}
