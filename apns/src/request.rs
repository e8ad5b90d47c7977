//! A push as an HTTP request, without I/O (Apple, "Sending notification requests to APNs").

use std::{convert::Infallible, fmt};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderName, HeaderValue, Method};
use mdm_core::{PushMagic, PushToken, Topic};
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};

use crate::{
    id::ApnsId,
    outcome::Outcome,
    push::{Expiration, Push},
};

/// The most bytes that the service takes as body of a push.
pub const MAX_PAYLOAD_BYTES: usize = 4096;

/// The most bytes taken as token. Apple documents no length; tokens of 32 and 40 bytes are known.
pub const MAX_TOKEN_BYTES: usize = 1024;

/// The most bytes of an answer's body that are read, unless set; a reason takes about 60.
pub const DEFAULT_BODY_LIMIT: usize = 4096;

pub(crate) const APNS_ID: HeaderName = HeaderName::from_static("apns-id");
const APNS_EXPIRATION: HeaderName = HeaderName::from_static("apns-expiration");
const APNS_PRIORITY: HeaderName = HeaderName::from_static("apns-priority");
const APNS_PUSH_TYPE: HeaderName = HeaderName::from_static("apns-push-type");
const APNS_TOPIC: HeaderName = HeaderName::from_static("apns-topic");

/// A push with everything decided that a [`Push`] leaves open: topic, id, expiry.
///
/// It can be sent over any HTTP/2 client that shows the push certificate: by [`ApiRequest`] it
/// turns into an `http::Request`, and the answer into an [`Outcome`]. The request's URI holds the
/// token and its body the magic, so the request itself must not be logged.
#[derive(Clone)]
pub struct PushRequest {
    path: String,
    body: Bytes,
    topic: HeaderValue,
    id: ApnsId,
    expiration: i64,
    priority: &'static str,
    created: DateTime<Utc>,
}

impl PushRequest {
    /// Decides what `push` leaves open.
    ///
    /// `topic` is that of the push certificate; `id` is used unless the push has one of its own.
    ///
    /// # Errors
    /// [`BuildError::Invalid`] for a token that is empty or over [`MAX_TOKEN_BYTES`], a magic that
    /// makes the body longer than [`MAX_PAYLOAD_BYTES`], a topic that cannot be a header, or an
    /// expiry outside of the calendar.
    pub fn new(
        push: &Push,
        topic: &Topic,
        id: ApnsId,
        now: DateTime<Utc>,
    ) -> Result<Self, BuildError> {
        Self::with_header(push, header(topic)?, id, now)
    }

    /// [`Self::new`] with the header that [`header`] makes of the topic.
    pub(crate) fn with_header(
        push: &Push,
        topic: HeaderValue,
        id: ApnsId,
        now: DateTime<Utc>,
    ) -> Result<Self, BuildError> {
        Ok(Self {
            path: path(&push.token)?,
            body: body(&push.magic)?,
            topic,
            id: push.id.unwrap_or(id),
            expiration: expiration(push.expiration, now)?,
            priority: push.priority.as_str(),
            created: now,
        })
    }

    /// The id that the push is sent under.
    pub fn id(&self) -> ApnsId {
        self.id
    }
}

impl ApiRequest for PushRequest {
    type Response = Outcome;
    type Error = Infallible;

    const META: RequestMeta = RequestMeta::new("push", Replay::Idempotent, DEFAULT_BODY_LIMIT);

    fn to_http(&self, base: &BaseUrl) -> Result<http::Request<Bytes>, BuildError> {
        // Each push has another id: as sensitive it stays out of HPACK's table, which it would
        // only fill (RFC 7541 §6.2.3).
        let mut id = self.id.to_header().map_err(http::Error::from)?;
        id.set_sensitive(true);
        let mut request = http::Request::new(self.body.clone());
        *request.method_mut() = Method::POST;
        *request.version_mut() = http::Version::HTTP_2;
        *request.uri_mut() = base.endpoint(&self.path, &[])?;
        let headers = request.headers_mut();
        headers.insert(APNS_TOPIC, self.topic.clone());
        headers.insert(APNS_PUSH_TYPE, HeaderValue::from_static("mdm"));
        headers.insert(APNS_PRIORITY, HeaderValue::from_static(self.priority));
        headers.insert(APNS_EXPIRATION, HeaderValue::from(self.expiration));
        headers.insert(APNS_ID, id);
        Ok(request)
    }

