//! One step, in the transaction of the writer.

use ade_client::{
    record::{AccountId, AccountRecord, DeviceRecord, GiveUpStep, ProfileRecord},
    store::{Changes, Counts, DeviceFilter, Loaded, Reads, Step},
};
use mdm_core::SerialNumber;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    ACCOUNT, DEVICE, account_key,
    document::{self, time_key},
    filter,
};
use crate::sqlite::values;

pub(super) const PROFILE: &str = concat!(
    "SELECT document FROM ade_profile WHERE uuid = ?2 AND account = ",
    account_key!()
);

pub(super) const COUNT_PROFILES: &str = concat!(
    "SELECT count(*) FROM ade_profile WHERE account = ",
    account_key!()
);

pub(super) const KEY: &str = "SELECT key FROM ade_account WHERE id = ?1";

const NEW_ACCOUNT: &str = "INSERT INTO ade_account (id) VALUES (?1)";

pub(super) const SET_ACCOUNT: &str = "UPDATE ade_account SET document = ?2 WHERE key = ?1";

const SET_DEVICE: &str = "INSERT INTO ade_device (account, serial_number, released, sweep, state,
         wanted_profile, due, replacing, giving_up, document)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
     ON CONFLICT (account, serial_number) DO UPDATE SET
         released = excluded.released, sweep = excluded.sweep, state = excluded.state,
         wanted_profile = excluded.wanted_profile, due = excluded.due,
         replacing = excluded.replacing, giving_up = excluded.giving_up,
         document = excluded.document";

const SET_PROFILE: &str = "INSERT INTO ade_profile (account, uuid, document) VALUES (?1, ?2, ?3)
     ON CONFLICT (account, uuid) DO UPDATE SET document = excluded.document";

pub(super) const FORGET_DEVICE: &str =
    "DELETE FROM ade_device WHERE account = ?1 AND serial_number = ?2";

pub(super) const FORGET_PROFILE: &str = "DELETE FROM ade_profile WHERE account = ?1 AND uuid = ?2";

pub(super) const FORGET_DEVICES: &str = "DELETE FROM ade_device WHERE account = ?1";

pub(super) const FORGET_PROFILES: &str = "DELETE FROM ade_profile WHERE account = ?1";

pub(super) const FORGET_ACCOUNT: &str = "DELETE FROM ade_account WHERE key = ?1";

/// Reads what the step names, lets it decide, and writes what it says.
pub(super) fn run(
    connection: &Connection,
    account: &AccountId,
    step: &dyn Step,
) -> rusqlite::Result<()> {
    let loaded = load(connection, account, &step.reads())?;
    match step.decide(loaded) {
        Some(changes) => write(connection, account, &changes),
        None => Ok(()),
    }
}

fn load(connection: &Connection, account: &AccountId, reads: &Reads) -> rusqlite::Result<Loaded> {
    let record: Option<Option<AccountRecord>> = connection
        .prepare_cached(ACCOUNT)?
        .query_row([account.as_str()], document::read_optional)
        .optional()?;
    let mut loaded = Loaded::new(record.flatten());
    let mut device = connection.prepare_cached(DEVICE)?;
    for serial_number in &reads.devices {
        let found: Option<DeviceRecord> = device
            .query_row([account.as_str(), serial_number.as_str()], document::read)
            .optional()?;
        if let Some(found) = found {
            loaded.devices.insert(serial_number.clone(), found);
        }
    }
    let mut profile = connection.prepare_cached(PROFILE)?;
    for uuid in &reads.profiles {
        let found: Option<ProfileRecord> = profile
            .query_row([account.as_str(), uuid], document::read)
            .optional()?;
        if let Some(found) = found {
            loaded.profiles.insert(uuid.clone(), found);
        }
    }
    loaded.counts = counts(connection, account, reads)?;
    Ok(loaded)
}

fn counts(connection: &Connection, account: &AccountId, reads: &Reads) -> rusqlite::Result<Counts> {
    let mut counts = Counts::default();
    if reads.counts {
        counts.present = filter::count(connection, account, &DeviceFilter::Present)?;
        let profiles: i64 = connection
            .prepare_cached(COUNT_PROFILES)?
            .query_row([account.as_str()], |row| row.get(0))?;
        counts.profiles = profiles.unsigned_abs();
    }
    if let Some(uuid) = &reads.wanting {
        let wanting = DeviceFilter::Wanting(uuid.clone());
        counts.wanting = filter::count(connection, account, &wanting)?;
    }
    Ok(counts)
}

fn write(connection: &Connection, account: &AccountId, changes: &Changes) -> rusqlite::Result<()> {
    let found: Option<i64> = connection
        .prepare_cached(KEY)?
        .query_row([account.as_str()], |row| row.get(0))
        .optional()?;
    if changes.forget_account {
        return found.map_or(Ok(()), |key| forget_account(connection, key));
    }
    let writes =
        changes.account.is_some() || !changes.devices.is_empty() || !changes.profiles.is_empty();
    let key = match found {
        Some(key) => key,
        None if writes => {
            connection
                .prepare_cached(NEW_ACCOUNT)?
                .execute([account.as_str()])?;
            connection.last_insert_rowid()
        }
        None => return Ok(()),
    };
    if let Some(account) = &changes.account {
        connection
            .prepare_cached(SET_ACCOUNT)?
            .execute(params![key, document::write(account)?])?;
    }
    let mut set = connection.prepare_cached(SET_DEVICE)?;
    for device in &changes.devices {
        let giving_up = device
            .give_up
            .as_ref()
            .is_some_and(|give_up| give_up.next != GiveUpStep::Done);
        set.execute(params![
            key,
            device.serial_number.as_str(),
            device.released().map(time_key),
            values::number(device.sweep),
            device.state.as_str(),
            device.wanted_profile,
            device.due.map(time_key),
            device.is_replacing(),
            giving_up,
            document::write(device)?,
        ])?;
    }
    let mut set = connection.prepare_cached(SET_PROFILE)?;
    for profile in &changes.profiles {
        set.execute(params![key, profile.uuid, document::write(profile)?])?;
    }
    let forget = changes.forget_devices.iter().map(SerialNumber::as_str);
    delete(connection, FORGET_DEVICE, key, forget)?;
    let forget = changes.forget_profiles.iter().map(String::as_str);
    delete(connection, FORGET_PROFILE, key, forget)
}

fn delete<'a>(
    connection: &Connection,
    sql: &str,
    key: i64,
    names: impl Iterator<Item = &'a str>,
) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached(sql)?;
    for name in names {
        delete.execute(params![key, name])?;
    }
    Ok(())
}

fn forget_account(connection: &Connection, key: i64) -> rusqlite::Result<()> {
    for sql in [FORGET_DEVICES, FORGET_PROFILES, FORGET_ACCOUNT] {
        connection.prepare_cached(sql)?.execute([key])?;
    }
    Ok(())
}
