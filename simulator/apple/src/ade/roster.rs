//! The rosters of Apple School Manager: classes, courses, people and locations.

use std::{collections::BTreeMap, ops::Bound};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    cursor::Place,
    routes::{Answered, Reply, limit_of},
    state::{State, changes_cursors},
    timestamp,
};

/// The longest cursor that a roster takes, in characters.
const MAX_CHARS: usize = 512;

/// One of the rosters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Roster {
    /// `/roster/class`, in `classes`.
    Class,
    /// `/roster/class/course`, in `courses`.
    Course,
    /// `/roster/class/person`, in `persons`.
    Person,
    /// `/roster/class/location`, in `locations`.
    Location,
}

#[derive(Debug, Default)]
pub(super) struct Rosters(BTreeMap<Roster, Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// In the order of `source_system_identifier`.
    present: BTreeMap<String, Value>,
    log: Vec<Value>,
}

impl Roster {
    /// The roster of a path, and whether the path is that of its changes.
    pub(super) fn of_path(path: &str) -> Option<(Self, bool)> {
        let (path, sync) = match path.strip_suffix("/sync") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let roster = match path {
            "/roster/class" => Self::Class,
            "/roster/class/course" => Self::Course,
            "/roster/class/person" => Self::Person,
            "/roster/class/location" => Self::Location,
            _ => return None,
        };
        Some((roster, sync))
    }

    fn key(self) -> &'static str {
        match self {
            Self::Class => "classes",
            Self::Course => "courses",
            Self::Person => "persons",
            Self::Location => "locations",
        }
    }
}

impl Rosters {
    /// Adds an entry, or changes the one with its `source_system_identifier`.
    pub(super) fn put(&mut self, roster: Roster, entry: Value, now: DateTime<Utc>) {
        let Some(id) = entry["source_system_identifier"]
            .as_str()
            .map(str::to_owned)
        else {
            return;
        };
        let entries = self.0.entry(roster).or_default();
        let known = entries.present.insert(id, entry.clone()).is_some();
        entries.record(entry, if known { "modified" } else { "added" }, now);
    }

    pub(super) fn remove(&mut self, roster: Roster, id: &str, now: DateTime<Utc>) -> bool {
        let entries = self.0.entry(roster).or_default();
        match entries.present.remove(id) {
            Some(entry) => {
                entries.record(entry, "deleted", now);
                true
            }
            None => false,
        }
    }
}

impl Entries {
    fn record(&mut self, mut entry: Value, op_type: &str, now: DateTime<Utc>) {
        entry["op_type"] = op_type.into();
        entry["op_date"] = timestamp(now).into();
        self.log.push(entry);
    }
}

pub(super) fn page(
    state: &mut State,
    roster: Roster,
    sync: bool,
    body: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Answered {
    let maximum = state.config.page_maximum;
    let limit = limit_of(body, maximum, maximum)?;
    let place = cursor(state, roster, body, now)?;
    let entries = state.rosters.0.entry(roster).or_default();
    let (items, after, since, more) = if sync {
        let Some((_, since)) = place else {
            return Err((400, "CURSOR_REQUIRED"));
        };
        let items: Vec<Value> = entries
            .log
            .iter()
            .skip(since)
            .take(limit)
            .cloned()
            .collect();
        let since = since + items.len();
        (items, None, since, since < entries.log.len())
    } else {
        let (after, since) = match place {
            None => (String::new(), entries.log.len()),
            Some((Some(after), since)) => (after, since),
            Some((None, _)) => return Err((400, "EXHAUSTED_CURSOR")),
        };
        let rest = || {
            let range = (Bound::Excluded(after.clone()), Bound::Unbounded);
            entries.present.range::<String, _>(range)
        };
        let items: Vec<Value> = rest().take(limit).map(|(_, item)| item.clone()).collect();
        let last = rest()
            .nth(limit.saturating_sub(1))
            .map(|(id, _)| id.clone());
        let more = rest().nth(limit).is_some();
        (items, last.filter(|_| more), since, more)
    };
    let place = Place::Roster {
        roster,
        after,
        since,
    };
    let cursor = state.cursors.make(place, now);
    Ok(Reply::Json(
        json!({roster.key(): items, "cursor": cursor, "more_to_follow": more}),
    ))
}

type Standing = (Option<String>, usize);

fn cursor(
    state: &mut State,
    roster: Roster,
    body: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Result<Option<Standing>, (u16, &'static str)> {
    let text = match body.get("cursor") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) if text.chars().count() <= MAX_CHARS => text,
        Some(Value::String(_)) => return Err((400, "INVALID_CURSOR")),
        Some(_) => return Err((400, "MALFORMED_REQUEST_BODY")),
    };
    if let Some((source, fault)) = state.faults.take(now, changes_cursors) {
        state.apply(source, fault);
    }
    match state.cursors.find(text, state.config.cursor_lifetime, now) {
        Ok(Place::Roster {
            roster: its,
            after,
            since,
        }) if its == roster => Ok(Some((after, since))),
        Ok(_) => Err((400, "INVALID_CURSOR")),
        Err(code) => Err((400, code)),
    }
}
