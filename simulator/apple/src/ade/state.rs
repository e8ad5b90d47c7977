//! All that the service remembers.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::{
    Config, Fault, SessionLoss, Trigger,
    cooling::Cooling,
    cursor::{Cursors, Place},
    devices::{Devices, Moment},
    fault::{Faults, Source},
    ids::Ids,
    lock::Locks,
    oauth::Nonces,
    roster::Rosters,
    server_token::{Contents, Credentials},
    session::Sessions,
    traffic::Log,
};

#[derive(Debug)]
pub(super) struct State {
    pub(super) config: Config,
    pub(super) ids: Ids,
    pub(super) server_uuid: String,
    pub(super) credentials: Credentials,
    pub(super) nonces: Nonces,
    pub(super) sessions: Sessions,
    /// When sessions were opened in the last minute.
    pub(super) opened: VecDeque<DateTime<Utc>>,
    pub(super) devices: Devices,
    pub(super) cooling: Cooling,
    pub(super) cursors: Cursors,
    pub(super) profiles: HashMap<Arc<str>, Map<String, Value>>,
    pub(super) discovery: Option<(String, DateTime<Utc>)>,
    pub(super) replacements: HashMap<String, (String, DateTime<Utc>)>,
    pub(super) locks: Locks,
    pub(super) rosters: Rosters,
    pub(super) faults: Faults,
    /// Until when the service has said to be busy.
    pub(super) busy_until: Option<DateTime<Utc>>,
    pub(super) log: Log,
    /// The serial numbers of the request that is being answered.
    pub(super) named: Vec<String>,
    pub(super) pages: HashMap<PageKey, (Bytes, DateTime<Utc>)>,
    pub(super) pages_revision: u64,
}

/// Which page was built: where it begins, its size, the protocol version.
pub(super) type PageKey = (Place, usize, u32);

impl State {
    pub(super) fn new(config: Config) -> Result<Self, mdm_pki::Error> {
        let seed = match config.seed {
            Some(seed) => seed,
            None => u64::from_ne_bytes(mdm_pki::random::<8>()?),
        };
        let mut ids = Ids::new(seed);
        Ok(Self {
            server_uuid: ids.hex(16),
            credentials: Credentials::new(&mut ids),
            ids,
            nonces: Nonces::default(),
            sessions: Sessions::default(),
            opened: VecDeque::new(),
            devices: Devices::default(),
            cooling: Cooling::default(),
            cursors: Cursors::default(),
            profiles: HashMap::new(),
            discovery: None,
            replacements: HashMap::new(),
            locks: Locks::default(),
            rosters: Rosters::default(),
            faults: Faults::default(),
            busy_until: None,
            log: Log::default(),
            named: Vec::new(),
            pages: HashMap::new(),
            pages_revision: 0,
            config,
        })
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.config.clock.now()
    }

    pub(super) fn moment(&self) -> Moment {
        Moment {
            now: self.now(),
            equal_op_dates: self.config.shapes.equal_op_dates,
        }
    }

    /// Switches a fault on; one that changes what the service remembers does so at once.
    pub(super) fn fault(&mut self, fault: Fault) -> u64 {
        if !changes_state(&fault) && !lasts(&fault) {
            return self.faults.arm(Trigger::next(), fault);
        }
        let now = self.now();
        let source = self.faults.source(&fault);
        if changes_state(&fault) {
            self.faults.note(source, now);
        }
        self.apply(source, fault);
        source.id()
    }

    /// Lets a fault that changes the state take effect.
    pub(super) fn apply(&mut self, source: Source, fault: Fault) {
        let lasting = &mut self.faults.lasting;
        match fault {
            Fault::RevokeToken => {
                self.credentials.revoke();
                self.sessions.drop_all(SessionLoss::Unauthorized);
            }
            Fault::ExpireToken => {
                self.credentials.expire();
                self.sessions.drop_all(SessionLoss::Unauthorized);
            }
            Fault::NewerToken => drop(self.new_token()),
            Fault::TermsNotSigned => lasting.terms_not_signed = Some(source),
            Fault::KeepDroppingSessions => lasting.drop_new_sessions = Some(source),
            Fault::Throttle {
                serials,
                retry_after,
            } => lasting.throttled = Some((source, serials, retry_after)),
            Fault::FailAssign(serials) => lasting.failing = Some((source, serials)),
            Fault::DropSessions(loss) => self.sessions.drop_all(loss),
            Fault::ExpireCursors => self.cursors.end_all("EXPIRED_CURSOR"),
            Fault::ExhaustCursors => self.cursors.end_all("EXHAUSTED_CURSOR"),
            Fault::ForgetCursors => self.cursors.forget_all(),
            _ => {}
        }
    }

    /// A new token; sessions that were opened with another one end.
    pub(super) fn new_token(&mut self) -> Contents {
        let now = self.now();
        self.sessions.drop_all(SessionLoss::Unauthorized);
        self.credentials.renew(&mut self.ids, now)
    }

    pub(super) fn device_profile(&mut self, serial: &str) -> Option<Value> {
        let uuid = self.devices.find(serial)?.profile()?;
        let profile = self.profiles.get(uuid)?.clone();
        let moment = self.moment();
        self.devices.push(serial, moment);
        Some(Value::Object(profile))
    }

    /// A device takes the place of another.
    pub(super) fn replace_device(&mut self, original: &str, replacement: Value) -> bool {
        let moment = self.moment();
        let serial = replacement.get("serial_number").and_then(Value::as_str);
        let Some(serial) = serial.map(str::to_owned) else {
            return false;
        };
        if serial == original || !self.devices.remove(original, true, moment) {
            return false;
        }
        let mut replacement = replacement;
        if let Some(device) = replacement.as_object_mut() {
            device.insert("is_replacement_device".to_owned(), true.into());
        }
        self.devices.add(replacement, moment);
        self.replacements
            .insert(serial, (original.to_owned(), moment.now));
        true
    }

    /// What time has brought about since the last request.
    pub(super) fn tidy(&mut self, now: DateTime<Utc>) {
        let moment = self.moment();
        for serial in self.cooling.end(now) {
            self.devices.touch(&serial, moment);
        }
        // Twice, since a cursor that was given late may point far back.
        let lifetime = TimeDelta::from_std(self.config.cursor_lifetime.saturating_mul(2)).ok();
        if let Some(oldest) = lifetime.and_then(|lifetime| now.checked_sub_signed(lifetime)) {
            self.devices.compact_before(oldest);
        }
    }
}

/// Faults that change what the service remembers.
pub(super) fn changes_state(fault: &Fault) -> bool {
    changes_token(fault) || changes_cursors(fault) || matches!(fault, Fault::DropSessions(_))
}

/// Faults that last until cleared, and happen when they show.
pub(super) fn lasts(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::TermsNotSigned
            | Fault::KeepDroppingSessions
            | Fault::Throttle { .. }
            | Fault::FailAssign(_)
    )
}

pub(super) fn changes_token(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::RevokeToken | Fault::ExpireToken | Fault::NewerToken
    )
}

pub(super) fn changes_cursors(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::ExpireCursors | Fault::ForgetCursors | Fault::ExhaustCursors
    )
}
