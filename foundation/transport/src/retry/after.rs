//! The Retry-After header (RFC 9110 section 10.2.3): seconds or one of three forms of date.

use std::time::Duration;

use chrono::{DateTime, Months, NaiveDateTime, Utc};
use http::{HeaderMap, header::RETRY_AFTER};

/// How long the answer asks to wait, counted from `now`; a date that has passed means zero.
///
/// `None` where the header is missing or says neither a number of seconds nor an HTTP-date.
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits only fail to parse when there are too many of them.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = http_date(text, now)?;
    Some((date - now).to_std().unwrap_or(Duration::ZERO))
}

/// Reads an HTTP-date (RFC 9110 section 5.6.7): IMF-fixdate, RFC 850 or asctime.
fn http_date(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let read = |format| {
        NaiveDateTime::parse_from_str(text, format)
            .ok()
            .map(|date| date.and_utc())
    };
    read("%a, %d %b %Y %H:%M:%S GMT")
        .or_else(|| read("%a %b %e %H:%M:%S %Y"))
        .or_else(|| rfc850_date(text, now))
}

/// A year of two digits that looks more than 50 years ahead belongs to the century before. The
/// weekday's name is not checked, since the century decides what it would be.
fn rfc850_date(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (_, rest) = text.split_once(", ")?;
    let date = NaiveDateTime::parse_from_str(rest, "%d-%b-%y %H:%M:%S GMT")
        .ok()?
        .and_utc();
    let horizon = now.checked_add_months(Months::new(50 * 12))?;
    // chrono begins the century at 1970.
    let century = Months::new(100 * 12);
    [date.checked_add_months(century)?, date]
        .into_iter()
        .find(|date| *date <= horizon)
        .or_else(|| date.checked_sub_months(century))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn wait(text: &str) -> Option<Duration> {
        wait_at("1994-11-06T08:48:37Z", text)
    }

    fn wait_at(now: &str, text: &str) -> Option<Duration> {
        let now = now.parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
        retry_after(&headers, now)
    }

    #[test]
    fn seconds_and_all_three_forms_of_date_are_read() {
        for (text, seconds) in [
            ("0", 0),
            ("120", 120),
            (" 7 ", 7),
            ("99999999999999999999999", u64::MAX),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 60),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 60),
            ("Sun Nov  6 08:49:37 1994", 60),
            ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
        ] {
            assert_eq!(wait(text), Some(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn a_two_digit_year_means_the_nearer_century() {
        // 2026 seen from 1994 is ahead by less than 50 years; 1970 is behind.
        assert!(wait("Friday, 06-Nov-26 08:49:37 GMT").unwrap() > Duration::from_secs(900_000_000));
        assert_eq!(wait("Friday, 06-Nov-70 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("Friday, 06-Nov-60 08:49:37 GMT"), Some(Duration::ZERO));
        // Seen from 2026, 2075 is ahead by less than 50 years, and 2077 is not.
        let from_2026 = |text| wait_at("2026-11-06T08:49:37Z", text).unwrap();
        assert!(
            from_2026("Wednesday, 06-Nov-75 08:49:37 GMT") > Duration::from_secs(1_500_000_000)
        );
        assert_eq!(
            from_2026("Saturday, 06-Nov-77 08:49:37 GMT"),
            Duration::ZERO
        );
    }

    #[test]
    fn what_is_neither_says_nothing() {
        for text in [
            "",
            "-1",
            "1.5",
            "soon",
            "+5",
            "Sun, 06 Nov 1994 08:49:37 CET",
        ] {
            assert_eq!(wait(text), None, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), Utc::now()), None);
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_a_panic(
            noise in "[ -~]{0,40}",
            year in proptest::num::i32::ANY,
            day in 0..40_u8,
        ) {
            wait(&noise);
            wait(&format!("Sun, {day:02} Nov {year} 08:49:37 GMT"));
            wait(&format!("Sunday, {day:02}-Nov-{:02} 08:49:37 GMT", year % 100));
            wait(&format!("Sun Nov {day:2} 08:49:60 {year}"));
        }
    }
}
