//! The check-in endpoint: messages that change nothing and are answered.

use bytes::Bytes;
use http::{Response, StatusCode};
use mdm_core::Secret;
use mdm_protocol::checkin::{
    CheckIn, GetBootstrapTokenResponse, GetTokenResponse, ReturnToServiceResponse,
    ReturnToServiceSettings, UserAuthenticateResponse,
};
use serde::Serialize;

use super::{
    Inner,
    answer::{self, Refused},
    check_in::Asked,
    known, renewal,
};
use crate::{
    Caller, DeclarativeAnswer, Enrollment, EnrollmentStatus, UserAnswer,
    enrollment::decide::{self, Refusal},
};

pub(super) async fn answer(service: &Inner, asked: &Asked<'_>) -> Result<Response<Bytes>, Refused> {
    let sender = asked.sender;
    let mut loaded = known::load(service, asked.certificate, sender).await?;
    if decide::authorize(&loaded, sender).is_err() {
        renewal::admit(service, asked.certificate, sender).await?;
        loaded = known::load(service, asked.certificate, sender).await?;
    }
    let caller = Caller {
        sender,
        device: decide::serve(&loaded, sender)?,
        user: loaded.user.as_ref(),
    };
    // A user who left begins a login with `UserAuthenticate`.
    let has_left = |user: &Enrollment| user.status == EnrollmentStatus::Disabled;
    if !matches!(asked.message, CheckIn::UserAuthenticate(_)) && caller.user.is_some_and(has_left) {
        return Err(Refusal::CheckedOut.into());
    }
    if let Some(extension) = &service.extension
        && let Some(response) = extension.answer(sender, asked.message).await
    {
        return Ok(response);
    }
    match asked.message {
        CheckIn::GetBootstrapToken(_) => bootstrap_token(decide::bootstrap_token(&loaded, sender)?),
        CheckIn::UserAuthenticate(request) => match &service.users {
            Some(policy) => user(policy.answer(&caller, request).await?),
            // Q15: this user is not managed this time.
            None => user(UserAnswer::NotManaged),
        },
        CheckIn::GetToken(request) => match &service.tokens {
            Some(source) => match source.token(&caller, request).await? {
                Some(token) => written(&GetTokenResponse::new(token)),
                // Q13: a service that nobody knows.
                None => Err(Refused::Unanswered),
            },
            None => Err(Refused::Unanswered),
        },
        CheckIn::ReturnToService(request) => match &service.return_to_service {
            Some(source) => {
                let settings = source.return_to_service(&caller, request).await?;
                written(&settings.unwrap_or_else(|| {
                    ReturnToServiceResponse::new(ReturnToServiceSettings::new(false))
                }))
            }
            None => Err(Refused::Unanswered),
        },
        CheckIn::DeclarativeManagement(request) => match &service.declarative {
            Some(source) => Ok(match source.answer(&caller, request).await? {
                DeclarativeAnswer::Json(body) => answer::json(body),
                DeclarativeAnswer::Taken => answer::empty(StatusCode::OK),
                DeclarativeAnswer::Gone => answer::empty(StatusCode::NOT_FOUND),
                DeclarativeAnswer::Stale => answer::empty(StatusCode::BAD_REQUEST),
            }),
            // Not 404, which would tell a device that a declaration is gone.
            None => Err(Refused::Unanswered),
        },
        _ => Err(Refused::Unanswered),
    }
}

fn bootstrap_token(token: Option<&Secret<Vec<u8>>>) -> Result<Response<Bytes>, Refused> {
    match token {
        Some(token) => written(&GetBootstrapTokenResponse::new(Some(token.clone()))),
        // Q11: having none is no error.
        None => Ok(answer::empty(StatusCode::OK)),
    }
}

fn user(answer: UserAnswer) -> Result<Response<Bytes>, Refused> {
    match answer {
        UserAnswer::NotManaged => Ok(answer::empty(StatusCode::GONE)),
        UserAnswer::Challenge(challenge) => written(&UserAuthenticateResponse::new(challenge)),
        UserAnswer::Accepted(None) => Ok(answer::empty(StatusCode::OK)),
        UserAnswer::Accepted(Some(token)) => {
            let mut response = UserAuthenticateResponse::default();
            response.digest_challenge = None;
            response.auth_token = Some(token);
            written(&response)
        }
    }
}

fn written(answer: &impl Serialize) -> Result<Response<Bytes>, Refused> {
    let body = mdm_plist::to_xml(answer).map_err(mdm_protocol::Error::from)?;
    Ok(answer::plist(body))
}
