//! Devices that were assigned too often and have to be left alone for a while.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

#[derive(Debug, Default)]
pub(super) struct Cooling {
    devices: HashMap<String, CoolDown>,
    /// When the first cool-down ends.
    next_end: Option<DateTime<Utc>>,
    /// When each device was assigned within the last day; kept only where it is limited.
    assigned: HashMap<String, VecDeque<DateTime<Utc>>>,
}

#[derive(Debug)]
struct CoolDown {
    until: DateTime<Utc>,
    /// Something was not told of it.
    missed: bool,
}

impl Cooling {
    pub(super) fn start(&mut self, serial: &str, until: DateTime<Utc>) {
        let cool_down = CoolDown {
            until,
            missed: false,
        };
        self.devices.insert(serial.to_owned(), cool_down);
        self.next_end = Some(self.next_end.map_or(until, |next| next.min(until)));
    }

    pub(super) fn until(&self, serial: &str) -> Option<DateTime<Utc>> {
        Some(self.devices.get(serial)?.until)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    pub(super) fn miss(&mut self, serial: &str) {
        if let Some(cool_down) = self.devices.get_mut(serial) {
            cool_down.missed = true;
        }
    }

    /// Ends what has cooled down, and returns what was missed meanwhile.
    pub(super) fn end(&mut self, now: DateTime<Utc>) -> Vec<String> {
        if self.next_end.is_none_or(|end| end > now) {
            return Vec::new();
        }
        let mut missed = Vec::new();
        self.devices.retain(|serial, cool_down| {
            let ended = cool_down.until <= now;
            if ended && cool_down.missed {
                missed.push(serial.clone());
            }
            !ended
        });
        self.next_end = self.devices.values().map(|cool_down| cool_down.until).min();
        missed.sort();
        missed
    }

    /// Counts an assignment, and says whether it is one too many for a day.
    pub(super) fn is_too_often(&mut self, serial: &str, limit: u32, now: DateTime<Utc>) -> bool {
        let times = self.assigned.entry(serial.to_owned()).or_default();
        while times
            .front()
            .is_some_and(|time| *time <= now - TimeDelta::days(1))
        {
            times.pop_front();
        }
        times.push_back(now);
        times.len() as u64 > u64::from(limit)
    }
}
