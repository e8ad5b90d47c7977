//! What became of each device of a request, in every shape that has been seen.

use std::collections::HashMap;

use mdm_core::{SerialNumber, open_enum};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Device;
use crate::Error;

open_enum! {
    /// Apple's verdict on one device. Which of them an endpoint gives, its request tells.
    pub enum ResponseStatus {
        /// Done.
        Success = "SUCCESS",
        /// Not a device of this server.
        NotAccessible = "NOT_ACCESSIBLE",
        /// Not done; worth another try after a day.
        Failed = "FAILED",
        /// Too often; try after `retry_after_seconds` (protocol version 9).
        Throttled = "THROTTLED",
        /// The organization may not lock devices.
        OrgNotSupported = "ORG_NOT_SUPPORTED",
        /// The device cannot be locked.
        DeviceNotSupported = "DEVICE_NOT_SUPPORTED",
        /// The device is locked, be it by its user.
        DeviceAlreadyLocked = "DEVICE_ALREADY_LOCKED",
    }
}

/// What became of one device that was named in a request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeviceResult {
    /// The device.
    pub serial_number: SerialNumber,
    /// What became of it.
    pub outcome: Outcome,
}

impl DeviceResult {
    /// The result for this device.
    pub fn new(serial_number: SerialNumber, outcome: Outcome) -> Self {
        Self {
            serial_number,
            outcome,
        }
    }

    /// Whether Apple says that it is done.
    pub fn is_success(&self) -> bool {
        self.outcome.is_success()
    }
}

/// What Apple tells of one device that was asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeviceDetail {
    /// The device.
    pub serial_number: SerialNumber,
    /// Whether it was found.
    pub outcome: Outcome,
    /// What Apple knows of it; `None` where it is not a device of this server.
    pub device: Option<Device>,
}

/// Nothing is known of the device but what became of the request.
impl From<DeviceResult> for DeviceDetail {
    fn from(result: DeviceResult) -> Self {
        Self {
            serial_number: result.serial_number,
            outcome: result.outcome,
            device: None,
        }
    }
}

/// What became of a device.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Outcome {
    /// Apple's verdict.
    Answered(ResponseStatus),
    /// Apple answered the request and left this device out.
    NotMentioned,
    /// The request that named it failed; it was perhaps processed.
    RequestFailed(Error),
    /// Not sent, because a request before failed.
    NotSent,
}

impl Outcome {
    /// Whether Apple says that it is done.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Answered(ResponseStatus::Success))
    }
}

/// Reads the verdicts for the devices that were sent, in their order.
///
/// `devices` is an object of serial numbers; an array of such objects (fleet#14957), an array of
/// objects with `serial_number` and `response_status`, and objects with `response_status` in the
/// place of the text are read as well. Where there is nothing on a serial number as it was sent,
/// what is said of its upper-case form counts.
pub(crate) fn results(sent: &[SerialNumber], devices: Option<&Value>) -> Vec<DeviceResult> {
    let entries = Entries::of(devices);
    sent.iter()
        .map(|serial| DeviceResult::new(serial.clone(), outcome(entries.find(serial))))
        .collect()
}

/// Reads what is told of the devices that were asked for, in their order and in the same shapes.
pub(crate) fn details(sent: &[SerialNumber], devices: Option<&Value>) -> Vec<DeviceDetail> {
    let entries = Entries::of(devices);
    let detail = |serial: &SerialNumber| {
        let entry = entries.find(serial);
        let device = entry.and_then(|entry| Device::deserialize(entry).ok());
        let device = device.and_then(|device| known(device, serial));
        let outcome = match outcome(entry) {
            // It is told of, so it was found.
            Outcome::NotMentioned if device.is_some() => Outcome::Answered(ResponseStatus::Success),
            told => told,
        };
        DeviceDetail {
            serial_number: serial.clone(),
            outcome,
            device,
        }
    };
    sent.iter().map(detail).collect()
}

/// The device, where there is more to it than a verdict.
fn known(mut device: Device, serial: &SerialNumber) -> Option<Device> {
    device.extra.remove("response_status");
    if device == Device::default() {
        return None;
    }
    device.serial_number.get_or_insert_with(|| serial.clone());
    Some(device)
}

fn outcome(entry: Option<&Value>) -> Outcome {
    entry
        .and_then(|entry| match entry {
            Value::String(status) => Some(status.as_str()),
            other => other.get("response_status")?.as_str(),
        })
        .map_or(Outcome::NotMentioned, |status| {
            Outcome::Answered(ResponseStatus::from(status))
        })
}

