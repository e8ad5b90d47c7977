//! How a record changes by what Apple tells of its device. Pure.
//!
//! A full fetch and details tell how the device is now, without a date. A sync tells what happened and
//! when; it may tell the same again, late, and several things of one device at once. What Apple tells
//! of a profile counts more than what is remembered: giving a profile once more does no harm, and a
//! device that is wrongly thought to have it is lost.
//!
//! Of two things with the same date nobody can tell which is the later one. Where they contradict each
//! other the device counts as one that the full fetch has not named, so that Apple is asked about it,
//! and until then as the account's.

use chrono::{DateTime, Utc};
use mdm_core::SerialNumber;

use super::{AttemptOutcome, DeviceRecord, DeviceState, Presence, Replacement};
use crate::{
    model::{Device, OpType, ResponseStatus, Time},
    record::{GiveUp, GiveUpStep},
};

/// The circumstances under which Apple tells something.
#[derive(Debug, Clone)]
pub(crate) struct Telling {
    /// When.
    pub(crate) now: DateTime<Utc>,
    /// The number of the full fetch that runs or ran last.
    pub(crate) sweep: u64,
    /// The profile that new serial numbers get.
    pub(crate) default_profile: Option<String>,
    /// Whether replacements take over what their originals have.
    pub(crate) take_over: bool,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merged {
    /// The device is the account's and was not known to be.
    Came,
    /// It is the account's, as it was.
    Stays,
    /// It is not the account's any more.
    Left,
    /// It is still not.
    Absent,
    /// Something newer is known: nothing was changed.
    Stale,
}

impl Telling {
    /// The record after Apple told this of its device.
    pub(crate) fn merge(
        &self,
        known: Option<DeviceRecord>,
        serial_number: &SerialNumber,
        told: Device,
    ) -> (DeviceRecord, Merged) {
        let told = told.bounded();
        let date = instant(told.op_date.as_ref());
        let is_deleted = told.op_type.as_ref().is_some_and(is_deletion);
        let is_known = known.is_some();
        let mut record =
            known.unwrap_or_else(|| DeviceRecord::new(serial_number.clone(), self.now));
        if is_known && date.is_some_and(|date| is_stale(&record, date, is_deleted)) {
            return (record, Merged::Stale);
        }
        let in_doubt = is_known
            && date.is_some()
            && record.op_date == date
            && (self.has_to_ask(&record) || contradicts(&record, &told, is_deleted));
        record.op_date = record.op_date.max(date);
        let was_present = is_known && record.is_present();
        match is_deleted {
            true if in_doubt => {}
            true => self.delete(&mut record, told, date),
            false => self.find(&mut record, told, date),
        }
        if in_doubt {
            record.sweep = self.sweep.saturating_sub(1);
        }
        record.settle(self.now);
        let merged = match (was_present, record.is_present()) {
            (false, true) => Merged::Came,
            (true, true) => Merged::Stays,
            (true, false) => Merged::Left,
            (false, false) => Merged::Absent,
        };
        (record, merged)
    }

    /// Whether Apple has to be asked about a device that was told of.
    pub(crate) fn has_to_ask(&self, record: &DeviceRecord) -> bool {
        record.is_present() && record.sweep < self.sweep
    }

    /// Apple does not know the device as the account's, though nothing said that it left.
    pub(crate) fn miss(&self, record: &mut DeviceRecord) {
        if record.is_present() {
            record.presence = Presence::Released { at: self.now };
            record.settle(self.now);
        }
    }

    /// A deleted record may hold nothing but its serial number, so only what it does say is taken.
    fn delete(&self, record: &mut DeviceRecord, told: Device, date: Option<DateTime<Utc>>) {
        record.presence = Presence::Released {
            at: date.or(record.released()).unwrap_or(self.now),
        };
        if record.device.serial_number.is_none() {
            record.device = told;
            return;
        }
        record.device.op_type = told.op_type;
        record.device.op_date = told.op_date;
        record.device.released_by_replacement = told.released_by_replacement;
    }

