//! Cursors: where a fetch or a sync stands. A client may use one again, as after a lost answer.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};

use super::roster::Roster;

/// The longest cursor that Apple takes, in characters.
const MAX_CHARS: usize = 1000;

/// How many cursors are remembered; the oldest is forgotten first.
const MOST: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Cursors {
    known: BTreeMap<u64, Entry>,
    made: u64,
}

#[derive(Debug)]
struct Entry {
    made: DateTime<Utc>,
    ended: Option<&'static str>,
    place: Place,
}

/// Where a client stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// In the middle of the devices that were there at the first page. `since` is where the log
    /// stood then.
    Fetching { from: u64, until: u64, since: u64 },
    /// At this entry of the log. `start` is where this client's walk through the log began.
    Syncing { since: u64, start: u64 },
    /// In a roster, behind this item; `None` at its end.
    Roster {
        roster: Roster,
        after: Option<String>,
        since: usize,
    },
}

impl Cursors {
    pub(super) fn make(&mut self, place: Place, now: DateTime<Utc>) -> String {
        self.made += 1;
        self.known.insert(
            self.made,
            Entry {
                made: now,
                ended: None,
                place,
            },
        );
        if self.known.len() > MOST {
            self.known.pop_first();
        }
        text(self.made, now)
    }

    /// The place, or Apple's code for what is wrong with the cursor.
    pub(super) fn find(
        &self,
        cursor: &str,
        lifetime: Duration,
        now: DateTime<Utc>,
    ) -> Result<Place, &'static str> {
        let entry = number(cursor)
            .and_then(|number| Some((number, self.known.get(&number)?)))
            .filter(|(number, entry)| text(*number, entry.made) == cursor)
            .ok_or("INVALID_CURSOR")?
            .1;
        if let Some(code) = entry.ended {
            return Err(code);
        }
        match (now - entry.made).to_std() {
            Ok(age) if age > lifetime => Err("EXPIRED_CURSOR"),
            _ => Ok(entry.place.clone()),
        }
    }

    /// All cursors so far are refused with this code.
    pub(super) fn end_all(&mut self, code: &'static str) {
        for entry in self.known.values_mut() {
            entry.ended = Some(code);
        }
    }

    pub(super) fn forget_all(&mut self) {
        self.known.clear();
    }
}

/// The form that has been seen; the last number only makes it unique.
fn text(number: u64, made: DateTime<Utc>) -> String {
    let millis = made.timestamp_millis();
    STANDARD.encode(format!("0:0:{millis}:{millis}:true:{number}"))
}

fn number(cursor: &str) -> Option<u64> {
    if cursor.chars().count() > MAX_CHARS {
        return None;
    }
    let plain = String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?;
    plain.rsplit(':').next()?.parse().ok()
}
