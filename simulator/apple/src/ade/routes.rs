//! From a request to its answer: the gates that all pass, then the endpoints.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Method, Request, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{
    Exchange, SessionLoss,
    cursor::Place,
    oauth::{self, Refusal},
    profile, random_hex,
    state::State,
    timestamp,
};
use crate::http::HangUp;

const JSON: &str = "application/json;charset=UTF8";
const SESSION: &str = "X-ADM-Auth-Session";

/// The most serial numbers in one request.
const MAX_DEVICES: usize = 1000;

/// The page size where a request names none.
const DEFAULT_PAGE: usize = 100;

/// A refusal: status and Apple's code.
type Refused = (u16, &'static str);

type Answered = Result<Value, Refused>;

pub(super) fn answer(state: &mut State, request: &Request<Bytes>) -> Response<Bytes> {
    let mut response = gates(state, request, Utc::now());
    let mut status = response.status().as_u16();
    if state.faults.hang_up > 0 {
        state.faults.hang_up -= 1;
        response.extensions_mut().insert(HangUp);
        status = 0;
    }
    state.exchanges.push(Exchange {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        status,
    });
    response
}

/// User agent, session, terms: in this order every request is looked at.
fn gates(state: &mut State, request: &Request<Bytes>, now: DateTime<Utc>) -> Response<Bytes> {
    match text_header(request, header::USER_AGENT.as_str()) {
        None => return refuse(400, "USER_AGENT_MISSING"),
        Some("") => return refuse(400, "USER_AGENT_INVALID"),
        Some(_) => {}
    }
    if let Some(response) = scripted(state) {
        return response;
    }
    if request.uri().path() == "/session" {
        return open_session(state, request, now);
    }
    let session = text_header(request, SESSION);
    if let Err(loss) = state.sessions.check(session, now) {
        return match loss {
            SessionLoss::Unauthorized => refuse(401, "UNAUTHORIZED"),
            SessionLoss::Forbidden => refuse(403, "FORBIDDEN"),
        };
    }
    let mut response = if state.faults.terms_not_signed {
        refuse(403, "T_C_NOT_SIGNED")
    } else {
        match endpoint(state, request, now) {
            Ok(value) => json_answer(&value),
            Err((status, code)) => refuse(status, code),
        }
    };
    let rotated = session.and_then(|session| {
        let config = &state.config;
        state.sessions.rotate(
            session,
            config.rotate_session_every,
            config.session_lifetime,
            now,
        )
    });
    if let Some(Ok(token)) = rotated.map(|token| token.parse()) {
        response.headers_mut().insert(SESSION, token);
    }
    response
}

fn scripted(state: &mut State) -> Option<Response<Bytes>> {
    let answer = state
        .faults
        .answer
        .as_mut()
        .filter(|answer| answer.times > 0)?;
    answer.times -= 1;
    let mut response = Response::new(Bytes::from(answer.body.clone()));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(Ok(value)) = answer.retry_after.as_ref().map(|text| text.parse()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    Some(response)
}

fn open_session(
    state: &mut State,
    request: &Request<Bytes>,
    now: DateTime<Utc>,
) -> Response<Bytes> {
    if request.method() != Method::GET {
        return refuse(405, "invalid_method");
    }
    if text_header(request, header::CONTENT_TYPE.as_str()) != Some(JSON) {
        return refuse_oauth(&Refusal::BadRequest);
    }
    let host = text_header(request, header::HOST.as_str()).unwrap_or_default();
    let origin = format!("https://{}", host.strip_suffix(":443").unwrap_or(host));
    let seen = oauth::Request {
        method: request.method().as_str(),
        origin: &origin,
        path: request.uri().path(),
        query: request.uri().query(),
        authorization: text_header(request, header::AUTHORIZATION.as_str()),
    };
    let tolerance = state.config.timestamp_tolerance;
    if let Err(refusal) =
        oauth::verify(&seen, &state.credentials, &mut state.nonces, tolerance, now)
    {
        return refuse_oauth(&refusal);
    }
    match state.sessions.open(state.config.session_lifetime, now) {
        Ok(token) => {
            if state.faults.drop_new_sessions {
                state.sessions.drop_all(SessionLoss::Unauthorized);
            }
            json_answer(&json!({ "auth_session_token": token }))
        }
        Err(_) => refuse(500, "INTERNAL_SERVER_ERROR"),
    }
}

fn endpoint(state: &mut State, request: &Request<Bytes>, now: DateTime<Utc>) -> Answered {
    let version = text_header(request, "X-Server-Protocol-Version")
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
        .min(10);
    let method = request.method().as_str();
    match (method, request.uri().path()) {
        ("GET", "/account") => Ok(account(state, version)),
        ("POST", "/server/devices") => fetch(state, &body(request)?, version, now),
        ("POST", "/devices/sync") => sync(state, &body(request)?, version, now),
        ("POST", "/devices") => details(state, &body(request)?, version),
        ("POST", "/profile") => define(state, body(request)?, version, now),
        ("GET", "/profile") => show(state, request.uri().query()),
        ("POST" | "PUT", "/profile/devices") => assign(state, &body(request)?, version, now),
        ("DELETE", "/profile/devices") => unassign(state, &body(request)?, now),
        (
            _,
            "/account" | "/server/devices" | "/devices/sync" | "/devices" | "/profile"
            | "/profile/devices",
        ) => Err((405, "invalid_method")),
        _ => Err((404, "NOT_FOUND")),
    }
}

fn account(state: &State, version: u32) -> Value {
    let mut account = json!({
        "server_name": state.config.server_name,
        "server_uuid": state.server_uuid,
        "admin_id": "admin@example.com",
        "facilitator_id": "admin@example.com",
        "org_name": state.config.org_name,
        "org_email": "mdm@example.com",
        "org_phone": "+1 555 0100",
        "org_address": "1 Infinite Loop",
    });
    if version >= 3 {
        let maximum = state.config.page_maximum;
        let paged = json!({"default": maximum, "maximum": maximum});
        account["org_id"] = "1234567".into();
        account["org_id_hash"] = hex::encode([0xa5; 32]).into();
        account["org_type"] = "org".into();
        account["org_version"] = "v2".into();
        account["urls"] = json!([
            {"uri": "/account", "http_method": ["GET"]},
            {"uri": "/devices", "http_method": ["POST"]},
            {"uri": "/devices/sync", "http_method": ["POST"], "limit": paged},
            {"uri": "/profile", "http_method": ["GET", "POST"]},
            {"uri": "/profile/devices", "http_method": ["DELETE", "POST", "PUT"]},
            {"uri": "/server/devices", "http_method": ["POST"], "limit": paged},
        ]);
    }
    account
}

fn fetch(
    state: &mut State,
    body: &Map<String, Value>,
    version: u32,
    now: DateTime<Utc>,
) -> Answered {
    let limit = limit(state, body)?;
    let (serials, given, since) = match cursor(state, body, now)? {
        None => (state.devices.serials().into(), 0, state.devices.log_len()),
        Some(Place::Fetching {
            serials,
            given,
            since,
        }) => (serials, given, since),
        Some(Place::Syncing { .. }) => return Err((400, "EXHAUSTED_CURSOR")),
    };
    let end = serials.len().min(given.saturating_add(limit));
    let devices: Vec<Value> = serials
        .get(given..end)
        .unwrap_or_default()
        .iter()
        .filter_map(|serial| state.devices.seen(serial, version))
        .collect();
    let more = end < serials.len();
    let place = if more {
        Place::Fetching {
            serials,
            given: end,
            since,
        }
    } else {
        Place::Syncing { since }
    };
    Ok(page(state, devices, place, more, now))
}

fn sync(
    state: &mut State,
    body: &Map<String, Value>,
    version: u32,
    now: DateTime<Utc>,
) -> Answered {
    let limit = limit(state, body)?;
    let since = match cursor(state, body, now)? {
        None => return Err((400, "CURSOR_REQUIRED")),
        Some(Place::Fetching { since, .. } | Place::Syncing { since }) => since,
    };
    let devices = state.devices.changes(since, limit, version);
    let since = since + devices.len();
    let more = since < state.devices.log_len();
    Ok(page(state, devices, Place::Syncing { since }, more, now))
}

fn page(
    state: &mut State,
    devices: Vec<Value>,
    place: Place,
    more: bool,
    now: DateTime<Utc>,
) -> Value {
    json!({
        "devices": devices,
        "cursor": state.cursors.make(place, now),
        "fetched_until": timestamp(now),
        "more_to_follow": more,
    })
}

fn details(state: &State, body: &Map<String, Value>, version: u32) -> Answered {
    let mut devices = Map::new();
    for serial in serials(body)? {
        let entry = match state.devices.seen(&serial, version) {
            Some(mut device) => {
                device["response_status"] = "SUCCESS".into();
                device
            }
            None => json!({"response_status": "NOT_ACCESSIBLE"}),
        };
        devices.insert(serial, entry);
    }
    Ok(json!({ "devices": devices }))
}

fn define(
    state: &mut State,
    mut body: Map<String, Value>,
    version: u32,
    now: DateTime<Utc>,
) -> Answered {
    profile::check(&body).map_err(|code| (400, code))?;
    let uuid = random_hex::<16>().map_err(|_| (500, "INTERNAL_SERVER_ERROR"))?;
    let serials = match body.remove("devices") {
        None | Some(Value::Null) => Vec::new(),
        Some(devices) => texts(&devices)?,
    };
    state.profiles.insert(uuid.clone(), body);
    let devices = assign_each(state, &uuid, serials, version, now);
    Ok(json!({"profile_uuid": uuid, "devices": devices}))
}

fn show(state: &State, query: Option<&str>) -> Answered {
    let uuid = query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .find_map(|pair| pair.strip_prefix("profile_uuid="))
        .filter(|uuid| !uuid.is_empty())
        .ok_or((400, "PROFILE_UUID_REQUIRED"))?;
    let mut profile = state
        .profiles
        .get(uuid)
        .ok_or((400, "PROFILE_NOT_FOUND"))?
        .clone();
    profile.insert("profile_uuid".to_owned(), uuid.into());
    Ok(Value::Object(profile))
}

fn assign(
    state: &mut State,
    body: &Map<String, Value>,
    version: u32,
    now: DateTime<Utc>,
) -> Answered {
    let uuid = match body.get("profile_uuid").and_then(Value::as_str) {
        Some(uuid) if !uuid.is_empty() => uuid,
        _ => return Err((400, "PROFILE_UUID_REQUIRED")),
    };
    let serials = serials(body)?;
    if !state.profiles.contains_key(uuid) {
        return Err((400, "PROFILE_NOT_FOUND"));
    }
    let devices = assign_each(state, uuid, serials, version, now);
    let throttled = devices.values().any(|status| status == "THROTTLED");
    let mut answer = json!({"profile_uuid": uuid, "devices": devices});
    if throttled && version >= 10 {
        answer["retry_after_seconds"] = state.faults.throttled_for.as_secs().into();
    }
    Ok(answer)
}

fn assign_each(
    state: &mut State,
    uuid: &str,
    serials: Vec<String>,
    version: u32,
    now: DateTime<Utc>,
) -> Map<String, Value> {
    let mut outcomes = Map::new();
    for serial in serials {
        let outcome = if !state.devices.contains(&serial) {
            "NOT_ACCESSIBLE"
        } else if state.faults.failing.contains(&serial) {
            "FAILED"
        } else if state.faults.throttled.contains(&serial) {
            // Version 9 brought the word.
            if version >= 9 { "THROTTLED" } else { "FAILED" }
        } else {
            state.devices.assign(&serial, uuid, now);
            "SUCCESS"
        };
        outcomes.insert(serial, outcome.into());
    }
    outcomes
}

fn unassign(state: &mut State, body: &Map<String, Value>, now: DateTime<Utc>) -> Answered {
    let mut devices = Map::new();
    for serial in serials(body)? {
        let outcome = if state.devices.contains(&serial) {
            state.devices.unassign(&serial, now);
            "SUCCESS"
        } else {
            "NOT_ACCESSIBLE"
        };
        devices.insert(serial, outcome.into());
    }
    Ok(json!({ "devices": devices }))
}

fn body(request: &Request<Bytes>) -> Result<Map<String, Value>, Refused> {
    match serde_json::from_slice(request.body()) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err((400, "MALFORMED_REQUEST_BODY")),
    }
}

/// The page size; none or zero means Apple's default, too large a one means the maximum.
fn limit(state: &State, body: &Map<String, Value>) -> Result<usize, Refused> {
    let maximum = state.config.page_maximum.max(1);
    match body.get("limit") {
        None | Some(Value::Null) => Ok(DEFAULT_PAGE.min(maximum)),
        Some(value) => match value.as_u64().map(usize::try_from) {
            Some(Ok(0)) => Ok(DEFAULT_PAGE.min(maximum)),
            Some(Ok(limit)) => Ok(limit.min(maximum)),
            _ => Err((400, "MALFORMED_REQUEST_BODY")),
        },
    }
}

fn cursor(
    state: &State,
    body: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Result<Option<Place>, Refused> {
    match body.get("cursor") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => state
            .cursors
            .find(text, state.config.cursor_lifetime, now)
            .map(Some)
            .map_err(|code| (400, code)),
        Some(_) => Err((400, "MALFORMED_REQUEST_BODY")),
    }
}

fn serials(body: &Map<String, Value>) -> Result<Vec<String>, Refused> {
    let serials = match body.get("devices") {
        None | Some(Value::Null) => return Err((400, "DEVICE_ID_REQUIRED")),
        Some(devices) => texts(devices)?,
    };
    match serials.len() {
        0 => Err((400, "DEVICE_ID_REQUIRED")),
        1..=MAX_DEVICES => Ok(serials),
        _ => Err((400, "MALFORMED_REQUEST_BODY")),
    }
}

fn texts(value: &Value) -> Result<Vec<String>, Refused> {
    let malformed = (400, "MALFORMED_REQUEST_BODY");
    let items = value.as_array().ok_or(malformed)?;
    items
        .iter()
        .map(|item| item.as_str().map(str::to_owned).ok_or(malformed))
        .collect()
}

fn text_header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok().map(str::trim)
}

fn json_answer(value: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(value.to_string()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(JSON));
    response
}

fn refuse_oauth(refusal: &Refusal) -> Response<Bytes> {
    let (status, body) = refusal.answer();
    refuse(status, body)
}

/// Apple's errors are the bare code.
fn refuse(status: u16, code: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(code.as_bytes()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/plain;charset=UTF-8"),
    );
    response
}