    fn from_http(&self, response: http::Response<Bytes>) -> Result<Outcome, Infallible> {
        let (head, body) = response.into_parts();
        Ok(Outcome::read(
            head.status,
            &head.headers,
            &body,
            self.created,
        ))
    }
}

impl fmt::Debug for PushRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushRequest")
            .field("topic", &self.topic)
            .field("id", &self.id)
            .field("expiration", &self.expiration)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

/// The header that names the topic.
pub(crate) fn header(topic: &Topic) -> Result<HeaderValue, BuildError> {
    HeaderValue::from_str(topic.as_str())
        .map_err(|_| BuildError::invalid("topic", "it cannot be a header"))
}

fn path(token: &PushToken) -> Result<String, BuildError> {
    const DEVICE: &[u8] = b"/3/device/";
    let token = token.expose();
    match token.len() {
        0 => return Err(BuildError::invalid("token", "it is empty")),
        1..=MAX_TOKEN_BYTES => {}
        _ => return Err(BuildError::invalid("token", "it is over 1024 bytes")),
    }
    let mut path = [DEVICE, &vec![0; 2 * token.len()]].concat();
    let hex = path.get_mut(DEVICE.len()..).unwrap_or_default();
    let written = hex::encode_to_slice(token, hex).ok();
    let path = written.and_then(|()| String::from_utf8(path).ok());
    path.ok_or(BuildError::invalid("token", "it has no hexadecimal"))
}

fn body(magic: &PushMagic) -> Result<Bytes, BuildError> {
    #[derive(serde::Serialize)]
    struct Payload<'a> {
        mdm: &'a str,
    }
    let payload = Payload {
        mdm: magic.expose(),
    };
    let body = serde_json::to_vec(&payload).map_err(BuildError::body)?;
    if body.len() > MAX_PAYLOAD_BYTES {
        return Err(BuildError::invalid("magic", "the body is over 4096 bytes"));
    }
    Ok(body.into())
}

