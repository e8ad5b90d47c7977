//! From a request to its answer: the gates that all pass, then the endpoints.

use bytes::Bytes;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{
    Answer, Exchange, Fault, PlainHttp, SessionLoss, account, later, lock,
    oauth::{self, Refusal},
    outcomes, pages, profile,
    roster::{self, Roster},
    state::{State, changes_token, lasts},
    traffic::PATHS,
};
use crate::http::Delay;

const JSON: &str = "application/json;charset=UTF8";
const SESSION: &str = "X-ADM-Auth-Session";

/// A refusal: status and Apple's code.
pub(super) type Refused = (u16, &'static str);

pub(super) type Answered = Result<Reply, Refused>;

/// What a 200 carries.
pub(super) enum Reply {
    Json(Value),
    /// JSON that is written already.
    Bytes(Bytes),
    Empty,
}

pub(super) fn answer(state: &mut State, request: &Request<Bytes>) -> Answer {
    let now = state.now();
    state.tidy(now);
    state.named.clear();
    let number = state.log.traffic.total.requests + 1;
    state.faults.arrive(number, request.uri().path());
    let unreachable = |fault: &Fault| matches!(fault, Fault::Unreachable { .. });
    let answer = if state.faults.take(now, unreachable).is_some() {
        Answer::HungUp { processed: false }
    } else {
        let response = gates(state, request, now);
        spoil(state, response, now)
    };
    let exchange = Exchange {
        number,
        at: now,
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        status: match &answer {
            Answer::Answered(response) => response.status().as_u16(),
            Answer::HungUp { .. } => 0,
        },
        named: state.named.len(),
        serials: match state.config.keep_serials {
            true => std::mem::take(&mut state.named),
            false => Vec::new(),
        },
    };
    state.log.add(exchange, state.config.kept_exchanges);
    answer
}

/// What can happen to a finished answer.
fn spoil(state: &mut State, mut response: Response<Bytes>, now: DateTime<Utc>) -> Answer {
    let hangs_up = |fault: &Fault| matches!(fault, Fault::HangUp { .. });
    if state.faults.take(now, hangs_up).is_some() {
        return Answer::HungUp { processed: true };
    }
    let spoils = |fault: &Fault| matches!(fault, Fault::TruncateBody | Fault::EmptyBody);
    if response.status() == StatusCode::OK
        && !response.body().is_empty()
        && let Some((_, fault)) = state.faults.take(now, spoils)
    {
        let length = response.body().len() / 2;
        response.body_mut().truncate(match fault {
            Fault::TruncateBody => length,
            _ => 0,
        });
    }
    let slow = |fault: &Fault| matches!(fault, Fault::Slow(_));
    if let Some((_, Fault::Slow(time))) = state.faults.take(now, slow) {
        response.extensions_mut().insert(Delay(time));
    }
    Answer::Answered(response)
}

/// User agent, session, terms: in this order every request is looked at.
fn gates(state: &mut State, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes> {
    let quoted = state.config.shapes.quoted_errors;
    let refuse = |(status, code): Refused| refuse(status, code, quoted);
    match text_header(request, header::USER_AGENT.as_str()) {
        None => return refuse((400, "USER_AGENT_MISSING")),
        Some("") => return refuse((400, "USER_AGENT_INVALID")),
        Some(_) => {}
    }
    if let Some(response) = scripted(state, now) {
        return response;
    }
    while let Some((source, fault)) = state.faults.take(now, lasts) {
        state.apply(source, fault);
    }
    if let Some((source, fault)) = state.faults.take(now, changes_token) {
        state.apply(source, fault);
    }
    let path = request.uri().path();
    if path == "/session" {
        return match open_session(state, request, now) {
            Ok(token) => json_answer(&json!({ "auth_session_token": token })),
            Err((status, body)) => self::refuse(status, body, false),
        };
    }
    if path == "/deviceservicesworkers/escrowKeyUnlock" {
        return match (request.method().as_str(), lock::unlock(state, request)) {
            ("POST", answered) => answered.map_or_else(refuse, ok),
            _ => refuse((405, "invalid_method")),
        };
    }
    let session = text_header(request, SESSION);
    let loses = |fault: &Fault| matches!(fault, Fault::DropSessions(_));
    if state.sessions.check(session, now).is_ok()
        && let Some((source, fault)) = state.faults.take(now, loses)
    {
        state.apply(source, fault);
    }
    if let Err(loss) = state.sessions.enter(session, now) {
        return match loss {
            SessionLoss::Unauthorized => refuse((401, "UNAUTHORIZED")),
            SessionLoss::Forbidden => refuse((403, "FORBIDDEN")),
        };
    }
    let mut response = if let Some(source) = state.faults.lasting.terms_not_signed {
        state.faults.note(source, now);
        refuse((403, "T_C_NOT_SIGNED"))
    } else {
        endpoint(state, request, now).map_or_else(refuse, ok)
    };
    let rotated = session.and_then(|session| state.rotate_session(session, now));
    if let Some(Ok(token)) = rotated.map(|token| token.parse()) {
        response.headers_mut().insert(SESSION, token);
    }
    response
}

/// An answer from a fault.
fn scripted(state: &mut State, now: DateTime<Utc>) -> Option<Response<Bytes>> {
    if state.busy_until.is_some_and(|until| now < until) {
        state.log.traffic.premature_requests += 1;
    }
    let fits = |fault: &Fault| matches!(fault, Fault::Answer { .. } | Fault::Busy { .. });
    let (status, body, retry_after) = match state.faults.take(now, fits)?.1 {
        Fault::Answer {
            status,
            body,
            retry_after,
            ..
        } => (status, body, retry_after),
        Fault::Busy {
            status,
            wait,
            as_date,
            ..
        } => {
            // An HTTP-date has whole seconds.
            let until = later(now, wait).trunc_subsecs(0);
            state.busy_until = Some(until);
            let retry_after = match as_date {
                true => until.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
                false => wait.as_secs().to_string(),
            };
            (status, "TOO_MANY_REQUESTS".to_owned(), Some(retry_after))
        }
        _ => return None,
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(Ok(value)) = retry_after.map(|text| text.parse()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    Some(response)
}

/// `GET /session`.
fn open_session(
    state: &mut State,
    request: &Request<Bytes>,
    now: DateTime<Utc>,
) -> Result<String, Refused> {
    if request.method() != Method::GET {
        return Err((405, "invalid_method"));
    }
    let bad_request = Refusal::BadRequest.answer(&state.config.shapes);
    if text_header(request, header::CONTENT_TYPE.as_str()) != Some(JSON) {
        return Err(bad_request);
    }
    if let Some(most) = state.config.sessions_per_minute {
        let minute_ago = now - TimeDelta::minutes(1);
        state.opened.retain(|opened| *opened > minute_ago);
        if state.opened.len() as u64 >= u64::from(most) {
            return Err((429, "too_many_requests"));
        }
        state.opened.push_back(now);
    }
    let origin = origin(request);
    let seen = oauth::Request {
        method: request.method().as_str(),
        origin: &origin,
        path: request.uri().path(),
        query: request.uri().query(),
        authorization: text_header(request, header::AUTHORIZATION.as_str()),
    };
    let tolerance = state.config.timestamp_tolerance;
    oauth::verify(&seen, &state.credentials, &mut state.nonces, tolerance, now)
        .map_err(|refusal| refusal.answer(&state.config.shapes))?;
    let lifetime = state.config.session_lifetime;
    let token = state.sessions.open(&mut state.ids, lifetime, now);
    if let Some(source) = state.faults.lasting.drop_new_sessions {
        state.faults.note(source, now);
        state.sessions.drop_all(SessionLoss::Unauthorized);
    }
    Ok(token)
}

/// Scheme and host as the client sees them: from the request's own URI if that says it, as in a
/// request that never was on a wire.
fn origin(request: &Request<Bytes>) -> String {
    let uri = request.uri();
    let plain = request.extensions().get::<PlainHttp>().is_some();
    let scheme = uri
        .scheme_str()
        .unwrap_or(if plain { "http" } else { "https" });
    let host = match uri.authority() {
        Some(authority) => authority.as_str(),
        None => text_header(request, header::HOST.as_str()).unwrap_or_default(),
    };
    let port = if scheme == "http" { ":80" } else { ":443" };
    format!("{scheme}://{}", host.strip_suffix(port).unwrap_or(host))
}

fn endpoint(state: &mut State, request: &Request<Bytes>, now: DateTime<Utc>) -> Answered {
    let version = text_header(request, "X-Server-Protocol-Version")
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
        .min(10);
    let path = request.uri().path();
    let query = request.uri().query();
    match (request.method().as_str(), path) {
        ("GET", "/account") => Ok(account::account(state, version)),
        ("POST", "/server/devices") => pages::fetch(state, &body(request)?, version, now),
        ("POST", "/devices/sync") => pages::sync(state, &body(request)?, version, now),
        ("POST", "/devices") => outcomes::details(state, &body(request)?, version),
        ("POST", "/devices/disown") => outcomes::disown(state, &body(request)?, now),
        ("POST", "/device/activationlock") => lock::lock(state, &body(request)?, now),
        ("GET", "/device/replacementDetails") => account::replacement(state, query, version),
        ("GET", "/os-beta-enrollment/tokens") => account::beta_tokens(state),
        ("POST", "/profile") => outcomes::define(state, body(request)?, version, now),
        ("GET", "/profile") => profile::show(state, query),
        ("POST" | "PUT", "/profile/devices") => {
            outcomes::assign(state, &body(request)?, version, now)
        }
        ("DELETE", "/profile/devices") => outcomes::unassign(state, &body(request)?, now),
        ("POST", "/account-driven-enrollment/profile") => {
            account::set_discovery(state, &body(request)?, now)
        }
        ("GET", "/account-driven-enrollment/profile") => account::discovery(state),
        ("DELETE", "/account-driven-enrollment/profile") => account::forget_discovery(state),
        (method, path) => match Roster::of_path(path) {
            Some((roster, sync)) if method == "POST" => {
                roster::page(state, roster, sync, &body(request)?, now)
            }
            _ if PATHS.contains(&path) => Err((405, "invalid_method")),
            _ => Err((404, "NOT_FOUND")),
        },
    }
}

fn body(request: &Request<Bytes>) -> Result<Map<String, Value>, Refused> {
    serde_json::from_slice(request.body()).map_err(|_| (400, "MALFORMED_REQUEST_BODY"))
}

/// The page size; none or zero means the default, too large a one means the maximum.
pub(super) fn limit_of(
    body: &Map<String, Value>,
    default: usize,
    maximum: usize,
) -> Result<usize, Refused> {
    let maximum = maximum.max(1);
    match body.get("limit") {
        None | Some(Value::Null) => Ok(default.min(maximum)),
        Some(value) => match value.as_u64().map(usize::try_from) {
            Some(Ok(0)) => Ok(default.min(maximum)),
            Some(Ok(limit)) => Ok(limit.min(maximum)),
            _ => Err((400, "MALFORMED_REQUEST_BODY")),
        },
    }
}

/// A parameter of the query that is not empty.
pub(super) fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    query?
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty())
}

fn text_header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok().map(str::trim)
}

fn ok(reply: Reply) -> Response<Bytes> {
    match reply {
        Reply::Json(value) => json_answer(&value),
        Reply::Bytes(bytes) => json_bytes(bytes),
        Reply::Empty => Response::default(),
    }
}

fn json_answer(value: &Value) -> Response<Bytes> {
    json_bytes(Bytes::from(value.to_string()))
}

fn json_bytes(bytes: Bytes) -> Response<Bytes> {
    let mut response = Response::new(bytes);
    let json = HeaderValue::from_static(JSON);
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// Apple's errors are the bare code; its simulator quotes it.
fn refuse(status: u16, code: &'static str, quoted: bool) -> Response<Bytes> {
    let mut response = Response::new(match quoted {
        true => Bytes::from(format!("\"{code}\"")),
        false => Bytes::from_static(code.as_bytes()),
    });
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let text = HeaderValue::from_static("text/plain;charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}
