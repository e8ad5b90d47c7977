//! `<date>` as `chrono::DateTime<Utc>`: `#[serde(with = "mdm_plist::date::required")]` and
//! `date::optional`.
//!
//! chrono's own implementation reads a `<date>` but writes a `<string>`. The type [`Date`] does
//! both, but panics on what it cannot hold: text such as `9999-12-31T23:59:59-01:00`, which can
//! reach it as a `<string>` [where serde buffers](crate#dates-where-serde-buffers), and on writing
//! years outside 0 to 9999. These modules return an error for either.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, SecondsFormat, Utc};
use plist::Date;
use serde::{
    Deserializer,
    de::{self, Visitor},
};

/// The date that a property list holds for an instant: whole seconds, the fraction cut off.
///
/// `None` outside the years 0 to 9999, for which the XML form has no digits.
pub fn from_chrono(time: DateTime<Utc>) -> Option<Date> {
    from_seconds(time.timestamp())
}

/// The date that a property list holds for an instant, or for one outside the years 0 to 9999 the
/// nearest within.
pub fn from_chrono_or_nearest(time: DateTime<Utc>) -> Date {
    let seconds = time.timestamp().clamp(FIRST, LAST);
    SystemTime::from(utc(seconds)).into()
}

/// The instant of a date.
///
/// A date outside the years 0 to 9999, which only a program can make, becomes the nearest one
/// within.
///
/// ```
/// let date = mdm_plist::Date::from_xml_format("2026-11-05T09:00:00Z").unwrap();
/// let time = mdm_plist::date::to_chrono(date);
/// assert_eq!(time.to_rfc3339(), "2026-11-05T09:00:00+00:00");
/// ```
pub fn to_chrono(date: Date) -> DateTime<Utc> {
    let time = SystemTime::from(date);
    match seconds(date) {
        Some(_) => time.into(),
        None if time < SystemTime::UNIX_EPOCH => utc(FIRST),
        None => utc(LAST),
    }
}

/// Whole seconds since the Unix epoch, rounded down; `None` outside the years 0 to 9999.
pub(crate) fn seconds(date: Date) -> Option<i64> {
    let seconds = match SystemTime::from(date).duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).ok()?,
        Err(before) => {
            let before = before.duration();
            let partial = i64::from(before.subsec_nanos() > 0);
            i64::try_from(before.as_secs())
                .ok()?
                .checked_neg()?
                .checked_sub(partial)?
        }
    };
    (FIRST..=LAST).contains(&seconds).then_some(seconds)
}

/// The inverse of [`seconds`].
pub(crate) fn from_seconds(seconds: i64) -> Option<Date> {
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

/// The XML form of a binary date: seconds since 2001-01-01T00:00:00Z, with the fraction where there
/// is one. `None` for what is no time of the years 0 to 9999.
pub(crate) fn text_from_2001(since_2001: f64) -> Option<String> {
    let whole = since_2001.floor();
    let nanos = ((since_2001 - whole) * 1e9) as u32;
    // The cast saturates and takes NaN for 0, so NaN is sorted out first.
    let seconds = Some(whole as i64)
        .filter(|_| !since_2001.is_nan())?
        .checked_add(EPOCH_2001)?;
    if !(FIRST..=LAST).contains(&seconds) {
        return None;
    }
    DateTime::from_timestamp(seconds, nanos.min(999_999_999)).map(text)
}

/// RFC 3339 with any offset; `None` outside the years 0 to 9999 UTC.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    (FIRST..=LAST).contains(&time.timestamp()).then_some(time)
}

/// The XML form, with the fraction where there is one.
pub(crate) fn text(time: DateTime<Utc>) -> String {
    // A leap second, which chrono counts in nanoseconds from 1e9, is the second before it.
    let nanos = match time.timestamp_subsec_nanos() {
        1_000_000_000.. => 0,
        nanos => nanos,
    };
    let time = DateTime::from_timestamp(time.timestamp(), nanos).unwrap_or(time);
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Reads a date without the `plist` crate's parser, which panics on some offsets.
struct TimeVisitor;

impl<'de> Visitor<'de> for TimeVisitor {
    type Value = DateTime<Utc>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<DateTime<Utc>, E> {
        parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<DateTime<Utc>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

fn utc(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

/// 0000-01-01T00:00:00Z in seconds of the Unix epoch.
const FIRST: i64 = -62_167_219_200;
/// 9999-12-31T23:59:59Z in seconds of the Unix epoch.
const LAST: i64 = 253_402_300_799;
/// 2001-01-01T00:00:00Z in seconds of the Unix epoch.
const EPOCH_2001: i64 = 978_307_200;

pub(crate) const OUTSIDE: &str = "the date is outside the years 0 to 9999";

/// For a field of type `DateTime<Utc>`.
pub mod required {
    use chrono::{DateTime, Utc};
    use serde::{Deserializer, Serialize, Serializer, ser::Error as _};

    /// Writes the instant as `<date>` in whole seconds.
    ///
    /// # Errors
    /// Outside the years 0 to 9999, and those of the serializer.
    pub fn serialize<S: Serializer>(
        time: &DateTime<Utc>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        super::from_chrono(*time)
            .ok_or_else(|| S::Error::custom(super::OUTSIDE))?
            .serialize(serializer)
    }

    /// Reads `<date>`.
    ///
    /// # Errors
    /// When the value is no `<date>`.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<DateTime<Utc>, D::Error> {
        deserializer.deserialize_newtype_struct(crate::de::DATE, super::TimeVisitor)
    }
}

/// For a field of type `Option<DateTime<Utc>>`; add `#[serde(default)]`, since serde asks for a
/// `with` field even where it is an `Option`.
pub mod optional {
    use chrono::{DateTime, Utc};
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
        #[derive(Deserialize)]
        #[serde(transparent)]
        struct Time(#[serde(with = "super::required")] DateTime<Utc>);

        Ok(Option::<Time>::deserialize(deserializer)?.map(|time| time.0))
    }
}
