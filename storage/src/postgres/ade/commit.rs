//! One step of an account, in a transaction that no other step of the account runs beside.

use std::collections::BTreeMap;

use ade_client::{
    record::{AccountId, AccountRecord, DeviceRecord, GiveUpStep, ProfileRecord},
    store::{Changes, Counts, DeviceFilter, Loaded, Reads, Step},
};
use deadpool_postgres::{Client, Transaction};
use mdm_core::{SerialNumber, StoreError};
use serde::Serialize;
use tokio_postgres::Row;

use super::{Condition, get, number, parsed, time_key};
use crate::{
    document,
    postgres::{
        engine::{Engine, Parameters},
        error::{store_error, unreadable},
    },
};

/// An account that is not there yet has no row to lock.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1296321879, hashtext($1))";

const ACCOUNT: &str = "SELECT document, key FROM ade_account WHERE id = $1";

const DEVICES: &str =
    "SELECT document FROM ade_device WHERE account = $1 AND serial_number = ANY ($2)";

const PROFILES: &str = "SELECT document FROM ade_profile WHERE account = $1 AND uuid = ANY ($2)";

const COUNT_PROFILES: &str = "SELECT count(*) FROM ade_profile
     WHERE account = (SELECT key FROM ade_account WHERE id = $1)";

const NEW_ACCOUNT: &str = "INSERT INTO ade_account (id) VALUES ($1) RETURNING key";

const SET_ACCOUNT: &str = "UPDATE ade_account SET document = $2 WHERE key = $1";

const SET_DEVICES: &str = "INSERT INTO ade_device (account, serial_number, released, sweep, state,
         wanted_profile, due, replacing, giving_up, document)
     SELECT $1, d.* FROM unnest($2::text[], $3::bytea[], $4::bigint[], $5::text[], $6::text[],
         $7::bytea[], $8::boolean[], $9::boolean[], $10::text[]) AS d
     ON CONFLICT (account, serial_number) DO UPDATE SET
         released = excluded.released, sweep = excluded.sweep, state = excluded.state,
         wanted_profile = excluded.wanted_profile, due = excluded.due,
         replacing = excluded.replacing, giving_up = excluded.giving_up,
         document = excluded.document";

const SET_PROFILES: &str = "INSERT INTO ade_profile (account, uuid, document)
     SELECT $1, p.* FROM unnest($2::text[], $3::text[]) AS p
     ON CONFLICT (account, uuid) DO UPDATE SET document = excluded.document";

const FORGET_DEVICES: &str =
    "DELETE FROM ade_device WHERE account = $1 AND serial_number = ANY ($2)";

const FORGET_PROFILES: &str = "DELETE FROM ade_profile WHERE account = $1 AND uuid = ANY ($2)";

const FORGET_ACCOUNT: [&str; 3] = [
    "DELETE FROM ade_device WHERE account = $1",
    "DELETE FROM ade_profile WHERE account = $1",
    "DELETE FROM ade_account WHERE key = $1",
];

/// Reads what the step names, lets it decide, and writes what it says.
pub(super) async fn commit(
    engine: &Engine,
    account: &AccountId,
    step: &dyn Step,
) -> Result<(), StoreError> {
    let mut client = engine.client().await?;
    let run = tokio::time::timeout(engine.patience(), run(&mut client, account, step));
    match run.await {
        Ok(outcome) => outcome.map_err(|error| engine.failed(client, error)),
        Err(_) => Err(engine.given_up(client)),
    }
}

async fn run(client: &mut Client, account: &AccountId, step: &dyn Step) -> Result<(), StoreError> {
    let transaction = client.transaction().await.map_err(store_error)?;
    ask(&transaction, LOCK, &[&account.as_str()]).await?;
    let (key, loaded) = load(&transaction, account, &step.reads()).await?;
    let Some(changes) = step.decide(loaded) else {
        return Ok(());
    };
    write(&transaction, account, key, &changes).await?;
    transaction.commit().await.map_err(store_error)
}

async fn ask(
    transaction: &Transaction<'_>,
    sql: &str,
    parameters: Parameters<'_>,
) -> Result<Vec<Row>, StoreError> {
    let statement = transaction.prepare_cached(sql).await;
    let statement = statement.map_err(store_error)?;
    let rows = transaction.query(&statement, parameters).await;
    rows.map_err(store_error)
}

/// What the step reads, and the key of the account's row, if it has one.
async fn load(
    transaction: &Transaction<'_>,
    account: &AccountId,
    reads: &Reads,
) -> Result<(Option<i64>, Loaded), StoreError> {
    let found = ask(transaction, ACCOUNT, &[&account.as_str()]).await?;
    let Some(row) = found.first() else {
        return Ok((None, Loaded::new(None)));
    };
    let key: i64 = get(row, 1)?;
    let document: Option<&str> = get(row, 0)?;
    let record: Option<AccountRecord> = document
        .map(document::parse)
        .transpose()
        .map_err(unreadable)?;
    let mut loaded = Loaded::new(record);
    if !reads.devices.is_empty() {
        let names: Vec<_> = reads.devices.iter().map(SerialNumber::as_str).collect();
        for row in ask(transaction, DEVICES, &[&key, &names]).await? {
            let device: DeviceRecord = parsed(&row)?;
            loaded.devices.insert(device.serial_number.clone(), device);
        }
    }
    if !reads.profiles.is_empty() {
        for row in ask(transaction, PROFILES, &[&key, &reads.profiles]).await? {
            let profile: ProfileRecord = parsed(&row)?;
            loaded.profiles.insert(profile.uuid.clone(), profile);
        }
    }
    loaded.counts = counts(transaction, account, reads).await?;
    Ok((Some(key), loaded))
}

