//! Accounts and times as columns.

use ade_client::record::AccountId;
use chrono::{DateTime, Utc};
use rusqlite::{Row, types::Type};

pub(super) use crate::sqlite::document::{read, read_optional, write};
use crate::sqlite::values::unreadable;

/// The account named in the first column.
pub(super) fn account_id(row: &Row<'_>) -> rusqlite::Result<AccountId> {
    AccountId::new(row.get::<_, String>(0)?).map_err(|error| unreadable(0, Type::Text, error))
}

/// A time as bytes that are in the order of times: integers of SQLite are too short for the
/// nanoseconds of the whole calendar.
pub(super) fn time_key(time: DateTime<Utc>) -> [u8; 12] {
    let mut key = [0; 12];
    let (seconds, nanoseconds) = key.split_at_mut(8);
    seconds.copy_from_slice(&(time.timestamp() ^ i64::MIN).to_be_bytes());
    nanoseconds.copy_from_slice(&time.timestamp_subsec_nanos().to_be_bytes());
    key
}

/// The time whose key is the first column.
pub(super) fn optional_time(row: &Row<'_>) -> rusqlite::Result<Option<DateTime<Utc>>> {
    let Some(key) = row.get::<_, Option<[u8; 12]>>(0)? else {
        return Ok(None);
    };
    // One number of both.
    let number = key.iter().fold(0, |n, byte| n << 8 | i128::from(*byte));
    let seconds = (number >> 32) as i64 ^ i64::MIN;
    DateTime::from_timestamp(seconds, number as u32)
        .map(Some)
        .ok_or(rusqlite::Error::IntegralValueOutOfRange(0, seconds))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn keys_are_in_the_order_of_times_and_lead_back() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let nanosecond = TimeDelta::nanoseconds(1);
        let leap: DateTime<Utc> = "2016-12-31T23:59:60.5Z".parse().unwrap();
        let mut times = vec![
            DateTime::<Utc>::MIN_UTC,
            DateTime::UNIX_EPOCH - TimeDelta::days(1),
            DateTime::UNIX_EPOCH - nanosecond,
            DateTime::UNIX_EPOCH,
            DateTime::UNIX_EPOCH + nanosecond,
            "2016-12-31T23:59:59.9Z".parse().unwrap(),
            leap,
            "2017-01-01T00:00:00Z".parse().unwrap(),
            DateTime::<Utc>::MAX_UTC - nanosecond,
            DateTime::<Utc>::MAX_UTC,
        ];
        times.sort();
        assert!(times.is_sorted_by_key(|time| time_key(*time)));
        for time in times {
            let back = connection.query_row("SELECT ?1", [time_key(time)], optional_time);
            assert_eq!(back.unwrap(), Some(time));
        }
    }
}
