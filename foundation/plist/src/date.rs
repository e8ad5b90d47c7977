//! `<date>` as `chrono::DateTime<Utc>`: `#[serde(with = "mdm_plist::date::required")]` and
//! `date::optional`.
//!
//! chrono's own implementation reads a `<date>` but writes a `<string>`.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use plist::Date;

/// The date that a property list holds for an instant: whole seconds, the fraction cut off.
///
/// `None` outside the years 0 to 9999, for which the XML form has no digits.
pub fn from_chrono(time: DateTime<Utc>) -> Option<Date> {
    let seconds = time.timestamp();
    if !(FIRST..=LAST).contains(&seconds) {
        return None;
    }
    let offset = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(offset)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(offset)
    };
    time.map(Date::from)
}

/// The instant of a date.
///
/// ```
/// let date = plist::Date::from_xml_format("2026-11-05T09:00:00Z").unwrap();
/// assert_eq!(mdm_plist::date::to_chrono(date).to_rfc3339(), "2026-11-05T09:00:00+00:00");
/// ```
pub fn to_chrono(date: Date) -> DateTime<Utc> {
    SystemTime::from(date).into()
}

/// 0000-01-01T00:00:00Z in seconds of the Unix epoch.
pub(crate) const FIRST: i64 = -62_167_219_200;
/// 9999-12-31T23:59:59Z in seconds of the Unix epoch.
pub(crate) const LAST: i64 = 253_402_300_799;

/// For a field of type `DateTime<Utc>`.
pub mod required {
    use chrono::{DateTime, Utc};
    use plist::Date;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error as _};

    /// Writes the instant as `<date>` in whole seconds.
    ///
    /// # Errors
    /// Outside the years 0 to 9999, and those of the serializer.
    pub fn serialize<S: Serializer>(
        time: &DateTime<Utc>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        super::from_chrono(*time)
            .ok_or_else(|| S::Error::custom("the date is outside the years 0 to 9999"))?
            .serialize(serializer)
    }

    /// Reads `<date>`.
    ///
    /// # Errors
    /// When the value is no `<date>`.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<DateTime<Utc>, D::Error> {
        Date::deserialize(deserializer).map(super::to_chrono)
    }
}

/// For a field of type `Option<DateTime<Utc>>`; add `#[serde(default)]`, since serde asks for a
/// `with` field even where it is an `Option`.
pub mod optional {
    use chrono::{DateTime, Utc};
    use plist::Date;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the instant as `<date>` in whole seconds, or nothing.
    ///
    /// # Errors
    /// Outside the years 0 to 9999, and those of the serializer.
    pub fn serialize<S: Serializer>(
        time: &Option<DateTime<Utc>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::required::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads `<date>`.
    ///
    /// # Errors
    /// When the value is no `<date>`.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<DateTime<Utc>>, D::Error> {
        Ok(Option::<Date>::deserialize(deserializer)?.map(super::to_chrono))
    }
}
