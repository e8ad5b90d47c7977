//! A step of a check-in, as one.

use chrono::{DateTime, Utc};
use mdm_core::{Secret, SerialNumber};
use mdm_service::{
    Enrollment, EnrollmentId, Fingerprint,
    enrollment::decide::{Cascade, Step, Version},
    store::CommitError,
};
use rusqlite::{Connection, OptionalExtension, named_params, params};

use crate::sqlite::{
    service::{
        escrow, invitations, outbox, places, pushes, queue,
        rows::{self, DISABLED},
    },
    values,
};

pub(in crate::sqlite::service) const KNOWN: &str =
    "SELECT key, version, licences FROM enrollments WHERE id = ?1";

pub(in crate::sqlite::service) const PINNED_TO: &str =
    "SELECT device FROM certificates WHERE sha256 = ?1";

pub(in crate::sqlite::service) const LICENCES: &str =
    "SELECT licences FROM enrollments WHERE id = ?1";

/// Writes everything but `key`, `device` and `version`, and what `contact` has.
const SAVE: &str = "INSERT INTO enrollments (
         id, device, version, status, certificate, topic, push_token, push_magic,
         token_update_tally, awaiting_configuration, serial_number, user_short_name,
         authenticated_at, enrolled_at, disabled_at, unlock_token, bootstrap_token,
         bootstrap_token_certificate, bootstrap_token_is_former, authenticate,
         owner, licences, reported, decision,
         invitation)
     VALUES (
         :id, :device, 0, :status, :certificate, :topic, :push_token, :push_magic,
         :tally, :awaiting_configuration, :serial_number, :user_short_name,
         :authenticated_at, :enrolled_at, :disabled_at, :unlock_token, :bootstrap_token,
         :bootstrap_token_certificate, :bootstrap_token_is_former, :authenticate,
         :owner, :licences, :reported, :decision,
         :invitation)
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
         authenticate = excluded.authenticate, owner = excluded.owner,
         licences = excluded.licences, reported = excluded.reported,
         decision = excluded.decision, invitation = excluded.invitation
     RETURNING key";

/// A device is inserted before its own key is known.
const OWN_DEVICE: &str = "UPDATE enrollments SET device = key WHERE key = ?1";

const SET_VERSION: &str = "UPDATE enrollments SET version = ?2 WHERE key = ?1";

pub(in crate::sqlite::service) const MOVE_VERSION: &str = "UPDATE enrollments
     SET version = version + 1 WHERE key = (SELECT device FROM enrollments WHERE key = ?1)";

const PIN: &str = "INSERT INTO certificates (sha256, device) VALUES (?1, ?2)
     ON CONFLICT (sha256) DO NOTHING";

pub(in crate::sqlite::service) const DISABLE_USERS: &str = "UPDATE enrollments
     SET status = ?2, disabled_at = ?3, topic = NULL, push_token = NULL, push_magic = NULL
     WHERE device = ?1 AND key <> ?1 AND status <> ?2";

pub(in crate::sqlite::service) const QUIET_USERS: &str =
    "UPDATE contact SET push_due_at = NULL, push_dead_at = NULL
     WHERE enrollment IN (SELECT key FROM enrollments WHERE device = ?1 AND key <> ?1)";

pub(in crate::sqlite::service) const FAMILY: &str = "SELECT key FROM enrollments WHERE device = ?1";

pub(in crate::sqlite::service) const KEY: &str = "SELECT key FROM enrollments WHERE id = ?1";

/// What the store knows of the step's device.
struct Known {
    key: i64,
    version: u64,
    licences: Vec<String>,
}

/// A refusal is found before the first write.
pub(super) fn commit(
    connection: &Connection,
    id: &EnrollmentId,
    version: Version,
    step: &Step,
) -> rusqlite::Result<Result<(), CommitError>> {
    let device = id.of_device();
    let known = connection
        .prepare_cached(KNOWN)?
        .query_row([device.to_string()], |row| {
            Ok(Known {
                key: row.get(0)?,
                version: rows::unsigned(row, 1)?,
                licences: rows::json(row, 2)?,
            })
        })
        .optional()?;
    if let Some(refusal) = refusal(connection, &device, known.as_ref(), version, step)? {
        return Ok(Err(refusal));
    }

    let known = known.map(|known| known.key);
    if let Some(key) = known {
        cascade(connection, key, id, step)?;
    }
    let saved = match &step.device {
        Some(state) => Some(save(connection, state, known.unwrap_or_default())?),
        None => None,
    };
    let Some(key) = known.or(saved) else {
        return Ok(Err(CommitError::Conflict));
    };
    if known.is_none() {
        connection.prepare_cached(OWN_DEVICE)?.execute([key])?;
    }
    if let Some(certificate) = step.device.as_ref().and_then(|device| device.certificate) {
        connection
            .prepare_cached(PIN)?
            .execute(params![certificate.as_bytes(), key])?;
    }
    let user = match &step.user {
        Some(user) => Some(save(connection, user, key)?),
        None => None,
    };
    connection
        .prepare_cached(SET_VERSION)?
        .execute(params![key, values::number(version.next().number())])?;
    if let Some(spend) = &step.invitation {
        invitations::spend(connection, spend, &device)?;
    }
    if step.wakes {
        let own = if *id == device {
            Some(key)
        } else {
            user.map_or_else(|| self::key(connection, id), |user| Ok(Some(user)))?
        };
        if let Some(own) = own {
            pushes::due_if_waiting(connection, own, step.at)?;
        }
    }
    escrow::write(connection, &step.escrow)?;
    step.events
        .iter()
        .try_for_each(|event| outbox::write(connection, event))?;
    Ok(Ok(()))
}

