//! [`EnrollmentStore`] on SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::{Secret, SerialNumber};
use mdm_service::{
    Enrollment, EnrollmentId, Fingerprint, PushTarget, StoreError,
    enrollment::decide::{Cascade, Loaded, Step, Version},
    store::{CommitError, EnrollmentStore},
};
use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::{
    outbox,
    rows::{self, DISABLED, ENROLLED, enrollment_columns},
};
use crate::sqlite::{SqliteStore, values};

pub(super) const FIND: &str = concat!(
    "SELECT ",
    enrollment_columns!(),
    " FROM enrollments WHERE id = ?1"
);

pub(super) const OWNER: &str =
    "SELECT e.id FROM certificates c JOIN enrollments e ON e.key = c.device
     WHERE c.sha256 = ?1";

const PUSH_TARGET: &str = "SELECT topic, push_token, push_magic FROM enrollments
     WHERE id = ?1 AND status = ?2";

const VERSION: &str = "SELECT key, version FROM enrollments WHERE id = ?1";

pub(super) const KEY: &str = "SELECT key FROM enrollments WHERE id = ?1";

/// Writes everything but `key`, `device` and `version`.
const SAVE: &str = "INSERT INTO enrollments (
         id, device, version, status, certificate, topic, push_token, push_magic,
         token_update_tally, awaiting_configuration, serial_number, user_short_name,
         authenticated_at, enrolled_at, disabled_at, unlock_token, bootstrap_token,
         bootstrap_token_certificate, bootstrap_token_is_former, authenticate)
     VALUES (
         :id, :device, 0, :status, :certificate, :topic, :push_token, :push_magic,
         :tally, :awaiting_configuration, :serial_number, :user_short_name,
         :authenticated_at, :enrolled_at, :disabled_at, :unlock_token, :bootstrap_token,
         :bootstrap_token_certificate, :bootstrap_token_is_former, :authenticate)
     ON CONFLICT (id) DO UPDATE SET
         status = excluded.status, certificate = excluded.certificate, topic = excluded.topic,
         push_token = excluded.push_token, push_magic = excluded.push_magic,
         token_update_tally = excluded.token_update_tally,
         awaiting_configuration = excluded.awaiting_configuration,
         serial_number = excluded.serial_number, user_short_name = excluded.user_short_name,
         authenticated_at = excluded.authenticated_at, enrolled_at = excluded.enrolled_at,
         disabled_at = excluded.disabled_at, unlock_token = excluded.unlock_token,
         bootstrap_token = excluded.bootstrap_token,
         bootstrap_token_certificate = excluded.bootstrap_token_certificate,
         bootstrap_token_is_former = excluded.bootstrap_token_is_former,
         authenticate = excluded.authenticate";

/// A device is inserted before its own key is known.
const OWN_DEVICE: &str = "UPDATE enrollments SET device = key WHERE key = ?1";

const SET_VERSION: &str = "UPDATE enrollments SET version = ?2 WHERE key = ?1";

pub(super) const PINNED_TO: &str = "SELECT device FROM certificates WHERE sha256 = ?1";

const PIN: &str = "INSERT INTO certificates (sha256, device) VALUES (?1, ?2)
     ON CONFLICT (sha256) DO NOTHING";

pub(super) const DISABLE_USERS: &str = "UPDATE enrollments
     SET status = ?2, disabled_at = ?3, topic = NULL, push_token = NULL, push_magic = NULL
     WHERE device = ?1 AND key <> ?1 AND status <> ?2";

pub(super) const FAMILY: &str = "SELECT key FROM enrollments WHERE device = ?1";

pub(super) const CANCEL: &str = "INSERT INTO results (seq, at)
     SELECT seq, ?2 FROM queue WHERE enrollment = ?1";

pub(super) const CLEAR: &str = "DELETE FROM queue WHERE enrollment = ?1";

#[async_trait]
impl EnrollmentStore for SqliteStore {
    async fn load(
        &self,
        id: &EnrollmentId,
        certificate: &Fingerprint,
    ) -> Result<Loaded, StoreError> {
        let (id, certificate) = (id.clone(), *certificate);
        self.engine
            .read(move |connection| {
                let device = id.of_device();
                let found = find(connection, &device)?;
                let user = if id == device {
                    None
                } else {
                    find(connection, &id)?.map(|(user, _)| user)
                };
                let owner = connection
                    .prepare_cached(OWNER)?
                    .query_row([certificate.as_bytes()], |row| rows::id(row, 0))
                    .optional()?;
                Ok(Loaded::new().with(|loaded| {
                    loaded.version = found.as_ref().map_or(Version::UNSEEN, |found| found.1);
                    loaded.device = found.map(|found| found.0);
                    loaded.user = user;
                    loaded.certificate_owner = owner;
                }))
            })
            .await
    }

    async fn commit(
        &self,
        id: &EnrollmentId,
        version: Version,
        step: Step,
    ) -> Result<(), CommitError> {
        let id = id.clone();
        let committed = self
            .engine
            .write(move |connection| commit(connection, &id, version, &step))
            .await?;
        committed.ok_or(CommitError::Conflict)
    }

    async fn enrollment(&self, id: &EnrollmentId) -> Result<Option<Enrollment>, StoreError> {
        let id = id.clone();
        self.engine
            .read(move |connection| Ok(find(connection, &id)?.map(|(found, _)| found)))
            .await
    }

