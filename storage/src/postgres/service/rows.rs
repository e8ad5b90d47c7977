//! Values as columns and back.

use std::{borrow::Cow, error::Error, fmt::Debug};

use chrono::{DateTime, Utc};
use mdm_core::{PushMagic, PushToken, Secret, SerialNumber, StoreError, StoreErrorKind, Topic};
use mdm_service::{
    Body, BootstrapToken, Enrollment, EnrollmentId, EnrollmentStatus, Event, EventKind,
    Fingerprint, PushAddress, enrollment::decide::Version, queue::Sequence,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio_postgres::{Row, types::FromSql};

use crate::{document, postgres::error::unreadable};

/// What cannot be read does not hold what this program writes there.
pub(super) trait Read<T> {
    fn read(self) -> Result<T, StoreError>;
}

impl<T, E: Error + Send + Sync + 'static> Read<T> for Result<T, E> {
    fn read(self) -> Result<T, StoreError> {
        self.map_err(unreadable)
    }
}

/// What a newer `mdm-service`, or a newer schema, says and this program does not understand.
pub(super) fn unknown(value: impl Debug) -> StoreError {
    let source = format!("not known to this store: {value:?}");
    StoreError::with_source(StoreErrorKind::Other, source)
}

/// A text as the database takes it: U+0000, which it does not, is U+FFFD. A device may send one (iOS 18.1
/// did), and refusing it would block its queue for ever.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        text.replace('\0', "\u{FFFD}").into()
    } else {
        text.into()
    }
}

/// The same for what may be missing.
pub(super) fn optional_text(value: Option<&str>) -> Option<Cow<'_, str>> {
    value.map(text)
}

/// JSON for a column of that type, which takes no U+0000 either.
pub(super) fn jsonb(value: &impl Serialize) -> Result<String, StoreError> {
    fn clean(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(string) => *string = text(string).into_owned(),
            serde_json::Value::Array(values) => values.iter_mut().for_each(clean),
            serde_json::Value::Object(fields) => fields.values_mut().for_each(clean),
            _ => {}
        }
    }
    let written = json(value)?;
    if !written.contains(r"\u0000") {
        return Ok(written);
    }
    let mut parsed: serde_json::Value = document::parse(&written).read()?;
    clean(&mut parsed);
    json(&parsed)
}

/// JSON for a column of text.
pub(super) fn json(value: &impl Serialize) -> Result<String, StoreError> {
    document::write(value).read()
}

/// A column that holds JSON.
pub(super) fn parsed<T: DeserializeOwned>(row: &Row, column: usize) -> Result<T, StoreError> {
    document::parse(get(row, column)?).read()
}

/// The same for one that may be empty.
pub(super) fn optional_parsed<T: DeserializeOwned>(
    row: &Row,
    column: usize,
) -> Result<Option<T>, StoreError> {
    let found: Option<&str> = get(row, column)?;
    found.map(document::parse).transpose().read()
}

pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).read()
}

/// A number as PostgreSQL keeps it; beyond its range the largest that it can keep.
pub(super) fn number(unsigned: impl TryInto<i64>) -> i64 {
    unsigned.try_into().unwrap_or(i64::MAX)
}

pub(super) fn unsigned(row: &Row, column: usize) -> Result<u64, StoreError> {
    get::<i64>(row, column)?.try_into().read()
}

pub(super) fn sequence(row: &Row, column: usize) -> Result<Sequence, StoreError> {
    unsigned(row, column).map(Sequence::new)
}

pub(super) fn micros(time: Option<DateTime<Utc>>) -> Option<i64> {
    time.map(|time| time.timestamp_micros())
}

pub(super) fn time(row: &Row, column: usize) -> Result<DateTime<Utc>, StoreError> {
    moment(get(row, column)?)
}

pub(super) fn optional_time(row: &Row, column: usize) -> Result<Option<DateTime<Utc>>, StoreError> {
    get::<Option<i64>>(row, column)?.map(moment).transpose()
}

fn moment(micros: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| unreadable("not a time"))
}

pub(super) fn id(row: &Row, column: usize) -> Result<EnrollmentId, StoreError> {
    get::<&str>(row, column)?.parse().read()
}

pub(super) fn body(row: &Row, column: usize) -> Result<Body, StoreError> {
    Ok(Body::from(get::<Vec<u8>>(row, column)?))
}

fn fingerprint(row: &Row, column: usize) -> Result<Option<Fingerprint>, StoreError> {
    let found: Option<&[u8]> = get(row, column)?;
    let found = found.map(<[u8; 32]>::try_from).transpose().read()?;
    Ok(found.map(Fingerprint::new))
}

/// The columns that [`enrollment`] reads, of `mdm_contact c` and `mdm_enrollment e`.
macro_rules! enrollment_columns {
    () => {
        "c.id, c.version, c.status, c.certificate, e.topic, e.push_token, e.push_magic,
         e.token_update_tally, e.awaiting_configuration, e.serial_number, e.user_short_name,
         e.authenticated_at, e.enrolled_at, e.disabled_at, e.unlock_token, e.bootstrap_token,
         e.bootstrap_token_certificate, e.bootstrap_token_is_former, e.authenticate, e.owner,
         e.licences, e.reported::text, e.invitation, e.decision, c.last_seen_at, c.push_dead_at"
    };
}
pub(super) use enrollment_columns;

