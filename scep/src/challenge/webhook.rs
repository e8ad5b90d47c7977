//! Somebody else decides: a POST of JSON for each request, and an answer that allows or denies.
//!
//! The question:
//!
//! ```json
//! {
//!   "type": "scep.enrolment",
//!   "request_id": "3f0c…",
//!   "transaction_id": "AB12…",
//!   "challenge": "the challengePassword, or null",
//!   "subject": "CN=device 7",
//!   "csr": "MIIC… (base64 of the DER)",
//!   "at": "2026-03-01T12:00:00Z"
//! }
//! ```
//!
//! The answer has status 200 and says `{"decision": "allow", "label": "Ada's Mac"}` or
//! `{"decision": "deny", "reason": "not this week"}`; label and reason may be left out, other keys are passed over. The
//! label names the enrolment in events; the reason is for events alone. Anything else, and no answer in time, is no
//! decision: the client is asked to come again, and gets no certificate.
//!
//! The question is authenticated by a [`WebhookKey`]: as `Authorization: Bearer …`, or by the headers of
//! [Standard Webhooks](https://www.standardwebhooks.com): `webhook-id` (the request's name), `webhook-timestamp` (seconds
//! since 1970) and `webhook-signature`, `v1,` and the base64 of HMAC-SHA-256 over `{id}.{timestamp}.{body}`. The
//! answer is authenticated by TLS. A request that has its certificate is not asked about again: for a day
//! it gets the same one. One that was allowed and not served is asked about again.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::SecondsFormat;
use futures_util::future::{Either, select};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use mdm_core::{Clock, Secret};
use mdm_pki::{DigestAlgorithm, hmac};
use mdm_transport::{HttpTransport, Replay, RequestMeta};
use serde::{Deserialize, Serialize};

use super::{ChallengeRefusal, ChallengeVerifier, Verdict, permit::Permits};
use crate::{
    authorize::EnrolmentRequest,
    error::Error,
    store::{ChallengeId, Store, StoreError},
};

/// The largest answer read, in bytes.
pub const MAX_ANSWER: usize = 16 * 1024;
/// The longest label or reason taken, in bytes; what is longer is no answer.
pub const MAX_TEXT: usize = 512;

/// What proves to the other side who asks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum WebhookKey {
    /// A token in the header `Authorization`.
    Bearer(Secret<String>),
    /// A key that signs each question.
    Hmac(Secret<Vec<u8>>),
}

/// Asks somebody else, over HTTP.
#[derive(Debug, Clone)]
pub struct Webhook {
    transport: Arc<dyn HttpTransport>,
    url: Uri,
    key: WebhookKey,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    permits: Permits,
}

impl Webhook {
    /// How long an answer may take unless told otherwise. The device waits meanwhile.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// Asks at this URL. `store` has to be the store of the authority too.
    ///
    /// # Errors
    /// [`Error::Url`] for what is no absolute `https` URL; `http` is taken to this machine alone (`localhost`,
    /// `127.0.0.1`, `[::1]`), since the challenge travels in the question. [`Error::Configuration`] for a token that is
    /// no header's value and for an empty key.
    pub fn new(
        transport: Arc<dyn HttpTransport>,
        url: &str,
        key: WebhookKey,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let url: Uri = url.parse().map_err(|_| Error::Url("it is no URL"))?;
        let here = matches!(url.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        match url.scheme_str() {
            Some("https") => {}
            Some("http") if here => {}
            _ => return Err(Error::Url("it is not https")),
        }
        let usable = match &key {
            WebhookKey::Bearer(token) => !token.expose().is_empty() && bearer(token).is_ok(),
            WebhookKey::Hmac(key) => !key.expose().is_empty(),
        };
        if !usable {
            return Err(Error::Configuration("the webhook's key cannot be used"));
        }
        Ok(Self {
            transport,
            url,
            key,
            clock,
            timeout: Self::TIMEOUT,
            permits: Permits::new(store),
        })
    }

    /// Changes how long an answer may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Changes how long the very same request gets the same certificate.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.permits = self.permits.lifetime(lifetime);
        self
    }

