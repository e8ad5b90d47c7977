//! Events as JSON, posted to a URL.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use http::{Request, StatusCode, Uri, header};
use mdm_core::{Clock, Secret};
use mdm_pki::{DigestAlgorithm, digest, hmac};
use mdm_transport::{HttpTransport, Replay, RequestMeta, TransportErrorKind, retry_after};
use serde::Serialize;

use super::{Delivery, Subscriber, event_id};
use crate::{Event, EventKind, queue::Sequence};

/// What an answer says beside its status is not looked at: the bound is far above what servers say.
const META: RequestMeta = RequestMeta::new("mdm.events", Replay::Idempotent, 1024 * 1024);

/// Posts events to a URL, several at once, as JSON:
///
/// ```json
/// {
///   "type": "mdm.events",
///   "events": [{
///     "id": "17-1772366400000000",
///     "sequence": 17,
///     "enrollment": "device:00008101-001938611EE9001E",
///     "at": "2026-03-01T12:00:00.000000Z",
///     "event": "command_settled",
///     "command_uuid": "C-1",
///     "status": "Acknowledged"
///   }]
/// }
/// ```
///
/// Each request is signed as [Standard Webhooks](https://www.standardwebhooks.com) lay down: `webhook-id`
/// (made of the body), `webhook-timestamp` (seconds since 1970) and `webhook-signature`, `v1,` and the base64 of
/// HMAC-SHA-256 over `{id}.{timestamp}.{body}`. After an answer that got lost events come again, perhaps beside others: a
/// receiver passes over each `id` ([`event_id`]) that it has. It is not `sequence` that tells, since a server that is
/// restored from a backup counts on from there.
///
/// | Answer | What becomes of the events |
/// |---|---|
/// | 2xx | delivered |
/// | 400, 413, 422 | refused: of several each is posted by itself, and dead letters are those it is |
/// | 408, 425, 429, 502, 503, 504, or none | they wait, for as long as `Retry-After` says |
/// | any other, such as 401, 404, 500 or a redirection, which is not followed | tried again with back-off, and the first given up after [`EventPace::attempts`](super::EventPace::attempts) |
/// | one of more than 1 MiB | the same: its status is not known |
#[derive(Debug, Clone)]
pub struct Webhook {
    transport: Arc<dyn HttpTransport>,
    clock: Arc<dyn Clock>,
    url: Uri,
    key: Secret<Vec<u8>>,
    timeout: Duration,
}

impl Webhook {
    /// How long an answer may take unless told otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// The fewest bytes of a key.
    pub const KEY_BYTES: usize = 16;

    /// Posts to `url`, signed with `key`.
    ///
    /// # Errors
    /// [`WebhookError`] for what is no `https` URL (`http` is taken to this machine alone), and for a key of
    /// fewer than [`KEY_BYTES`](Self::KEY_BYTES).
    pub fn new(
        transport: impl HttpTransport + 'static,
        clock: impl Clock + 'static,
        url: &str,
        key: Secret<Vec<u8>>,
    ) -> Result<Self, WebhookError> {
        let url: Uri = url.parse().map_err(|_| WebhookError::Url)?;
        let is_here = matches!(url.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        match url.scheme_str() {
            Some("https") => {}
            Some("http") if is_here => {}
            _ => return Err(WebhookError::Url),
        }
        if key.expose().len() < Self::KEY_BYTES {
            return Err(WebhookError::Key);
        }
        Ok(Self {
            transport: Arc::new(transport),
            clock: Arc::new(clock),
            url,
            key,
            timeout: Self::TIMEOUT,
        })
    }

    /// Changes how long an answer may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn request(&self, events: &[(Sequence, Event)]) -> Result<Request<Bytes>, String> {
        let told = Told {
            kind: "mdm.events",
            events: events.iter().map(One::of).collect(),
        };
        let body = serde_json::to_vec(&told).map_err(|error| error.to_string())?;
        // Of the body, since the first and the last event do not say which are between them.
        let whole = digest(DigestAlgorithm::Sha256, &body).map_err(|error| error.to_string())?;
        let id = format!("msg_{}", URL_SAFE_NO_PAD.encode(whole));
        let at = self.clock.now().timestamp();
        let signed = [format!("{id}.{at}.").as_bytes(), &body].concat();
        let mac = hmac(DigestAlgorithm::Sha256, self.key.expose(), &signed)
            .map_err(|error| error.to_string())?;
        let mut request = Request::post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", at)
            .header("webhook-signature", format!("v1,{}", STANDARD.encode(mac)))
            .body(Bytes::from(body))
            .map_err(|error| error.to_string())?;
        META.attach(request.extensions_mut(), self.timeout);
        Ok(request)
    }
}

#[async_trait]
impl Subscriber for Webhook {
    async fn deliver(&self, events: &[(Sequence, Event)]) -> Delivery {
        let request = match self.request(events) {
            Ok(request) => request,
            Err(reason) => return Delivery::failed(reason),
        };
        let response = match self.transport.send(request).await {
            Ok(response) => response,
            // There was an answer: the receiver is no more away than if it had said 500.
            Err(error) if error.kind() == TransportErrorKind::TooLarge => {
                return Delivery::failed(error.to_string());
            }
            Err(error) => return Delivery::unavailable(error.to_string(), None),
        };
        let status = response.status();
        let reason = format!("HTTP status {status}");
        match status {
            _ if status.is_success() => Delivery::Taken,
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                Delivery::unavailable(reason, retry_after(response.headers(), self.clock.now()))
            }
            // What is said of these events. All else is said of the receiver, and would be of the next ones too.
            StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY => Delivery::refused(reason),
            _ => Delivery::failed(reason),
        }
    }
}

/// Why a webhook cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The URL is none, or not one of `https`.
    #[error("the webhook's URL is no https URL")]
    Url,
    /// The key is too short.
    #[error("the webhook's key has fewer than {} bytes", Webhook::KEY_BYTES)]
    Key,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    events: Vec<One<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    id: String,
    sequence: u64,
    enrollment: String,
    at: String,
    #[serde(flatten)]
    kind: &'a EventKind,
}

impl<'a> One<'a> {
    fn of((sequence, event): &'a (Sequence, Event)) -> Self {
        Self {
            id: event_id(*sequence, event),
            sequence: sequence.number(),
            enrollment: event.enrollment.to_string(),
            at: event
                .at
                .with_timezone(&Utc)
                .to_rfc3339_opts(SecondsFormat::Micros, true),
            kind: &event.kind,
        }
    }
}
