//! The session with Apple (`X-ADM-Auth-Session`), as a state machine without I/O.
//!
//! The lifetime of a session is not documented, so it is not guessed: a 401 tells.

use std::fmt;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
};
use mdm_transport::{BaseUrl, BuildError, Replay, RequestMeta};
use serde_json::Value;

use crate::{
    ApiError, Error, ServerToken,
    error::{RawBody, contains},
    oauth,
};

/// What Apple's simulator insists on, letter by letter.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=UTF8");

/// The version that unlocks every attribute known today; Apple clamps a higher one to it.
pub const PROTOCOL_VERSION: u32 = 10;

const SESSION: HeaderName = HeaderName::from_static("x-adm-auth-session");
const VERSION: HeaderName = HeaderName::from_static("x-server-protocol-version");

/// The session endpoint's constants. It is never replayed as it stands: its nonce counts once.
pub const META: RequestMeta = RequestMeta::new("session", Replay::Never, 64 * 1024);

/// The name that the software tells Apple; Apple answers none or a blocked one with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAgent(HeaderValue);

impl UserAgent {
    /// Takes a name such as `example-mdm/1.0`.
    ///
    /// # Errors
    /// [`BuildError`] if it is blank or cannot be in a header.
    pub fn new(name: &str) -> Result<Self, BuildError> {
        let value = HeaderValue::from_str(name.trim())
            .map_err(|_| BuildError::invalid("user agent", "cannot be in a header"))?;
        if value.is_empty() {
            return Err(BuildError::invalid("user agent", "must not be blank"));
        }
        Ok(Self(value))
    }
}

/// One session, shared by all requests with one server token.
///
/// ```text
/// loop {
///     while !session.authorize(&mut request, &mut exchange) {
///         answer = send(session.open(..));  session.opened(answer)?;
///     }
///     answer = send(request);
///     if session.observe(&mut exchange, &answer) != Next::Reauthenticate { break }
/// }
/// ```
#[derive(Clone)]
pub struct Session {
    token: ServerToken,
    user_agent: UserAgent,
    protocol_version: u32,
    /// Marked as sensitive.
    current: Option<HeaderValue>,
    /// Counts every change of `current`: tells whether a request used the newest token. A late
    /// answer to one that did not brings nothing new.
    serial: u64,
}

/// One request from its first sending to its end.
#[derive(Debug, Clone, Default)]
pub struct Exchange {
    serial: u64,
    replayed: bool,
}

impl Exchange {
    /// A request that was not sent yet.
    pub fn new() -> Self {
        Self::default()
    }
}

/// What to do after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// The answer is final, be it a success or an error.
    Done,
    /// The session was lost: authorize the request anew and send it once more.
    Reauthenticate,
    /// Not accepted although the session is fresh: the answer is final.
    GiveUp,
}

impl Session {
    /// A session that is not open yet.
    pub fn new(token: ServerToken, user_agent: UserAgent) -> Self {
        Self {
            token,
            user_agent,
            protocol_version: PROTOCOL_VERSION,
            current: None,
            serial: 0,
        }
    }

    /// Asks for the attributes of another protocol version than [`PROTOCOL_VERSION`].
    #[must_use]
    pub fn with_protocol_version(mut self, version: u32) -> Self {
        self.protocol_version = version;
        self
    }

    /// The server token that sessions are opened with.
    pub fn token(&self) -> &ServerToken {
        &self.token
    }

    /// Whether there is a session to send requests in.
    pub fn is_open(&self) -> bool {
        self.current.is_some()
    }

    /// `GET /session`: the request that opens a session.
    ///
    /// `nonce` must be new for each request; `timestamp` is in seconds since 1970.
    ///
    /// # Errors
    /// [`Error::Build`] if the token or the nonce cannot be in a header, [`Error::Signing`] if it
    /// cannot be signed.
    pub fn open(
        &self,
        base: &BaseUrl,
        nonce: &str,
        timestamp: i64,
    ) -> Result<Request<Bytes>, Error> {
        let uri = base.endpoint("/session", &[])?;
        let authorization =
            oauth::authorization(&Method::GET, &uri, &self.token, nonce, timestamp)?;
        let mut request = Request::get(uri)
            .body(Bytes::new())
            .map_err(BuildError::from)?;
        self.common_headers(&mut request);
        request.headers_mut().insert(AUTHORIZATION, authorization);
        Ok(request)
    }

