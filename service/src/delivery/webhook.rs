//! Events as JSON, posted to a URL.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use http::{Request, StatusCode, Uri, header};
use mdm_core::{Clock, Secret};
use mdm_pki::{DigestAlgorithm, hmac};
use mdm_transport::{HttpTransport, Replay, RequestMeta, retry_after};
use serde::Serialize;

use super::{Delivery, Subscriber};
use crate::{Event, EventKind, queue::Sequence};

const META: RequestMeta = RequestMeta::new("mdm.events", Replay::Idempotent, 16 * 1024);

/// Posts events to a URL, several at once, as JSON:
///
/// ```json
/// {
///   "type": "mdm.events",
///   "events": [{
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
/// (the sequences of the first and the last event), `webhook-timestamp` (seconds since 1970) and
/// `webhook-signature`, `v1,` and the base64 of HMAC-SHA-256 over `{id}.{timestamp}.{body}`. The same id
/// and events come again after an answer that got lost, so a receiver passes over sequences that it has.
///
/// | Answer | What becomes of the events |
/// |---|---|
/// | 2xx | delivered |
/// | 408, 425, 429, 502, 503, 504, or none | they wait, for as long as `Retry-After` says |
/// | other 5xx | tried again, and given up after [`EventPace::attempts`](super::EventPace::attempts) |
/// | anything else | refused: of several each is posted by itself, and dead letters are those it is |
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
        let place = |at: Option<&(Sequence, Event)>| at.map_or(0, |(at, _)| at.number());
        let id = format!("{}-{}", place(events.first()), place(events.last()));
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
            _ if status.is_server_error() => Delivery::failed(reason),
            _ => Delivery::refused(reason),
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
    sequence: u64,
    enrollment: String,
    at: String,
    #[serde(flatten)]
    kind: &'a EventKind,
}

impl<'a> One<'a> {
    fn of((sequence, event): &'a (Sequence, Event)) -> Self {
        Self {
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
