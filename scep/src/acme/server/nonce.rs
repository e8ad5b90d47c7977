//! Nonces (RFC 8555 section 6.5): they carry their time and a MAC, so that handing them out costs no memory; only
//! those that were spent in a request whose signature holds are remembered, until they expire.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::Secret;
use mdm_pki::{DigestAlgorithm, digest::constant_time_eq, hmac, random};

use crate::acme::{base64url, store::NonceId};

#[derive(Debug)]
pub(super) struct Nonces {
    key: Secret<[u8; 32]>,
    lifetime: TimeDelta,
}

/// How much longer a spent nonce is remembered than it is taken: nodes forget by their own clocks, of which one may be
/// ahead of that which still takes it.
const MARGIN: TimeDelta = TimeDelta::minutes(10);

const RANDOM: usize = 16;
const TIME: usize = 8;
const MAC: usize = 16;

impl Nonces {
    pub(super) fn new(key: Secret<[u8; 32]>, lifetime: Duration) -> Self {
        Self {
            key,
            lifetime: TimeDelta::from_std(lifetime).unwrap_or(TimeDelta::MAX),
        }
    }

    pub(super) fn make(&self, now: DateTime<Utc>) -> Result<String, mdm_pki::Error> {
        let random = random::<RANDOM>()?;
        let time = now.timestamp().to_be_bytes();
        let front = [&random[..], &time[..]].concat();
        let mac = self.mac(&front)?;
        Ok(base64url::encode([front, mac].concat()))
    }

    /// What the nonce has to be remembered as and until when; nothing for one that was not made here or is too old.
    pub(super) fn read(
        &self,
        nonce: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<(NonceId, DateTime<Utc>)>, mdm_pki::Error> {
        let Some(bytes) = base64url::decode(nonce).filter(|it| it.len() == RANDOM + TIME + MAC)
        else {
            return Ok(None);
        };
        let (front, mac) = bytes.split_at(RANDOM + TIME);
        if !constant_time_eq(mac, &self.mac(front)?) {
            return Ok(None);
        }
        let (random, time) = front.split_at(RANDOM);
        let (Ok(random), Ok(time)) = (random.try_into(), time.try_into()) else {
            return Ok(None);
        };
        let made_at = DateTime::from_timestamp(i64::from_be_bytes(time), 0);
        let expires_at = made_at.and_then(|at| at.checked_add_signed(self.lifetime));
        Ok(expires_at
            .filter(|expires_at| now < *expires_at)
            .map(|expires_at| {
                let until = expires_at.checked_add_signed(MARGIN);
                (NonceId::from_bytes(random), until.unwrap_or(expires_at))
            }))
    }

    fn mac(&self, front: &[u8]) -> Result<Vec<u8>, mdm_pki::Error> {
        let text = [&b"acme nonce "[..], front].concat();
        let mut mac = hmac(DigestAlgorithm::Sha256, self.key.expose(), &text)?;
        mac.truncate(MAC);
        Ok(mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fresh_nonces_of_this_key_are_taken() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let nonces = Nonces::new(Secret::new([7; 32]), Duration::from_secs(60));
        let nonce = nonces.make(now).unwrap();
        let at = |seconds| nonces.read(&nonce, now + TimeDelta::seconds(seconds));
        let (id, until) = at(59).unwrap().unwrap();
        // A node whose clock is ten minutes ahead does not forget what this one still takes.
        assert_eq!(until, now + TimeDelta::seconds(60) + TimeDelta::minutes(10));
        assert_eq!(at(0).unwrap().unwrap().0, id);
        assert_eq!(at(60).unwrap(), None);

        let other = Nonces::new(Secret::new([8; 32]), Duration::from_secs(60));
        assert_eq!(other.read(&nonce, now).unwrap(), None);
        assert_ne!(nonces.make(now).unwrap(), nonce);
        let bytes = base64url::decode(&nonce).unwrap();
        for index in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[index] ^= 1;
            let changed = base64url::encode(bytes);
            assert_eq!(nonces.read(&changed, now).unwrap(), None, "byte {index}");
        }
        for broken in ["", "AAAA", &nonce[1..], &format!("{nonce}A")] {
            assert_eq!(nonces.read(broken, now).unwrap(), None, "{broken}");
        }
    }
}
