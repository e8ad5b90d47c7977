//! A time as people write it: `90s`, `15m`, `12h`, `7d`.

use std::{fmt, str::FromStr, time::Duration};

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval(pub(crate) Duration);

/// No time.
#[derive(Debug, thiserror::Error)]
#[error("a time is a number with s, m, h or d behind it, such as 15m")]
pub(crate) struct InvalidInterval;

impl FromStr for Interval {
    type Err = InvalidInterval;

    fn from_str(text: &str) -> Result<Self, InvalidInterval> {
        let unit = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit));
        let (unit, seconds) = unit.ok_or(InvalidInterval)?;
        let number: u64 = text
            .strip_suffix(unit)
            .and_then(|number| number.parse().ok())
            .ok_or(InvalidInterval)?;
        let seconds = number.checked_mul(seconds).ok_or(InvalidInterval)?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let fits = |(_, size): &(char, u64)| seconds > 0 && seconds.is_multiple_of(*size);
        let (unit, size) = UNITS.into_iter().find(fits).unwrap_or(('s', 1));
        write!(f, "{}{unit}", seconds / size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_written() {
        for text in ["0s", "1s", "90s", "15m", "12h", "7d"] {
            assert_eq!(text.parse::<Interval>().unwrap().to_string(), text);
        }
        assert_eq!("24h".parse::<Interval>().unwrap().to_string(), "1d");
        for text in ["", "s", "15", "-1s", "1.5h", "1w", "99999999999999999d"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }
}
