//! Accounts, devices and steps for the contract.

use std::{fmt, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::{Secret, SerialNumber};
use serde_json::json;

use crate::{
    AdeStore, ServerToken,
    model::{Cursor, ResponseStatus},
    record::{
        AccountId, AccountRecord, Attempt, AttemptOutcome, Credentials, DeviceRecord, DeviceState,
        GiveUp, KnownAccount, Lease, Presence, ProfileRecord, Release, ReleaseAttempt, Replacement,
        Stage, StagedKey, SyncState, Trouble, TroubleKind,
    },
    store::{Changes, DeviceFilter, Loaded, Reads, Step, StoreError},
};

/// A cursor of the most characters, and none of them short.
pub(super) const MUCH: char = '\u{1f34f}';

pub(super) fn at(seconds: i64) -> DateTime<Utc> {
    // Finer than microseconds no database need compare.
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds) + TimeDelta::microseconds(123_456)
}

/// The least that times differ by.
pub(super) const TICK: TimeDelta = TimeDelta::microseconds(1);

pub(super) fn account(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

pub(super) fn acme() -> AccountId {
    account("acme")
}

pub(super) fn serial(text: &str) -> SerialNumber {
    SerialNumber::new(text).unwrap()
}

pub(super) fn device(text: &str) -> DeviceRecord {
    DeviceRecord::new(serial(text), at(0))
}

pub(super) fn device_with(text: &str, edit: impl FnOnce(&mut DeviceRecord)) -> DeviceRecord {
    let mut device = device(text);
    edit(&mut device);
    device
}

pub(super) fn released(text: &str, when: DateTime<Utc>) -> DeviceRecord {
    device_with(text, |device| {
        device.presence = Presence::Released { at: when };
    })
}

pub(super) fn profile(uuid: &str) -> ProfileRecord {
    let url = "https://mdm.example.com/enrol";
    ProfileRecord::new(uuid, crate::model::Profile::new("Staff", url), at(0))
}

/// A step made of a function.
struct Run<F>(Reads, F);

impl<F> fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Run").field(&self.0).finish()
    }
}

impl<F: Fn(Loaded) -> Option<Changes> + Send + Sync> Step for Run<F> {
    fn reads(&self) -> Reads {
        self.0.clone()
    }

    fn decide(&self, loaded: Loaded) -> Option<Changes> {
        (self.1)(loaded)
    }
}

pub(super) async fn try_run<F>(
    store: &impl AdeStore,
    account: &AccountId,
    reads: Reads,
    decide: F,
) -> Result<(), StoreError>
where
    F: Fn(Loaded) -> Option<Changes> + Send + Sync + 'static,
{
    store.commit(account, Arc::new(Run(reads, decide))).await
}

pub(super) async fn run<F>(store: &impl AdeStore, account: &AccountId, reads: Reads, decide: F)
where
    F: Fn(Loaded) -> Option<Changes> + Send + Sync + 'static,
{
    try_run(store, account, reads, decide).await.unwrap();
}

/// Writes without looking.
pub(super) async fn write(store: &impl AdeStore, account: &AccountId, changes: Changes) {
    run(store, account, Reads::account(), move |_| {
        Some(changes.clone())
    })
    .await;
}

/// What a step is shown.
pub(super) async fn load(store: &impl AdeStore, account: &AccountId, reads: Reads) -> Loaded {
    let (tell, told) = std::sync::mpsc::channel();
    let tell = std::sync::Mutex::new(tell);
    run(store, account, reads, move |loaded| {
        tell.lock().unwrap().send(loaded).unwrap();
        None
    })
    .await;
    told.try_iter().last().expect("the step is asked")
}

/// An account with these devices.
pub(super) async fn with_devices<S: AdeStore>(store: S, devices: Vec<DeviceRecord>) -> S {
    let account = AccountRecord::new(acme());
    let changes = Changes::account(account).with(|changes| changes.devices = devices);
    write(&store, &acme(), changes).await;
    store
}