/// One enrolment and, for a device, its version.
pub(super) fn enrollment(row: &Row) -> Result<(Enrollment, Version), StoreError> {
    let mut found = Enrollment::new(id(row, 0)?);
    let version = Version::new(unsigned(row, 1)?);
    found.status = status(get(row, 2)?)?;
    found.certificate = fingerprint(row, 3)?;
    found.push = push(row, 4)?;
    found.token_update_tally = unsigned(row, 7)?;
    found.awaiting_configuration = get(row, 8)?;
    let serial_number: Option<String> = get(row, 9)?;
    found.serial_number = serial_number.map(SerialNumber::new).transpose().read()?;
    found.user_short_name = get(row, 10)?;
    found.authenticated_at = optional_time(row, 11)?;
    found.enrolled_at = optional_time(row, 12)?;
    found.disabled_at = optional_time(row, 13)?;
    found.unlock_token = get::<Option<Vec<u8>>>(row, 14)?.map(Secret::new);
    found.bootstrap_token = bootstrap_token(row, 15)?;
    found.authenticate = get::<Option<Vec<u8>>>(row, 18)?.map(Body::from);
    found.owner = get(row, 19)?;
    found.licences = parsed(row, 20)?;
    found.reported = optional_parsed(row, 21)?;
    found.invitation = get(row, 22)?;
    // It says why, not what: one of a newer program hides no enrolment.
    found.decision = optional_parsed(row, 23).unwrap_or_default();
    found.last_seen_at = optional_time(row, 24)?;
    found.push_dead_at = optional_time(row, 25)?;
    Ok((found, version))
}

/// The bootstrap token in three columns from `first` on.
fn bootstrap_token(row: &Row, first: usize) -> Result<Option<BootstrapToken>, StoreError> {
    let Some(token) = get::<Option<Vec<u8>>>(row, first)? else {
        return Ok(None);
    };
    let certificate = fingerprint(row, first + 1)?.ok_or_else(|| unreadable("no certificate"))?;
    let mut found = BootstrapToken::new(Secret::new(token), certificate);
    found.is_former = get(row, first + 2)?;
    Ok(Some(found))
}

/// The push address in three columns from `first` on.
pub(super) fn push(row: &Row, first: usize) -> Result<Option<PushAddress>, StoreError> {
    let topic: Option<String> = get(row, first)?;
    let token: Option<Vec<u8>> = get(row, first + 1)?;
    let magic: Option<Vec<u8>> = get(row, first + 2)?;
    let (Some(topic), Some(token), Some(magic)) = (topic, token, magic) else {
        return Ok(None);
    };
    let topic = Topic::new(topic).read()?;
    let magic = PushMagic::new(String::from_utf8(magic).read()?);
    Ok(Some(PushAddress::new(topic, PushToken::new(token), magic)))
}

fn status(number: i16) -> Result<EnrollmentStatus, StoreError> {
    match number {
        0 => Ok(EnrollmentStatus::Authenticated),
        1 => Ok(EnrollmentStatus::Enrolled),
        2 => Ok(EnrollmentStatus::Disabled),
        other => Err(unknown(other)),
    }
}

/// What [`status`] reads.
pub(super) fn status_number(status: EnrollmentStatus) -> Result<i16, StoreError> {
    match status {
        EnrollmentStatus::Authenticated => Ok(0),
        EnrollmentStatus::Enrolled => Ok(1),
        EnrollmentStatus::Disabled => Ok(2),
        other => Err(unknown(other)),
    }
}

/// An event in four columns from the first on: its place, whose it is, when, and what.
pub(super) fn event(row: &Row) -> Result<(Sequence, Event), StoreError> {
    let written: &str = get(row, 3)?;
    let kind = document::parse(written).unwrap_or_else(|_| EventKind::unreadable(written));
    let event = Event::new(id(row, 1)?, time(row, 2)?, kind);
    Ok((sequence(row, 0)?, event))
}

/// Events as columns.
#[derive(Default)]
pub(super) struct Events {
    pub(super) enrollments: Vec<String>,
    pub(super) ats: Vec<i64>,
    pub(super) events: Vec<String>,
}

impl Events {
    pub(super) fn new(events: &[Event]) -> Result<Self, StoreError> {
        let mut columns = Self::default();
        for event in events {
            columns.enrollments.push(event.enrollment.to_string());
            columns.ats.push(event.at.timestamp_micros());
            columns.events.push(json(&event.kind)?);
        }
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_loses_what_the_database_does_not_take_and_nothing_else() {
        assert_eq!(text("a\\u0000"), "a\\u0000");
        assert_eq!(text("a\0b"), "a\u{FFFD}b");
        let told = serde_json::json!({ "name": ["a\0b", "a\\u0000b"] });
        let kept: serde_json::Value = serde_json::from_str(&jsonb(&told).unwrap()).unwrap();
        assert_eq!(
            kept,
            serde_json::json!({ "name": ["a\u{FFFD}b", "a\\u0000b"] })
        );
    }
}
