//! `/server/devices` and `/devices/sync`: pages, and what can go wrong with them.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{
    Fault,
    cursor::Place,
    later,
    render::Object,
    routes::{Answered, Refused, Reply, limit_of},
    state::{State, changes_cursors},
    timestamp,
};

/// The page size where a request names none.
const DEFAULT_PAGE: usize = 100;

/// About how many bytes a device takes in a page.
const DEVICE: usize = 700;

/// How far back a page looks for records that are out of date.
const STALE_WINDOW: u64 = 5000;

/// A page that is being made.
struct Page {
    body: Vec<u8>,
    /// Where each record stands that is in it.
    positions: Vec<u64>,
    next: Place,
    more: bool,
    /// A fault has had its way with it.
    spoiled: bool,
}

impl Page {
    fn new(limit: usize, next: Place) -> Self {
        let mut body = Vec::with_capacity(limit.saturating_mul(DEVICE));
        body.extend_from_slice(b"{\"devices\":[");
        Self {
            body,
            positions: Vec::with_capacity(limit),
            next,
            more: false,
            spoiled: false,
        }
    }

    /// A comma, unless this is the first.
    fn separate(&mut self) {
        if !self.body.ends_with(b"[") {
            self.body.push(b',');
        }
    }

    fn close(mut self, cursor: &str, now: DateTime<Utc>) -> Bytes {
        let end = format!(
            "],\"cursor\":\"{cursor}\",\"fetched_until\":\"{}\",\"more_to_follow\":{}}}",
            timestamp(now),
            self.more
        );
        self.body.extend_from_slice(end.as_bytes());
        self.body.into()
    }
}

/// Walks the devices as a client would, to have all pages at hand.
pub(super) fn prerender(state: &mut State, limit: usize, version: u32) {
    if !state.config.prerendered {
        return;
    }
    forget_old_pages(state);
    let now = state.now();
    let version = version.min(10);
    let limit = limit.clamp(1, state.config.page_maximum.max(1));
    let mut place = Place::Fetching {
        from: 0,
        until: state.devices.end(),
        since: state.devices.log_end(),
    };
    let body = Map::new();
    while let Some((_, next)) = fetch_page(state, &body, place, (limit, version), now) {
        place = next;
    }
}

pub(super) fn fetch(
    state: &mut State,
    body: &Map<String, Value>,
    version: u32,
    now: DateTime<Utc>,
) -> Answered {
    let limit = limit(state, body)?;
    let start = match cursor(state, body, now)? {
        None => Place::Fetching {
            from: 0,
            until: state.devices.end(),
            since: state.devices.log_end(),
        },
        Some(place @ Place::Fetching { .. }) => place,
        Some(_) => return Err((400, "EXHAUSTED_CURSOR")),
    };
    if let Some(page) = prerendered(state, &start, limit, version, now) {
        return Ok(page);
    }
    match fetch_page(state, body, start, (limit, version), now) {
        Some((page, _)) => Ok(page),
        None => Err((400, "EXHAUSTED_CURSOR")),
    }
}

/// The page that starts there, and where the next one does; `None` behind the last.
fn fetch_page(
    state: &mut State,
    body: &Map<String, Value>,
    start: Place,
    (limit, version): (usize, u32),
    now: DateTime<Utc>,
) -> Option<(Reply, Place)> {
    let Place::Fetching { from, until, since } = start else {
        return None;
    };
    let mut page = Page::new(limit, start.clone());
    let mut next = from;
    for (at, device) in state.devices.range(from, until) {
        if page.positions.len() == limit {
            page.more = true;
            break;
        }
        next = at + 1;
        if state.config.hide_cooling_devices && state.cooling.until(&device.serial).is_some() {
            state.cooling.miss(&device.serial);
            continue;
        }
        page.separate();
        let mut object = Object::open(&mut page.body, version);
        device.write(&mut object, &state.config.shapes);
        object.close();
        page.positions.push(at);
    }
    page.next = if page.more {
        Place::Fetching {
            from: next,
            until,
            since,
        }
    } else {
        Place::Syncing {
            since,
            start: since,
        }
    };
    if let Some(from) = step_back(state, &page, now) {
        page.more = true;
        page.spoiled = true;
        page.next = Place::Fetching { from, until, since };
    }
    let next = page.next.clone();
    let page = finish(state, page, (start, limit, version), body, now);
    Some((page, next))
}

pub(super) fn sync(
    state: &mut State,
    body: &Map<String, Value>,
    version: u32,
    now: DateTime<Utc>,
) -> Answered {
    let limit = limit(state, body)?;
    let (since, start) = match cursor(state, body, now)? {
        None => return Err((400, "CURSOR_REQUIRED")),
        Some(Place::Fetching { since, .. }) => (since, since),
        Some(Place::Syncing { since, start }) => (since, start),
        Some(Place::Roster { .. }) => return Err((400, "INVALID_CURSOR")),
    };
    if since < state.devices.log_start() {
        return Err((400, "EXPIRED_CURSOR"));
    }
    let place = Place::Syncing { since, start };
    if let Some(page) = prerendered(state, &place, limit, version, now) {
        return Ok(page);
    }
    let mut page = Page::new(limit, place.clone());
    let mut next = since;
    for (at, entry) in state.devices.log_from(since) {
        if later(entry.recorded, state.config.sync_lag) > now {
            break;
        }
        if page.positions.len() == limit {
            page.more = true;
            break;
        }
        next = at + 1;
        let serial = &entry.device.serial;
        if state.config.hide_cooling_devices && state.cooling.until(serial).is_some() {
            // A device that is gone is told as gone.
            if state.devices.contains(serial) {
                state.cooling.miss(serial);
                continue;
            }
        }
        page.separate();
        entry.write(&mut page.body, version, &state.config.shapes);
        page.positions.push(at);
    }
    page.next = Place::Syncing { since: next, start };
    add_stale(state, &mut page, start, version, now);
    if let Some(since) = step_back(state, &page, now) {
        page.more = true;
        page.spoiled = true;
        page.next = Place::Syncing { since, start };
    }
    Ok(finish(state, page, (place, limit, version), body, now))
}

