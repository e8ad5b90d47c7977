//! Values as columns and back.

use mdm_pki::{Certificate, CertificateRequest, RevocationReason};
use mdm_scep::{
    Bound,
    pending::{PendingId, PendingRequest, Resolution},
    store::{
        CertificateRecord, ChallengeId, ChallengeRecord, Grant, GrantKind, RequestId, Revocation,
        Spent,
    },
};
use rusqlite::{Row, types::Type};

use crate::sqlite::values::{time, unknown, unreadable};

pub(super) fn certificate(row: &Row<'_>, column: usize) -> rusqlite::Result<Certificate> {
    Certificate::from_der(row.get_ref(column)?.as_blob()?)
        .map_err(|error| unreadable(column, Type::Blob, error))
}

/// A certificate, its revocation and what granted it in the first four columns.
pub(super) fn certificate_record(row: &Row<'_>) -> rusqlite::Result<CertificateRecord> {
    let mut record = CertificateRecord::new(certificate(row, 0)?);
    if let Some(number) = row.get::<_, Option<u8>>(2)? {
        let reason = RevocationReason::from_number(number)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(2, number.into()))?;
        record.revoked = Some(Revocation::new(time(row, 1)?, reason));
    }
    record.granted = match row.get(3)? {
        None => None,
        Some(CHALLENGE) => Some(GrantKind::Challenge),
        Some(RENEWAL) => Some(GrantKind::Renewal),
        Some(ELSEWHERE) => Some(GrantKind::Elsewhere),
        Some(ORDER) => Some(GrantKind::Order),
        Some(other) => return Err(rusqlite::Error::IntegralValueOutOfRange(3, other)),
    };
    Ok(record)
}

/// What a challenge was spent for, in the first two columns.
pub(super) fn spent(row: &Row<'_>) -> rusqlite::Result<Option<Spent>> {
    let Some(request) = row.get::<_, Option<[u8; 32]>>(0)? else {
        return Ok(None);
    };
    let request = RequestId::from_bytes(request);
    Ok(Some(Spent::new(request, certificate(row, 1)?)))
}

/// What a challenge was spent for, and the challenge.
pub(super) fn challenge(row: &Row<'_>) -> rusqlite::Result<ChallengeRecord> {
    let label: String = row.get(2)?;
    let mut record = ChallengeRecord::new(label, time(row, 4)?, time(row, 5)?);
    record.bound = Bound::from_text(row.get_ref(3)?.as_str()?)
        .map_err(|error| unreadable(3, Type::Text, error))?;
    record.spent = spent(row)?;
    Ok(record)
}

/// A grant as the three columns that [`grant`] reads.
pub(super) fn grant_columns(grant: &Grant) -> rusqlite::Result<(i64, Option<&[u8]>, &str)> {
    let by: Option<&[u8]> = match grant {
        Grant::Challenge { id, .. } | Grant::Order { permit: id, .. } => Some(id.as_bytes()),
        Grant::Renewal { of, .. } => Some(of),
        Grant::Elsewhere { .. } => None,
        other => return Err(unknown(other)),
    };
    Ok((kind_column(grant.kind())?, by, grant.label()))
}

/// The kind of a grant as a number.
pub(super) fn kind_column(kind: GrantKind) -> rusqlite::Result<i64> {
    Ok(match kind {
        GrantKind::Challenge => CHALLENGE,
        GrantKind::Renewal => RENEWAL,
        GrantKind::Elsewhere => ELSEWHERE,
        GrantKind::Order => ORDER,
        other => return Err(unknown(other)),
    })
}

const CHALLENGE: i64 = 0;
const RENEWAL: i64 = 1;
const ELSEWHERE: i64 = 2;
const ORDER: i64 = 3;

/// A grant in three columns from `first` on.
fn grant(row: &Row<'_>, first: usize) -> rusqlite::Result<Grant> {
    let label: String = row.get(first + 2)?;
    match row.get(first)? {
        CHALLENGE => {
            let id = ChallengeId::from_bytes(row.get(first + 1)?);
            Ok(Grant::challenge(id, label))
        }
        RENEWAL => Ok(Grant::renewal(row.get::<_, Vec<u8>>(first + 1)?, label)),
        ELSEWHERE => Ok(Grant::elsewhere(label)),
        ORDER => {
            let permit = ChallengeId::from_bytes(row.get(first + 1)?);
            Ok(Grant::order(permit, label))
        }
        other => Err(rusqlite::Error::IntegralValueOutOfRange(first, other)),
    }
}

pub(super) fn request_id(row: &Row<'_>, column: usize) -> rusqlite::Result<RequestId> {
    row.get(column).map(RequestId::from_bytes)
}

/// A request that waits, as the columns of `pending` name it.
pub(super) fn pending(row: &Row<'_>) -> rusqlite::Result<(PendingId, PendingRequest)> {
    let csr = CertificateRequest::from_der(row.get_ref(2)?.as_blob()?)
        .map_err(|error| unreadable(2, Type::Blob, error))?;
    let id = PendingId::from_bytes(row.get(0)?);
    let mut request = PendingRequest::new(request_id(row, 1)?, csr, grant(row, 3)?, time(row, 6)?);
    request.resolution = resolution(row, 7)?;
    Ok((id, request))
}

/// A decision as the two columns that [`resolution`] reads.
pub(super) fn resolution_columns(
    resolution: &Resolution,
) -> rusqlite::Result<(bool, Option<&str>)> {
    match resolution {
        Resolution::Approved => Ok((true, None)),
        Resolution::Denied { reason } => Ok((false, Some(reason))),
        other => Err(unknown(other)),
    }
}

/// A decision in two columns from `first` on.
pub(super) fn resolution(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Resolution>> {
    Ok(match row.get(first)? {
        None => None,
        Some(true) => Some(Resolution::Approved),
        Some(false) => Some(Resolution::denied(row.get::<_, String>(first + 1)?)),
    })
}
