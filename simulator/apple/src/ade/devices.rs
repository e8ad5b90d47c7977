//! The devices and the log of what happened to them.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::{
    config::Shapes,
    device::{Attributes, Device, Status},
    generated::Generated,
    render::Object,
};

#[derive(Debug, Default)]
pub(super) struct Devices {
    /// In the order in which they came.
    present: BTreeMap<u64, Device>,
    index: HashMap<Arc<str>, Slot>,
    /// How many came so far.
    came: u64,
    generated: u64,
    log: VecDeque<Entry>,
    /// How many entries were dropped from the log.
    dropped: u64,
    /// Grows with every change.
    revision: u64,
}

/// What is known of a serial number for ever.
#[derive(Debug)]
struct Slot {
    at: Option<u64>,
    last_op_date: DateTime<Utc>,
    /// What a device that went away was like.
    gone: Option<Attributes>,
}

/// An entry of the log: the device as it was then.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) op: Op,
    pub(super) op_date: DateTime<Utc>,
    /// When it was written, which op_date may run ahead of.
    pub(super) recorded: DateTime<Utc>,
    pub(super) device: Device,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Added,
    Modified,
    Deleted { by_replacement: bool },
}

/// When a change is made, and how its op_date is chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: DateTime<Utc>,
    pub(super) equal_op_dates: bool,
}

impl Devices {
    /// Adds a device, or assigns the one that is there again.
    pub(super) fn add(&mut self, device: Value, moment: Moment) {
        let Value::Object(device) = device else {
            return;
        };
        let Some(serial) = device.get("serial_number").and_then(Value::as_str) else {
            return;
        };
        let serial: Arc<str> = serial.into();
        if let Some(known) = self.find_mut(&serial) {
            known.absorb(device);
            known.reassign(moment.now);
            self.record(&serial, Op::Modified, moment);
        } else {
            let attributes = Attributes::Given(Arc::new(Map::new()));
            let mut new = Device::new(serial, attributes, moment.now);
            new.absorb(device);
            self.insert(new, moment);
        }
    }

    /// Adds a device with made-up attributes.
    pub(super) fn add_generated(&mut self, seed: u64, moment: Moment) -> Arc<str> {
        let generated = Generated {
            seed,
            number: self.generated,
        };
        self.generated += 1;
        let serial: Arc<str> = generated.serial().into();
        let attributes = Attributes::Generated(generated);
        self.insert(
            Device::new(Arc::clone(&serial), attributes, moment.now),
            moment,
        );
        serial
    }

    /// Assigns a device again that is there or was there once.
    pub(super) fn reassign(&mut self, serial: &str, moment: Moment) -> bool {
        if let Some(device) = self.find_mut(serial) {
            device.reassign(moment.now);
            let serial = Arc::clone(&device.serial);
            self.record(&serial, Op::Modified, moment);
            return true;
        }
        let gone = self
            .index
            .get_key_value(serial)
            .and_then(|(serial, slot)| Some((Arc::clone(serial), slot.gone.clone()?)));
        match gone {
            Some((serial, attributes)) => {
                self.insert(Device::new(serial, attributes, moment.now), moment);
                true
            }
            None => false,
        }
    }

    fn insert(&mut self, device: Device, moment: Moment) {
        let serial = Arc::clone(&device.serial);
        let at = self.came;
        self.came += 1;
        self.present.insert(at, device);
        let slot = self.index.entry(Arc::clone(&serial)).or_insert(Slot {
            at: None,
            last_op_date: DateTime::<Utc>::MIN_UTC,
            gone: None,
        });
        slot.at = Some(at);
        slot.gone = None;
        self.record(&serial, Op::Added, moment);
    }

    pub(super) fn modify(&mut self, serial: &str, changes: Value, moment: Moment) -> bool {
        let Value::Object(changes) = changes else {
            return false;
        };
        self.change(serial, moment, |device| device.absorb(changes))
    }

    pub(super) fn remove(&mut self, serial: &str, by_replacement: bool, moment: Moment) -> bool {
        let Some(slot) = self.index.get_mut(serial) else {
            return false;
        };
        let Some(device) = slot.at.take().and_then(|at| self.present.remove(&at)) else {
            return false;
        };
        slot.gone = Some(device.attributes.clone());
        self.write(device, Op::Deleted { by_replacement }, moment);
        true
    }

    pub(super) fn assign(&mut self, serial: &str, profile_uuid: &Arc<str>, moment: Moment) {
        let unchanged = self.find(serial).is_some_and(|device| {
            device.status == Status::Assigned && device.profile_uuid.as_ref() == Some(profile_uuid)
        });
        if !unchanged {
            self.change(serial, moment, |device| {
                device.set_profile(Some(Arc::clone(profile_uuid)), moment.now);
            });
        }
    }

