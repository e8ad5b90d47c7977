//! When to renew, in the server's opinion (RFC 9773).

use std::{fmt, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::Certificate;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::base64url;

/// The longest half of a [`CertId`], in bytes.
pub const MAX_CERT_ID_PART: usize = 64;

/// A certificate's name for renewal: its authorityKeyIdentifier and serial number (RFC 9773 section 4.1).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CertId {
    authority_key_id: Vec<u8>,
    serial: Vec<u8>,
}

/// Why there is no [`CertId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertIdError {
    /// The certificate does not say whose key signed it.
    #[error("the certificate has no authorityKeyIdentifier")]
    NoAuthorityKeyId,
    /// The text is not two parts in base64url with a dot between them.
    #[error("the certificate's name is malformed")]
    Malformed,
}

impl CertId {
    /// The name of a certificate.
    ///
    /// # Errors
    /// [`CertIdError::NoAuthorityKeyId`]; [`CertIdError::Malformed`] where one of its numbers is unreasonably long.
    pub fn of(certificate: &Certificate) -> Result<Self, CertIdError> {
        let authority_key_id = certificate
            .authority_key_id()
            .ok_or(CertIdError::NoAuthorityKeyId)?;
        Self::from_parts(authority_key_id, certificate.serial())
    }

    /// The name of the certificate with this serial number (the content of its DER INTEGER) by the issuer of this key.
    ///
    /// # Errors
    /// [`CertIdError::Malformed`] for a part that is empty or longer than [`MAX_CERT_ID_PART`].
    pub fn from_parts(authority_key_id: &[u8], serial: &[u8]) -> Result<Self, CertIdError> {
        let fits = |part: &[u8]| (1..=MAX_CERT_ID_PART).contains(&part.len());
        if !fits(authority_key_id) || !fits(serial) {
            return Err(CertIdError::Malformed);
        }
        Ok(Self {
            authority_key_id: authority_key_id.to_vec(),
            serial: serial.to_vec(),
        })
    }

    /// The identifier of the key that signed the certificate.
    pub fn authority_key_id(&self) -> &[u8] {
        &self.authority_key_id
    }

    /// The certificate's serial number: the content of its DER INTEGER.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }
}

impl fmt::Display for CertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = base64url::encode;
        write!(f, "{}.{}", part(&self.authority_key_id), part(&self.serial))
    }
}

impl fmt::Debug for CertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertId({self})")
    }
}

impl FromStr for CertId {
    type Err = CertIdError;

    fn from_str(text: &str) -> Result<Self, CertIdError> {
        let (authority, serial) = text.split_once('.').ok_or(CertIdError::Malformed)?;
        let part = |text: &str| {
            Some(text)
                .filter(|text| text.len() <= 2 * MAX_CERT_ID_PART)
                .and_then(base64url::decode)
                .ok_or(CertIdError::Malformed)
        };
        Self::from_parts(&part(authority)?, &part(serial)?)
    }
}

impl Serialize for CertId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CertId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// What the server advises (RFC 9773 section 4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RenewalInfo {
    /// When to renew.
    pub suggested_window: SuggestedWindow,
    /// Why, for people: set where something happened that moves the window.
    #[serde(
        rename = "explanationURL",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub explanation_url: Option<String>,
}

impl RenewalInfo {
    /// Advice to renew within this window.
    pub fn new(suggested_window: SuggestedWindow) -> Self {
        Self {
            suggested_window,
            explanation_url: None,
        }
    }

    /// The advice with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// A span of time that ends after it began: one that does not is no advice (RFC 9773 section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Bounds")]
pub struct SuggestedWindow {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Bounds {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

impl TryFrom<Bounds> for SuggestedWindow {
    type Error = &'static str;

    fn try_from(bounds: Bounds) -> Result<Self, Self::Error> {
        Self::new(bounds.start, bounds.end).ok_or("the window ends before it begins")
    }
}

impl SuggestedWindow {
    /// A window; `None` where it does not end after it begins.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// The first moment.
    pub fn start(&self) -> DateTime<Utc> {
        self.start
    }

    /// The last moment.
    pub fn end(&self) -> DateTime<Utc> {
        self.end
    }

    /// A moment in the window that a random number chooses: all are equally likely (RFC 9773 section 4.2). One that has
    /// passed means to renew at once.
    pub fn moment(&self, random: u32) -> DateTime<Utc> {
        let seconds = i128::from((self.end - self.start).num_seconds());
        let after = seconds * i128::from(random) / i128::from(u32::MAX);
        i64::try_from(after)
            .ok()
            .and_then(TimeDelta::try_seconds)
            .and_then(|after| self.start.checked_add_signed(after))
            .unwrap_or(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 9773 section 4.1.
    const EXAMPLE: &str = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE";

    #[test]
    fn the_example_of_rfc_9773_is_read_and_written() {
        let id: CertId = EXAMPLE.parse().unwrap();
        assert_eq!(hex::encode(id.serial()), "0087654321");
        assert_eq!(
            hex::encode(id.authority_key_id()),
            "69885b6b87464041e1b37b847ba0ae2cde01c8d4"
        );
        assert_eq!(id.to_string(), EXAMPLE);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<CertId>(&json).unwrap(), id);
    }

    #[test]
    fn a_name_has_two_bounded_parts() {
        let long = base64url::encode([7; MAX_CERT_ID_PART + 1]);
        for text in [
            "",
            ".",
            "AQ",
            "AQ.",
            ".AQ",
            "AQ.AQ.AQ",
            "AQ.AQ=",
            "A+.AQ",
            &format!("AQ.{long}"),
            &"A".repeat(1 << 20),
        ] {
            assert_eq!(text.parse::<CertId>(), Err(CertIdError::Malformed));
        }
    }

    #[test]
    fn a_window_is_read_and_its_moments_lie_inside() {
        let json = r#"{
            "suggestedWindow": {"start": "2025-01-02T04:00:00Z", "end": "2025-01-03T04:00:00Z"},
            "explanationURL": "https://ca.example/docs"}"#;
        let info: RenewalInfo = serde_json::from_str(json).unwrap();
        let again = serde_json::to_string(&info).unwrap();
        assert_eq!(serde_json::from_str::<RenewalInfo>(&again).unwrap(), info);
        let window = info.suggested_window;
        assert_eq!(window.moment(0), window.start());
        assert_eq!(window.moment(u32::MAX), window.end());
        let half = window.moment(u32::MAX / 2) - window.start();
        assert!((half - TimeDelta::hours(12)).abs() < TimeDelta::seconds(2));
        let all = SuggestedWindow::new(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC).unwrap();
        assert!(all.moment(7) > all.start() && all.moment(u32::MAX) <= all.end());
    }

    #[test]
    fn a_window_that_ends_before_it_begins_is_no_advice() {
        let json = r#"{"suggestedWindow": {"start": "2025-01-03T04:00:00Z", "end": "2025-01-03T04:00:00Z"}}"#;
        assert!(serde_json::from_str::<RenewalInfo>(json).is_err());
    }
}
