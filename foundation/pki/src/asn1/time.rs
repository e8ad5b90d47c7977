//! UTCTime and GeneralizedTime: written as RFC 5280 asks, read as leniently as OpenSSL's older versions did.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use super::{Tlv, tlv};
use crate::error::Error;

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Reads either form: seconds may be left out, a fraction is dropped, an offset is applied.
pub(crate) fn read(element: Tlv<'_>) -> Result<DateTime<Utc>, Error> {
    let fail = || Error::malformed("time", "neither UTCTime nor GeneralizedTime");
    let text = element.value();
    let (year, rest) = match element.tag() {
        UTC_TIME => {
            let year = number(text, 0, 2).ok_or_else(fail)?;
            // RFC 5280, section 4.1.2.5.1.
            let century = if year < 50 { 2000 } else { 1900 };
            (year + century, text.get(2..))
        }
        GENERALIZED_TIME => (number(text, 0, 4).ok_or_else(fail)?, text.get(4..)),
        _ => return Err(fail()),
    };
    rest.and_then(|rest| after_year(year, rest))
        .ok_or_else(fail)
}

/// Whether the time stands in the only form that RFC 5280, section 4.1.2.5 allows, and OpenSSL in a certificate.
pub(crate) fn is_strict(element: Tlv<'_>) -> bool {
    let year = match element.tag() {
        UTC_TIME => 2,
        _ => 4,
    };
    let text = element.value();
    text.len() == year + 11
        && text.ends_with(b"Z")
        && number(text, year + 8, 2).is_some_and(|second| second < 60)
        && read(element).is_ok()
}

fn after_year(year: u32, text: &[u8]) -> Option<DateTime<Utc>> {
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(year).ok()?,
        number(text, 0, 2)?,
        number(text, 2, 2)?,
    )?;
    let (hour, minute) = (number(text, 4, 2)?, number(text, 6, 2)?);
    let (second, mut zone) = match number(text, 8, 2) {
        Some(second) => (second, text.get(10..)?),
        None => (0, text.get(8..)?),
    };
    if zone.first() == Some(&b'.') {
        let digits = zone.iter().skip(1).take_while(|byte| byte.is_ascii_digit());
        let digits = digits.count();
        zone = zone.get(1 + digits..)?;
    }
    // A leap second is taken as the last ordinary one.
    let second = if second == 60 { 59 } else { second };
    let local = date.and_hms_opt(hour, minute, second)?.and_utc();
    match zone.split_first()? {
        (b'Z', []) => Some(local),
        (sign @ (b'+' | b'-'), digits) if digits.len() == 4 => {
            let minutes = number(digits, 0, 2)? * 60 + number(digits, 2, 2)?;
            let offset = TimeDelta::minutes(i64::from(minutes));
            if *sign == b'+' {
                local.checked_sub_signed(offset)
            } else {
                local.checked_add_signed(offset)
            }
        }
        _ => None,
    }
}

fn number(text: &[u8], from: usize, count: usize) -> Option<u32> {
    text.get(from..from + count)?
        .iter()
        .try_fold(0, |sum, byte| {
            byte.is_ascii_digit()
                .then(|| sum * 10 + u32::from(byte - b'0'))
        })
}

/// UTCTime from 1950 to 2049, GeneralizedTime outside.
pub(crate) fn write(time: DateTime<Utc>) -> Result<Vec<u8>, Error> {
    match time.year() {
        1950..=2049 => Ok(tlv(
            UTC_TIME,
            time.format("%y%m%d%H%M%SZ").to_string().as_bytes(),
        )),
        0..=9999 => Ok(tlv(
            GENERALIZED_TIME,
            time.format("%Y%m%d%H%M%SZ").to_string().as_bytes(),
        )),
        _ => Err(Error::unsupported("time", "a year outside 0 to 9999")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tag: u8, text: &str) -> Option<String> {
        let element = tlv(tag, text.as_bytes());
        read(Tlv(&element)).ok().map(|time| time.to_rfc3339())
    }

    #[test]
    fn every_form_of_time_is_read() {
        for (tag, text, expected) in [
            (UTC_TIME, "260102030405Z", "2026-01-02T03:04:05+00:00"),
            (UTC_TIME, "500101000000Z", "1950-01-01T00:00:00+00:00"),
            (UTC_TIME, "491231235959Z", "2049-12-31T23:59:59+00:00"),
            (UTC_TIME, "2601020304Z", "2026-01-02T03:04:00+00:00"),
            (UTC_TIME, "260102030405+0130", "2026-01-02T01:34:05+00:00"),
            (
                GENERALIZED_TIME,
                "99991231235959Z",
                "9999-12-31T23:59:59+00:00",
            ),
            (
                GENERALIZED_TIME,
                "20260102030405.25Z",
                "2026-01-02T03:04:05+00:00",
            ),
            (
                GENERALIZED_TIME,
                "20260102030460Z",
                "2026-01-02T03:04:59+00:00",
            ),
        ] {
            assert_eq!(shown(tag, text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_time_that_is_none_is_refused() {
        for text in ["20260102030461Z", "20260102036000Z", "20260230000000Z"] {
            assert_eq!(shown(GENERALIZED_TIME, text), None, "{text}");
        }
    }

    #[test]
    fn only_the_form_of_rfc_5280_is_strict() {
        let strict = |tag, text: &str| is_strict(Tlv(&tlv(tag, text.as_bytes())));
        assert!(strict(UTC_TIME, "260102030405Z"));
        assert!(strict(GENERALIZED_TIME, "20260102030405Z"));
        for (tag, text) in [
            (UTC_TIME, "2601020304Z"),
            (UTC_TIME, "2601020304.1Z"),
            (UTC_TIME, "260102030460Z"),
            (UTC_TIME, "260102030405+0000"),
            (UTC_TIME, "260132030405Z"),
            (GENERALIZED_TIME, "20260102030405.1Z"),
            (GENERALIZED_TIME, "202601020304Z"),
            (0x0c, "20260102030405Z"),
        ] {
            assert!(!strict(tag, text), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "Z",
            "26010203",
            "261302030405Z",
            "260102030405",
            "260102250405Z",
            "2601020304é",
        ] {
            assert_eq!(shown(UTC_TIME, text), None, "{text}");
        }
        assert_eq!(shown(0x0c, "260102030405Z"), None);
    }

    #[test]
    fn the_form_written_follows_the_year() {
        for (text, tag) in [
            ("2049-12-31T23:59:59Z", UTC_TIME),
            ("2050-01-01T00:00:00Z", GENERALIZED_TIME),
        ] {
            let time: DateTime<Utc> = text.parse().unwrap();
            let written = write(time).unwrap();
            assert_eq!(written.first(), Some(&tag));
            assert_eq!(read(Tlv(&written)).unwrap(), time);
        }
    }
}