    pub(super) fn unassign(&mut self, serial: &str, moment: Moment) {
        self.change(serial, moment, |device| {
            device.set_profile(None, moment.now)
        });
    }

    pub(super) fn push(&mut self, serial: &str, moment: Moment) {
        self.change(serial, moment, |device| device.push(moment.now));
    }

    /// Tells of a device once more, which has not changed.
    pub(super) fn touch(&mut self, serial: &str, moment: Moment) {
        self.change(serial, moment, |_| {});
    }

    fn change(&mut self, serial: &str, moment: Moment, change: impl FnOnce(&mut Device)) -> bool {
        let Some(device) = self.find_mut(serial) else {
            return false;
        };
        change(device);
        let serial = Arc::clone(&device.serial);
        self.record(&serial, Op::Modified, moment);
        true
    }

    pub(super) fn find(&self, serial: &str) -> Option<&Device> {
        self.present.get(&self.index.get(serial)?.at?)
    }

    fn find_mut(&mut self, serial: &str) -> Option<&mut Device> {
        self.present.get_mut(&self.index.get(serial)?.at?)
    }

    pub(super) fn contains(&self, serial: &str) -> bool {
        self.find(serial).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.present.len()
    }

    /// The latest op_date that was ever told of this serial number.
    pub(super) fn last_op_date(&self, serial: &str) -> Option<DateTime<Utc>> {
        Some(self.index.get(serial)?.last_op_date)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Device> {
        self.present.values()
    }

    /// Where the next device will stand.
    pub(super) fn end(&self) -> u64 {
        self.came
    }

    pub(super) fn range(&self, from: u64, until: u64) -> impl Iterator<Item = (u64, &Device)> {
        self.present
            .range(from..until.max(from))
            .map(|(at, device)| (*at, device))
    }

    /// Everything about a device, as the newest protocol version has it.
    pub(super) fn get(&self, serial: &str) -> Option<Value> {
        let mut out = Vec::new();
        let mut object = Object::open(&mut out, u32::MAX);
        self.find(serial)?.write(&mut object, &Shapes::default());
        object.close();
        serde_json::from_slice(&out).ok()
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// Where the log begins; what was before has been dropped.
    pub(super) fn log_start(&self) -> u64 {
        self.dropped
    }

    /// Where the next entry of the log will stand.
    pub(super) fn log_end(&self) -> u64 {
        self.dropped + self.log.len() as u64
    }

    /// The log from `since` on.
    pub(super) fn log_from(&self, since: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let skipped = since.saturating_sub(self.dropped);
        let skipped = usize::try_from(skipped)
            .unwrap_or(usize::MAX)
            .min(self.log.len());
        (self.dropped + skipped as u64..).zip(self.log.range(skipped..))
    }

    /// Drops the whole log.
    pub(super) fn compact(&mut self) {
        self.dropped = self.log_end();
        self.log = VecDeque::new();
        self.revision += 1;
    }

    /// Drops what no cursor younger than `oldest` can ask for.
    pub(super) fn compact_before(&mut self, oldest: DateTime<Utc>) {
        while self
            .log
            .front()
            .is_some_and(|entry| entry.recorded < oldest)
        {
            self.log.pop_front();
            self.dropped += 1;
        }
    }

    fn record(&mut self, serial: &str, op: Op, moment: Moment) {
        if let Some(device) = self.find(serial).cloned() {
            self.write(device, op, moment);
        }
    }

    /// Writes the log. Apple's times have whole seconds.
    fn write(&mut self, device: Device, op: Op, moment: Moment) {
        let mut op_date = moment.now;
        if let Some(slot) = self.index.get_mut(&device.serial) {
            if !moment.equal_op_dates
                && let Some(earliest) = slot.last_op_date.checked_add_signed(TimeDelta::seconds(1))
            {
                op_date = op_date.max(earliest);
            }
            slot.last_op_date = op_date;
        }
        self.revision += 1;
        self.log.push_back(Entry {
            op,
            op_date,
            recorded: moment.now,
            device,
        });
    }
}

impl Entry {
    pub(super) fn write(&self, out: &mut Vec<u8>, version: u32, shapes: &Shapes) {
        let mut object = Object::open(out, version);
        let op_type = match self.op {
            Op::Added => "added",
            Op::Modified => "modified",
            Op::Deleted { .. } => "deleted",
        };
        match self.op {
            // A deleted device is hardly described any more.
            Op::Deleted { by_replacement } => {
                if shapes.full_deleted_records {
                    self.device.write(&mut object, shapes);
                } else {
                    object.text("serial_number", &self.device.serial);
                }
                if !shapes.bare_deleted_records {
                    object.flag("released_by_replacement", by_replacement);
                }
            }
            _ => self.device.write(&mut object, shapes),
        }
        object.text("op_type", op_type);
        object.text("op_date", &super::timestamp(self.op_date));
        object.close();
    }
}
