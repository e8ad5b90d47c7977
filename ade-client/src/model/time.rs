//! Apple's times, kept as they came.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};

use super::loose::Field;

/// A time as Apple wrote it, RFC 3339 as a rule. The text is kept, so that a time which cannot be
/// read is not lost.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(Box<str>);

impl Time {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The point in time; `None` where the text is no RFC 3339 time.
    pub fn instant(&self) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(&self.0)
            .ok()
            .map(|time| time.to_utc())
    }
}

impl From<&str> for Time {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<DateTime<Utc>> for Time {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.to_rfc3339_opts(SecondsFormat::Secs, true).into())
    }
}

impl Field for Time {
    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }

    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_when_asked_and_keeps_its_text() {
        let time = Time::from("2026-03-01T10:00:00Z");
        assert_eq!(time.instant(), "2026-03-01T10:00:00Z".parse().ok());
        assert_eq!(Time::from(time.instant().unwrap()), time);
        assert_eq!(Time::from("soon").instant(), None);
    }
}