    fn find(&self, record: &mut DeviceRecord, told: Device, date: Option<DateTime<Utc>>) {
        let was_given_up = !record.is_present() && come_back(record);
        let is_new = record.sweep == 0 || was_given_up;
        record.presence = Presence::Present;
        record.sweep = self.sweep;
        if is_new && record.wanted_profile.is_none() {
            record.wanted_profile.clone_from(&self.default_profile);
        }
        if record.replacement.is_none() && told.is_replacement_device == Some(true) {
            record.replacement = Some(match self.take_over {
                true => Replacement::Pending {
                    due: self.now,
                    failures: 0,
                },
                false => Replacement::None,
            });
        }
        self.stand(record, &told, is_new, date);
        record.device = told;
    }

    /// Where the device stands with its profile. A status that is missing or empty is taken for none:
    /// the device is given its profile again then.
    fn stand(
        &self,
        record: &mut DeviceRecord,
        told: &Device,
        is_new: bool,
        date: Option<DateTime<Utc>>,
    ) {
        let state = state(told);
        let assigned = instant(told.profile_assign_time.as_ref());
        let since = match state {
            DeviceState::Assigned => assigned,
            DeviceState::Pushed => {
                record.times.assigned = assigned.or(record.times.assigned);
                instant(told.profile_push_time.as_ref())
            }
            _ => None,
        };
        let changes =
            is_new || state != record.state || told.profile_uuid != record.device.profile_uuid;
        let since = since.or(changes.then(|| date.unwrap_or(self.now)));
        if let (Some(since), Some(time)) = (since, record.times.of(&state)) {
            *time = Some(since);
        }
        record.state = state;
    }
}

/// A device that comes back is as new: it may be tried again where it was not accessible, and giving
/// it up is over where that was done, which is told.
fn come_back(record: &mut DeviceRecord) -> bool {
    let not_accessible = AttemptOutcome::Answered(ResponseStatus::NotAccessible);
    if let Some(attempt) = &mut record.attempt
        && attempt.outcome == not_accessible
    {
        attempt.until = None;
    }
    let is_done = |give_up: &mut GiveUp| give_up.next == GiveUpStep::Done;
    record.give_up.take_if(is_done).is_some()
}

/// Whether something is known that is newer than what happened at `date`.
fn is_stale(record: &DeviceRecord, date: DateTime<Utc>, is_deleted: bool) -> bool {
    let is_older = |time: Option<DateTime<Utc>>| time.is_some_and(|time| date < time);
    // It left before it was assigned to this server once more.
    let came_later = || {
        is_deleted
            && record.is_present()
            && is_older(instant(record.device.device_assigned_date.as_ref()))
    };
    // It was found to have left since, by asking or by giving it up, and this was told before.
    let left_later = || {
        let was_told = |told: &OpType| record.op_date == Some(date) && !is_deletion(told);
        !is_deleted && !record.is_present() && record.device.op_type.as_ref().is_some_and(was_told)
    };
    is_older(record.op_date) || came_later() || left_later()
}

/// Whether what is told of a device cannot have been true at the time of what is known of it.
fn contradicts(record: &DeviceRecord, told: &Device, is_deleted: bool) -> bool {
    match (record.is_present(), is_deleted) {
        (true, false) => {
            state(told) != record.state || told.profile_uuid != record.device.profile_uuid
        }
        (is_present, is_deleted) => is_present == is_deleted,
    }
}

fn state(told: &Device) -> DeviceState {
    match &told.profile_status {
        Some(status) => DeviceState::from(status.as_str()),
        None => DeviceState::Empty,
    }
}

/// In whatever case, as a released device must not be assigned.
fn is_deletion(op_type: &OpType) -> bool {
    op_type
        .as_str()
        .eq_ignore_ascii_case(OpType::Deleted.as_str())
}

fn instant(time: Option<&Time>) -> Option<DateTime<Utc>> {
    time.and_then(Time::instant)
}

#[cfg(test)]
mod tests;
