//! The rules, message by message.

use chrono::{DateTime, Utc};
use mdm_core::{Secret, SerialNumber};
use mdm_protocol::EnrollmentId;

use super::{Cascade, Loaded, Refusal, Sender, Step, TokenUpdated, authorize, serve};
use crate::{
    Body, Event, EventKind,
    enrollment::{
        BootstrapToken, Enrollment, EnrollmentDecision, EnrollmentKind, EnrollmentReason,
        EnrollmentStatus, EscrowEntry, EscrowKind, Fingerprint, Reported,
    },
};

/// Most bytes of an unlock token or a bootstrap token: 16 KiB. A device's own are far smaller; each that it ever
/// sent is kept in escrow.
pub const TOKEN_BYTES: usize = 16 * 1024;

/// What an `Authenticate` comes with.
pub(super) struct Authenticated {
    pub(super) serial_number: Option<SerialNumber>,
    pub(super) reported: Option<Reported>,
    /// Whether it is that of a renewed identity, for all that is known before `TokenUpdate`.
    pub(super) is_renewal: bool,
    pub(super) raw: Body,
}

pub(super) fn authenticate(
    loaded: &Loaded,
    sender: &Sender,
    told: Authenticated,
) -> Result<Step, Refusal> {
    if sender.id.channel().is_user() {
        // What there is to tell of a user is in the `TokenUpdate` that follows.
        return serve(loaded, sender).map(|_| Step::new(sender.at));
    }
    if loaded
        .certificate_owner
        .as_ref()
        .is_some_and(|owner| *owner != sender.id)
    {
        return Err(Refusal::CertificateReused);
    }
    let mut step = Step::new(sender.at);
    let kind = match &loaded.device {
        None => EnrollmentKind::NewDevice,
        // The answer was lost and the device repeats itself: what was queued meanwhile stays.
        Some(known)
            if known.status == EnrollmentStatus::Authenticated
                && known.certificate == Some(sender.certificate) =>
        {
            return Ok(step);
        }
        Some(_) if told.is_renewal => EnrollmentKind::IdentityRenewal,
        Some(_) => EnrollmentKind::ReEnrollment,
    };
    let mut reasons = reasons(loaded, sender, EnrollmentReason::Authenticate);
    if kind == EnrollmentKind::IdentityRenewal {
        reasons.push(EnrollmentReason::VouchedFor);
    }
    let decision = EnrollmentDecision::new(kind, reasons);
    // Escrowed tokens outlive an `Authenticate`: a device that kept its data may still need them.
    // The first `TokenUpdate` tells whether it did.
    let mut state = Enrollment {
        certificate: Some(sender.certificate),
        serial_number: told.serial_number,
        reported: told.reported,
        decision: Some(decision.clone()),
        authenticate: Some(told.raw),
        authenticated_at: Some(sender.at),
        last_seen_at: Some(sender.at),
        ..Enrollment::new(sender.id.clone())
    };
    if let Some(known) = &loaded.device {
        state.unlock_token = known.unlock_token.clone();
        state.bootstrap_token = known.bootstrap_token.clone();
        if kind == EnrollmentKind::IdentityRenewal {
            hand_on(&mut state.bootstrap_token, known, sender.certificate);
        }
        if let Some(deposited) = &mut state.bootstrap_token {
            deposited.is_former = true;
        }
        state.serial_number = state.serial_number.or_else(|| known.serial_number.clone());
        state.reported = state.reported.or_else(|| known.reported.clone());
        state.owner.clone_from(&known.owner);
        state.licences.clone_from(&known.licences);
    }
    step.device = Some(state);
    // A renewed device keeps its queue and its users, unless its `TokenUpdate` says that it was erased.
    step.cascade = match kind {
        EnrollmentKind::IdentityRenewal => Cascade::Erasures,
        _ => Cascade::Device,
    };
    step.events = vec![event(sender, EventKind::Authenticated { decision })];
    Ok(step)
}

/// Hands the token on to the certificate that takes the place of the pinned one, if that deposited it.
pub(super) fn hand_on(
    token: &mut Option<BootstrapToken>,
    known: &Enrollment,
    certificate: Fingerprint,
) {
    if let Some(deposited) = token
        // Where nothing is pinned the enrolment was imported, and its token with it.
        && known.certificate.is_none_or(|pinned| pinned == deposited.certificate)
    {
        deposited.certificate = certificate;
    }
}

