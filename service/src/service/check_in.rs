//! The check-in endpoint: what changes an enrolment.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Request, Response, StatusCode};
use mdm_pki::Certificate;
use mdm_protocol::{checkin::CheckIn, id::HasIds};

use super::{
    ATTEMPTS, Inner,
    admit::{self, Invited},
    answer::{self, Refused},
    known, renewal, reply, within_limits,
};
use crate::{
    Admission, Applicant, Denial, DenialReason, EnrollmentKind, EnrollmentStatus, Fingerprint,
    PushAddress, Reported, Stage,
    enrollment::decide::{self, Loaded, Message, Refusal, Sender, Step, TokenUpdated},
    identity::Pinning,
    store::CommitError,
};

pub(super) async fn answer(
    service: &Inner,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, Refused> {
    within_limits(request, service.limits.check_in_bytes)?;
    let now = service.clock.now();
    let certificate = service.identity.identify(request, now).await?;
    let fingerprint = Fingerprint::of(&certificate).map_err(crate::IdentityError::unusable)?;
    let body = request.body();
    let mut limits = service.limits.plist;
    limits.bytes = service.limits.check_in_bytes;
    let message = CheckIn::decode_with(body, &limits)?;
    let sender = Sender::new(message.enrollment_id()?, fingerprint, now);
    tracing::info!(
        enrollment = %sender.id,
        message_type = message.message_type(),
        "check-in"
    );

    let asked = Asked {
        certificate: &certificate,
        sender: &sender,
        message: &message,
        invitation: admit::named(request.uri()),
    };
    match change(&message, body, now) {
        Some(change) => commit(service, &asked, change).await,
        None => reply::answer(service, &asked).await,
    }
}

/// A message, and who sent it.
pub(super) struct Asked<'a> {
    pub(super) certificate: &'a Certificate,
    pub(super) sender: &'a Sender,
    pub(super) message: &'a CheckIn,
    /// The invitation that its URL names.
    pub(super) invitation: Option<&'a str>,
}

/// What the message changes, if it is one that changes the enrolment.
pub(super) fn change(message: &CheckIn, raw: &Bytes, at: DateTime<Utc>) -> Option<Message> {
    Some(match message {
        CheckIn::Authenticate(told) => {
            Message::authenticate(told.serial_number.clone(), raw.clone())
                .reporting(Reported::of_authenticate(told, at))
        }
        CheckIn::TokenUpdate(update) => {
            let push = PushAddress::new(
                update.topic.clone(),
                update.token.clone(),
                update.push_magic.clone(),
            );
            TokenUpdated::new(push)
                .with(|told| {
                    told.unlock_token = update.unlock_token.clone();
                    told.awaiting_configuration = update.awaiting_configuration;
                    told.user_short_name = update.user_short_name.clone();
                })
                .into()
        }
        CheckIn::CheckOut(_) => Message::CheckOut,
        CheckIn::SetBootstrapToken(set) => {
            Message::set_bootstrap_token(set.bootstrap_token.clone())
        }
        _ => return None,
    })
}

async fn commit(
    service: &Inner,
    asked: &Asked<'_>,
    change: Message,
) -> Result<Response<Bytes>, Refused> {
    let sender = asked.sender;
    for _ in 0..ATTEMPTS {
        let loaded = known::load(service, asked.certificate, sender).await?;
        let mut change = change.clone();
        if matches!(change, Message::Authenticate { .. })
            && renewal::is_vouched_for(service, asked, &loaded).await?
        {
            change = change.vouched_for();
        }
        let mut step = match decide::decide(&loaded, sender, change) {
            Err(Refusal::NotPinned) => {
                renewal::admit(service, asked.certificate, sender).await?;
                continue;
            }
            decided => decided?,
        };
        if step.is_empty() {
            return Ok(answer::empty(StatusCode::OK));
        }
        let applicant = applicant(asked, &loaded);
        if let Some(applicant) = &applicant
            && let Err(denial) = admitted(service, asked, applicant, &loaded, &mut step).await?
        {
            return denied(service, sender, applicant, denial).await;
        }
        match known::commit(service, &sender.id, loaded.version, step).await {
            Ok(()) => return Ok(answer::empty(StatusCode::OK)),
            Err(CommitError::Conflict) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
            Err(refused) => {
                let reason = match &refused {
                    CommitError::PoolFull { pool } => DenialReason::no_licence(pool),
                    _ => DenialReason::Invitation,
                };
                let denial = Denial::new(reason);
                return match &applicant {
                    Some(applicant) => denied(service, sender, applicant, denial).await,
                    None => Err(Refused::Denied(denial.into())),
                };
            }
        }
    }
    Err(Refused::Contention)
}