/// What is said of each serial number.
struct Entries<'a>(HashMap<&'a str, &'a Value>);

impl<'a> Entries<'a> {
    fn of(devices: Option<&'a Value>) -> Self {
        let mut entries = Self(HashMap::new());
        match devices {
            Some(Value::Array(items)) => items.iter().for_each(|item| entries.add(item)),
            Some(other) => entries.add(other),
            None => {}
        }
        entries
    }

    fn add(&mut self, item: &'a Value) {
        match (item, item.get("serial_number").and_then(Value::as_str)) {
            (_, Some(serial)) => {
                self.0.insert(serial, item);
            }
            (Value::Object(map), None) => self.0.extend(by_serial(map)),
            _ => {}
        }
    }

    fn find(&self, serial: &SerialNumber) -> Option<&'a Value> {
        let serial = serial.as_str();
        self.0
            .get(serial)
            .or_else(|| self.0.get(&*serial.to_ascii_uppercase()))
            .copied()
    }
}

fn by_serial(map: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    map.iter().map(|(serial, entry)| (serial.as_str(), entry))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn serials<const N: usize>(serials: [&str; N]) -> Vec<SerialNumber> {
        serials.map(|serial| serial.parse().unwrap()).into()
    }

    #[test]
    fn every_device_sent_has_a_result_in_every_shape_of_answer() {
        let sent = serials(["A", "B", "C"]);
        for devices in [
            json!({"A": "SUCCESS", "B": "THROTTLED", "Z": "SUCCESS"}),
            json!([{"A": "SUCCESS"}, {"B": "THROTTLED"}]),
            json!([{"A": "SUCCESS", "B": "THROTTLED"}, 7]),
            json!([{"serial_number": "A", "response_status": "SUCCESS"},
                   {"serial_number": "B", "response_status": "THROTTLED"}]),
            json!({"A": {"response_status": "SUCCESS"}, "B": {"response_status": "THROTTLED"}, "C": 5}),
        ] {
            let results = results(&sent, Some(&devices));
            assert_eq!(results.len(), 3);
            assert!(results[0].is_success(), "{devices}");
            assert!(matches!(
                &results[1].outcome,
                Outcome::Answered(ResponseStatus::Throttled)
            ));
            assert!(matches!(results[2].outcome, Outcome::NotMentioned));
        }
        for devices in [None, Some(&json!("SUCCESS")), Some(&json!([[]]))] {
            let results = results(&sent, devices);
            assert!(
                results
                    .iter()
                    .all(|result| matches!(result.outcome, Outcome::NotMentioned))
            );
        }
    }

    #[test]
    fn a_verdict_in_upper_case_is_found_for_a_serial_number_in_lower_case() {
        let sent = serials(["a", "b"]);
        let devices = json!({"A": "SUCCESS", "B": "FAILED", "b": "SUCCESS"});
        let results = results(&sent, Some(&devices));
        assert!(results.iter().all(DeviceResult::is_success));
    }

    #[test]
    fn a_device_is_told_of_in_every_shape_of_answer() {
        let sent = serials(["A", "B", "C", "A"]);
        for devices in [
            json!({"A": {"serial_number": "A", "color": "SILVER", "response_status": "SUCCESS"},
                   "B": {"response_status": "NOT_ACCESSIBLE"}}),
            json!({"A": {"serial_number": "A", "color": "SILVER"}, "B": "NOT_ACCESSIBLE"}),
            json!([{"serial_number": "A", "color": "SILVER"}, {"B": "NOT_ACCESSIBLE"}]),
            json!([{"A": {"color": "SILVER"}}, {"B": {"response_status": "NOT_ACCESSIBLE"}}]),
            json!([{"serial_number": "A", "color": "SILVER"},
                   {"serial_number": "B", "response_status": "NOT_ACCESSIBLE"}]),
        ] {
            let details = details(&sent, Some(&devices));
            assert_eq!(details.len(), 4);
            for found in [&details[0], &details[3]] {
                let device = found.device.as_ref().unwrap();
                assert!(found.outcome.is_success(), "{devices}");
                assert_eq!(device.color.as_deref(), Some("SILVER"));
                assert_eq!(device.serial_number.as_ref(), Some(&sent[0]));
                assert!(device.extra.is_empty());
            }
            assert!(matches!(
                &details[1].outcome,
                Outcome::Answered(ResponseStatus::NotAccessible)
            ));
            assert!(matches!(details[2].outcome, Outcome::NotMentioned));
            assert_eq!(details[2].device, None);
        }
    }
}