pub(super) fn token_update(
    loaded: &Loaded,
    sender: &Sender,
    update: TokenUpdated,
) -> Result<Step, Refusal> {
    let device = authorize(loaded, sender)?;
    if update.push.token.expose().is_empty() {
        return Err(Refusal::EmptyToken);
    }
    let is_user = sender.id != device.id;
    if is_user && device.status == EnrollmentStatus::Disabled {
        return Err(Refusal::CheckedOut);
    }
    let mut state = if is_user {
        loaded
            .user
            .clone()
            .unwrap_or_else(|| Enrollment::new(sender.id.clone()))
    } else {
        device.clone()
    };
    let before = state.status;
    let mut step = Step::new(sender.at);
    if !is_user {
        step.cascade = decide_on_data(&mut state, loaded, sender, update.awaiting_configuration);
    }
    match before {
        // Setup Assistant is running, so the device was erased: what was escrowed before opens
        // nothing now.
        EnrollmentStatus::Authenticated if update.awaiting_configuration == Some(true) => {
            state.unlock_token = None;
            state.bootstrap_token = state.bootstrap_token.filter(|token| !token.is_former);
        }
        // A user never authenticates: being disabled is what its tally starts anew from (Q14).
        EnrollmentStatus::Disabled if is_user => state.token_update_tally = 0,
        _ => {}
    }
    state.status = EnrollmentStatus::Enrolled;
    state.disabled_at = None;
    state.last_seen_at = Some(sender.at);
    state.push = Some(update.push);
    state.push_dead_at = None;
    state.token_update_tally = state.token_update_tally.saturating_add(1);
    // Q12: what the message leaves out, or has empty, stays as it was.
    if let Some(token) = update
        .unlock_token
        .filter(|token| !token.expose().is_empty())
    {
        bounded(&token)?;
        state.unlock_token = Some(token);
    }
    let known = if is_user {
        &loaded.user
    } else {
        &loaded.device
    };
    keep(&mut step, sender, known.as_ref(), &state);
    state.awaiting_configuration = update
        .awaiting_configuration
        .or(state.awaiting_configuration);
    let user_short_name = update.user_short_name.filter(|name| !name.is_empty());
    state.user_short_name = user_short_name.or(state.user_short_name);
    let kind = if before != EnrollmentStatus::Enrolled {
        state.enrolled_at = Some(sender.at);
        EventKind::Enrolled {
            awaiting_configuration: state.awaiting_configuration.unwrap_or(false),
            decision: state.decision.clone(),
        }
    } else {
        EventKind::TokenUpdated {
            tally: state.token_update_tally,
        }
    };
    step.wakes = true;
    step.events = vec![event(sender, kind)];
    if is_user {
        step.user = Some(state);
    } else {
        step.device = Some(state);
    }
    Ok(step)
}

/// What the first `TokenUpdate` of a device adds to the decision, or what it is by itself where the
/// device comes back without `Authenticate`. Says what goes with it.
fn decide_on_data(
    state: &mut Enrollment,
    loaded: &Loaded,
    sender: &Sender,
    awaiting_configuration: Option<bool>,
) -> Cascade {
    let data = match awaiting_configuration {
        Some(true) => EnrollmentReason::AwaitingConfiguration,
        _ => EnrollmentReason::NotAwaitingConfiguration,
    };
    match state.status {
        EnrollmentStatus::Authenticated => {
            if let Some(decision) = &mut state.decision {
                decision.reasons.push(data);
                // It was erased after all, so it is no renewal, and the queue that was spared is none of its.
                if decision.kind == EnrollmentKind::IdentityRenewal
                    && data == EnrollmentReason::AwaitingConfiguration
                {
                    decision.kind = EnrollmentKind::ReEnrollment;
                    return Cascade::Device;
                }
            }
        }
        EnrollmentStatus::Disabled => {
            let mut reasons = reasons(loaded, sender, EnrollmentReason::NoAuthenticate);
            reasons.push(data);
            let kind = EnrollmentKind::ReEnrollment;
            state.decision = Some(EnrollmentDecision::new(kind, reasons));
        }
        EnrollmentStatus::Enrolled => {}
    }
    Cascade::None
}

