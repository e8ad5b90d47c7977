//! What became of each device of a request, in every shape that has been seen.

use std::collections::HashMap;

use mdm_core::{SerialNumber, open_enum};
use serde_json::{Map, Value};

use crate::Error;

open_enum! {
    /// Apple's verdict on one device.
    pub enum AssignStatus {
        /// Done.
        Success = "SUCCESS",
        /// Not a device of this server.
        NotAccessible = "NOT_ACCESSIBLE",
        /// Not done; worth another try after a day.
        Failed = "FAILED",
        /// Too often; try after `retry_after_seconds` (protocol version 9).
        Throttled = "THROTTLED",
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
        matches!(self.outcome, Outcome::Answered(AssignStatus::Success))
    }
}

/// What became of a device.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Outcome {
    /// Apple's verdict.
    Answered(AssignStatus),
    /// Apple answered the request and left this device out.
    NotMentioned,
    /// The request that named it failed; it was perhaps processed.
    RequestFailed(Error),
    /// Not sent, because a request before failed.
    NotSent,
}

/// Reads the verdicts for the devices that were sent, in their order.
///
/// `devices` is an object of serial numbers; an array of such objects (fleet#14957), an array of
/// objects with `serial_number` and `response_status`, and objects with `response_status` in the
/// place of the text are read as well. Where there is no verdict on a serial number as it was sent,
/// the one on its upper-case form counts.
pub(crate) fn results(sent: &[SerialNumber], devices: Option<&Value>) -> Vec<DeviceResult> {
    let mut verdicts = HashMap::new();
    match devices {
        Some(Value::Object(object)) => collect(object, &mut verdicts),
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(Value::as_object)
            .for_each(|object| collect(object, &mut verdicts)),
        _ => {}
    }
    sent.iter()
        .map(|serial| {
            let serial_number = serial.as_str();
            let verdict = verdicts
                .get(serial_number)
                .or_else(|| verdicts.get(&*serial_number.to_ascii_uppercase()));
            let outcome = match verdict {
                Some(text) => Outcome::Answered(AssignStatus::from(*text)),
                None => Outcome::NotMentioned,
            };
            DeviceResult::new(serial.clone(), outcome)
        })
        .collect()
}

fn collect<'a>(object: &'a Map<String, Value>, verdicts: &mut HashMap<&'a str, &'a str>) {
    let text = |key| object.get(key).and_then(Value::as_str);
    if let (Some(serial), Some(status)) = (text("serial_number"), text("response_status")) {
        verdicts.insert(serial, status);
        return;
    }
    for (serial, value) in object {
        let status = value
            .as_str()
            .or_else(|| value.get("response_status").and_then(Value::as_str));
        if let Some(status) = status {
            verdicts.insert(serial, status);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_device_sent_has_a_result_in_every_shape_of_answer() {
        let sent: Vec<SerialNumber> = ["A", "B", "C"].map(|s| s.parse().unwrap()).into();
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
                Outcome::Answered(AssignStatus::Throttled)
            ));
            assert!(matches!(results[2].outcome, Outcome::NotMentioned));
        }
        assert!(
            results(&sent, None)
                .iter()
                .all(|r| matches!(r.outcome, Outcome::NotMentioned))
        );
    }

    #[test]
    fn a_verdict_in_upper_case_is_found_for_a_serial_number_in_lower_case() {
        let sent: Vec<SerialNumber> = ["a", "b"].map(|s| s.parse().unwrap()).into();
        let devices = json!({"A": "SUCCESS", "B": "FAILED", "b": "SUCCESS"});
        let results = results(&sent, Some(&devices));
        assert!(results.iter().all(DeviceResult::is_success));
    }
}
