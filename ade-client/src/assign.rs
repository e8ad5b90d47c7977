//! Which devices are sent together to be given a profile, and what becomes of each. Pure.
//!
//! An attempt is written before it is sent, with a time until which the device is left alone: an answer
//! that is lost, and a crash, end with another attempt after that time.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use http::StatusCode;
use mdm_core::SerialNumber;
use mdm_transport::{TransportError, TransportErrorKind};

use crate::{
    ApiError, Error, ErrorCode, Policy,
    endpoint::{AssignProfile, Assigned},
    model::{Outcome, ProfileStatus, ResponseStatus},
    record::{Attempt, AttemptOutcome, DeviceRecord, DeviceState},
    sync::later,
};

/// The shortest time that Apple or a device is left alone, even if Apple asks for less.
pub(crate) const SHORTEST_WAIT: Duration = Duration::from_secs(60);

/// Devices that are to get one profile in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) profile_uuid: String,
    pub(crate) devices: Vec<SerialNumber>,
}

/// Collects devices by the profile that they want, until a request is full.
#[derive(Debug)]
pub(crate) struct Batches {
    size: usize,
    groups: BTreeMap<String, Vec<SerialNumber>>,
    held: usize,
}

impl Batches {
    /// How many full requests' devices are held at most.
    const MOST: usize = 8;

    pub(crate) fn new(size: usize) -> Self {
        Self {
            size: size.max(1),
            groups: BTreeMap::new(),
            held: 0,
        }
    }

    /// Takes a device, and gives a batch once one is full or too many devices are held.
    pub(crate) fn push(
        &mut self,
        profile_uuid: &str,
        serial_number: SerialNumber,
    ) -> Option<Batch> {
        if !self.groups.contains_key(profile_uuid) {
            self.groups.insert(profile_uuid.to_owned(), Vec::new());
        }
        let group = self.groups.get_mut(profile_uuid)?;
        group.push(serial_number);
        self.held += 1;
        if group.len() >= self.size {
            return self.take(profile_uuid);
        }
        if self.held >= self.size.saturating_mul(Self::MOST) {
            return self.largest();
        }
        None
    }

    /// The largest batch of what is left.
    pub(crate) fn largest(&mut self) -> Option<Batch> {
        let (profile_uuid, _) = self.groups.iter().max_by_key(|(_, group)| group.len())?;
        let profile_uuid = profile_uuid.clone();
        self.take(&profile_uuid)
    }

    fn take(&mut self, profile_uuid: &str) -> Option<Batch> {
        let (profile_uuid, devices) = self.groups.remove_entry(profile_uuid)?;
        self.held -= devices.len();
        Some(Batch {
            profile_uuid,
            devices,
        })
    }
}

/// Writes the attempt that is about to be made, if the device is still due for this profile.
pub(crate) fn attempt(
    record: &mut DeviceRecord,
    profile_uuid: &str,
    now: DateTime<Utc>,
    policy: &Policy,
) -> bool {
    let is_due = record.due.is_some_and(|due| due <= now);
    if !is_due || record.lacks() != Some(profile_uuid) {
        return false;
    }
    let mut attempt = Attempt::new(profile_uuid, now);
    attempt.until = Some(later(now, policy.wait_after_error));
    if let Some(last) = &record.attempt
        && last.profile_uuid == profile_uuid
    {
        attempt.failures = last.failures;
    }
    record.attempt = Some(attempt);
    record.due = None;
    record.settle(now);
    true
}

/// What became of a request that was sent.
#[derive(Debug, Clone)]
pub(crate) struct Verdicts {
    profile_uuid: String,
    /// When the attempts were made.
    sent: DateTime<Utc>,
    /// How long Apple asked to leave alone what it did not do.
    asked: Option<Duration>,
    /// Apple does not know the profile.
    profile_unknown: bool,
    pub(crate) devices: BTreeMap<SerialNumber, AttemptOutcome>,
}

impl Verdicts {
    /// Apple answered.
    pub(crate) fn answered(request: &AssignProfile, sent: DateTime<Utc>, answer: Assigned) -> Self {
        let outcome = |outcome| match outcome {
            Outcome::Answered(status) => AttemptOutcome::Answered(status),
            _ => AttemptOutcome::NotMentioned,
        };
        Self {
            profile_uuid: request.profile_uuid.clone(),
            sent,
            asked: answer.retry_after_seconds.map(Duration::from_secs),
            profile_unknown: false,
            devices: answer
                .devices
                .into_iter()
                .map(|result| (result.serial_number, outcome(result.outcome)))
                .collect(),
        }
    }

    /// The request failed.
    pub(crate) fn failed(
        request: &AssignProfile,
        sent: DateTime<Utc>,
        error: &Error,
        asked: Option<Duration>,
    ) -> Self {
        let outcome = match was_sent(error) {
            true => AttemptOutcome::Failed(error.to_string()),
            false => AttemptOutcome::NotSent,
        };
        Self {
            profile_uuid: request.profile_uuid.clone(),
            sent,
            asked,
            profile_unknown: error.is_profile_not_found(),
            devices: request
                .devices
                .iter()
                .map(|serial| (serial.clone(), outcome.clone()))
                .collect(),
        }
    }

