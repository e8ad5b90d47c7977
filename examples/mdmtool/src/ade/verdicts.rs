//! What became of each device, told alike by all commands that change devices.

use ade_client::{
    BatchReport,
    endpoint::MAX_ITEMS,
    model::{DeviceResult, Outcome, ResponseStatus},
};
use mdm_core::SerialNumber;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Done, console::Console, failure::Failure, text};

/// What a command did to devices.
pub(super) struct Verdicts {
    /// What was to become of the devices, as in "2 of 3 devices not *assigned*".
    done: &'static str,
    report: BatchReport,
}

#[derive(Serialize)]
struct Told<'a> {
    serial_number: &'a str,
    outcome: String,
}

impl Verdicts {
    /// Sends the devices in as many requests as they need, and shows how far it is. The first that fails
    /// is the last one sent; each device has its verdict all the same.
    pub(super) async fn collect(
        done: &'static str,
        devices: &[SerialNumber],
        console: &mut Console,
        send: impl AsyncFn(&[SerialNumber]) -> BatchReport,
    ) -> Self {
        let bar = console.work("devices", devices.len());
        let mut report = BatchReport::default();
        for batch in devices.chunks(MAX_ITEMS as usize) {
            if report.error.is_some() {
                let rest = batch.iter().cloned();
                let unsent = rest.map(|serial| DeviceResult::new(serial, Outcome::NotSent));
                report.devices.extend(unsent);
                continue;
            }
            let part = send(batch).await;
            report.devices.extend(part.devices);
            report.retry_after_seconds = report.retry_after_seconds.max(part.retry_after_seconds);
            report.error = part.error;
            bar.set_position(report.devices.len() as u64);
        }
        Self { done, report }
    }

    /// Tells them, after whatever else the document says, and fails if one of the devices did.
    pub(super) fn tell(self, mut document: Map<String, Value>, console: &mut Console) -> Done {
        let told: Vec<Told<'_>> = self.report.devices.iter().map(Told::of).collect();
        let all = told.len();
        let succeeded = self
            .report
            .devices
            .iter()
            .filter(|device| device.is_success());
        let missed = all - succeeded.count();
        document.insert("devices".to_owned(), json!(told));
        document.insert("succeeded".to_owned(), (all - missed).into());
        document.insert("failed".to_owned(), missed.into());
        if let Some(seconds) = self.report.retry_after_seconds {
            document.insert("retry_after_seconds".to_owned(), seconds.into());
        }
        console.answer(&Value::Object(document), || {
            let lines: Vec<String> = told.iter().map(Told::line).collect();
            lines.join("\n")
        })?;
        if let Some(error) = self.report.error {
            return Err(error.into());
        }
        failed(missed, all, self.done, self.advice())
    }

    /// What to do about the gravest of the verdicts.
    fn advice(&self) -> &'static str {
        let any = |status: &ResponseStatus| {
            let outcomes = self.report.devices.iter().map(|device| &device.outcome);
            outcomes
                .clone()
                .any(|outcome| matches!(outcome, Outcome::Answered(verdict) if verdict == status))
        };
        if any(&ResponseStatus::NotAccessible) {
            "NOT_ACCESSIBLE: not a device of this server; see in Apple's portal where it is assigned"
        } else if any(&ResponseStatus::Throttled) {
            "THROTTLED: too often; leave these devices alone as long as Apple asks, else for 24 hours"
        } else {
            "FAILED: leave these devices alone for 24 hours before the next attempt"
        }
    }
}

impl<'a> Told<'a> {
    fn of(device: &'a DeviceResult) -> Self {
        Self {
            serial_number: device.serial_number.as_str(),
            outcome: word(&device.outcome),
        }
    }

    fn line(&self) -> String {
        text::printable(&format!("{:<14} {}", self.serial_number, self.outcome))
    }
}

/// A verdict as JSON.
pub(super) fn told(device: &DeviceResult) -> Value {
    json!(Told::of(device))
}

/// Apple's verdict, or a word of ours in lower case where there is none.
pub(super) fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered(status) => status.as_str().to_owned(),
        Outcome::NotMentioned => "not_mentioned".to_owned(),
        Outcome::RequestFailed(_) => "request_failed".to_owned(),
        _ => "not_sent".to_owned(),
    }
}

/// Fails if some were not done.
pub(super) fn failed(missed: usize, all: usize, done: &str, next: &'static str) -> Done {
    if missed == 0 {
        return Ok(());
    }
    let message = format!("{missed} of {} not {done}", text::count(all, "device"));
    Err(Failure::Devices { message, next })
}
