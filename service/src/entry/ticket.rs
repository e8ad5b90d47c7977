//! What the portal remembers between two requests, kept by the browser or the device: signed, with an end,
//! so that any node may answer the second.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::Secret;
use mdm_pki::{DigestAlgorithm, digest::constant_time_eq, hmac};
use mdm_protocol::enroll::MachineInfo;
use serde::{Deserialize, Serialize};

use crate::{Account, Unavailable};

/// Longest ticket that is opened, in bytes.
const MAX_BYTES: usize = 8 << 10;

/// The keys that tickets are signed with, the same on every node.
#[derive(Debug, Clone)]
pub struct TicketKeys {
    current: Secret<Vec<u8>>,
    former: Vec<Secret<Vec<u8>>>,
}

impl TicketKeys {
    /// A key: 32 random bytes that every node has.
    pub fn new(key: Secret<Vec<u8>>) -> Self {
        Self {
            current: key,
            former: Vec::new(),
        }
    }

    /// A key of this process alone: its tickets end with it.
    ///
    /// # Errors
    /// [`mdm_pki::Error`] without randomness.
    pub fn random() -> Result<Self, mdm_pki::Error> {
        Ok(Self::new(Secret::new(mdm_pki::random::<32>()?.to_vec())))
    }

    /// Opens what this key signed as well, until those tickets have ended.
    #[must_use]
    pub fn former(mut self, key: Secret<Vec<u8>>) -> Self {
        self.former.push(key);
        self
    }

    pub(super) fn seal(&self, ticket: Ticket, now: DateTime<Utc>) -> Result<String, Unavailable> {
        let end = now.checked_add_signed(ticket.lifetime()).unwrap_or(now);
        let sealed = Sealed {
            end: end.timestamp(),
            ticket,
        };
        let content = serde_json::to_vec(&sealed).map_err(Unavailable::new)?;
        let mac = mac(&self.current, &content).map_err(Unavailable::new)?;
        let (content, mac) = (URL_SAFE_NO_PAD.encode(content), URL_SAFE_NO_PAD.encode(mac));
        Ok(format!("{content}.{mac}"))
    }

    /// A name that nobody can guess, the same for the same on every node.
    pub(super) fn name(&self, of: &impl Serialize) -> Result<String, Unavailable> {
        let of = serde_json::to_vec(of).map_err(Unavailable::new)?;
        let content = [b"mdm-service invitation 1\0", of.as_slice()].concat();
        let mac = hmac(DigestAlgorithm::Sha256, self.current.expose(), &content);
        let mac = mac.map_err(Unavailable::new)?;
        Ok(URL_SAFE_NO_PAD.encode(mac.get(..16).unwrap_or_default()))
    }

    /// What the ticket holds, unless it is not of ours or has ended.
    pub(super) fn open(&self, text: &str, now: DateTime<Utc>) -> Option<Ticket> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let (content, given) = text.split_once('.')?;
        let content = URL_SAFE_NO_PAD.decode(content).ok()?;
        let given = URL_SAFE_NO_PAD.decode(given).ok()?;
        let mut keys = std::iter::once(&self.current).chain(&self.former);
        let is_ours = keys.any(|key| {
            mac(key, &content).is_ok_and(|expected| constant_time_eq(&expected, &given))
        });
        if !is_ours {
            return None;
        }
        let sealed: Sealed = serde_json::from_slice(&content).ok()?;
        (now.timestamp() < sealed.end).then_some(sealed.ticket)
    }
}

fn mac(key: &Secret<Vec<u8>>, content: &[u8]) -> Result<Vec<u8>, mdm_pki::Error> {
    let content = [b"mdm-service ticket 1\0", content].concat();
    hmac(DigestAlgorithm::Sha256, key.expose(), &content)
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    #[serde(rename = "e")]
    end: i64,
    #[serde(rename = "t")]
    ticket: Ticket,
}

/// What is remembered. Legible to whoever holds it, so no secret is in it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ticket {
    /// A device is at the page of its automated enrolment.
    Page { machine_info: Box<MachineInfo> },
    /// Somebody is to sign in before they download a profile.
    Link,
    /// Somebody is to sign in for a device in account-driven enrolment.
    SignIn,
    /// An access token. `once` makes two of one account differ.
    Access { account: Account, once: String },
    /// A device is on its way through over-the-air enrolment.
    OverTheAir { invitation: Option<String> },
}

impl Ticket {
    /// Time for a person to sign in, or for a device to fetch what it was promised.
    fn lifetime(&self) -> TimeDelta {
        match self {
            Self::Access { .. } => TimeDelta::minutes(10),
            _ => TimeDelta::hours(1),
        }
    }

    /// A device at the page, without what is secret of what it told.
    pub(super) fn page(machine_info: &MachineInfo) -> Self {
        let machine_info = machine_info.clone().with(|info| {
            info.pairing_token = None;
            info.challenge = None;
        });
        Self::Page {
            machine_info: Box::new(machine_info),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> TicketKeys {
        TicketKeys::new(Secret::new(vec![byte; 32]))
    }

    #[test]
    fn a_ticket_opens_until_its_end_with_its_key_and_unchanged() {
        let now = DateTime::UNIX_EPOCH;
        let info = MachineInfo::default().with(|info| {
            info.serial = "C02".parse().ok();
            info.pairing_token = Some(Secret::new(b"hunter2".to_vec()));
        });
        let ticket = keys(1).seal(Ticket::page(&info), now).unwrap();
        let Some(Ticket::Page { machine_info }) = keys(1).open(&ticket, now) else {
            panic!("{ticket}");
        };
        assert_eq!(machine_info.serial, info.serial);
        assert_eq!(machine_info.pairing_token, None);

        let rotated = keys(2).former(Secret::new(vec![1; 32]));
        assert!(rotated.open(&ticket, now).is_some());
        assert!(keys(2).open(&ticket, now).is_none());
        let late = now + TimeDelta::hours(1);
        assert!(keys(1).open(&ticket, late).is_none());
        let other = keys(1).seal(Ticket::Link, now).unwrap();
        let (content, mac) = (
            ticket.split('.').next().unwrap(),
            other.split('.').nth(1).unwrap(),
        );
        for text in [
            "",
            ".",
            "a.b",
            &ticket[1..],
            &format!("{content}.{mac}"),
            content,
        ] {
            assert!(keys(1).open(text, now).is_none(), "{text}");
        }
        assert!(keys(1).open(&"a".repeat(MAX_BYTES + 1), now).is_none());
    }
}
