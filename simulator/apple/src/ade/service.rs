//! The service itself, apart from any socket: a request goes in, an answer comes out.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Request, Response};
use mdm_pki::{Certificate, Identity};
use serde_json::Value;

use super::{
    Config, Error, Exchange, Fault, Fired, Roster, Traffic, Trigger, pages, routes, server_token,
    state::State,
};

/// A device-assignment service of one organization with one server, in this process.
///
/// A clone is the same service. [`FakeAde`](super::FakeAde) puts it behind a socket, and hands out
/// all that is here.
///
/// ```
/// use bytes::Bytes;
/// use mdm_fake_apple::ade::{AdeService, Answer, Config, Fault};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let apple = AdeService::new(Config::default())?;
/// apple.fault(Fault::Unreachable { times: 1 });
/// let request = || http::Request::get("/account").body(Bytes::new()).unwrap();
/// assert!(matches!(apple.answer(&request()), Answer::HungUp { processed: false }));
/// let Answer::Answered(response) = apple.answer(&request()) else { unreachable!() };
/// assert_eq!(response.body(), "USER_AGENT_MISSING");
/// assert_eq!(apple.fired()[0].kind, "Unreachable");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AdeService {
    state: Arc<Mutex<State>>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Answer {
    /// It is answered; not before [`Delay`](crate::http::Delay) is over, if that is in the
    /// response's extensions.
    Answered(Response<Bytes>),
    /// The connection is closed in the answer's stead.
    HungUp {
        /// Whether the request was processed all the same.
        processed: bool,
    },
}

/// A device as the service knows it; see [`AdeService::for_each_device`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Present<'a> {
    /// The serial number.
    pub serial_number: &'a str,
    /// `empty`, `assigned`, `pushed` or `removed`.
    pub profile_status: &'static str,
    /// The profile; also where it is `removed`.
    pub profile_uuid: Option<&'a str>,
    /// When the profile was assigned.
    pub profile_assign_time: Option<DateTime<Utc>>,
    /// When a device fetched it.
    pub profile_push_time: Option<DateTime<Utc>>,
    /// The op_date of the latest change.
    pub op_date: Option<DateTime<Utc>>,
    /// Until when an assignment is `THROTTLED`.
    pub cooling_until: Option<DateTime<Utc>>,
}

