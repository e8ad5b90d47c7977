//! What the fake service is like.

use std::{sync::Arc, time::Duration};

use mdm_core::{Clock, SystemClock};
use mdm_pki::Identity;

/// What the fake service is like. All of it but the clock, the seed and the identity can be
/// changed while it runs, with [`AdeService::configure`](super::AdeService::configure).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The server's name in the portal. Default `Fake MDM`.
    pub server_name: String,
    /// The organization's name. Default `Fake Organization`.
    pub org_name: String,
    /// What `/account` states as the most items at once. Default 1000.
    pub page_maximum: usize,
    /// How long a session lives. Default 3 minutes.
    pub session_lifetime: Duration,
    /// After how many requests in a session a new one comes with the answer; the old one then
    /// works no longer. `None`, the default, for never.
    pub rotate_session_every: Option<u32>,
    /// How many sessions may be opened in a minute; 429 `too_many_requests` beyond. `None`, the
    /// default, for any number.
    pub sessions_per_minute: Option<u32>,
    /// How far an OAuth timestamp may be off. Default 5 minutes.
    pub timestamp_tolerance: Duration,
    /// How long a cursor lives. Default 7 days.
    pub cursor_lifetime: Duration,
    /// How long a change takes to show in `/devices/sync`. Default zero.
    pub sync_lag: Duration,
    /// How often one device may be assigned in 24 hours before it is `THROTTLED` and cools down
    /// for 24 hours. `None`, the default, for any number.
    pub assignments_a_day: Option<u32>,
    /// Whether a device that cools down is absent from fetch and sync; it comes back as
    /// `modified`. Default no.
    pub hide_cooling_devices: bool,
    /// The portal's flag that lets the server disown devices; 403 `ACCESS_DENIED` without. Default
    /// no, as at Apple.
    pub disown_allowed: bool,
    /// Whether the organization may lock devices; `ORG_NOT_SUPPORTED` else. Default yes.
    pub activation_lock: bool,
    /// Whether the organization has account-driven enrolment; `ORG_NOT_SUPPORTED` else. Default
    /// yes.
    pub account_driven_enrollment: bool,
    /// Whether AppleSeed for IT is on; 403 `APPLE_SEED_FOR_IT_TURNED_OFF` else. Default yes.
    pub seed_for_it: bool,
    /// Whether a profile has to name a department and a support phone number, as it once had to:
    /// `DEPARTMENT_REQUIRED`, `SUPPORT_PHONE_REQUIRED`. Default no.
    pub legacy_profile_rules: bool,
    /// Odd forms of answers that have been seen.
    pub shapes: Shapes,
    /// How many [`exchanges`](super::AdeService::exchanges) are kept, the latest ones. Default
    /// 100,000; what is counted is counted beyond.
    pub kept_exchanges: usize,
    /// Whether the serial numbers of each request are kept with its exchange. Default no.
    pub keep_serials: bool,
    /// Whether pages of devices are built once and given again until a device changes, cursor and
    /// all: for measuring a client. Default no.
    pub prerendered: bool,
    /// What time it is: op_dates, sessions, cursors and cool-downs go by it. Default the machine's.
    pub clock: Arc<dyn Clock>,
    /// What all identifiers and tokens are made from; random unless set.
    pub seed: Option<u64>,
    /// The server's certificate and key; one of an authority of its own unless set.
    pub identity: Option<Identity>,
}

/// Odd forms of answers that have been seen at Apple or in its simulator. All off by default.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Shapes {
    /// `devices` of an assignment is an array of objects with one key each.
    pub outcomes_as_array: bool,
    /// A device without a profile has the profile_status `""`.
    pub empty_profile_status: bool,
    /// A time that is not is `""`.
    pub empty_times: bool,
    /// Generated devices have spaces in their imei.
    pub imei_with_spaces: bool,
    /// Generated devices have their MAC addresses in arrays.
    pub mac_as_array: bool,
    /// device_assigned_by is `"-1"`.
    pub assigned_by_minus_one: bool,
    /// Codes of errors stand in quotes.
    pub quoted_errors: bool,
    /// How a profile that is not there is refused.
    pub profile_not_found: ProfileNotFound,
    /// `/device/replacementDetails` refuses with 400 instead of 404.
    pub device_not_found_is_400: bool,
    /// Deleted records lack released_by_replacement.
    pub bare_deleted_records: bool,
    /// Deleted records have all that the device had.
    pub full_deleted_records: bool,
    /// A profile that names a device which is not the server's is refused as a whole, with
    /// `NOT_FOUND`.
    pub strict_define: bool,
    /// Beta tokens come with `seedBuildTokens`.
    pub seed_build_tokens: bool,
    /// An expired token is 400 instead of 403.
    pub expired_token_is_400: bool,
    /// A token that a newer one has replaced is `signature_invalid` instead of `token_rejected`.
    pub superseded_token_is_signature_invalid: bool,
    /// Changes of one device within a second have the same op_date. Else each is a second after
    /// the one before at least, so that the latest is the latest.
    pub equal_op_dates: bool,
}

/// How a profile that is not there is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ProfileNotFound {
    /// 400 `PROFILE_NOT_FOUND`.
    #[default]
    Named,
    /// 400 `NOT_FOUND`.
    Bare,
    /// 404 `NOT_FOUND`.
    BareAs404,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server_name: "Fake MDM".to_owned(),
            org_name: "Fake Organization".to_owned(),
            page_maximum: 1000,
            session_lifetime: Duration::from_secs(180),
            rotate_session_every: None,
            sessions_per_minute: None,
            timestamp_tolerance: Duration::from_secs(300),
            cursor_lifetime: Duration::from_secs(7 * 24 * 3600),
            sync_lag: Duration::ZERO,
            assignments_a_day: None,
            hide_cooling_devices: false,
            disown_allowed: false,
            activation_lock: true,
            account_driven_enrollment: true,
            seed_for_it: true,
            legacy_profile_rules: false,
            shapes: Shapes::default(),
            kept_exchanges: 100_000,
            keep_serials: false,
            prerendered: false,
            clock: Arc::new(SystemClock),
            seed: None,
            identity: None,
        }
    }
}

impl Config {
    /// Changes some of the settings.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}