/// Where the next page begins if it repeats the end of this one.
fn step_back(state: &mut State, page: &Page, now: DateTime<Utc>) -> Option<u64> {
    let first = *page.positions.first()?;
    let fits = |fault: &Fault| matches!(fault, Fault::DuplicatePage | Fault::OverlapPages { .. });
    match state.faults.take(now, fits)?.1 {
        Fault::OverlapPages { records } => {
            let at = page.positions.len().checked_sub(records.max(1));
            Some(
                at.and_then(|at| page.positions.get(at))
                    .copied()
                    .unwrap_or(first),
            )
        }
        _ => Some(first),
    }
}

/// Adds records out of this client's past that are out of date by now.
fn add_stale(state: &mut State, page: &mut Page, start: u64, version: u32, now: DateTime<Utc>) {
    let fits = |fault: &Fault| matches!(fault, Fault::StaleRecords { .. });
    let Some(end) = page.positions.last().map(|last| last + 1) else {
        return;
    };
    if !state.faults.waits(fits) {
        return;
    }
    let mut latest = std::collections::HashMap::new();
    let window = start.max(end.saturating_sub(STALE_WINDOW));
    let given = || {
        let entries = state.devices.log_from(window);
        entries.take_while(|(at, _)| *at < end)
    };
    for (at, entry) in given() {
        latest.insert(&entry.device.serial, at);
    }
    let stale: Vec<u64> = given()
        .filter(|(at, entry)| {
            latest
                .get(&entry.device.serial)
                .is_some_and(|last| last > at)
        })
        .map(|(at, _)| at)
        .collect();
    if stale.is_empty() {
        return;
    }
    let Some((_, Fault::StaleRecords { records })) = state.faults.take(now, fits) else {
        return;
    };
    page.spoiled = true;
    for at in stale.iter().rev().take(records.max(1)) {
        if let Some((_, entry)) = state.devices.log_from(*at).next() {
            page.separate();
            entry.write(&mut page.body, version, &state.config.shapes);
        }
    }
}

/// Gives the page its cursor.
fn finish(
    state: &mut State,
    mut page: Page,
    key: (Place, usize, u32),
    request: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Reply {
    let asked = request
        .get("cursor")
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty());
    let repeats = |fault: &Fault| matches!(fault, Fault::RepeatCursor { .. });
    if let Some(asked) = asked
        && state.faults.take(now, repeats).is_some()
    {
        page.more = true;
        return Reply::Bytes(page.close(asked, now));
    }
    let cursor = state.cursors.make(page.next.clone(), now);
    let keeps = state.config.prerendered && !page.spoiled && state.cooling.is_empty();
    let body = page.close(&cursor, now);
    if keeps {
        state.pages.insert(key, (body.clone(), now));
    }
    Reply::Bytes(body)
}

/// The page as it was built before, if nothing has changed since.
fn prerendered(
    state: &mut State,
    start: &Place,
    limit: usize,
    version: u32,
    now: DateTime<Utc>,
) -> Option<Reply> {
    if !state.config.prerendered {
        return None;
    }
    forget_old_pages(state);
    let waits = state.faults.waits(|fault| {
        matches!(
            fault,
            Fault::DuplicatePage
                | Fault::OverlapPages { .. }
                | Fault::RepeatCursor { .. }
                | Fault::StaleRecords { .. }
        )
    });
    if waits || !state.cooling.is_empty() {
        return None;
    }
    let (body, made) = state.pages.get(&(start.clone(), limit, version))?;
    let age = (now - made).to_std().unwrap_or_default();
    (age < state.config.cursor_lifetime / 2).then(|| Reply::Bytes(body.clone()))
}

fn forget_old_pages(state: &mut State) {
    if state.pages_revision != state.devices.revision() {
        state.pages_revision = state.devices.revision();
        state.pages.clear();
    }
}

fn limit(state: &State, body: &Map<String, Value>) -> Result<usize, Refused> {
    limit_of(body, DEFAULT_PAGE, state.config.page_maximum)
}

fn cursor(
    state: &mut State,
    body: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Result<Option<Place>, Refused> {
    let text = match body.get("cursor") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => return Err((400, "MALFORMED_REQUEST_BODY")),
    };
    if let Some((source, fault)) = state.faults.take(now, changes_cursors) {
        state.apply(source, fault);
    }
    state
        .cursors
        .find(text, state.config.cursor_lifetime, now)
        .map(Some)
        .map_err(|code| (400, code))
}
