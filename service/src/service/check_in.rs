//! The check-in endpoint.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use mdm_pki::Certificate;
use mdm_protocol::{
    checkin::{CheckIn, GetBootstrapTokenResponse},
    id::HasIds,
};

use super::{
    ATTEMPTS, Inner, admit,
    answer::{self, Refused},
    renewal,
};
use crate::{
    Fingerprint, PushAddress,
    enrollment::decide::{self, Message, Refusal, Sender, TokenUpdated},
    store::CommitError,
};

pub(super) async fn answer(
    service: &Inner,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, Refused> {
    admit(request, service.limits.check_in_bytes)?;
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

    match change(&message, body) {
        Some(change) => commit(service, &certificate, &sender, &message, change).await,
        None => answer_only(service, &certificate, &sender, &message).await,
    }
}

/// What the message changes, if it is one that changes the enrolment.
fn change(message: &CheckIn, raw: &Bytes) -> Option<Message> {
    Some(match message {
        CheckIn::Authenticate(authenticate) => {
            Message::authenticate(authenticate.serial_number.clone(), raw.clone())
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
    certificate: &Certificate,
    sender: &Sender,
    message: &CheckIn,
    change: Message,
) -> Result<Response<Bytes>, Refused> {
    for _ in 0..ATTEMPTS {
        let loaded = service.store.load(&sender.id, &sender.certificate).await?;
        let step = match decide::decide(&loaded, sender, change.clone()) {
            Err(Refusal::NotPinned) => {
                renewal::admit(service, certificate, sender).await?;
                continue;
            }
            decided => decided?,
        };
        if let CheckIn::Authenticate(authenticate) = message {
            let known = loaded.device.as_ref();
            let identity = &service.identity;
            if !identity.may_pin(certificate, authenticate, known).await {
                return Err(Refusal::MayNotPin.into());
            }
        }
        if step.is_empty() {
            return Ok(answer::empty(StatusCode::OK));
        }
        match service.store.commit(&sender.id, loaded.version, step).await {
            Ok(()) => return Ok(answer::empty(StatusCode::OK)),
            Err(CommitError::Conflict) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(Refused::Contention)
}

/// Answers a message that changes nothing.
async fn answer_only(
    service: &Inner,
    certificate: &Certificate,
    sender: &Sender,
    message: &CheckIn,
) -> Result<Response<Bytes>, Refused> {
    let mut loaded = service.store.load(&sender.id, &sender.certificate).await?;
    if decide::authorize(&loaded, sender).is_err() {
        renewal::admit(service, certificate, sender).await?;
        loaded = service.store.load(&sender.id, &sender.certificate).await?;
    }
    let bootstrap_token = decide::bootstrap_token(&loaded, sender)?;
    if let Some(extension) = &service.extension
        && let Some(response) = extension.answer(sender, message).await
    {
        return Ok(response);
    }
    match message {
        CheckIn::GetBootstrapToken(_) => match bootstrap_token {
            Some(token) => {
                let token = GetBootstrapTokenResponse::new(Some(token.clone()));
                let body = mdm_plist::to_xml(&token).map_err(mdm_protocol::Error::from)?;
                Ok(answer::plist(body))
            }
            // Q11: having none is no error.
            None => Ok(answer::empty(StatusCode::OK)),
        },
        // Q15: this user is not managed this time.
        CheckIn::UserAuthenticate(_) => Ok(answer::empty(StatusCode::GONE)),
        // Not 404, which would tell a device that a declaration is gone.
        _ => Err(Refused::Unanswered),
    }
}
