//! All that the service remembers.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{
    Config, Exchange, Fault, SessionLoss,
    cursor::Cursors,
    devices::Devices,
    fault::{Answer, Faults},
    oauth::Nonces,
    random_hex,
    server_token::Credentials,
    session::Sessions,
};

pub(super) struct State {
    pub(super) config: Config,
    pub(super) server_uuid: String,
    pub(super) credentials: Credentials,
    pub(super) nonces: Nonces,
    pub(super) sessions: Sessions,
    pub(super) devices: Devices,
    pub(super) cursors: Cursors,
    pub(super) profiles: HashMap<String, Map<String, Value>>,
    pub(super) faults: Faults,
    pub(super) exchanges: Vec<Exchange>,
}

impl State {
    pub(super) fn new(config: Config) -> Result<Self, mdm_pki::Error> {
        Ok(Self {
            server_uuid: random_hex::<16>()?,
            credentials: Credentials::new()?,
            nonces: Nonces::default(),
            sessions: Sessions::default(),
            devices: Devices::default(),
            cursors: Cursors::default(),
            profiles: HashMap::new(),
            faults: Faults::default(),
            exchanges: Vec::new(),
            config,
        })
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::RevokeToken => {
                self.credentials.revoke();
                self.sessions.drop_all(SessionLoss::Unauthorized);
            }
            Fault::ExpireToken => {
                self.credentials.expire();
                self.sessions.drop_all(SessionLoss::Unauthorized);
            }
            Fault::TermsNotSigned => self.faults.terms_not_signed = true,
            Fault::DropSessions(loss) => self.sessions.drop_all(loss),
            Fault::KeepDroppingSessions => self.faults.drop_new_sessions = true,
            Fault::ExpireCursors => self.cursors.expire_all(),
            Fault::ForgetCursors => self.cursors.forget_all(),
            Fault::Answer {
                times,
                status,
                body,
                retry_after,
            } => {
                self.faults.answer = Some(Answer {
                    times,
                    status,
                    body,
                    retry_after,
                });
            }
            Fault::HangUp { times } => self.faults.hang_up = times,
            Fault::Throttle {
                serials,
                retry_after,
            } => {
                self.faults.throttled = serials;
                self.faults.throttled_for = retry_after;
            }
            Fault::FailAssign(serials) => self.faults.failing = serials,
        }
    }

    pub(super) fn device_profile(&mut self, serial: &str, now: DateTime<Utc>) -> Option<Value> {
        let uuid = self.devices.assigned_profile(serial)?;
        let profile = self.profiles.get(&uuid)?.clone();
        self.devices.push(serial, now);
        Some(Value::Object(profile))
    }
}