    async fn push_targets(
        &self,
        ids: &[EnrollmentId],
    ) -> Result<Vec<Option<PushTarget>>, StoreError> {
        let ids = ids.to_vec();
        self.engine
            .read(move |connection| {
                let mut statement = connection.prepare_cached(PUSH_TARGET)?;
                ids.into_iter()
                    .map(|id| {
                        let push = statement
                            .query_row(params![id.to_string(), ENROLLED], |row| rows::push(row, 0))
                            .optional()?
                            .flatten();
                        Ok(
                            push.map(|push| {
                                PushTarget::new(id, push.topic, push.token, push.magic)
                            }),
                        )
                    })
                    .collect()
            })
            .await
    }
}

fn find(
    connection: &Connection,
    id: &EnrollmentId,
) -> rusqlite::Result<Option<(Enrollment, Version)>> {
    connection
        .prepare_cached(FIND)?
        .query_row([id.to_string()], rows::enrollment)
        .optional()
}

/// `None`: the device was changed, or the certificate taken, since the step was decided.
fn commit(
    connection: &Connection,
    id: &EnrollmentId,
    version: Version,
    step: &Step,
) -> rusqlite::Result<Option<()>> {
    let device = id.of_device();
    let certificate = step.device.as_ref().and_then(|device| device.certificate);
    // Everything that may refuse the step comes before the first write.
    let known = connection
        .prepare_cached(VERSION)?
        .query_row([device.to_string()], |row| {
            Ok((row.get::<_, i64>(0)?, rows::unsigned(row, 1)?))
        })
        .optional()?;
    let owner = match &certificate {
        Some(certificate) => connection
            .prepare_cached(PINNED_TO)?
            .query_row([certificate.as_bytes()], |row| row.get::<_, i64>(0))
            .optional()?,
        None => None,
    };
    let stale = known.map_or(0, |(_, current)| current) != version.number();
    let taken = owner.is_some() && owner != known.map(|(key, _)| key);
    let unseen = known.is_none() && step.device.is_none();
    if stale || taken || unseen {
        return Ok(None);
    }

    let key = match (known, &step.device) {
        (Some((key, _)), _) => {
            cascade(connection, key, id, step)?;
            key
        }
        (None, Some(state)) => introduce(connection, state)?,
        (None, None) => return Ok(None),
    };
    if let Some(state) = &step.device {
        save(connection, state, key)?;
    }
    if let Some(certificate) = &certificate {
        connection
            .prepare_cached(PIN)?
            .execute(params![certificate.as_bytes(), key])?;
    }
    if let Some(user) = &step.user {
        save(connection, user, key)?;
    }
    connection
        .prepare_cached(SET_VERSION)?
        .execute(params![key, values::number(version.next().number())])?;
    step.events
        .iter()
        .try_for_each(|event| outbox::write(connection, event))?;
    Ok(Some(()))
}

/// Gives a new device its key.
fn introduce(connection: &Connection, device: &Enrollment) -> rusqlite::Result<i64> {
    save(connection, device, 0)?;
    let key = connection.last_insert_rowid();
    connection.prepare_cached(OWN_DEVICE)?.execute([key])?;
    Ok(key)
}

fn save(connection: &Connection, state: &Enrollment, device: i64) -> rusqlite::Result<()> {
    let push = state.push.as_ref();
    let bootstrap = state.bootstrap_token.as_ref();
    let micros = |time: &DateTime<Utc>| time.timestamp_micros();
    connection.prepare_cached(SAVE)?.execute(named_params! {
        ":id": state.id.to_string(),
        ":device": device,
        ":status": rows::status_number(state.status),
        ":certificate": state.certificate.as_ref().map(Fingerprint::as_bytes),
        ":topic": push.map(|push| push.topic.as_str()),
        ":push_token": push.map(|push| push.token.expose()),
        ":push_magic": push.map(|push| push.magic.expose()),
        ":tally": values::number(state.token_update_tally),
        ":awaiting_configuration": state.awaiting_configuration,
        ":serial_number": state.serial_number.as_ref().map(SerialNumber::as_str),
        ":user_short_name": state.user_short_name,
        ":authenticated_at": state.authenticated_at.as_ref().map(micros),
        ":enrolled_at": state.enrolled_at.as_ref().map(micros),
        ":disabled_at": state.disabled_at.as_ref().map(micros),
        ":unlock_token": state.unlock_token.as_ref().map(Secret::expose),
        ":bootstrap_token": bootstrap.map(|deposited| deposited.token.expose()),
        ":bootstrap_token_certificate": bootstrap.map(|deposited| deposited.certificate.as_bytes()),
        ":bootstrap_token_is_former": bootstrap.map(|deposited| deposited.is_former),
        ":authenticate": state.authenticate.as_ref().map(AsRef::<[u8]>::as_ref),
    })?;
    Ok(())
}

fn cascade(
    connection: &Connection,
    device: i64,
    id: &EnrollmentId,
    step: &Step,
) -> rusqlite::Result<()> {
    let at = step.at.timestamp_micros();
    let family: Vec<i64> = match step.cascade {
        Cascade::Device => {
            connection
                .prepare_cached(DISABLE_USERS)?
                .execute(params![device, DISABLED, at])?;
            connection
                .prepare_cached(FAMILY)?
                .query_map([device], |row| row.get(0))?
                .collect::<Result<_, _>>()?
        }
        Cascade::User => connection
            .prepare_cached(KEY)?
            .query_row([id.to_string()], |row| row.get(0))
            .optional()?
            .into_iter()
            .collect(),
        _ => Vec::new(),
    };
    for key in family {
        connection
            .prepare_cached(CANCEL)?
            .execute(params![key, at])?;
        connection.prepare_cached(CLEAR)?.execute([key])?;
    }
    Ok(())
}
