//! What became of each device, told alike by all commands that change devices.

use ade_client::{
    Error,
    endpoint::MAX_ITEMS,
    model::{DeviceResult, Outcome, ResponseStatus},
};
use mdm_core::SerialNumber;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Done, console::Console, failure::Failure, text};

/// What a command did to devices.
pub(super) struct Verdicts {
    /// What was to become of the devices, as in "2 of 3 devices were not *assigned*".
    done: &'static str,
    /// One for each device, in the order given.
    devices: Vec<DeviceResult>,
    /// How long Apple asks to leave throttled devices alone.
    retry_after_seconds: Option<u64>,
    /// Why the last request failed.
    error: Option<Error>,
}

#[derive(Serialize)]
struct Told<'a> {
    serial_number: &'a str,
    outcome: String,
}

/// What one request answered.
pub(super) type Answer = Result<(Vec<DeviceResult>, Option<u64>), Error>;

impl Verdicts {
    /// Sends the devices in as many requests as they need. The first that fails is the last one sent;
    /// each device has its verdict all the same.
    pub(super) async fn collect(
        done: &'static str,
        devices: &[SerialNumber],
        console: &mut Console,
        send: impl AsyncFn(Vec<SerialNumber>) -> Answer,
    ) -> Self {
        let bar = console.work("devices", devices.len());
        let mut all = Self {
            done,
            devices: Vec::with_capacity(devices.len()),
            retry_after_seconds: None,
            error: None,
        };
        for batch in devices.chunks(MAX_ITEMS as usize) {
            let lost = match all.error {
                Some(_) => Outcome::NotSent,
                None => match send(batch.to_vec()).await {
                    Ok((devices, wait)) => {
                        all.devices.extend(devices);
                        all.retry_after_seconds = all.retry_after_seconds.max(wait);
                        bar.set_position(all.devices.len() as u64);
                        continue;
                    }
                    Err(error) => {
                        all.error = Some(error.clone());
                        Outcome::RequestFailed(error)
                    }
                },
            };
            let lost = batch
                .iter()
                .map(|s| DeviceResult::new(s.clone(), lost.clone()));
            all.devices.extend(lost);
        }
        all
    }

    /// Tells them, after whatever else the document says, and fails if one of the devices did.
    pub(super) fn tell(self, mut document: Map<String, Value>, console: &mut Console) -> Done {
        let told: Vec<Told<'_>> = self.devices.iter().map(Told::of).collect();
        let all = told.len();
        let missed = self
            .devices
            .iter()
            .filter(|device| !device.is_success())
            .count();
        document.insert("devices".to_owned(), json!(told));
        document.insert("succeeded".to_owned(), (all - missed).into());
        document.insert("failed".to_owned(), missed.into());
        if let Some(seconds) = self.retry_after_seconds {
            document.insert("retry_after_seconds".to_owned(), seconds.into());
        }
        console.answer(&Value::Object(document), || {
            let lines: Vec<String> = told.iter().map(Told::line).collect();
            lines.join("\n")
        })?;
        if let Some(error) = self.error {
            return Err(error.into());
        }
        let next = self.advice();
        failed(missed, all, self.done, next)
    }

    /// What to do about the gravest of the verdicts.
    fn advice(&self) -> &'static str {
        let any = |status: &ResponseStatus| {
            let outcomes = self.devices.iter().map(|device| &device.outcome);
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
