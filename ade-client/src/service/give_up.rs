//! Giving a device up: the vendor unenrols it, Apple is told, the vendor wipes it. In this order: a
//! device that is wiped first enrols again.
//!
//! How far it is, is recorded after each step. A crash between a step and its record has the step
//! done once more, and no other before it.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::SerialNumber;

use super::{AdeService, Refusal, unassign};
use crate::{
    Error,
    model::{Outcome, ResponseStatus},
    record::{
        AccountId, AttemptOutcome, DeviceRecord, GiveUp, GiveUpStep, Presence, Release,
        ReleaseAttempt,
    },
};

/// Why an action of a vendor's failed. It is logged, so it must hold no secret.
pub type ActionError = Box<dyn std::error::Error + Send + Sync>;

/// What giving a device up needs of the vendor. Either action may be asked for again after it was
/// done, as when the program stopped before that was recorded, and then has to succeed.
#[async_trait]
pub trait GiveUpActions: Send + Sync {
    /// Removes the MDM profile from the device, and returns once it is gone.
    ///
    /// # Errors
    /// Whatever keeps it from being done; it is asked for again when giving up goes on.
    async fn unenrol(&self, account: &AccountId, device: &SerialNumber) -> Result<(), ActionError>;

    /// Wipes the device.
    ///
    /// # Errors
    /// As [`GiveUpActions::unenrol`].
    async fn wipe(&self, account: &AccountId, device: &SerialNumber) -> Result<(), ActionError>;
}

/// Apple did not let the device go.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("Apple was asked to release the device: {}", told(.outcome))]
#[non_exhaustive]
pub struct NotReleased {
    /// What Apple said instead.
    pub outcome: AttemptOutcome,
}

impl AdeService {
    /// Gives a device up, from wherever it stopped before, and returns when all is done.
    ///
    /// Once begun, the device gets no profile any more. After the end it wants none, until the vendor
    /// [wants one](AdeService::want_profile) for it or it comes back to the account.
    ///
    /// # Errors
    /// As [`AdeService::begin_give_up`] and [`AdeService::give_up_release`], and [`Error::GiveUp`] for an
    /// action that failed; to go on, call this again.
    pub async fn give_up(
        &self,
        account: &AccountId,
        device: &SerialNumber,
        release: Release,
        actions: &dyn GiveUpActions,
    ) -> Result<GiveUp, Error> {
        let mut give_up = self.begin_give_up(account, device, release).await?;
        loop {
            let step = give_up.next;
            let done = match step {
                GiveUpStep::Unenrol => actions.unenrol(account, device).await,
                GiveUpStep::Wipe => actions.wipe(account, device).await,
                GiveUpStep::Release => {
                    give_up = self.give_up_release(account, device).await?;
                    continue;
                }
                GiveUpStep::Done => return Ok(give_up),
            };
            done.map_err(|source| Error::GiveUp {
                step,
                source: source.into(),
            })?;
            give_up = self.give_up_done(account, device, step).await?;
        }
    }

    /// Begins to give a device up, for vendors who do the steps as events come in: unenrol it,
    /// [`AdeService::give_up_done`], [`AdeService::give_up_release`], wipe it,
    /// [`AdeService::give_up_done`]. One that was begun in the same way stays where it is, also at its
    /// end.
    ///
    /// # Errors
    /// [`Refusal::NoDevice`]; [`Refusal::Released`]; [`Refusal::GivingUp`] if it was begun with another
    /// `release` and is not done.
    pub async fn begin_give_up(
        &self,
        account: &AccountId,
        device: &SerialNumber,
        release: Release,
    ) -> Result<GiveUp, Error> {
        let now = self.inner.clock.now();
        self.change(account, device, move |device| {
            match &device.give_up {
                Some(begun) if begun.release == release => return Ok(begun.clone()),
                Some(begun) if begun.next != GiveUpStep::Done => {
                    return Err(Refusal::GivingUp(device.serial_number.clone()));
                }
                _ if !device.is_present() => {
                    return Err(Refusal::Released(device.serial_number.clone()));
                }
                _ => {}
            }
            let give_up = GiveUp::new(release, now);
            device.give_up = Some(give_up.clone());
            Ok(give_up)
        })
        .await
    }

    /// Records that a step was done: unenrol or wipe by the vendor, release where Apple was told in
    /// another way, as in the portal.
    ///
    /// # Errors
    /// [`Refusal::NoDevice`], [`Refusal::NotGivingUp`], [`Refusal::WrongStep`].
    pub async fn give_up_done(
        &self,
        account: &AccountId,
        device: &SerialNumber,
        step: GiveUpStep,
    ) -> Result<GiveUp, Error> {
        let now = self.inner.clock.now();
        self.change(account, device, move |device| {
            expect(device, step)?;
            advance(device, now)
        })
        .await
    }

