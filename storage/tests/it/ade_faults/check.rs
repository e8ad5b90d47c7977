//! What holds in the end: the store knows what Apple knows, and Apple was not asked too often.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ade_client::{
    AdeStore,
    record::{AttemptOutcome, DeviceRecord, DeviceState},
    store::DeviceFilter,
};
use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::SerialNumber;

use super::{line::Sent, world::World};

/// Faults after which a request was processed and its answer cannot be read.
const LOSE_ANSWERS: [&str; 4] = ["EmptyBody", "HangUp", "Slow", "TruncateBody"];

pub(super) struct Facts<'a> {
    pub(super) world: &'a World,
    pub(super) store: &'a dyn AdeStore,
    /// How often the program was stopped.
    pub(super) stops: usize,
    /// How late Apple tells of a change.
    pub(super) lag: Duration,
    /// When everything went right again.
    pub(super) rest: DateTime<Utc>,
    /// Devices that are to have the second profile.
    pub(super) seconds: &'a BTreeSet<String>,
}

pub(super) async fn all(facts: &Facts<'_>) {
    let records = records(facts).await;
    same(facts, &records);
    let sent = facts.world.sent.lock().unwrap();
    outcomes(facts, &records, &sent);
    polite(facts, &sent);
}

async fn records(facts: &Facts<'_>) -> BTreeMap<String, DeviceRecord> {
    let mut records = BTreeMap::new();
    let mut after: Option<SerialNumber> = None;
    loop {
        let account = &facts.world.account;
        let all = DeviceFilter::All;
        let page = facts.store.devices(account, &all, after.as_ref(), 1000);
        let page = page.await.unwrap();
        let Some(last) = page.last() else {
            return records;
        };
        after = Some(last.serial_number.clone());
        let page = page.into_iter();
        records.extend(page.map(|record| (record.serial_number.as_str().to_owned(), record)));
    }
}

/// Every device of Apple's is present with the profile that it is to have, and no other one is.
fn same(facts: &Facts<'_>, records: &BTreeMap<String, DeviceRecord>) {
    let mut there = BTreeSet::new();
    let mut wrong = Vec::new();
    facts.world.apple.for_each_device(|device| {
        let serial = device.serial_number;
        there.insert(serial.to_owned());
        let Some(record) = records.get(serial) else {
            wrong.push(format!("{serial} is unknown"));
            return;
        };
        let wanted = match facts.seconds.contains(serial) {
            true => &facts.world.profiles[1],
            false => &facts.world.profiles[0],
        };
        let has = (device.profile_status, device.profile_uuid);
        let fits = record.is_present()
            && record.wanted_profile.as_ref() == Some(wanted)
            && matches!(device.profile_status, "assigned" | "pushed")
            && device.profile_uuid == Some(wanted)
            && matches!(record.state, DeviceState::Assigned | DeviceState::Pushed)
            && record.device.profile_uuid.as_ref() == Some(wanted)
            && record.due.is_none();
        if !fits {
            wrong.push(format!("{serial}: Apple has {has:?}, the store {record:?}"));
        }
    });
    for (serial, record) in records {
        if !there.contains(serial) && (record.is_present() || record.due.is_some()) {
            wrong.push(format!("{serial} was released: {record:?}"));
        }
    }
    let count = wrong.len();
    wrong.truncate(2);
    let fired: Vec<_> = facts.world.apple.fired();
    let fired: Vec<_> = fired
        .iter()
        .map(|fired| format!("{} at {} ({})", fired.kind, fired.at, fired.path))
        .collect();
    assert!(
        wrong.is_empty(),
        "{count} devices differ after {fired:?}: {wrong:#?}"
    );
}

/// Every serial number that was sent has an outcome; one that is open is of a program that stopped.
fn outcomes(facts: &Facts<'_>, records: &BTreeMap<String, DeviceRecord>, sent: &[Sent]) {
    // What a process sent that was killed, only Apple knows.
    let exchanges = facts.world.apple.exchanges();
    let assignments = exchanges
        .iter()
        .filter(|exchange| exchange.path == "/profile/devices");
    let named = sent.iter().flat_map(|sent| &sent.devices);
    let named = named.chain(assignments.flat_map(|exchange| &exchange.serials));
    for serial in named.collect::<BTreeSet<_>>() {
        let attempt = records
            .get(serial)
            .and_then(|record| record.attempt.as_ref());
        let attempt = attempt.unwrap_or_else(|| panic!("{serial} was sent and has no attempt"));
        let is_open = attempt.outcome == AttemptOutcome::Sent;
        assert!(!is_open || facts.stops > 0, "{serial}: {attempt:?}");
    }
}