    /// Not sent, for Apple has just said of another request that it does not know the profile.
    pub(crate) fn unknown(request: &AssignProfile, sent: DateTime<Utc>) -> Self {
        let not_sent = |serial: &SerialNumber| (serial.clone(), AttemptOutcome::NotSent);
        Self {
            profile_uuid: request.profile_uuid.clone(),
            sent,
            asked: None,
            profile_unknown: true,
            devices: request.devices.iter().map(not_sent).collect(),
        }
    }

    /// Writes what became of the attempt, unless another was made since; then nothing changes. It is
    /// late where somebody else may have been told of the device since.
    pub(crate) fn apply(
        &self,
        record: &mut DeviceRecord,
        is_late: bool,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> bool {
        let Some(outcome) = self.devices.get(&record.serial_number) else {
            return false;
        };
        let Some(attempt) = record.attempt.as_mut().filter(|attempt| {
            attempt.at == self.sent
                && attempt.profile_uuid == self.profile_uuid
                && attempt.outcome == AttemptOutcome::Sent
        }) else {
            return false;
        };
        attempt.failures = match outcome {
            AttemptOutcome::Answered(ResponseStatus::Success) => 0,
            AttemptOutcome::Answered(ResponseStatus::Throttled) | AttemptOutcome::NotSent => {
                attempt.failures
            }
            _ => attempt.failures.saturating_add(1),
        };
        attempt.until = self
            .wait(outcome, attempt.failures, policy)
            .map(|wait| later(now, wait.min(policy.longest_wait)));
        attempt.outcome = outcome.clone();
        // What was told later counts: a profile that was taken away meanwhile is perhaps not there any
        // more, and giving it once more does no harm.
        let is_overtaken = record
            .release
            .as_ref()
            .is_some_and(|release| release.at >= self.sent)
            || is_late;
        if *outcome == AttemptOutcome::Answered(ResponseStatus::Success) && !is_overtaken {
            self.assigned(record, now);
        }
        record.due = None;
        record.settle(now);
        true
    }

    /// How long the device is left alone.
    fn wait(&self, outcome: &AttemptOutcome, failures: u32, policy: &Policy) -> Option<Duration> {
        match outcome {
            AttemptOutcome::Answered(ResponseStatus::Success) => None,
            AttemptOutcome::Answered(ResponseStatus::Throttled) => {
                let asked = self.asked.map(|asked| asked.max(SHORTEST_WAIT));
                Some(asked.unwrap_or(policy.cool_down))
            }
            AttemptOutcome::Answered(_) | AttemptOutcome::NotMentioned => Some(policy.cool_down),
            AttemptOutcome::Failed(_) | AttemptOutcome::NotSent if self.profile_unknown => {
                Some(policy.cool_down)
            }
            AttemptOutcome::Failed(_) => {
                Some(self.asked.unwrap_or_else(|| growing(failures, policy)))
            }
            AttemptOutcome::NotSent | AttemptOutcome::Sent => {
                Some(self.asked.unwrap_or(policy.wait_after_error))
            }
        }
    }

    fn assigned(&self, record: &mut DeviceRecord, now: DateTime<Utc>) {
        record.device.profile_uuid = Some(self.profile_uuid.clone());
        record.device.profile_status = Some(ProfileStatus::Assigned);
        record.device.profile_assign_time = Some(now.into());
        record.device.profile_push_time = None;
        record.state = DeviceState::Assigned;
        record.times.assigned = Some(now);
    }
}

/// The wait after a failed request: it doubles with each failure in a row, up to
/// [`Policy::cool_down`].
fn growing(failures: u32, policy: &Policy) -> Duration {
    let factor = 1 << failures.saturating_sub(1).min(16);
    policy
        .wait_after_error
        .saturating_mul(factor)
        .min(policy.cool_down.max(policy.wait_after_error))
}

/// Whether the request may have reached Apple; without a session it was never sent.
fn was_sent(error: &Error) -> bool {
    match error {
        Error::Api(error) => error.endpoint == "profile-devices",
        Error::Transport(_) | Error::Decode { .. } => true,
        _ => false,
    }
}

/// Whether the error is about the account, or about reaching Apple at all: whatever is asked next
/// fails as well.
pub(crate) fn is_about_account(error: &Error) -> bool {
    match error {
        Error::Api(api) => {
            api.endpoint == "session"
                || error.is_busy()
                || error.is_unauthorized()
                || error.is_terms_not_signed()
                || error.is_user_agent_refused()
                || error.code() == Some(&ErrorCode::AccessDenied)
        }
        Error::Decode { endpoint, .. } => *endpoint == "session",
        _ => true,
    }
}

/// Whether Apple refuses the request for what it says, which may be one device among many.
pub(crate) fn is_about_devices(error: &Error) -> bool {
    let is_refusal = |error: &ApiError| error.status == StatusCode::BAD_REQUEST;
    error.api().is_some_and(is_refusal) && !is_about_account(error) && !error.is_profile_not_found()
}

/// Whether other requests fail as well, not only this one or its endpoint.
pub(crate) fn is_about_all(error: &Error) -> bool {
    let is_answer = |error: &TransportError| {
        matches!(
            error.kind(),
            TransportErrorKind::TooLarge | TransportErrorKind::Decode
        )
    };
    match error {
        Error::Build(_) => false,
        Error::Transport(error) => !is_answer(error),
        _ => is_about_account(error) && !error.is_access_denied(),
    }
}

#[cfg(test)]
mod tests;