/// The device as an applicant, if it wants to be taken in: by `Authenticate`, or by a `TokenUpdate` after
/// it was disabled.
fn applicant(asked: &Asked<'_>, loaded: &Loaded) -> Option<Applicant> {
    let at = asked.sender.at;
    let known = loaded.device.as_ref();
    match asked.message {
        CheckIn::Authenticate(message) => {
            Some(Applicant::authenticating(message, asked.certificate, at))
        }
        CheckIn::TokenUpdate(update) if !asked.sender.id.channel().is_user() => known
            .filter(|known| known.status == EnrollmentStatus::Disabled)
            .map(|known| {
                Applicant::new(Stage::Returning, at).with(|applicant| {
                    applicant.serial_number.clone_from(&known.serial_number);
                    applicant.udid.clone_from(&update.udid);
                })
            }),
        _ => None,
    }
}

/// Adds what the policy grants to the step, or says why it grants nothing.
async fn admitted(
    service: &Inner,
    asked: &Asked<'_>,
    applicant: &Applicant,
    loaded: &Loaded,
    step: &mut Step,
) -> Result<Result<(), Denial>, Refused> {
    let known = loaded.device.as_ref();
    let last = known.and_then(|known| known.invitation.as_deref());
    // Who comes back without `Authenticate` comes on the terms of the profile that it has.
    let named = match asked.message {
        CheckIn::Authenticate(_) => asked.invitation,
        _ => last,
    };
    let device = &asked.sender.id;
    let invitation = match service
        .invited(named, Some(device), applicant, known)
        .await?
    {
        // Its terms are forgotten.
        Invited::No if named.is_some() && matches!(applicant.stage, Stage::Returning) => {
            return Ok(Err(Denial::new(DenialReason::Invitation)));
        }
        Invited::No => None,
        Invited::By(invitation) => Some(*invitation),
        Invited::Not => return Ok(Err(Denial::new(DenialReason::Invitation))),
    };
    let is_invited_as_before = named.is_some() && named == last;
    let mut is_anybody = false;
    if let CheckIn::Authenticate(message) = asked.message {
        let pinning = Pinning {
            certificate: asked.certificate,
            message,
            device,
            known,
            invitation: invitation.as_ref(),
            is_own: loaded.certificate_owner.as_ref() == Some(device),
            is_invited_as_before,
        };
        // Who vouched for the renewal has said that it is the device.
        let is_renewal = step
            .device
            .as_ref()
            .and_then(|device| device.decision.as_ref())
            .is_some_and(|decision| decision.kind == EnrollmentKind::IdentityRenewal);
        if !is_renewal && !service.pins.may_pin(&pinning).await? {
            let denial = Denial::new(DenialReason::Other("pinned".to_owned())).with(|denial| {
                let why = "another certificate is pinned, and nothing shows that this one is the device's";
                denial.description = Some(why.to_owned());
            });
            service
                .tell_denied(Some(device.clone()), applicant, &denial)
                .await?;
            return Err(Refusal::MayNotPin.into());
        }
        is_anybody = pinning.is_released() && !pinning.is_proven();
    }
    let applicant = applicant
        .clone()
        .with(|applicant| applicant.invitation.clone_from(&invitation))
        .knowing(known)
        .with(|applicant| {
            // Whose it was it is only if it is the same device: the owner's settings go to it.
            if is_anybody {
                applicant.owner = invitation.as_ref().and_then(|it| it.owner.clone());
            }
        });
    Ok(match service.ask(&applicant).await? {
        Admission::Admit(grant) => {
            let is_returning = matches!(applicant.stage, Stage::Returning);
            admit::grant(step, grant, invitation.as_ref().filter(|_| !is_returning));
            // Its name is what the profile goes on to say, also where the invitation itself is gone.
            if let Some(device) = step.device.as_mut().filter(|_| is_invited_as_before) {
                device.invitation = last.map(str::to_owned);
            }
            Ok(())
        }
        Admission::Refuse(denial) => Err(denial),
    })
}

async fn denied(
    service: &Inner,
    sender: &Sender,
    applicant: &Applicant,
    denial: Denial,
) -> Result<Response<Bytes>, Refused> {
    let id = Some(sender.id.clone());
    service.tell_denied(id, applicant, &denial).await?;
    Err(Refused::Denied(denial.into()))
}
