//! The id of one push.

use std::{
    fmt,
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use http::{HeaderValue, header::InvalidHeaderValue};
use uuid::Uuid;

/// The `apns-id` of a push: a UUID, always written in lowercase, as the service demands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApnsId(Uuid);

impl ApnsId {
    /// An id of 16 random bytes, made a version 4 UUID (RFC 9562 §5.4).
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    pub(crate) fn to_header(self) -> Result<HeaderValue, InvalidHeaderValue> {
        HeaderValue::from_str(
            self.0
                .as_hyphenated()
                .encode_lower(&mut Uuid::encode_buffer()),
        )
    }
}

impl FromStr for ApnsId {
    type Err = InvalidApnsId;

    /// Reads any spelling of a UUID.
    fn from_str(text: &str) -> Result<Self, InvalidApnsId> {
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidApnsId)
    }
}

impl fmt::Display for ApnsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for ApnsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApnsId({self})")
    }
}

/// Random ids, drawn many at a time: to draw costs as much as to make a request.
#[derive(Debug, Default)]
pub(crate) struct Ids(Mutex<Vec<[u8; 16]>>);

impl Ids {
    pub(crate) fn next(&self) -> Result<ApnsId, mdm_pki::Error> {
        let mut drawn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.is_empty() {
            drawn.extend(mdm_pki::random::<1024>()?.as_chunks().0);
        }
        Ok(ApnsId::from_random(drawn.pop().unwrap_or_default()))
    }
}

/// The text is not a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID")]
#[non_exhaustive]
pub struct InvalidApnsId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_any_case_and_written_in_lowercase() {
        let id: ApnsId = "EB3A1F3E-10C5-4B6F-9BB0-7C6A2A2F1D4E".parse().unwrap();
        assert_eq!(id.to_string(), "eb3a1f3e-10c5-4b6f-9bb0-7c6a2a2f1d4e");
        assert_eq!("eb3a1f3e".parse::<ApnsId>(), Err(InvalidApnsId));
    }

    #[test]
    fn a_random_id_is_a_version_4_uuid() {
        let id = ApnsId::from_random([0xff; 16]).to_string();
        assert_eq!(id, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