    /// Takes the answer to [`Session::open`].
    ///
    /// # Errors
    /// [`Error::Api`] with the reason for the refusal, [`Error::Decode`] for an answer without a
    /// session token that can be in a header.
    pub fn opened(&mut self, response: Response<Bytes>) -> Result<(), Error> {
        if !response.status().is_success() {
            return Err(ApiError::new(META.name, response).into());
        }
        let unreadable = |source| Error::Decode {
            endpoint: META.name,
            body: RawBody::default(),
            source: std::sync::Arc::new(source),
        };
        let body: Value = serde_json::from_slice(response.body()).map_err(unreadable)?;
        let token = match body.get("auth_session_token").and_then(Value::as_str) {
            Some(token) if !token.is_empty() => HeaderValue::from_str(token)
                .map_err(|_| serde::de::Error::custom("the session token fits no header")),
            _ => Err(serde::de::Error::missing_field("auth_session_token")),
        };
        self.renew(token.map_err(unreadable)?);
        Ok(())
    }

    /// Puts the session and the common headers into a request; `false` if there is no session and
    /// one has to be opened first.
    #[must_use]
    pub fn authorize(&self, request: &mut Request<Bytes>, exchange: &mut Exchange) -> bool {
        let Some(token) = &self.current else {
            return false;
        };
        self.common_headers(request);
        request.headers_mut().insert(SESSION, token.clone());
        exchange.serial = self.serial;
        true
    }

    /// Looks at an answer: keeps the new session token that any of them may bring, and tells
    /// whether the request is to be sent once more.
    pub fn observe(&mut self, exchange: &mut Exchange, response: &Response<Bytes>) -> Next {
        if !is_session_lost(response) {
            self.rotate(exchange, response);
            return Next::Done;
        }
        if exchange.serial == self.serial {
            self.current = None;
        }
        if exchange.replayed {
            return Next::GiveUp;
        }
        exchange.replayed = true;
        Next::Reauthenticate
    }

    fn rotate(&mut self, exchange: &Exchange, response: &Response<Bytes>) {
        let (Some(rotated), Some(current)) = (response.headers().get(SESSION), &self.current)
        else {
            return;
        };
        if exchange.serial == self.serial && !rotated.is_empty() && rotated != current {
            self.renew(rotated.clone());
        }
    }

    fn renew(&mut self, mut token: HeaderValue) {
        token.set_sensitive(true);
        self.current = Some(token);
        self.serial += 1;
    }

    fn common_headers(&self, request: &mut Request<Bytes>) {
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, self.user_agent.0.clone());
        headers.insert(VERSION, HeaderValue::from(self.protocol_version));
        headers.insert(CONTENT_TYPE, JSON);
    }
}

