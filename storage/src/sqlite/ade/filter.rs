//! Which devices: for each filter the index that answers it. They are pinned, since SQLite guesses
//! without statistics.

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

/// A page in the order of the serial numbers' own index.
macro_rules! page {
    ($condition:literal) => {
        concat!(
            "SELECT document FROM ade_device WHERE account = ",
            account_key!(),
            " AND serial_number >= ifnull(?2, '') AND serial_number IS NOT ?2 AND ",
            $condition,
            " ORDER BY serial_number LIMIT ?3"
        )
    };
}

/// How many an index has.
macro_rules! count {
    ($index:literal, $condition:literal) => {
        concat!(
            "SELECT count(*) FROM ade_device INDEXED BY ",
            $index,
            " WHERE account = ",
            account_key!(),
            " AND ",
            $condition
        )
    };
}

/// Both queries over an index in the order of arrival. Serial numbers are in it too: those of the
/// page are sorted out before any document is read.
macro_rules! queries {
    ($index:literal, $condition:literal) => {
        (
            concat!(
                "SELECT document FROM ade_device WHERE key IN (
                     SELECT key FROM ade_device INDEXED BY ",
                $index,
                " WHERE account = ",
                account_key!(),
                " AND ",
                $condition,
                " AND serial_number >= ifnull(?2, '') AND serial_number IS NOT ?2
                     ORDER BY serial_number LIMIT ?3)
                 ORDER BY serial_number"
            ),
            count!($index, $condition),
        )
    };
}

const ALL: (&str, &str) = (
    page!("TRUE"),
    concat!(
        "SELECT count(*) FROM ade_device WHERE account = ",
        account_key!()
    ),
);
/// Released devices are few, and passed over.
const PRESENT: (&str, &str) = (
    page!("released IS NULL"),
    count!("ade_device_by_sweep", "released IS NULL"),
);
const UNSEEN: (&str, &str) = queries!("ade_device_by_sweep", "released IS NULL AND sweep < ?4");
const DUE: (&str, &str) = queries!("ade_device_by_due", "due IS NOT NULL AND due <= ?4");
const WANTING: (&str, &str) = queries!("ade_device_by_profile", "wanted_profile = ?4");
const STATE: (&str, &str) = queries!("ade_device_by_state", "released IS NULL AND state = ?4");
const RELEASED_BEFORE: (&str, &str) = queries!(
    "ade_device_by_release",
    "released IS NOT NULL AND released < ?4"
);
const REPLACING: (&str, &str) = queries!("ade_device_replacing", "replacing = 1");
const GIVING_UP: (&str, &str) = queries!("ade_device_giving_up", "giving_up = 1");

/// The queries of pages in the order of an index.
#[cfg(test)]
pub(super) const WALKED: [&str; 2] = [ALL.0, PRESENT.0];

/// The queries of pages that are sorted.
#[cfg(test)]
pub(super) const SORTED: [&str; 7] = [
    UNSEEN.0,
    DUE.0,
    WANTING.0,
    STATE.0,
    RELEASED_BEFORE.0,
    REPLACING.0,
    GIVING_UP.0,
];

#[cfg(test)]
pub(super) const COUNTS: [&str; 9] = [
    ALL.1,
    PRESENT.1,
    UNSEEN.1,
    DUE.1,
    WANTING.1,
    STATE.1,
    RELEASED_BEFORE.1,
    REPLACING.1,
    GIVING_UP.1,
];

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
            other => return Err(values::unknown(other)),
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