/// Seconds since 1970, as `apns-expiration` wants them; 0 would mean one attempt.
fn expiration(expiration: Expiration, now: DateTime<Utc>) -> Result<i64, BuildError> {
    let seconds = match expiration {
        Expiration::Once => return Ok(0),
        Expiration::At(moment) => Some(moment.timestamp()),
        Expiration::After(lifetime) => TimeDelta::from_std(lifetime)
            .ok()
            .and_then(|lifetime| now.checked_add_signed(lifetime))
            .and_then(|end| end.timestamp().checked_add(59))
            .map(|end| end - end.rem_euclid(60)),
    };
    seconds
        .filter(|seconds| *seconds > 0)
        .ok_or(BuildError::invalid(
            "expiration",
            "it lies before 1970 or beyond the calendar",
        ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mdm_transport::{HttpTransport, transport_fn};

    use super::*;
    use crate::push::Priority;

    const ID: &str = "eb3a1f3e-10c5-4b6f-9bb0-7c6a2a2f1d4e";

    fn now() -> DateTime<Utc> {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    fn push(magic: &str) -> Push {
        Push::new(PushToken::new([0xAB, 0x01, 0xFF]), PushMagic::new(magic))
    }

    fn built(push: &Push) -> Result<PushRequest, BuildError> {
        let topic = "com.apple.mgmt.External.a1".parse().unwrap();
        PushRequest::new(push, &topic, ID.parse().unwrap(), now())
    }

    fn sent(push: &Push) -> Result<http::Request<Bytes>, BuildError> {
        built(push)?.to_http(&"https://api.push.apple.com".parse().unwrap())
    }

    #[test]
    fn the_request_has_exactly_the_documented_headers() {
        let request = sent(&push("MAGIC")).unwrap();
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri(), "https://api.push.apple.com/3/device/ab01ff");
        let headers: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let expected = [
            ("apns-topic", "com.apple.mgmt.External.a1"),
            ("apns-push-type", "mdm"),
            ("apns-priority", "10"),
            ("apns-expiration", "1767927900"), // 2026-01-09T03:05:00Z
            ("apns-id", ID),
        ];
        assert_eq!(headers, expected);
        assert_eq!(request.body(), r#"{"mdm":"MAGIC"}"#);
        assert!(request.headers()["apns-id"].is_sensitive());
        assert!(!request.headers()["apns-topic"].is_sensitive());
    }

    #[test]
    fn the_magic_is_escaped_as_json_and_nothing_else_joins_it() {
        let request = sent(&push("a\"b\\c\u{1}\u{e9}")).unwrap();
        assert_eq!(request.body(), "{\"mdm\":\"a\\\"b\\\\c\\u0001\u{e9}\"}");
    }

    #[test]
    fn expiry_and_priority_and_id_can_be_chosen() {
        let push = push("M")
            .expiration(Expiration::Once)
            .priority(Priority::Considerate)
            .id("00000000-0000-4000-8000-00000000000A".parse().unwrap());
        let request = sent(&push).unwrap();
        assert_eq!(request.headers()["apns-expiration"], "0");
        assert_eq!(request.headers()["apns-priority"], "5");
        assert_eq!(
            request.headers()["apns-id"],
            "00000000-0000-4000-8000-00000000000a"
        );
        let at = push.expiration(Expiration::At("2027-01-15T08:00:00.9Z".parse().unwrap()));
        assert_eq!(
            sent(&at).unwrap().headers()["apns-expiration"],
            "1800000000"
        );
    }

    #[test]
    fn what_the_service_would_refuse_is_refused_here() {
        let field = |push: &Push| match sent(push) {
            Err(BuildError::Invalid { field, .. }) => field,
            other => panic!("{:?}", other.map(drop)),
        };
        let with_token = |length| Push::new(PushToken::new(vec![7; length]), PushMagic::new("M"));
        assert_eq!(field(&with_token(0)), "token");
        assert_eq!(field(&with_token(MAX_TOKEN_BYTES + 1)), "token");
        assert!(sent(&with_token(MAX_TOKEN_BYTES)).is_ok());

        let frame = r#"{"mdm":""}"#.len();
        assert!(sent(&push(&"x".repeat(MAX_PAYLOAD_BYTES - frame))).is_ok());
        assert_eq!(
            field(&push(&"x".repeat(MAX_PAYLOAD_BYTES - frame + 1))),
            "magic"
        );

        for never in [
            Expiration::After(Duration::MAX),
            Expiration::At(DateTime::UNIX_EPOCH),
            Expiration::At(DateTime::<Utc>::MIN_UTC),
        ] {
            assert_eq!(field(&push("M").expiration(never)), "expiration");
        }
    }

    #[tokio::test]
    async fn a_push_travels_over_any_transport() {
        let gone = transport_fn(|request: http::Request<Bytes>| async move {
            assert_eq!(request.uri().path(), "/3/device/ab01ff");
            let answer = http::Response::builder().status(410);
            Ok(answer
                .body(Bytes::from_static(br#"{"reason":"ExpiredToken"}"#))
                .unwrap())
        });
        let push = built(&push("M")).unwrap();
        let relay = "https://relay.example.com/".parse().unwrap();
        let answer = gone.send(push.to_http(&relay).unwrap()).await.unwrap();
        let Ok(outcome) = push.from_http(answer);
        assert!(outcome.retires(now()), "{outcome:?}");
    }

    #[test]
    fn debug_output_shows_neither_token_nor_magic() {
        let push = push("hunter2");
        let shown = format!("{push:?} {:?}", built(&push).unwrap());
        assert!(
            !shown.contains("hunter2") && !shown.contains("ab01ff"),
            "{shown}"
        );
        assert!(shown.contains(ID), "{shown}");
    }
}
