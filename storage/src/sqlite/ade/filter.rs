//! Which devices: for each filter the index that has them in order.

use ade_client::{record::AccountId, store::DeviceFilter};
use rusqlite::{Connection, types::Value};

use super::{account_key, document::time_key};
use crate::sqlite::values;

/// A filter as SQL. `?1` is the account; a page has `?2` to come after and `?3` as limit; `?4` is
/// the filter's own value.
pub(super) struct Query {
    pub(super) page: &'static str,
    pub(super) count: &'static str,
    pub(super) value: Option<Value>,
}

/// Both queries of a filter over one index.
macro_rules! queries {
    ($index:literal, $condition:literal) => {
        (
            concat!(
                "SELECT document FROM ade_device INDEXED BY ",
                $index,
                " WHERE account = ",
                account_key!(),
                " AND serial_number >= ifnull(?2, '') AND serial_number IS NOT ?2 AND ",
                $condition,
                " ORDER BY serial_number LIMIT ?3"
            ),
            concat!(
                "SELECT count(*) FROM ade_device INDEXED BY ",
                $index,
                " WHERE account = ",
                account_key!(),
                " AND ",
                $condition
            ),
        )
    };
}

const ALL: (&str, &str) = queries!("ade_device_listed", "TRUE");
const PRESENT: (&str, &str) = queries!("ade_device_listed", "released IS NULL");
const UNSEEN: (&str, &str) = queries!("ade_device_listed", "released IS NULL AND sweep < ?4");
const DUE: (&str, &str) = queries!("ade_device_due", "due IS NOT NULL AND due <= ?4");
const WANTING: (&str, &str) = queries!("ade_device_wanting", "wanted_profile = ?4");
const STATE: (&str, &str) = queries!("ade_device_state", "released IS NULL AND state = ?4");
const RELEASED_BEFORE: (&str, &str) = queries!(
    "ade_device_released",
    "released IS NOT NULL AND released < ?4"
);
const REPLACING: (&str, &str) = queries!("ade_device_replacing", "replacing = 1");
const GIVING_UP: (&str, &str) = queries!("ade_device_giving_up", "giving_up = 1");

/// Every query, to be looked at.
#[cfg(test)]
pub(super) const QUERIES: [(&str, &str); 9] = [
    ALL,
    PRESENT,
    UNSEEN,
    DUE,
    WANTING,
    STATE,
    RELEASED_BEFORE,
    REPLACING,
    GIVING_UP,
];

/// A filter that `ade-client` has and this crate does not know.
#[derive(Debug, thiserror::Error)]
#[error("a filter of devices that this version does not know")]
struct UnknownFilter;

impl Query {
    pub(super) fn new(filter: &DeviceFilter) -> rusqlite::Result<Self> {
        let ((page, count), value) = match filter {
            DeviceFilter::All => (ALL, None),
            DeviceFilter::Present => (PRESENT, None),
            DeviceFilter::Unseen { sweep } => (UNSEEN, Some(values::number(*sweep).into())),
            DeviceFilter::Due(now) => (DUE, Some(Value::Blob(time_key(*now).into()))),
            DeviceFilter::Wanting(uuid) => (WANTING, Some(uuid.clone().into())),
            DeviceFilter::State(state) => (STATE, Some(state.as_str().to_owned().into())),
            DeviceFilter::ReleasedBefore(time) => {
                (RELEASED_BEFORE, Some(Value::Blob(time_key(*time).into())))
            }
            DeviceFilter::Replacing => (REPLACING, None),
            DeviceFilter::GivingUp => (GIVING_UP, None),
            _ => {
                return Err(rusqlite::Error::ToSqlConversionFailure(Box::new(
                    UnknownFilter,
                )));
            }
        };
        Ok(Self { page, count, value })
    }
}

/// How many of the account's devices the filter takes.
pub(super) fn count(
    connection: &Connection,
    account: &AccountId,
    filter: &DeviceFilter,
) -> rusqlite::Result<u64> {
    let query = Query::new(filter)?;
    let mut statement = connection.prepare_cached(query.count)?;
    statement.raw_bind_parameter(1, account.as_str())?;
    if let Some(value) = query.value {
        statement.raw_bind_parameter(4, value)?;
    }
    let mut rows = statement.raw_query();
    let count = rows.next()?.map(|row| row.get::<_, i64>(0)).transpose()?;
    Ok(count.unwrap_or(0).unsigned_abs())
}
