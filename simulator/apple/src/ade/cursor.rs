//! Cursors: where a fetch or a sync stands. A client may use one again, as after a lost answer.

use std::{collections::HashMap, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};

/// The longest cursor that Apple takes, in characters.
const MAX_CHARS: usize = 1000;

#[derive(Default)]
pub(super) struct Cursors {
    known: HashMap<String, Entry>,
    made: u64,
}

struct Entry {
    made: DateTime<Utc>,
    expired: bool,
    place: Place,
}

/// Where a client stands.
#[derive(Clone)]
pub(super) enum Place {
    /// In the middle of all devices: the list as it was at the first page, and how many of it were
    /// given. `since` is where the log stood at the first page.
    Fetching {
        serials: Arc<[String]>,
        given: usize,
        since: usize,
    },
    /// At this entry of the log.
    Syncing { since: usize },
}

impl Cursors {
    pub(super) fn make(&mut self, place: Place, now: DateTime<Utc>) -> String {
        self.made += 1;
        let millis = now.timestamp_millis();
        // The form that has been seen; the last number only makes it unique.
        let text = STANDARD.encode(format!("0:0:{millis}:{millis}:true:{}", self.made));
        self.known.insert(
            text.clone(),
            Entry {
                made: now,
                expired: false,
                place,
            },
        );
        text
    }

    /// The place, or Apple's code for what is wrong with the cursor.
    pub(super) fn find(
        &self,
        text: &str,
        lifetime: Duration,
        now: DateTime<Utc>,
    ) -> Result<Place, &'static str> {
        let entry = match self.known.get(text) {
            Some(entry) if text.chars().count() <= MAX_CHARS => entry,
            _ => return Err("INVALID_CURSOR"),
        };
        let age = (now - entry.made).to_std().unwrap_or_default();
        if entry.expired || age > lifetime {
            return Err("EXPIRED_CURSOR");
        }
        Ok(entry.place.clone())
    }

    pub(super) fn expire_all(&mut self) {
        for entry in self.known.values_mut() {
            entry.expired = true;
        }
    }

    pub(super) fn forget_all(&mut self) {
        self.known.clear();
    }
}