async fn counts(
    transaction: &Transaction<'_>,
    account: &AccountId,
    reads: &Reads,
) -> Result<Counts, StoreError> {
    let count = async |sql: &str, parameters: Parameters<'_>| {
        let rows = ask(transaction, sql, parameters).await?;
        let row = rows.first().ok_or_else(|| unreadable("no row"))?;
        Ok::<_, StoreError>(get::<i64>(row, 0)?.unsigned_abs())
    };
    let mut counts = Counts::default();
    if reads.counts {
        let present = Condition::new(&DeviceFilter::Present)?.count();
        counts.present = count(&present, &[&account.as_str()]).await?;
        counts.profiles = count(COUNT_PROFILES, &[&account.as_str()]).await?;
    }
    if let Some(uuid) = &reads.wanting {
        let wanting = Condition::new(&DeviceFilter::Wanting(uuid.clone()))?.count();
        counts.wanting = count(&wanting, &[&account.as_str(), uuid]).await?;
    }
    Ok(counts)
}

async fn write(
    transaction: &Transaction<'_>,
    account: &AccountId,
    found: Option<i64>,
    changes: &Changes,
) -> Result<(), StoreError> {
    if changes.forget_account {
        for sql in FORGET_ACCOUNT {
            ask(transaction, sql, &[&found]).await?;
        }
        return Ok(());
    }
    let writes =
        changes.account.is_some() || !changes.devices.is_empty() || !changes.profiles.is_empty();
    let key = match found {
        Some(key) => key,
        None if writes => {
            let rows = ask(transaction, NEW_ACCOUNT, &[&account.as_str()]).await?;
            get(rows.first().ok_or_else(|| unreadable("no row"))?, 0)?
        }
        None => return Ok(()),
    };
    if let Some(account) = &changes.account {
        ask(transaction, SET_ACCOUNT, &[&key, &json(account)?]).await?;
    }
    set_devices(transaction, key, &changes.devices).await?;
    if !changes.profiles.is_empty() {
        let profiles: BTreeMap<_, _> = changes
            .profiles
            .iter()
            .map(|profile| Ok((profile.uuid.as_str(), json(profile)?)))
            .collect::<Result<_, StoreError>>()?;
        let (uuids, documents): (Vec<_>, Vec<_>) = profiles.into_iter().unzip();
        ask(transaction, SET_PROFILES, &[&key, &uuids, &documents]).await?;
    }
    if !changes.forget_devices.is_empty() {
        let names = changes.forget_devices.iter().map(SerialNumber::as_str);
        let names: Vec<_> = names.collect();
        ask(transaction, FORGET_DEVICES, &[&key, &names]).await?;
    }
    if !changes.forget_profiles.is_empty() {
        ask(
            transaction,
            FORGET_PROFILES,
            &[&key, &changes.forget_profiles],
        )
        .await?;
    }
    Ok(())
}

/// All in one statement, which takes each device once: of several records of one the last.
async fn set_devices(
    transaction: &Transaction<'_>,
    key: i64,
    devices: &[DeviceRecord],
) -> Result<(), StoreError> {
    if devices.is_empty() {
        return Ok(());
    }
    let devices: BTreeMap<_, _> = devices
        .iter()
        .map(|device| (device.serial_number.as_str(), device))
        .collect();
    let names: Vec<_> = devices.keys().copied().collect();
    let devices = || devices.values().copied();
    let released: Vec<_> = devices()
        .map(|device| device.released().map(time_key))
        .collect();
    let sweeps: Vec<_> = devices().map(|device| number(device.sweep)).collect();
    let states: Vec<_> = devices().map(|device| device.state.as_str()).collect();
    let wanted: Vec<_> = devices()
        .map(|device| device.wanted_profile.as_deref())
        .collect();
    let due: Vec<_> = devices().map(|device| device.due.map(time_key)).collect();
    let replacing: Vec<_> = devices().map(DeviceRecord::is_replacing).collect();
    let giving_up: Vec<_> = devices()
        .map(|device| device.give_up.as_ref())
        .map(|give_up| give_up.is_some_and(|it| it.next != GiveUpStep::Done))
        .collect();
    let documents: Vec<_> = devices().map(json).collect::<Result<_, _>>()?;
    let columns: Parameters<'_> = &[
        &key, &names, &released, &sweeps, &states, &wanted, &due, &replacing, &giving_up,
        &documents,
    ];
    ask(transaction, SET_DEVICES, columns).await.map(drop)
}

fn json(record: &impl Serialize) -> Result<String, StoreError> {
    document::write(record).map_err(unreadable)
}