fn refusal(
    connection: &Connection,
    device: &EnrollmentId,
    known: Option<&Known>,
    version: Version,
    step: &Step,
) -> rusqlite::Result<Option<CommitError>> {
    let owner = match step.device.as_ref().and_then(|device| device.certificate) {
        Some(certificate) => connection
            .prepare_cached(PINNED_TO)?
            .query_row([certificate.as_bytes()], |row| row.get::<_, i64>(0))
            .optional()?,
        None => None,
    };
    let stale = known.map_or(0, |known| known.version) != version.number();
    let taken = owner.is_some() && owner != known.map(|known| known.key);
    let unseen = known.is_none() && step.device.is_none();
    if stale || taken || unseen {
        return Ok(Some(CommitError::Conflict));
    }
    if let Some(spend) = &step.invitation {
        let found = invitations::find(connection, &spend.id)?;
        if !found.is_some_and(|invitation| invitation.may_be_spent(device, spend.at)) {
            return Ok(Some(CommitError::InvitationSpent));
        }
    }
    for claim in step.claims.iter().filter(|_| step.device.is_some()) {
        let has = known.is_some_and(|known| known.licences.contains(&claim.pool));
        if !has && places::taken(connection, &claim.pool)? >= claim.limit {
            return Ok(Some(CommitError::pool_full(&claim.pool)));
        }
    }
    Ok(None)
}

/// Writes an enrolment and what follows from it; tells its key.
fn save(connection: &Connection, state: &Enrollment, device: i64) -> rusqlite::Result<i64> {
    let id = state.id.to_string();
    let former: Option<Vec<String>> = connection
        .prepare_cached(LICENCES)?
        .query_row([&id], |row| rows::json(row, 0))
        .optional()?;
    places::exchange(
        connection,
        &id,
        &former.unwrap_or_default(),
        &state.licences,
    )?;

    let push = state.push.as_ref();
    let bootstrap = state.bootstrap_token.as_ref();
    let micros = |time: &DateTime<Utc>| time.timestamp_micros();
    let key = connection.prepare_cached(SAVE)?.query_row(
        named_params! {
            ":id": id,
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
            ":owner": state.owner,
            ":licences": rows::to_json(&state.licences)?,
            ":reported": state.reported.as_ref().map(rows::to_json).transpose()?,
            ":invitation": state.invitation,
            ":decision": state.decision.as_ref().map(rows::to_json).transpose()?,
        },
        |row| row.get(0),
    )?;
    pushes::save_contact(connection, key, state)?;
    Ok(key)
}

fn cascade(
    connection: &Connection,
    device: i64,
    id: &EnrollmentId,
    step: &Step,
) -> rusqlite::Result<()> {
    let family: Vec<i64> = match step.cascade {
        Cascade::Device => {
            let at = step.at.timestamp_micros();
            connection
                .prepare_cached(DISABLE_USERS)?
                .execute(params![device, DISABLED, at])?;
            connection.prepare_cached(QUIET_USERS)?.execute([device])?;
            connection
                .prepare_cached(FAMILY)?
                .query_map([device], |row| row.get(0))?
                .collect::<Result<_, _>>()?
        }
        Cascade::User => key(connection, id)?.into_iter().collect(),
        Cascade::Erasures => {
            queue::cancel_erasures(connection, device, step.at)?;
            Vec::new()
        }
        Cascade::None => Vec::new(),
        other => return Err(values::unknown(other)),
    };
    for key in family {
        queue::clear(connection, key, step.at)?;
    }
    Ok(())
}

/// The device of this enrolment was changed outside of a step.
pub(in crate::sqlite::service) fn move_version(
    connection: &Connection,
    key: i64,
) -> rusqlite::Result<()> {
    connection.prepare_cached(MOVE_VERSION)?.execute([key])?;
    Ok(())
}

/// The key of an enrolment's row.
pub(in crate::sqlite::service) fn key(
    connection: &Connection,
    id: &EnrollmentId,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(KEY)?
        .query_row([id.to_string()], |row| row.get(0))
        .optional()
}
