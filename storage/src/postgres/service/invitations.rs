//! [`InvitationStore`] on PostgreSQL. A commit spends them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::{SerialNumber, Udid};
use mdm_service::{Claim, Invitation, StoreError, store::InvitationStore};
use tokio_postgres::Row;

use super::rows::{self, Read, get, micros, number, optional_text, text};
use crate::postgres::PostgresStore;

const INVITE: &str = "INSERT INTO mdm_invitation
         (id, owner, serial_number, udid, licences, data, created_at, expires_at, spent_by, spent_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING";

const FIND: &str = "SELECT id, owner, serial_number, udid, licences, data, created_at, expires_at,
         spent_by, spent_at FROM mdm_invitation WHERE id = $1";

const FORGET: &str = "DELETE FROM mdm_invitation WHERE id IN (
         SELECT id FROM mdm_invitation WHERE spent_by IS NULL AND expires_at <= $1
         ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)
     RETURNING id";

#[async_trait]
impl InvitationStore for PostgresStore {
    async fn invite(&self, invitation: Invitation) -> Result<(), StoreError> {
        let claims = invitation.licences.iter();
        let claims: Vec<_> = claims.map(|claim| (&claim.pool, claim.limit)).collect();
        let spent_by = invitation.spent_by.as_ref().map(ToString::to_string);
        self.engine
            .rows(
                INVITE,
                &[
                    &text(&invitation.id),
                    &optional_text(invitation.owner.as_deref()),
                    &invitation.serial_number.as_ref().map(SerialNumber::as_str),
                    &invitation.udid.as_ref().map(Udid::as_str),
                    &rows::json(&claims)?,
                    &rows::json(&invitation.data)?,
                    &invitation.created_at.timestamp_micros(),
                    &invitation.expires_at.timestamp_micros(),
                    &spent_by,
                    &micros(invitation.spent_at),
                ],
            )
            .await
            .map(drop)
    }

    async fn invitation(&self, id: &str) -> Result<Option<Invitation>, StoreError> {
        let found = self.engine.row(FIND, &[&text(id)]).await?;
        found.as_ref().map(invitation).transpose()
    }

    async fn forget_invitations(
        &self,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let now = now.timestamp_micros();
        let gone = self.engine.rows(FORGET, &[&now, &number(limit)]).await?;
        Ok(gone.len())
    }
}

fn invitation(row: &Row) -> Result<Invitation, StoreError> {
    let (created_at, expires_at) = (rows::time(row, 6)?, rows::time(row, 7)?);
    let mut found = Invitation::new(get::<String>(row, 0)?, created_at, expires_at);
    found.owner = get(row, 1)?;
    let serial_number: Option<String> = get(row, 2)?;
    found.serial_number = serial_number.map(SerialNumber::new).transpose().read()?;
    let udid: Option<String> = get(row, 3)?;
    found.udid = udid.map(Udid::new).transpose().read()?;
    let claims: Vec<(String, u64)> = rows::parsed(row, 4)?;
    let claims = claims.into_iter();
    found.licences = claims
        .map(|(pool, limit)| Claim::new(pool, limit))
        .collect();
    found.data = rows::parsed(row, 5)?;
    let spent_by: Option<&str> = get(row, 8)?;
    found.spent_by = spent_by.map(str::parse).transpose().read()?;
    found.spent_at = rows::optional_time(row, 9)?;
    Ok(found)
}