fn polite(facts: &Facts<'_>, sent: &[Sent]) {
    let traffic = facts.world.apple.traffic();
    if facts.stops == 0 {
        assert_eq!(traffic.premature_requests, 0, "Retry-After was not kept");
    }
    // Who is to be left alone stands in an answer; one that was lost told nobody.
    let fired = facts.world.apple.fired();
    let lost = |kind| LOSE_ANSWERS.contains(&kind);
    let told = !fired
        .iter()
        .any(|fired| lost(fired.kind) && fired.path == "/profile/devices");
    if facts.stops == 0 && told {
        assert_eq!(
            traffic.premature_assignments, 0,
            "devices were not left alone after {fired:?}"
        );
    }
    begins(facts, sent);
    assignments(facts, sent);
    rest(facts, sent);
}

/// Full fetches begin once a week, or because a cursor, an answer or the program was lost.
fn begins(facts: &Facts<'_>, sent: &[Sent]) {
    let fired = facts.world.apple.fired();
    let lost: u64 = fired
        .iter()
        .filter(|fired| fired.path != "/profile/devices")
        .map(|fired| fired.times.min(4))
        .sum();
    let now = sent.last().map_or(facts.rest, |sent| sent.at);
    let first = sent.first().map_or(now, |sent| sent.at);
    let weeks = (now - first).num_days() / 7 + 1;
    let begun = sent.iter().filter(|sent| sent.begins).count();
    let allowed = weeks as usize + lost as usize + facts.stops;
    assert!(
        begun <= allowed,
        "{begun} full fetches began, {allowed} may"
    );
}

/// A device is not given the same profile twice within a quarter of an hour, whatever was lost,
/// unless Apple took it away meanwhile, or tells late of a time before it was given. The time counts
/// from the attempt; its request may come a minute later, when it had to be repeated.
fn assignments(facts: &Facts<'_>, sent: &[Sent]) {
    let mut taken: BTreeMap<&str, Vec<DateTime<Utc>>> = BTreeMap::new();
    let weather = facts.world.weather.lock().unwrap();
    for (serial, at) in &weather.taken {
        taken.entry(serial).or_default().push(*at);
    }
    let mut last: BTreeMap<(&String, &String), DateTime<Utc>> = BTreeMap::new();
    let answered = sent.iter().filter(|sent| sent.status == Some(200));
    for sent in answered {
        let Some(profile) = &sent.profile else {
            continue;
        };
        for serial in &sent.devices {
            let Some(before) = last.insert((serial, profile), sent.at) else {
                continue;
            };
            let gap = sent.at - before;
            let was_taken = taken
                .get(serial.as_str())
                .is_some_and(|times| times.iter().any(|at| (before..=sent.at).contains(at)));
            let is_late = gap.to_std().is_ok_and(|gap| gap <= facts.lag);
            assert!(
                gap >= TimeDelta::minutes(14) || was_taken || is_late,
                "{serial} again after {gap} at {} after {:?}",
                sent.at,
                facts.world.apple.fired()
            );
        }
    }
}

/// Once nothing goes wrong any more and a day has passed: two deltas a day, and what they bring.
fn rest(facts: &Facts<'_>, sent: &[Sent]) {
    let quiet = facts.rest + TimeDelta::hours(36);
    // A session that is over is noticed by a 401, and the request is sent once more.
    let later = |sent: &&Sent| sent.at > quiet && sent.status == Some(200);
    let later: Vec<&Sent> = sent.iter().filter(later).collect();
    let count = |path: &str| later.iter().filter(|sent| sent.path == path).count();
    let end = later.last().map_or(quiet, |sent| sent.at);
    let halves = ((end - quiet).num_hours() / 12 + 1) as usize;
    let fulls = later.iter().filter(|sent| sent.begins).count();
    assert!(fulls <= 2, "{fulls} full fetches in the rest");
    let syncs = count("/devices/sync");
    let most = halves + fulls + 1;
    assert!(syncs <= most, "{syncs} syncs in {halves} half days");
    if fulls == 0 {
        assert_eq!(count("/server/devices"), 0);
        assert_eq!(count("/devices"), 0);
        assert_eq!(count("/account"), 0);
    }
}