pub(super) fn serials(devices: &[DeviceRecord]) -> Vec<&str> {
    devices
        .iter()
        .map(|device| device.serial_number.as_str())
        .collect()
}

/// Asserts which devices a filter takes: at once, counted, and in pages of every size.
pub(super) async fn assert_takes(store: &impl AdeStore, filter: &DeviceFilter, expected: &[&str]) {
    let all = store.devices(&acme(), filter, None, usize::MAX).await;
    let all = all.unwrap();
    assert_eq!(serials(&all), expected, "{filter:?}");
    assert!(all.iter().all(|device| filter.takes(device)), "{filter:?}");
    let count = store.count(&acme(), filter).await.unwrap();
    assert_eq!(count, expected.len() as u64, "{filter:?}");
    for limit in 1..=expected.len() {
        let mut paged: Vec<DeviceRecord> = Vec::new();
        loop {
            let after = paged.last().map(|device| device.serial_number.clone());
            let page = store.devices(&acme(), filter, after.as_ref(), limit).await;
            let page = page.unwrap();
            assert!(page.len() <= limit, "{filter:?}");
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(serials(&paged), expected, "{filter:?}, {limit} a page");
    }
    let none = store.devices(&acme(), filter, None, 0).await.unwrap();
    assert_eq!(none, [], "{filter:?}");
}

/// An account of which everything is known, with text in many scripts and of full length.
pub(super) fn full_account(id: AccountId) -> AccountRecord {
    let mut record = AccountRecord::new(id);
    let mut token = ServerToken::new("CK_1", "CS_hunter2", "AT_hunter2", "AS_hunter2");
    token.access_token_expiry = Some(at(9));
    token.extra.insert("new".to_owned(), json!({"a": [1, "é"]}));
    let mut credentials = Credentials::new(token, at(1));
    credentials.certificate_pem = Some("-----BEGIN CERTIFICATE-----\n".to_owned());
    credentials.private_key_pem = Some(Secret::new("KEY-hunter2".to_owned()));
    record.credentials = Some(credentials);
    let key = Secret::new("STAGED-hunter2".to_owned());
    record.staged = Some(StagedKey::new("pem\r\n\u{0}\u{7f}".to_owned(), key, at(2)));
    let known = json!({
        "server_name": "Zürich “東京” \u{1f34f}",
        "org_name": "A'; DROP TABLE accounts; --",
        "urls": [{"uri": "/server/devices", "limit": {"maximum": 1000}}],
        "brand_new": {"deep": [null, 1.5, -3]},
    });
    let known = serde_json::from_value(known).unwrap();
    record.known = Some(KnownAccount::new(known, at(3)));
    record.default_profile = Some("0123456789ABCDEF0123456789ABCDEF".to_owned());
    record.replaced_profiles = ["P2", "P1"].map(str::to_owned).into();
    record.sync = full_sync();
    record.lease = Some(Lease::new(
        "node-\u{1f34f}",
        u64::MAX,
        DateTime::<Utc>::MAX_UTC,
    ));
    record.trouble = Some(Trouble::new(
        TroubleKind::from("brand_new"),
        "what \"Apple\" said:\n\\",
        at(4),
    ));
    record.warned = vec!["token_30".to_owned(), String::new()];
    record
}

fn full_sync() -> SyncState {
    SyncState {
        stage: Stage::Sync,
        cursor: Some(Cursor::new(MUCH.to_string().repeat(Cursor::MAX_CHARS))),
        sweep: 1 << 40,
        taken: u64::MAX,
        unseen: true,
        full_began: Some(at(-1)),
        full_ended: Some(DateTime::UNIX_EPOCH),
        current: Some(DateTime::<Utc>::MIN_UTC),
        requested: Some(at(253_402_300_800)),
        recovered: Some(at(6)),
        round_not_before: Some(at(7)),
        not_before: Some(DateTime::<Utc>::MAX_UTC),
    }
}

/// A device of which everything is known.
pub(super) fn full_device(text: &str) -> DeviceRecord {
    let mut record = device(text);
    record.device = serde_json::from_value(json!({
        "serial_number": text,
        "model": "iPhone \u{1f34f}",
        "description": "first\nsecond\u{0}",
        "device_family": "Toaster",
        "profile_status": "assigned",
        "profile_assign_time": "2026-01-02T03:04:05Z",
        "op_type": "merged",
        "op_date": "yesterday",
        "imei": ["35 123456 123456 1"],
        "is_replacement_device": "no",
        "color": 5,
        "shiny": {"very": [true, null, 1e300, "’"]},
        "": "a key without a name",
    }))
    .unwrap();
    record.op_date = Some(at(1) + TimeDelta::nanoseconds(1));
    record.sweep = 1 << 40;
    record.state = DeviceState::from("brand_new");
    record.times.empty = Some(at(2));
    record.times.assigned = Some(at(3));
    record.times.pushed = Some(at(4));
    record.times.removed = Some(at(5));
    record.wanted_profile = Some("P'\"\\\u{1f34f}".to_owned());
    let mut attempt = Attempt::new("P", at(6));
    attempt.outcome = AttemptOutcome::Failed("HTTP 500: <html>".to_owned());
    attempt.failures = u32::MAX;
    attempt.until = Some(at(10));
    record.attempt = Some(attempt);
    record.due = Some(DateTime::<Utc>::MAX_UTC);
    record.tags = ["", "b", "a", "\u{1f34f}"].map(str::to_owned).into();
    record.user = Some("zoë@example.com".to_owned());
    record.replacement = Some(Replacement::TakenOver {
        original: serial("OLD"),
    });
    record.handed_over = Some(at(7));
    let mut give_up = GiveUp::new(Release::Disown, at(8));
    give_up.next = crate::record::GiveUpStep::Wipe;
    record.give_up = Some(give_up);
    record.release = Some(ReleaseAttempt::new(Release::Unassign, at(11)));
    record
}

/// The same device as it may be otherwise.
pub(super) fn other_device(text: &str) -> DeviceRecord {
    let mut record = full_device(text);
    record.presence = Presence::Released { at: at(-9) };
    record.attempt.as_mut().unwrap().outcome =
        AttemptOutcome::Answered(ResponseStatus::from("BRAND_NEW"));
    record.replacement = Some(Replacement::Pending {
        due: at(0),
        failures: 0,
    });
    record.due = None;
    record
}

/// A profile of which everything is known.
pub(super) fn full_profile(uuid: &str) -> ProfileRecord {
    let mut record = profile(uuid);
    record.profile = serde_json::from_value(json!({
        "profile_name": "Staff \u{1f34f}",
        "url": "https://mdm.example.com/enrol?a=1&b='",
        "is_mandatory": false,
        "anchor_certs": ["MAA="],
        "skip_setup_items": ["Siri", "Hologram"],
        "brand_new": [{}],
    }))
    .unwrap();
    record.shared_ipad_max_users = Some(u32::MAX);
    record.replaced_by = Some("another".to_owned());
    record
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// A record that has a new field is to have it here as well.
    #[test]
    fn what_is_full_lacks_nothing() {
        let account = serde_json::to_value(full_account(acme())).unwrap();
        let sync = account["sync"].clone();
        let device = serde_json::to_value(full_device("A")).unwrap();
        let times = device["times"].clone();
        let profile = serde_json::to_value(full_profile("P")).unwrap();
        let attempt = device["attempt"].clone();
        for record in [account, sync, device, times, attempt, profile] {
            let fields = record.as_object().unwrap();
            let lacks =
                |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            let missing = fields.iter().find(|(_, value)| lacks(value));
            assert_eq!(missing, None);
        }
    }
}
