//! Values as columns and back.

use std::{error::Error, fmt::Debug};

use chrono::{DateTime, Utc};
use mdm_core::{StoreError as Cause, StoreErrorKind};
use mdm_pki::{Certificate, CertificateRequest, RevocationReason};
use mdm_scep::{
    Bound,
    pending::{PendingId, PendingRequest, Resolution},
    store::{
        CertificateRecord, ChallengeId, ChallengeRecord, Grant, GrantKind, RequestId, Revocation,
        Spent, StoreError,
    },
};
use tokio_postgres::{Row, types::FromSql};

use crate::postgres::error::unreadable;

/// What cannot be read does not hold what this program writes there.
pub(super) trait Read<T> {
    fn read(self) -> Result<T, StoreError>;
}

impl<T, E: Error + Send + Sync + 'static> Read<T> for Result<T, E> {
    fn read(self) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::unavailable(unreadable(error)))
    }
}

/// What a newer `mdm-scep`, or a newer schema, says and this program does not understand.
pub(super) fn unknown(value: impl Debug) -> StoreError {
    let source = format!("not known to this store: {value:?}");
    StoreError::unavailable(Cause::with_source(StoreErrorKind::Other, source))
}

pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).read()
}

/// A number as PostgreSQL keeps it; beyond its range the largest that it can keep.
pub(super) fn number(unsigned: impl TryInto<i64>) -> i64 {
    unsigned.try_into().unwrap_or(i64::MAX)
}

/// As many bytes as an id has.
pub(super) fn bytes<const N: usize>(row: &Row, column: usize) -> Result<[u8; N], StoreError> {
    get::<&[u8]>(row, column)?.try_into().read()
}

pub(super) fn time(row: &Row, column: usize) -> Result<DateTime<Utc>, StoreError> {
    let micros = get(row, column)?;
    DateTime::from_timestamp_micros(micros)
        .ok_or_else(|| StoreError::unavailable(unreadable("not a time")))
}

pub(super) fn certificate(row: &Row, column: usize) -> Result<Certificate, StoreError> {
    Certificate::from_der(get(row, column)?).read()
}

/// A certificate, its revocation and what granted it in the first four columns.
pub(super) fn certificate_record(row: &Row) -> Result<CertificateRecord, StoreError> {
    let mut record = CertificateRecord::new(certificate(row, 0)?);
    record.revoked = revocation(row, 1)?;
    record.granted = match get(row, 3)? {
        None => None,
        Some(CHALLENGE) => Some(GrantKind::Challenge),
        Some(RENEWAL) => Some(GrantKind::Renewal),
        Some(ELSEWHERE) => Some(GrantKind::Elsewhere),
        Some(ORDER) => Some(GrantKind::Order),
        Some(other) => return Err(unknown(other)),
    };
    Ok(record)
}

/// A revocation in two columns from `first` on.
pub(super) fn revocation(row: &Row, first: usize) -> Result<Option<Revocation>, StoreError> {
    let Some(number) = get::<Option<i16>>(row, first + 1)? else {
        return Ok(None);
    };
    let reason = u8::try_from(number)
        .ok()
        .and_then(RevocationReason::from_number)
        .ok_or_else(|| StoreError::unavailable(unreadable("not a reason")))?;
    Ok(Some(Revocation::new(time(row, first)?, reason)))
}

/// What a challenge was spent for, and the challenge.
pub(super) fn challenge(row: &Row) -> Result<ChallengeRecord, StoreError> {
    let label: String = get(row, 2)?;
    let mut record = ChallengeRecord::new(label, time(row, 4)?, time(row, 5)?);
    record.bound = Bound::from_text(get(row, 3)?).read()?;
    if get::<Option<&[u8]>>(row, 0)?.is_some() {
        let request = RequestId::from_bytes(bytes(row, 0)?);
        record.spent = Some(Spent::new(request, certificate(row, 1)?));
    }
    Ok(record)
}

/// A grant as the three columns that [`grant`] reads.
pub(super) fn grant_columns(grant: &Grant) -> Result<(i16, Option<&[u8]>, &str), StoreError> {
    let (kind, by): (_, Option<&[u8]>) = match grant {
        Grant::Challenge { id, .. } => (CHALLENGE, Some(id.as_bytes())),
        Grant::Renewal { of, .. } => (RENEWAL, Some(of)),
        Grant::Elsewhere { .. } => (ELSEWHERE, None),
        Grant::Order { permit, .. } => (ORDER, Some(permit.as_bytes())),
        other => return Err(unknown(other)),
    };
    Ok((kind, by, grant.label()))
}

const CHALLENGE: i16 = 0;
const RENEWAL: i16 = 1;
const ELSEWHERE: i16 = 2;
const ORDER: i16 = 3;

/// A grant in three columns from `first` on.
fn grant(row: &Row, first: usize) -> Result<Grant, StoreError> {
    let label: String = get(row, first + 2)?;
    match get(row, first)? {
        CHALLENGE => {
            let id = ChallengeId::from_bytes(bytes(row, first + 1)?);
            Ok(Grant::challenge(id, label))
        }
        RENEWAL => Ok(Grant::renewal(get::<&[u8]>(row, first + 1)?, label)),
        ELSEWHERE => Ok(Grant::elsewhere(label)),
        ORDER => {
            let permit = ChallengeId::from_bytes(bytes(row, first + 1)?);
            Ok(Grant::order(permit, label))
        }
        other => Err(unknown(other)),
    }
}

/// A request that waits, as the columns of `pending` name it.
pub(super) fn pending(row: &Row) -> Result<(PendingId, PendingRequest), StoreError> {
    let id = PendingId::from_bytes(bytes(row, 0)?);
    let request = RequestId::from_bytes(bytes(row, 1)?);
    let csr = CertificateRequest::from_der(get(row, 2)?).read()?;
    let mut pending = PendingRequest::new(request, csr, grant(row, 3)?, time(row, 6)?);
    pending.resolution = resolution(row, 7)?;
    Ok((id, pending))
}

/// A decision as the two columns that [`resolution`] reads.
pub(super) fn resolution_columns(
    resolution: &Resolution,
) -> Result<(bool, Option<&str>), StoreError> {
    match resolution {
        Resolution::Approved => Ok((true, None)),
        Resolution::Denied { reason } => Ok((false, Some(reason))),
        other => Err(unknown(other)),
    }
}

/// A decision in two columns from `first` on.
pub(super) fn resolution(row: &Row, first: usize) -> Result<Option<Resolution>, StoreError> {
    Ok(match get(row, first)? {
        None => None,
        Some(true) => Some(Resolution::Approved),
        Some(false) => Some(Resolution::denied(get::<String>(row, first + 1)?)),
    })
}
