//! Sessions: what `/session` gives out and every other endpoint wants to see.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};

use super::{SessionLoss, ids::Ids, later, state::State};

#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: HashMap<String, Session>,
    loss: SessionLoss,
}

#[derive(Debug)]
struct Session {
    ends: DateTime<Utc>,
    requests: u32,
}

impl Sessions {
    pub(super) fn open(&mut self, ids: &mut Ids, lifetime: Duration, now: DateTime<Utc>) -> String {
        self.open.retain(|_, session| session.ends > now);
        // The form that has been seen; clients have to take it as opaque.
        let token = format!(
            "{}O1O{}O{}O11Op1O{}",
            now.timestamp_millis(),
            ids.hex(16),
            ids.hex(8),
            ids.hex(16)
        );
        let session = Session {
            ends: later(now, lifetime),
            requests: 0,
        };
        self.open.insert(token.clone(), session);
        token
    }

    /// Whether the session is open; else how it is refused.
    pub(super) fn check(&self, token: Option<&str>, now: DateTime<Utc>) -> Result<(), SessionLoss> {
        match token.and_then(|token| self.open.get(token)) {
            Some(session) if session.ends > now => Ok(()),
            _ => Err(self.loss),
        }
    }

    /// Checks the session and counts the request.
    pub(super) fn enter(
        &mut self,
        token: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), SessionLoss> {
        self.check(token, now)?;
        if let Some(session) = token.and_then(|token| self.open.get_mut(token)) {
            session.requests += 1;
        }
        Ok(())
    }

    pub(super) fn drop_all(&mut self, loss: SessionLoss) {
        self.open.clear();
        self.loss = loss;
    }
}

impl State {
    /// A new session in the stead of this one, if it has served its number of requests.
    pub(super) fn rotate_session(&mut self, token: &str, now: DateTime<Utc>) -> Option<String> {
        let every = self.config.rotate_session_every?;
        if self.sessions.open.get(token)?.requests < every {
            return None;
        }
        self.sessions.open.remove(token);
        let lifetime = self.config.session_lifetime;
        Some(self.sessions.open(&mut self.ids, lifetime, now))
    }
}
