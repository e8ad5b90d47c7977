//! Times as bytes that are in the order of times: an integer is too short for the nanoseconds of the whole calendar.

use chrono::{DateTime, Utc};
use mdm_core::StoreError;

use crate::postgres::error::unreadable;

/// Seconds since 1970 with the sign turned, then nanoseconds, big-endian.
pub(super) fn time_key(time: DateTime<Utc>) -> Vec<u8> {
    let seconds = (time.timestamp() ^ i64::MIN).to_be_bytes();
    let nanoseconds = time.timestamp_subsec_nanos().to_be_bytes();
    [seconds.as_slice(), nanoseconds.as_slice()].concat()
}

/// The time whose key this is.
pub(super) fn time_of(key: &[u8]) -> Result<DateTime<Utc>, StoreError> {
    let key = <[u8; 12]>::try_from(key).map_err(unreadable)?;
    // One number of both.
    let number = key.iter().fold(0, |n, byte| n << 8 | i128::from(*byte));
    let seconds = (number >> 32) as i64 ^ i64::MIN;
    DateTime::from_timestamp(seconds, number as u32).ok_or_else(|| unreadable("not a time"))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn keys_are_in_the_order_of_times_and_lead_back() {
        let nanosecond = TimeDelta::nanoseconds(1);
        let times = [
            DateTime::<Utc>::MIN_UTC,
            DateTime::UNIX_EPOCH - TimeDelta::days(1),
            DateTime::UNIX_EPOCH - nanosecond,
            DateTime::UNIX_EPOCH,
            DateTime::UNIX_EPOCH + nanosecond,
            "2016-12-31T23:59:60.5Z".parse().unwrap(),
            "2017-01-01T00:00:00Z".parse().unwrap(),
            DateTime::<Utc>::MAX_UTC - nanosecond,
            DateTime::<Utc>::MAX_UTC,
        ];
        assert!(times.is_sorted_by_key(|time| time_key(*time)));
        for time in times {
            assert_eq!(time_of(&time_key(time)).unwrap(), time);
        }
    }
}