/// What speaks for a decision about the device: how it comes, what it was, and which certificate it has.
pub(super) fn reasons(
    loaded: &Loaded,
    sender: &Sender,
    first: EnrollmentReason,
) -> Vec<EnrollmentReason> {
    let Some(known) = &loaded.device else {
        return vec![first, EnrollmentReason::UnknownDevice];
    };
    let was = match known.status {
        EnrollmentStatus::Authenticated => EnrollmentReason::WasNotFinished,
        EnrollmentStatus::Enrolled => EnrollmentReason::WasEnrolled,
        EnrollmentStatus::Disabled => EnrollmentReason::WasDisabled,
    };
    let certificate = match known.certificate {
        Some(pinned) if pinned == sender.certificate => EnrollmentReason::PinnedCertificate,
        _ if loaded.certificate_owner.as_ref() == Some(&known.id) => {
            EnrollmentReason::FormerCertificate
        }
        None => EnrollmentReason::NothingPinned,
        Some(_) => EnrollmentReason::NewCertificate,
    };
    vec![first, was, certificate]
}

pub(super) fn check_out(loaded: &Loaded, sender: &Sender) -> Result<Step, Refusal> {
    authorize(loaded, sender)?;
    let mut step = disable(loaded, &sender.id, sender.at, EventKind::CheckedOut);
    for state in step.device.iter_mut().chain(&mut step.user) {
        state.last_seen_at = Some(sender.at);
    }
    Ok(step)
}

/// Disables the enrolment, if it is not yet: its queue goes, its places become free, and what is
/// escrowed stays.
pub(super) fn disable(
    loaded: &Loaded,
    id: &EnrollmentId,
    at: DateTime<Utc>,
    why: EventKind,
) -> Step {
    let mut step = Step::new(at);
    let is_user = id.channel().is_user();
    let known = if is_user {
        &loaded.user
    } else {
        &loaded.device
    };
    let enabled = |known: &&Enrollment| known.status != EnrollmentStatus::Disabled;
    let Some(known) = known.as_ref().filter(enabled) else {
        return step;
    };
    let state = Enrollment {
        status: EnrollmentStatus::Disabled,
        disabled_at: Some(at),
        push: None,
        push_dead_at: None,
        licences: Vec::new(),
        ..known.clone()
    };
    // Q14: a user who leaves does not unenrol the device; a device that leaves takes its users along.
    if is_user {
        step.user = Some(state);
        step.cascade = Cascade::User;
    } else {
        step.device = Some(state);
        step.cascade = Cascade::Device;
    }
    step.events = vec![Event::new(id.clone(), at, why)];
    step
}

pub(super) fn set_bootstrap_token(
    loaded: &Loaded,
    sender: &Sender,
    token: Option<Secret<Vec<u8>>>,
) -> Result<Step, Refusal> {
    let device = serve(loaded, sender)?;
    token.as_ref().map_or(Ok(()), bounded)?;
    let mut step = Step::new(sender.at);
    if device.bootstrap_token.as_ref().map(|known| &known.token) != token.as_ref() {
        step.events = vec![event(
            sender,
            EventKind::BootstrapToken {
                stored: token.is_some(),
            },
        )];
    }
    let deposited = token.map(|token| BootstrapToken::new(token, sender.certificate));
    if device.bootstrap_token != deposited {
        let state = Enrollment {
            bootstrap_token: deposited,
            last_seen_at: Some(sender.at),
            ..device.clone()
        };
        keep(&mut step, sender, Some(device), &state);
        step.device = Some(state);
    }
    Ok(step)
}

fn bounded(token: &Secret<Vec<u8>>) -> Result<(), Refusal> {
    match token.expose().len() {
        0..=TOKEN_BYTES => Ok(()),
        _ => Err(Refusal::TokenTooLarge),
    }
}

/// Has escrow keep the tokens that come, and those whose place they take or that go: the device may be restored to what
/// those opened, and a version that stored them may have kept none.
fn keep(step: &mut Step, sender: &Sender, known: Option<&Enrollment>, state: &Enrollment) {
    let kinds = [EscrowKind::UnlockToken, EscrowKind::BootstrapToken];
    let former = known.map(tokens).unwrap_or_default();
    for ((kind, former), token) in kinds.into_iter().zip(former).zip(tokens(state)) {
        if former != token {
            let entry = |token: &Secret<_>| {
                EscrowEntry::new(state.id.clone(), kind.clone(), token.clone(), sender.at)
            };
            step.escrow
                .extend(former.into_iter().chain(token).map(entry));
        }
    }
}

/// The unlock token and the bootstrap token.
fn tokens(of: &Enrollment) -> [Option<&Secret<Vec<u8>>>; 2] {
    let bootstrap = of.bootstrap_token.as_ref().map(|known| &known.token);
    [of.unlock_token.as_ref(), bootstrap]
}

fn event(sender: &Sender, kind: EventKind) -> Event {
    Event::new(sender.id.clone(), sender.at, kind)
}
