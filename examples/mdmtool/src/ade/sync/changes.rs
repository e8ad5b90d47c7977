//! What a step changed about devices, told from the records before and after it.

use std::collections::BTreeMap;

use ade_client::{
    record::{AttemptOutcome, DeviceRecord},
    store::Changes,
};
use mdm_core::SerialNumber;
use serde_json::{Map, Value, json};

use crate::ade::text;

/// What happened to a device.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) serial_number: SerialNumber,
    pub(super) what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// It is the server's, and was not known to be.
    Added { description: Option<String> },
    /// Apple tells something else of it than before; the keys.
    Modified { keys: Vec<String> },
    /// It is the server's no more.
    Released,
    /// It has been given this profile.
    Assigned { profile_uuid: String },
    /// It could not be given its profile; Apple's verdict, or a word of ours in lower case.
    NotAssigned { outcome: String },
}

/// What a step that reads `before` and writes `changes` does to devices.
pub(super) fn of(before: &BTreeMap<SerialNumber, DeviceRecord>, changes: &Changes) -> Vec<Change> {
    let all = changes.devices.iter().flat_map(|after| {
        let before = before.get(&after.serial_number);
        let what = [
            presence(before, after),
            before.and_then(|before| told(before, after)),
            attempt(before, after),
        ];
        what.into_iter().flatten().map(|what| Change {
            serial_number: after.serial_number.clone(),
            what,
        })
    });
    all.collect()
}

fn presence(before: Option<&DeviceRecord>, after: &DeviceRecord) -> Option<What> {
    match (
        before.is_some_and(DeviceRecord::is_present),
        after.is_present(),
    ) {
        (false, true) => Some(What::Added {
            description: after
                .device
                .description
                .clone()
                .or_else(|| after.device.model.clone()),
        }),
        (true, false) => Some(What::Released),
        _ => None,
    }
}

/// Whether Apple tells something else. What a step of our own has just done to it is no news.
fn told(before: &DeviceRecord, after: &DeviceRecord) -> Option<What> {
    let stays = before.is_present() && after.is_present();
    if !stays || before.device == after.device || before.attempt != after.attempt {
        return None;
    }
    let (before, after) = (keys(before), keys(after));
    let mut changed: Vec<String> = before
        .keys()
        .chain(after.keys())
        .filter(|key| before.get(*key) != after.get(*key))
        .cloned()
        .collect();
    changed.sort();
    changed.dedup();
    // A full fetch leaves out what a sync says of the change itself.
    changed.retain(|key| !matches!(key.as_str(), "op_type" | "op_date"));
    (!changed.is_empty()).then_some(What::Modified { keys: changed })
}

fn keys(record: &DeviceRecord) -> Map<String, Value> {
    match serde_json::to_value(&record.device) {
        Ok(Value::Object(keys)) => keys,
        _ => Map::new(),
    }
}

fn attempt(before: Option<&DeviceRecord>, after: &DeviceRecord) -> Option<What> {
    let attempt = after.attempt.as_ref()?;
    if before.and_then(|before| before.attempt.as_ref()) == Some(attempt) {
        return None;
    }
    let outcome = match &attempt.outcome {
        AttemptOutcome::Sent => return None,
        AttemptOutcome::Answered(status) if status.as_str() == "SUCCESS" => {
            return Some(What::Assigned {
                profile_uuid: attempt.profile_uuid.clone(),
            });
        }
        AttemptOutcome::Answered(status) => status.as_str(),
        AttemptOutcome::NotMentioned => "not_mentioned",
        AttemptOutcome::Failed(_) => "request_failed",
        _ => "not_sent",
    };
    Some(What::NotAssigned {
        outcome: outcome.to_owned(),
    })
}

impl Change {
    /// Under which key the document lists it.
    pub(super) fn list(&self) -> &'static str {
        match self.what {
            What::Added { .. } => "added",
            What::Modified { .. } => "modified",
            What::Released => "released",
            What::Assigned { .. } => "assigned",
            What::NotAssigned { .. } => "not_assigned",
        }
    }

    /// As an entry of that list.
    pub(super) fn json(&self) -> Value {
        let mut entry = json!({"serial_number": self.serial_number});
        match &self.what {
            What::Added { description } => entry["description"] = json!(description),
            What::Modified { keys } => entry["keys"] = json!(keys),
            What::Released => {}
            What::Assigned { profile_uuid } => entry["profile_uuid"] = json!(profile_uuid),
            What::NotAssigned { outcome } => entry["outcome"] = json!(outcome),
        }
        entry
    }

    /// As a line.
    pub(super) fn line(&self) -> String {
        let more = match &self.what {
            What::Added { description } => description.clone().unwrap_or_default(),
            What::Modified { keys } => keys.join(", "),
            What::Released => String::new(),
            What::Assigned { profile_uuid } => profile_uuid.clone(),
            What::NotAssigned { outcome } => outcome.clone(),
        };
        let word = self.list().replace('_', " ");
        let line = format!("{word:<12} {:<14} {more}", self.serial_number.as_str());
        text::printable(line.trim_end())
    }
}