    /// Tells Apple, by unassigning or disowning as it was begun, and records that.
    ///
    /// A device that is not the account's any more counts as released: an earlier request may have
    /// been processed though its answer was lost. The details of the device are asked for then, to be
    /// sure of that.
    ///
    /// # Errors
    /// [`Refusal::NoDevice`]; [`Refusal::NotGivingUp`]; [`Refusal::WrongStep`]; [`Refusal::TooSoon`]
    /// while the device is just being given a profile; [`Error::GiveUp`] with [`NotReleased`] where
    /// Apple does not do it; and what Apple answers else, such as 403 `ACCESS_DENIED` for a server that
    /// may not disown.
    pub async fn give_up_release(
        &self,
        account: &AccountId,
        device: &SerialNumber,
    ) -> Result<GiveUp, Error> {
        let client = self.client(account).await?;
        let sent = self.inner.clock.now();
        let release = self
            .change(account, device, move |device| {
                let release = expect(device, GiveUpStep::Release)?;
                if let (Release::Unassign, Some(until)) = (release, under_way(device, sent)) {
                    return Err(Refusal::TooSoon { until });
                }
                device.release = Some(ReleaseAttempt::new(release, sent));
                Ok(release)
            })
            .await?;
        let devices = [device.clone()];
        let report = match release {
            Release::Unassign => client.remove_profile(&devices).await,
            Release::Disown => client.disown(&devices).await,
        };
        let result = report.devices.into_iter().next();
        let outcome = result.map_or(Outcome::NotMentioned, |result| result.outcome);
        let has_left = matches!(outcome, Outcome::Answered(ResponseStatus::NotAccessible))
            && self.has_left(account, device, &client).await?;

        let outcome = AttemptOutcome::from(outcome);
        let not_released = NotReleased {
            outcome: outcome.clone(),
        };
        let now = self.inner.clock.now();
        let released = self
            .change(account, device, move |device| {
                unassign::record(device, sent, &outcome, now);
                let is_done = has_left || outcome.is_success();
                if has_left || (is_done && release == Release::Disown) {
                    device.presence = Presence::Released { at: now };
                }
                match is_done {
                    true => {
                        expect(device, GiveUpStep::Release)?;
                        advance(device, now).map(Some)
                    }
                    false => Ok(None),
                }
            })
            .await?;
        match (released, report.error) {
            (Some(give_up), _) => Ok(give_up),
            (None, Some(error)) => Err(error),
            (None, None) => Err(Error::GiveUp {
                step: GiveUpStep::Release,
                source: Arc::new(not_released),
            }),
        }
    }

    /// Whether the device is not the account's: not accessible to its details either.
    async fn has_left(
        &self,
        account: &AccountId,
        device: &SerialNumber,
        client: &crate::Client,
    ) -> Result<bool, Error> {
        let report = client.details(std::slice::from_ref(device)).await;
        if let Some(error) = report.error {
            return Err(error);
        }
        let has_left = report.devices.iter().all(|detail| {
            matches!(
                detail.outcome,
                Outcome::Answered(ResponseStatus::NotAccessible)
            )
        });
        tracing::debug!(%account, serial_number = %device, has_left, "not accessible");
        Ok(has_left)
    }
}

/// How the device is given up, if this is the next step.
fn expect(device: &DeviceRecord, given: GiveUpStep) -> Result<Release, Refusal> {
    let Some(give_up) = &device.give_up else {
        return Err(Refusal::NotGivingUp(device.serial_number.clone()));
    };
    if give_up.next != given || given == GiveUpStep::Done {
        return Err(Refusal::WrongStep {
            next: give_up.next,
            given,
        });
    }
    Ok(give_up.release)
}

/// The next step is done.
fn advance(device: &mut DeviceRecord, now: DateTime<Utc>) -> Result<GiveUp, Refusal> {
    let Some(give_up) = &mut device.give_up else {
        return Err(Refusal::NotGivingUp(device.serial_number.clone()));
    };
    give_up.next = match give_up.next {
        GiveUpStep::Unenrol => GiveUpStep::Release,
        GiveUpStep::Release => GiveUpStep::Wipe,
        GiveUpStep::Wipe | GiveUpStep::Done => GiveUpStep::Done,
    };
    give_up.advanced = now;
    if give_up.next == GiveUpStep::Done {
        device.wanted_profile = None;
    }
    Ok(give_up.clone())
}

/// Until when an assignment may still be on its way, which would undo that the device is unassigned.
fn under_way(device: &DeviceRecord, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let attempt = device.attempt.as_ref()?;
    let is_sent = attempt.outcome == AttemptOutcome::Sent;
    attempt.until.filter(|until| is_sent && *until > now)
}

fn told(outcome: &AttemptOutcome) -> &str {
    match outcome {
        AttemptOutcome::Answered(status) => status.as_str(),
        _ => "no verdict on it",
    }
}