/// 401, or 403 with the word `FORBIDDEN`; every other 403 has a reason that stays (Q21).
fn is_session_lost(response: &Response<Bytes>) -> bool {
    match response.status() {
        StatusCode::UNAUTHORIZED => true,
        StatusCode::FORBIDDEN => contains(response.body(), "FORBIDDEN"),
        _ => false,
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("token", &self.token)
            .field("is_open", &self.is_open())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        let token = ServerToken::new("CK_1", "CS_secret", "AT_secret", "AS_secret");
        Session::new(token, UserAgent::new("test/1").unwrap())
    }

    fn answer(status: u16, body: &'static str) -> Response<Bytes> {
        Response::builder()
            .status(status)
            .body(Bytes::from_static(body.as_bytes()))
            .unwrap()
    }

    fn rotated(token: &str) -> Response<Bytes> {
        Response::builder()
            .header("X-ADM-Auth-Session", token)
            .body(Bytes::new())
            .unwrap()
    }

    fn open(session: &mut Session, token: &str) {
        let body = format!(r#"{{"auth_session_token":"{token}"}}"#);
        session.opened(Response::new(Bytes::from(body))).unwrap();
    }

    fn used(session: &Session, exchange: &mut Exchange) -> String {
        let mut request = Request::new(Bytes::new());
        assert!(session.authorize(&mut request, exchange));
        request.headers()[SESSION].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_request_carries_session_name_version_and_content_type() {
        let mut session = session();
        let mut exchange = Exchange::new();
        let mut request = Request::new(Bytes::new());
        assert!(!session.authorize(&mut request, &mut exchange));
        open(&mut session, "s1");
        assert!(session.authorize(&mut request, &mut exchange));
        let headers = request.headers();
        assert_eq!(headers["x-adm-auth-session"], "s1");
        assert!(headers["x-adm-auth-session"].is_sensitive());
        assert_eq!(headers["user-agent"], "test/1");
        assert_eq!(headers["x-server-protocol-version"], "10");
        assert_eq!(headers["content-type"], "application/json;charset=UTF8");
    }

    #[test]
    fn any_answer_may_bring_the_next_session() {
        let mut session = session();
        open(&mut session, "s1");
        let mut exchange = Exchange::new();
        used(&session, &mut exchange);
        assert_eq!(session.observe(&mut exchange, &rotated("s2")), Next::Done);
        assert_eq!(used(&session, &mut Exchange::new()), "s2");
    }

    #[test]
    fn a_late_answer_from_before_the_last_opening_brings_nothing() {
        let mut session = session();
        open(&mut session, "s1");
        let mut late = Exchange::new();
        used(&session, &mut late);
        open(&mut session, "s2");
        session.observe(&mut late, &rotated("s1b"));
        assert_eq!(used(&session, &mut Exchange::new()), "s2");
    }

    #[test]
    fn of_two_answers_in_the_same_session_the_first_rotation_stays() {
        for late in ["s1", "s3"] {
            let mut session = session();
            open(&mut session, "s1");
            let (mut a, mut b) = (Exchange::new(), Exchange::new());
            used(&session, &mut a);
            used(&session, &mut b);
            session.observe(&mut a, &rotated("s2"));
            session.observe(&mut b, &rotated(late));
            assert_eq!(used(&session, &mut Exchange::new()), "s2");
        }
    }

    #[test]
    fn a_lost_session_is_reopened_once_and_then_given_up() {
        for lost in [answer(401, ""), answer(403, "\"FORBIDDEN\"")] {
            let mut session = session();
            open(&mut session, "s1");
            let mut exchange = Exchange::new();
            used(&session, &mut exchange);
            assert_eq!(session.observe(&mut exchange, &lost), Next::Reauthenticate);
            assert!(!session.is_open());
            open(&mut session, "s2");
            assert_eq!(used(&session, &mut exchange), "s2");
            assert_eq!(session.observe(&mut exchange, &lost), Next::GiveUp);
            assert!(!session.is_open());
        }
    }

    #[test]
    fn a_403_with_a_reason_of_its_own_is_final() {
        for body in [
            "ACCESS_DENIED",
            "T_C_NOT_SIGNED",
            "APPLE_SEED_FOR_IT_TURNED_OFF",
            "forbidden",
        ] {
            let mut session = session();
            open(&mut session, "s1");
            let mut exchange = Exchange::new();
            used(&session, &mut exchange);
            assert_eq!(
                session.observe(&mut exchange, &answer(403, body)),
                Next::Done
            );
            assert!(session.is_open());
        }
    }

    #[test]
    fn a_second_loss_of_the_same_session_does_not_close_the_new_one() {
        let mut session = session();
        open(&mut session, "s1");
        let (mut a, mut b) = (Exchange::new(), Exchange::new());
        used(&session, &mut a);
        used(&session, &mut b);
        session.observe(&mut a, &answer(401, ""));
        open(&mut session, "s2");
        assert_eq!(
            session.observe(&mut b, &answer(401, "")),
            Next::Reauthenticate
        );
        assert!(session.is_open());
        assert_eq!(used(&session, &mut b), "s2");
    }

    #[test]
    fn secrets_never_reach_debug_output() {
        let mut session = session();
        open(&mut session, "session_secret");
        let base = "https://a.example".parse().unwrap();
        let request = session.open(&base, "n", 0).unwrap();
        let mut authorized = Request::new(Bytes::new());
        assert!(session.authorize(&mut authorized, &mut Exchange::new()));
        let shown = format!("{session:?} {request:?} {authorized:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn an_answer_without_a_token_opens_nothing_and_is_not_repeated() {
        for body in [
            "",
            "{}",
            r#"{"auth_session_token":5}"#,
            r#"{"auth_session_token":""}"#,
            r#"{"auth_session_token":"s\n1"}"#,
            "[]",
            "null",
        ] {
            let mut session = session();
            let error = session.opened(answer(200, body)).unwrap_err();
            assert!(matches!(error, Error::Decode { .. }), "{body}");
            assert!(!session.is_open());
        }
    }

    #[test]
    fn a_blank_user_agent_is_refused() {
        for name in ["", "  ", "a\nb"] {
            assert!(UserAgent::new(name).is_err());
        }
    }
}
