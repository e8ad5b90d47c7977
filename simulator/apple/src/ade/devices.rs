//! The devices and the log of what happened to them.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::timestamp;

#[derive(Default)]
pub(super) struct Devices {
    present: HashMap<String, Map<String, Value>>,
    /// The serial numbers in the order in which they came.
    order: Vec<String>,
    log: Vec<Map<String, Value>>,
    last_op_date: Option<DateTime<Utc>>,
}

/// What each protocol version adds to a device.
const SINCE: [(u32, &[&str]); 3] = [
    (2, &["device_family", "os"]),
    (8, &["mdm_migration_deadline"]),
    (
        10,
        &[
            "bluetooth_mac_address",
            "wifi_mac_address",
            "ethernet_mac_address",
            "eid",
            "imei",
            "meid",
            "is_replacement_device",
            "released_by_replacement",
        ],
    ),
];

impl Devices {
    pub(super) fn add(&mut self, device: Value, now: DateTime<Utc>) {
        let Value::Object(mut device) = device else {
            return;
        };
        let Some(serial) = device.get("serial_number").and_then(Value::as_str) else {
            return;
        };
        let serial = serial.to_owned();
        device
            .entry("device_assigned_date")
            .or_insert_with(|| timestamp(now).into());
        device
            .entry("device_assigned_by")
            .or_insert_with(|| "admin@example.com".into());
        match self.present.get_mut(&serial) {
            // Assigned to the same server again: the profile is gone, its name is still told.
            Some(known) => {
                known.extend(device);
                if known.contains_key("profile_uuid") {
                    known.insert("profile_status".to_owned(), "removed".into());
                }
                self.record(&serial, "modified", now);
            }
            None => {
                device
                    .entry("profile_status")
                    .or_insert_with(|| "empty".into());
                self.present.insert(serial.clone(), device);
                self.order.push(serial.clone());
                self.record(&serial, "added", now);
            }
        }
    }

    pub(super) fn modify(&mut self, serial: &str, changes: Value, now: DateTime<Utc>) -> bool {
        match (self.present.get_mut(serial), changes) {
            (Some(device), Value::Object(changes)) => {
                device.extend(changes);
                self.record(serial, "modified", now);
                true
            }
            _ => false,
        }
    }

    pub(super) fn remove(&mut self, serial: &str, now: DateTime<Utc>) -> bool {
        if self.present.remove(serial).is_none() {
            return false;
        }
        self.order.retain(|known| known != serial);
        self.record(serial, "deleted", now);
        true
    }

    pub(super) fn get(&self, serial: &str) -> Option<Value> {
        self.present.get(serial).cloned().map(Value::Object)
    }

    pub(super) fn contains(&self, serial: &str) -> bool {
        self.present.contains_key(serial)
    }

    pub(super) fn serials(&self) -> &[String] {
        &self.order
    }

    pub(super) fn log_len(&self) -> usize {
        self.log.len()
    }

    /// The device as a client of this protocol version sees it.
    pub(super) fn seen(&self, serial: &str, version: u32) -> Option<Value> {
        Some(filter(self.present.get(serial)?, version))
    }

    /// The log's entries from `since` on, as a client of this protocol version sees them.
    pub(super) fn changes(&self, since: usize, limit: usize, version: u32) -> Vec<Value> {
        self.log
            .iter()
            .skip(since)
            .take(limit)
            .map(|entry| filter(entry, version))
            .collect()
    }

    pub(super) fn assign(&mut self, serial: &str, profile_uuid: &str, now: DateTime<Utc>) {
        if let Some(device) = self.present.get_mut(serial) {
            let says = |key, value| device.get(key).is_some_and(|known| known == value);
            if says("profile_uuid", profile_uuid) && says("profile_status", "assigned") {
                return;
            }
            device.insert("profile_uuid".to_owned(), profile_uuid.into());
            device.insert("profile_status".to_owned(), "assigned".into());
            device.insert("profile_assign_time".to_owned(), timestamp(now).into());
            device.remove("profile_push_time");
            self.record(serial, "modified", now);
        }
    }

    pub(super) fn unassign(&mut self, serial: &str, now: DateTime<Utc>) {
        if let Some(device) = self.present.get_mut(serial) {
            for key in ["profile_uuid", "profile_assign_time", "profile_push_time"] {
                device.remove(key);
            }
            device.insert("profile_status".to_owned(), "empty".into());
            self.record(serial, "modified", now);
        }
    }

    /// The profile that the device would get now.
    pub(super) fn assigned_profile(&self, serial: &str) -> Option<String> {
        let device = self.present.get(serial)?;
        let status = device.get("profile_status")?.as_str()?;
        if !matches!(status, "assigned" | "pushed") {
            return None;
        }
        Some(device.get("profile_uuid")?.as_str()?.to_owned())
    }

    pub(super) fn push(&mut self, serial: &str, now: DateTime<Utc>) {
        if let Some(device) = self.present.get_mut(serial) {
            device.insert("profile_status".to_owned(), "pushed".into());
            device.insert("profile_push_time".to_owned(), timestamp(now).into());
            self.record(serial, "modified", now);
        }
    }

    /// Writes the log. Each entry is a second after the one before at least, since Apple's times
    /// have whole seconds and a client goes by the latest.
    fn record(&mut self, serial: &str, op_type: &str, now: DateTime<Utc>) {
        let earliest = self.last_op_date.map(|last| last + TimeDelta::seconds(1));
        let op_date = earliest.map_or(now, |earliest| earliest.max(now));
        self.last_op_date = Some(op_date);
        let mut entry = match self.present.get(serial) {
            Some(device) => device.clone(),
            // A deleted device is not described any more.
            None => Map::from_iter([
                ("serial_number".to_owned(), serial.into()),
                ("released_by_replacement".to_owned(), json!(false)),
            ]),
        };
        entry.insert("op_type".to_owned(), op_type.into());
        entry.insert("op_date".to_owned(), timestamp(op_date).into());
        self.log.push(entry);
    }
}

fn filter(device: &Map<String, Value>, version: u32) -> Value {
    let hidden = |key: &str| {
        SINCE
            .iter()
            .any(|(since, keys)| *since > version && keys.contains(&key))
    };
    let mut seen: Map<String, Value> = device
        .iter()
        .filter(|(key, _)| !hidden(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    // Below version 7 an iPad runs iOS.
    if version < 7 && seen.get("os").is_some_and(|os| os == "iPadOS") {
        seen.insert("os".to_owned(), "iOS".into());
    }
    Value::Object(seen)
}