impl AdeService {
    /// A service without a device, a profile or a token.
    ///
    /// # Errors
    /// [`Error::Pki`] if there is no randomness for a seed.
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(Self {
            state: Arc::new(Mutex::new(State::new(config)?)),
        })
    }

    /// Answers a request. Its URI may be absolute, in which case no Host header is needed.
    pub fn answer(&self, request: &Request<Bytes>) -> Answer {
        routes::answer(&mut self.state(), request)
    }

    /// Changes what the service is like while it runs.
    pub fn configure(&self, change: impl FnOnce(&mut Config)) {
        let mut state = self.state();
        change(&mut state.config);
        state.pages.clear();
    }

    /// What the portal gives for an uploaded certificate (PEM): the token file, S/MIME around BER.
    ///
    /// Any token given before ends, as it does at Apple.
    ///
    /// # Errors
    /// [`Error::Pki`] if the certificate cannot be read or has no RSA key.
    pub fn new_server_token(&self, upload_certificate: &[u8]) -> Result<Vec<u8>, Error> {
        let certificate = Certificate::from_pem(upload_certificate)?;
        let token = self.state().new_token();
        Ok(server_token::file(&token, &certificate)?)
    }

    /// A new token as it lies in its file, without the envelope: `consumer_key`,
    /// `consumer_secret`, `access_token`, `access_secret`, `access_token_expiry`.
    pub fn new_server_token_json(&self) -> Value {
        self.state().new_token().to_json()
    }

    /// Assigns a device to the server: raw JSON with `serial_number` and whatever else Apple would
    /// tell about it. One that is there already is assigned again: a `modified`, and a profile
    /// that it had is `removed`.
    pub fn add_device(&self, device: Value) {
        let mut state = self.state();
        let moment = state.moment();
        state.devices.add(device, moment);
    }

    /// Assigns this many devices with plausible attributes, another kind of them for each seed.
    /// Returns their serial numbers.
    pub fn add_devices(&self, count: usize, seed: u64) -> Vec<Arc<str>> {
        let mut state = self.state();
        let moment = state.moment();
        (0..count)
            .map(|_| state.devices.add_generated(seed, moment))
            .collect()
    }

    /// Assigns a device to the server again, that is there or was there once; `false` if it never
    /// was. One that is there is `modified` and its profile `removed`; one that was comes back as
    /// `added`, without a profile.
    pub fn reassign_device(&self, serial: &str) -> bool {
        let mut state = self.state();
        let moment = state.moment();
        state.devices.reassign(serial, moment)
    }

    /// Changes something about a device; `false` if there is none.
    pub fn modify_device(&self, serial: &str, changes: Value) -> bool {
        let mut state = self.state();
        let moment = state.moment();
        state.devices.modify(serial, changes, moment)
    }

    /// Takes a device away from the server; `false` if there is none.
    pub fn remove_device(&self, serial: &str) -> bool {
        let mut state = self.state();
        let moment = state.moment();
        state.devices.remove(serial, false, moment)
    }

    /// Puts a device in the place of another, which is released; `false` if there is no such
    /// original or the replacement has no other serial number.
    pub fn replace_device(&self, original: &str, replacement: Value) -> bool {
        self.state().replace_device(original, replacement)
    }

    /// A device as the service knows it, with everything.
    pub fn device(&self, serial: &str) -> Option<Value> {
        self.state().devices.get(serial)
    }

    /// How many devices the server has.
    pub fn device_count(&self) -> usize {
        self.state().devices.len()
    }

    /// Shows every device of the server, in the order in which they came, without a copy. The
    /// service waits meanwhile: calling it from within does not return.
    pub fn for_each_device(&self, mut show: impl FnMut(Present<'_>)) {
        let state = self.state();
        for device in state.devices.iter() {
            show(Present {
                serial_number: &device.serial,
                profile_status: device.status.as_str(),
                profile_uuid: device.profile_uuid.as_deref(),
                profile_assign_time: device.assign_time,
                profile_push_time: device.push_time,
                op_date: state.devices.last_op_date(&device.serial),
                cooling_until: state.cooling.until(&device.serial),
            });
        }
    }

    /// What Apple tells a device at activation: its profile, as the MDM defined it. The device
    /// counts as `pushed` from then on.
    pub fn device_profile(&self, serial: &str) -> Option<Value> {
        self.state().device_profile(serial)
    }

    /// How many profiles were defined.
    pub fn profile_count(&self) -> usize {
        self.state().profiles.len()
    }

    /// Whether the device is locked by the organization.
    pub fn is_locked(&self, serial: &str) -> bool {
        self.state().locks.contains_key(serial)
    }

    /// Puts an entry into a roster, by its `source_system_identifier`; one without is left out.
    pub fn put_roster(&self, roster: Roster, entry: Value) {
        let mut state = self.state();
        let now = state.now();
        state.rosters.put(roster, entry, now);
    }

    /// Takes an entry out of a roster; `false` if there is none.
    pub fn remove_roster(&self, roster: Roster, source_system_identifier: &str) -> bool {
        let mut state = self.state();
        let now = state.now();
        state.rosters.remove(roster, source_system_identifier, now)
    }

    /// Builds all pages of `/server/devices` of this size for this protocol version, if
    /// [`Config::prerendered`] is on. Counts no request.
    pub fn prerender(&self, limit: usize, protocol_version: u32) {
        pages::prerender(&mut self.state(), limit, protocol_version);
    }

    /// Drops the log of changes: cursors into it are `EXPIRED_CURSOR` from now on. What is older
    /// than any living cursor is dropped without being told.
    pub fn compact_log(&self) {
        self.state().devices.compact();
    }

    /// Switches a fault on, for the next request that it fits. Tokens, sessions and cursors are
    /// lost at once. Returns the fault's number.
    pub fn fault(&self, fault: Fault) -> u64 {
        self.state().fault(fault)
    }

    /// Switches a fault on from a certain request on. Returns the fault's number.
    pub fn arm(&self, trigger: Trigger, fault: Fault) -> u64 {
        self.state().faults.arm(trigger, fault)
    }

    /// Ends all faults that wait or last, and what the service said about being busy. What is lost
    /// stays lost: tokens, sessions, cursors; and a device that cools down goes on doing so.
    pub fn clear_faults(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.busy_until = None;
    }

    /// The faults that have happened, in their order.
    pub fn fired(&self) -> Vec<Fired> {
        self.state().faults.fired.clone()
    }

    /// The kinds of the faults that wait for their request.
    pub fn waiting(&self) -> Vec<&'static str> {
        self.state().faults.waiting()
    }

    /// The latest requests, as many as [`Config::kept_exchanges`] says.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.state().log.exchanges.iter().cloned().collect()
    }

    /// All requests so far, counted.
    pub fn traffic(&self) -> Traffic {
        self.state().log.traffic.clone()
    }

    /// How many requests came for this path so far.
    pub fn count(&self, path: &str) -> usize {
        let requests = self.state().log.traffic.path(path).requests;
        usize::try_from(requests).unwrap_or(usize::MAX)
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.state().config.identity.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AdeService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdeService").finish_non_exhaustive()
    }
}
