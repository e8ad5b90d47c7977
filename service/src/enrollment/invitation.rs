//! Who may enrol: invitations that a profile carries, and places that are counted.

use chrono::{DateTime, Utc};
use mdm_core::{SerialNumber, Udid};
use mdm_protocol::EnrollmentId;

/// A place that a device takes for as long as it is enrolled: a licence, or one of the devices that a
/// person may have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Claim {
    /// Which pool: a name of the vendor's own, such as `licences` or `user:anna`.
    pub pool: String,
    /// How many places the pool has now.
    pub limit: u64,
}

impl Claim {
    /// One of `limit` places in `pool`.
    pub fn new(pool: impl Into<String>, limit: u64) -> Self {
        Self {
            pool: pool.into(),
            limit,
        }
    }
}

/// A leave to enrol, made when a profile is handed out, and named by the `CheckInURL` and `ServerURL`
/// in it. The `Authenticate` that names it spends it.
///
/// One device spends it, as often as it likes: an answer may get lost, and the same profile may be
/// installed again (Q16).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invitation {
    /// Its name: 128 random bits, base64url. Who knows it may enrol.
    pub id: String,
    /// The vendor's name of the account that the device will belong to.
    pub owner: Option<String>,
    /// The only device that it is for, if it is for one.
    pub serial_number: Option<SerialNumber>,
    /// The same by `UDID`.
    pub udid: Option<Udid>,
    /// The places that the device will take.
    pub licences: Vec<Claim>,
    /// Whatever the vendor wants to find again. In account-driven enrolment also `ENROLLMENT_MODE` (`BYOD` or `ADDE`)
    /// and `ASSIGNED_MANAGED_APPLE_ID`: what the profile says, and an update of it has to repeat.
    pub data: serde_json::Value,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on no device may spend it for the first time.
    pub expires_at: DateTime<Utc>,
    /// Who spent it.
    pub spent_by: Option<EnrollmentId>,
    /// When it was spent first.
    pub spent_at: Option<DateTime<Utc>>,
}

impl Invitation {
    /// An invitation of that name, for any device.
    pub fn new(
        id: impl Into<String>,
        created_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Self {
        Self {
            id: id.into(),
            owner: None,
            serial_number: None,
            udid: None,
            licences: Vec::new(),
            data: serde_json::Value::Null,
            created_at,
            expires_at,
            spent_by: None,
            spent_at: None,
        }
    }

    /// The invitation after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// Whether `device` may spend it at that time: it did before, or nobody did and it has not
    /// expired.
    pub fn may_be_spent(&self, device: &EnrollmentId, at: DateTime<Utc>) -> bool {
        match &self.spent_by {
            Some(spender) => spender == device,
            None => at < self.expires_at,
        }
    }

    /// Whether it is for a device that tells this of itself. What it does not name it does not ask
    /// for; what it names the device has to tell.
    pub fn is_for(&self, serial_number: Option<&SerialNumber>, udid: Option<&Udid>) -> bool {
        let fits = |wanted: Option<&str>, told: Option<&str>| {
            wanted.is_none_or(|wanted| told == Some(wanted))
        };
        fits(
            self.serial_number.as_ref().map(SerialNumber::as_str),
            serial_number.map(SerialNumber::as_str),
        ) && fits(self.udid.as_ref().map(Udid::as_str), udid.map(Udid::as_str))
    }
}

/// The invitation that a step spends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spend {
    /// The invitation's name.
    pub id: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Spend {
    /// The invitation of that name.
    pub fn new(id: impl Into<String>, at: DateTime<Utc>) -> Self {
        Self { id: id.into(), at }
    }
}
