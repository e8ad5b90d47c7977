//! Certificates: kept with what granted them spent, found by serial number, revoked, listed.

use chrono::{DateTime, Utc};
use mdm_pki::Certificate;
use mdm_scep::store::{
    CertificateRecord, Committed, Grant, GrantKind, Issuance, RequestId, Revocation, StoreError,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::rows;
use crate::sqlite::values;

pub(super) const SPENT: &str =
    "SELECT h.request, c.der FROM scep_challenge h LEFT JOIN scep_certificate c
     ON c.serial = h.serial WHERE h.id = ?1";

pub(super) const COUNTS: &str = "SELECT revoked_at IS NULL FROM scep_certificate WHERE serial = ?1";

pub(super) const RENEWED: &str = "SELECT der FROM scep_certificate WHERE renewal = ?1";

const INSERT: &str =
    "INSERT INTO scep_certificate (serial, label, issued_at, not_after, renewal, der, granted)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (serial) DO NOTHING";

pub(super) const SPEND: &str = "UPDATE scep_challenge SET request = ?2, serial = ?3 WHERE id = ?1";

pub(super) const FIND: &str =
    "SELECT der, revoked_at, revoked_for, granted FROM scep_certificate WHERE serial = ?1";

pub(super) const REVOKE: &str = "UPDATE scep_certificate SET revoked_at = ?2, revoked_for = ?3
     WHERE serial = ?1 AND revoked_at IS NULL";

pub(super) const REVOKED: &str =
    "SELECT der, revoked_at, revoked_for, granted FROM scep_certificate INDEXED BY scep_certificate_revoked
     WHERE revoked_at IS NOT NULL AND not_after >= ?1 ORDER BY not_after LIMIT ?2";

pub(super) fn commit(
    connection: &Connection,
    issuance: &Issuance,
) -> rusqlite::Result<Result<Committed, StoreError>> {
    if let Some(settled) = settled(connection, issuance)? {
        return Ok(Ok(settled));
    }
    let certificate = &issuance.certificate;
    let grant = &issuance.grant;
    let renews = grant.kind() == GrantKind::Renewal;
    let renewal = renews.then(|| issuance.request.as_bytes());
    let inserted = connection.prepare_cached(INSERT)?.execute(params![
        certificate.serial(),
        grant.label(),
        issuance.at.timestamp_micros(),
        certificate.not_after().timestamp_micros(),
        renewal,
        certificate.to_der(),
        rows::kind_column(grant.kind())?,
    ])?;
    if inserted == 0 {
        return Ok(Err(StoreError::Exists));
    }
    if let Some(id) = grant.spends() {
        connection.prepare_cached(SPEND)?.execute(params![
            id.as_bytes(),
            issuance.request.as_bytes(),
            certificate.serial(),
        ])?;
    }
    Ok(Ok(Committed::Stored))
}

/// What speaks against spending the grant for this request.
fn settled(connection: &Connection, issuance: &Issuance) -> rusqlite::Result<Option<Committed>> {
    match &issuance.grant {
        Grant::Elsewhere { .. } => Ok(None),
        Grant::Challenge { id, .. } | Grant::Order { permit: id, .. } => {
            let found = connection
                .prepare_cached(SPENT)?
                .query_row([id.as_bytes()], rows::spent)
                .optional()?;
            Ok(match found {
                None => Some(Committed::Conflict),
                Some(None) => None,
                Some(Some(spent)) if spent.request == issuance.request => {
                    Some(Committed::Repeated(spent.certificate))
                }
                Some(Some(_)) => Some(Committed::Conflict),
            })
        }
        Grant::Renewal { of, .. } => {
            let counts: Option<bool> = connection
                .prepare_cached(COUNTS)?
                .query_row([of], |row| row.get(0))
                .optional()?;
            if counts != Some(true) {
                return Ok(Some(Committed::Conflict));
            }
            Ok(renewed(connection, &issuance.request)?.map(Committed::Repeated))
        }
        other => Err(values::unknown(other)),
    }
}

/// The certificate that this request for renewal has got already.
fn renewed(connection: &Connection, request: &RequestId) -> rusqlite::Result<Option<Certificate>> {
    connection
        .prepare_cached(RENEWED)?
        .query_row([request.as_bytes()], |row| rows::certificate(row, 0))
        .optional()
}

pub(super) fn find(
    connection: &Connection,
    serial: &[u8],
) -> rusqlite::Result<Option<CertificateRecord>> {
    connection
        .prepare_cached(FIND)?
        .query_row([serial], rows::certificate_record)
        .optional()
}

pub(super) fn revoke(
    connection: &Connection,
    serial: &[u8],
    revocation: &Revocation,
) -> rusqlite::Result<Option<Revocation>> {
    connection.prepare_cached(REVOKE)?.execute(params![
        serial,
        revocation.at.timestamp_micros(),
        revocation.reason.number(),
    ])?;
    Ok(find(connection, serial)?.and_then(|record| record.revoked))
}

pub(super) fn revoked(
    connection: &Connection,
    valid_at: DateTime<Utc>,
    limit: usize,
) -> rusqlite::Result<Vec<CertificateRecord>> {
    connection
        .prepare_cached(REVOKED)?
        .query_map(
            params![valid_at.timestamp_micros(), values::limit(limit)],
            rows::certificate_record,
        )?
        .collect()
}
