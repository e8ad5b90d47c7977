//! Values as columns and back.

use chrono::{DateTime, Utc};
use mdm_core::{PushMagic, PushToken, Secret, SerialNumber, Topic};
use mdm_service::{
    Body, BootstrapToken, Enrollment, EnrollmentId, EnrollmentStatus, Fingerprint, PushAddress,
    enrollment::decide::Version, queue::Sequence,
};
use rusqlite::{
    Row,
    types::{Type, ValueRef},
};
use serde::{Serialize, de::DeserializeOwned};

pub(super) use crate::sqlite::values::time;
use crate::sqlite::values::unreadable;

/// The columns of an enrolment, in the order that [`enrollment`] reads them, of `enrollments` joined
/// with `contact`.
macro_rules! enrollment_columns {
    () => {
        "id, version, status, certificate, topic, push_token, push_magic, token_update_tally, \
         awaiting_configuration, serial_number, user_short_name, authenticated_at, enrolled_at, \
         disabled_at, unlock_token, bootstrap_token, bootstrap_token_certificate, \
         bootstrap_token_is_former, authenticate, owner, licences, reported, decision, \
         invitation, last_seen_at, push_dead_at"
    };
}
pub(super) use enrollment_columns;

/// One enrolment and, for a device, its version.
pub(super) fn enrollment(row: &Row<'_>) -> rusqlite::Result<(Enrollment, Version)> {
    let mut found = Enrollment::new(id(row, 0)?);
    let version = Version::new(unsigned(row, 1)?);
    found.status = status(row, 2)?;
    found.certificate = row.get::<_, Option<[u8; 32]>>(3)?.map(Fingerprint::new);
    found.push = push(row, 4)?;
    found.token_update_tally = unsigned(row, 7)?;
    found.awaiting_configuration = row.get(8)?;
    found.serial_number = row
        .get::<_, Option<String>>(9)?
        .map(SerialNumber::new)
        .transpose()
        .map_err(|error| unreadable(9, Type::Text, error))?;
    found.user_short_name = row.get(10)?;
    found.authenticated_at = optional_time(row, 11)?;
    found.enrolled_at = optional_time(row, 12)?;
    found.disabled_at = optional_time(row, 13)?;
    found.unlock_token = row.get::<_, Option<Vec<u8>>>(14)?.map(Secret::new);
    found.bootstrap_token = bootstrap_token(row, 15)?;
    found.authenticate = row.get::<_, Option<Vec<u8>>>(18)?.map(Body::from);
    found.owner = row.get(19)?;
    found.licences = json(row, 20)?;
    found.reported = optional_json(row, 21)?;
    // It says why, not what: one of a newer program hides no enrolment.
    found.decision = optional_json(row, 22).unwrap_or_default();
    found.invitation = row.get(23)?;
    found.last_seen_at = optional_time(row, 24)?;
    found.push_dead_at = optional_time(row, 25)?;
    Ok((found, version))
}

/// The bootstrap token in three columns from `first` on.
fn bootstrap_token(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<BootstrapToken>> {
    let Some(token) = row.get::<_, Option<Vec<u8>>>(first)? else {
        return Ok(None);
    };
    let certificate = Fingerprint::new(row.get(first + 1)?);
    let mut found = BootstrapToken::new(Secret::new(token), certificate);
    found.is_former = row.get(first + 2)?;
    Ok(Some(found))
}

/// The push address in three columns from `first` on.
pub(super) fn push(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<PushAddress>> {
    let topic: Option<String> = row.get(first)?;
    let token: Option<Vec<u8>> = row.get(first + 1)?;
    let magic: Option<String> = row.get(first + 2)?;
    let (Some(topic), Some(token), Some(magic)) = (topic, token, magic) else {
        return Ok(None);
    };
    let topic = Topic::new(topic).map_err(|error| unreadable(first, Type::Text, error))?;
    Ok(Some(PushAddress::new(
        topic,
        PushToken::new(token),
        PushMagic::new(magic),
    )))
}

pub(super) fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<EnrollmentId> {
    row.get_ref(column)?
        .as_str()?
        .parse()
        .map_err(|error| unreadable(column, Type::Text, error))
}

pub(super) fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<EnrollmentStatus> {
    match row.get::<_, i64>(column)? {
        0 => Ok(EnrollmentStatus::Authenticated),
        1 => Ok(EnrollmentStatus::Enrolled),
        2 => Ok(EnrollmentStatus::Disabled),
        other => Err(rusqlite::Error::IntegralValueOutOfRange(column, other)),
    }
}

/// What [`status`] reads.
pub(super) const fn status_number(status: EnrollmentStatus) -> Option<i64> {
    match status {
        EnrollmentStatus::Authenticated => Some(0),
        EnrollmentStatus::Enrolled => Some(ENROLLED),
        EnrollmentStatus::Disabled => Some(DISABLED),
        _ => None,
    }
}

/// The number of `EnrollmentStatus::Enrolled`.
pub(super) const ENROLLED: i64 = 1;
/// The number of `EnrollmentStatus::Disabled`.
pub(super) const DISABLED: i64 = 2;

pub(super) fn sequence(row: &Row<'_>, column: usize) -> rusqlite::Result<Sequence> {
    unsigned(row, column).map(Sequence::new)
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// A column that holds JSON.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    crate::document::parse(row.get_ref(column)?.as_str()?)
        .map_err(|error| unreadable(column, Type::Text, error))
}

pub(super) fn optional_json<T: DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => json(row, column).map(Some),
    }
}

pub(super) fn to_json(value: &impl Serialize) -> rusqlite::Result<String> {
    crate::document::write(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

pub(super) fn optional_time(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<DateTime<Utc>>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => time(row, column).map(Some),
    }
}
