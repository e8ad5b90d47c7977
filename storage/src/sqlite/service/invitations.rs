//! [`InvitationStore`] on SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::{SerialNumber, Udid};
use mdm_service::{
    Claim, EnrollmentId, Invitation, StoreError, enrollment::Spend, store::InvitationStore,
};
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};

use super::rows;
use crate::sqlite::{SqliteStore, values};

pub(super) const FIND: &str = "SELECT id, owner, serial_number, udid, licences, data, created_at,
     expires_at, spent_by, spent_at FROM invitations WHERE id = ?1";

const INVITE: &str = "INSERT INTO invitations (
         id, owner, serial_number, udid, licences, data, created_at, expires_at, spent_by, spent_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING";

pub(super) const SPEND: &str = "UPDATE invitations
     SET spent_by = ?2, spent_at = ifnull(spent_at, ?3) WHERE id = ?1";

pub(super) const FORGET: &str = "DELETE FROM invitations WHERE key IN (
         SELECT key FROM invitations WHERE spent_by IS NULL AND expires_at <= ?1
         ORDER BY expires_at LIMIT ?2)";

#[async_trait]
impl InvitationStore for SqliteStore {
    async fn invite(&self, invitation: Invitation) -> Result<(), StoreError> {
        self.engine
            .write(move |connection| {
                let claims: Vec<_> = invitation
                    .licences
                    .iter()
                    .map(|claim| (&claim.pool, claim.limit))
                    .collect();
                connection.prepare_cached(INVITE)?.execute(params![
                    invitation.id,
                    invitation.owner,
                    invitation.serial_number.as_ref().map(SerialNumber::as_str),
                    invitation.udid.as_ref().map(Udid::as_str),
                    rows::to_json(&claims)?,
                    rows::to_json(&invitation.data)?,
                    invitation.created_at.timestamp_micros(),
                    invitation.expires_at.timestamp_micros(),
                    invitation.spent_by.as_ref().map(ToString::to_string),
                    invitation.spent_at.map(|at| at.timestamp_micros()),
                ])?;
                Ok(())
            })
            .await
    }

    async fn invitation(&self, id: &str) -> Result<Option<Invitation>, StoreError> {
        let id = id.to_owned();
        self.engine
            .read(move |connection| find(connection, &id))
            .await
    }

    async fn forget_invitations(
        &self,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.engine
            .write(move |connection| {
                connection
                    .prepare_cached(FORGET)?
                    .execute(params![now.timestamp_micros(), values::limit(limit)])
            })
            .await
    }
}

pub(super) fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<Invitation>> {
    connection
        .prepare_cached(FIND)?
        .query_row([id], invitation)
        .optional()
}

/// The device spends the invitation, or did before.
pub(super) fn spend(
    connection: &Connection,
    spend: &Spend,
    device: &EnrollmentId,
) -> rusqlite::Result<()> {
    connection.prepare_cached(SPEND)?.execute(params![
        spend.id,
        device.to_string(),
        spend.at.timestamp_micros()
    ])?;
    Ok(())
}

fn invitation(row: &Row<'_>) -> rusqlite::Result<Invitation> {
    let claims: Vec<(String, u64)> = rows::json(row, 4)?;
    let id: String = row.get(0)?;
    let mut found = Invitation::new(id, rows::time(row, 6)?, rows::time(row, 7)?);
    found.owner = row.get(1)?;
    found.serial_number = row
        .get::<_, Option<String>>(2)?
        .map(SerialNumber::new)
        .transpose()
        .map_err(|error| values::unreadable(2, Type::Text, error))?;
    found.udid = row
        .get::<_, Option<String>>(3)?
        .map(Udid::new)
        .transpose()
        .map_err(|error| values::unreadable(3, Type::Text, error))?;
    found.licences = claims
        .into_iter()
        .map(|(pool, limit)| Claim::new(pool, limit))
        .collect();
    found.data = rows::json(row, 5)?;
    found.spent_by = match row.get_ref(8)?.as_str_or_null()? {
        Some(_) => Some(rows::id(row, 8)?),
        None => None,
    };
    found.spent_at = rows::optional_time(row, 9)?;
    Ok(found)
}
