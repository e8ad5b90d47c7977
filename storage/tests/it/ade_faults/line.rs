//! The line to Apple, which takes time, and writes down what went over it.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Request, Response};
use mdm_core::{Clock, ManualClock};
use mdm_fake_apple::{
    ade::{AdeService as Apple, Answer},
    http::Delay,
};
use mdm_transport::{HttpTransport, SendLimits, TransportError, TransportErrorKind};
use mdm_transport_reqwest::ReqwestTransport;
use serde_json::Value;

use super::{stop::Stops, world::Weather};

/// How long one exchange takes at least.
const EXCHANGE: Duration = Duration::from_secs(2);

/// One request, as the client saw it end.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) at: DateTime<Utc>,
    pub(super) path: String,
    /// Whether it begins a full fetch.
    pub(super) begins: bool,
    /// The status; none where no answer came.
    pub(super) status: Option<u16>,
    pub(super) profile: Option<String>,
    pub(super) devices: Vec<String>,
}

pub(super) enum Carrier {
    Here(Apple),
    Socket(ReqwestTransport),
}

#[derive(Clone)]
pub(super) struct Line {
    pub(super) carrier: Arc<Carrier>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) stops: Stops,
    pub(super) sent: Arc<Mutex<Vec<Sent>>>,
    /// What happens at Apple meanwhile.
    pub(super) weather: Arc<Mutex<Weather>>,
    pub(super) busy: Arc<AtomicBool>,
}

#[async_trait]
impl HttpTransport for Line {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.stops.pass().await;
        let _alone = Alone::new(&self.busy);
        let mut sent = describe(&request, self.clock.now());
        self.clock.advance(EXCHANGE);
        let answer = match &*self.carrier {
            Carrier::Here(apple) => {
                let now = self.clock.now();
                self.weather.lock().unwrap().change(apple, now);
                self.answer(apple, &request)
            }
            Carrier::Socket(transport) => transport.send(request).await,
        };
        sent.status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        self.sent.lock().unwrap().push(sent);
        self.stops.pass().await;
        answer
    }
}

impl Line {
    fn answer(
        &self,
        apple: &Apple,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, TransportError> {
        let Answer::Answered(answer) = apple.answer(request) else {
            return Err(TransportErrorKind::Interrupted.into());
        };
        let deadline = SendLimits::of(request).deadline;
        let delay = answer.extensions().get::<Delay>().map(|delay| delay.0);
        let delay = delay.unwrap_or_default();
        self.clock.advance(delay.min(deadline));
        if delay > deadline {
            return Err(TransportErrorKind::Timeout.into());
        }
        Ok(answer)
    }
}

fn describe(request: &Request<Bytes>, at: DateTime<Utc>) -> Sent {
    let path = request.uri().path().to_owned();
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let devices = body["devices"].as_array();
    let devices = devices.into_iter().flatten().filter_map(text);
    Sent {
        at,
        begins: path == "/server/devices" && body["cursor"].is_null(),
        status: None,
        profile: text(&body["profile_uuid"]),
        devices: match path.as_str() {
            "/profile/devices" => devices.collect(),
            _ => Vec::new(),
        },
        path,
    }
}

/// One account has one request under way.
struct Alone<'a>(&'a AtomicBool);

impl<'a> Alone<'a> {
    fn new(busy: &'a AtomicBool) -> Self {
        assert!(
            !busy.swap(true, Ordering::SeqCst),
            "two requests at the same time"
        );
        Self(busy)
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}