    fn question(&self, request: &EnrolmentRequest) -> Result<Request<Bytes>, StoreError> {
        let id = hex::encode(request.id().as_bytes());
        let body = serde_json::to_vec(&Question {
            kind: "scep.enrolment",
            request_id: &id,
            transaction_id: request.transaction_id().as_str(),
            challenge: request.challenge(),
            subject: request.csr().subject().to_string(),
            csr: STANDARD.encode(request.csr().to_der()),
            at: request.now().to_rfc3339_opts(SecondsFormat::Secs, true),
        })
        .map_err(StoreError::unavailable)?;
        let mut question = Request::post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json");
        question = match &self.key {
            WebhookKey::Bearer(token) => {
                let token = bearer(token).map_err(StoreError::unavailable)?;
                question.header(header::AUTHORIZATION, token)
            }
            WebhookKey::Hmac(key) => {
                let at = request.now().timestamp();
                let signed = [format!("{id}.{at}.").as_bytes(), &body].concat();
                let mac = hmac(DigestAlgorithm::Sha256, key.expose(), &signed)?;
                question
                    .header("webhook-id", &id)
                    .header("webhook-timestamp", at)
                    .header("webhook-signature", format!("v1,{}", STANDARD.encode(mac)))
            }
        };
        let mut question = question
            .body(body.into())
            .map_err(StoreError::unavailable)?;
        META.attach(question.extensions_mut(), self.timeout);
        Ok(question)
    }

    async fn ask(&self, request: &EnrolmentRequest) -> Result<Answer, StoreError> {
        let question = self.question(request)?;
        let sent = self.transport.send(question);
        let response = match select(sent, self.clock.sleep(self.timeout)).await {
            Either::Left((response, _)) => response.map_err(StoreError::unavailable)?,
            Either::Right(_) => {
                return Err(StoreError::unavailable(
                    "the webhook took too long to answer",
                ));
            }
        };
        if response.status() != StatusCode::OK {
            let status = response.status();
            return Err(StoreError::unavailable(format!(
                "the webhook answered with HTTP status {status}"
            )));
        }
        if response.body().len() > MAX_ANSWER {
            return Err(StoreError::unavailable("the webhook's answer is too large"));
        }
        let answer: Answer =
            serde_json::from_slice(response.body()).map_err(StoreError::unavailable)?;
        let text = match &answer {
            Answer::Allow { label } => label,
            Answer::Deny { reason } => reason,
        };
        let fits = |text: &String| text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
        match text.as_ref().is_none_or(fits) {
            true => Ok(answer),
            false => Err(StoreError::unavailable("the webhook's words are no words")),
        }
    }
}

#[async_trait]
impl ChallengeVerifier for Webhook {
    async fn verify(&self, request: &EnrolmentRequest) -> Result<Verdict, StoreError> {
        if let Some(verdict) = self.permits.spent(request).await? {
            return Ok(verdict);
        }
        let label = format!("webhook, {}", request.transaction_id());
        match self.ask(request).await? {
            Answer::Allow { label: given } => {
                self.permits.grant(request, given.unwrap_or(label)).await
            }
            Answer::Deny { reason } => Ok(Verdict::Refused(ChallengeRefusal::Denied {
                label,
                reason: reason.unwrap_or_else(|| "no reason given".to_owned()),
            })),
        }
    }

    fn turn(&self, request: &EnrolmentRequest) -> Result<Option<ChallengeId>, StoreError> {
        Permits::id(request).map(Some)
    }
}

#[derive(Serialize)]
struct Question<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    request_id: &'a str,
    transaction_id: &'a str,
    challenge: Option<&'a Secret<String>>,
    subject: String,
    csr: String,
    at: String,
}

#[derive(Deserialize)]
#[serde(tag = "decision", rename_all = "lowercase")]
enum Answer {
    Allow { label: Option<String> },
    Deny { reason: Option<String> },
}

fn bearer(token: &Secret<String>) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Asked twice, it decides the same or has changed its mind, which is its right.
const META: RequestMeta = RequestMeta::new("webhook", Replay::Idempotent, MAX_ANSWER);
