//! What is answered device by device: assign, remove, disown, details.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{
    Fault, Outcome, later, profile,
    render::Object,
    routes::{Answered, Refused, Reply},
    state::State,
};

/// The most serial numbers in one request.
const MAX_DEVICES: usize = 1000;

/// How long a device cools down that was assigned too often.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Which devices of a request are struck by [`Fault::NextDevices`].
pub(super) struct Strike(Option<(usize, Outcome)>);

impl Strike {
    pub(super) fn take(state: &mut State, now: DateTime<Utc>) -> Self {
        let fits = |fault: &Fault| matches!(fault, Fault::NextDevices { .. });
        match state.faults.take(now, fits) {
            Some((_, Fault::NextDevices { count, outcome })) => Self(Some((count, outcome))),
            _ => Self(None),
        }
    }

    pub(super) fn on(&self, index: usize) -> Option<Outcome> {
        self.0
            .filter(|(count, _)| index < *count)
            .map(|(_, outcome)| outcome)
    }
}

/// What is answered for each device, in the order of the request.
type Outcomes = Vec<(String, &'static str)>;

/// `POST /devices`.
pub(super) fn details(state: &mut State, body: &Map<String, Value>, version: u32) -> Answered {
    let serials = serials(state, body)?;
    let mut out = b"{\"devices\":{".to_vec();
    for serial in serials {
        if !out.ends_with(b"{") {
            out.push(b',');
        }
        let _ = serde_json::to_writer(&mut out, &serial);
        out.push(b':');
        let mut object = Object::open(&mut out, version);
        match state.devices.find(&serial) {
            Some(device) => {
                device.write(&mut object, &state.config.shapes);
                object.text("response_status", "SUCCESS");
            }
            None => object.text("response_status", "NOT_ACCESSIBLE"),
        }
        object.close();
    }
    out.extend_from_slice(b"}}");
    Ok(Reply::Bytes(out.into()))
}

/// `POST /profile`.
pub(super) fn define(
    state: &mut State,
    mut body: Map<String, Value>,
    version: u32,
    now: DateTime<Utc>,
) -> Answered {
    profile::check(&body, state.config.legacy_profile_rules).map_err(|code| (400, code))?;
    let serials = match body.remove("devices") {
        None | Some(Value::Null) => Vec::new(),
        Some(devices) => texts(&devices)?,
    };
    state.named.clone_from(&serials);
    let strange = |serial: &String| !state.devices.contains(serial);
    if state.config.shapes.strict_define && serials.iter().any(strange) {
        return Err((404, "NOT_FOUND"));
    }
    let uuid: Arc<str> = state.ids.hex(16).into();
    state.profiles.insert(Arc::clone(&uuid), body);
    let (outcomes, retry_after) = assign_each(state, &uuid, serials, version, now);
    Ok(assigned(state, &uuid, outcomes, retry_after, version))
}

/// `POST` and `PUT /profile/devices`.
pub(super) fn assign(
    state: &mut State,
    body: &Map<String, Value>,
    version: u32,
    now: DateTime<Utc>,
) -> Answered {
    let uuid = match body.get("profile_uuid").and_then(Value::as_str) {
        Some(uuid) if !uuid.is_empty() => uuid,
        _ => return Err((400, "PROFILE_UUID_REQUIRED")),
    };
    let serials = serials(state, body)?;
    let Some((uuid, _)) = state.profiles.get_key_value(uuid) else {
        return Err(profile::not_found(state.config.shapes.profile_not_found));
    };
    let uuid = Arc::clone(uuid);
    let (outcomes, retry_after) = assign_each(state, &uuid, serials, version, now);
    Ok(assigned(state, &uuid, outcomes, retry_after, version))
}

fn assigned(
    state: &State,
    uuid: &str,
    outcomes: Outcomes,
    retry_after: Option<TimeDelta>,
    version: u32,
) -> Reply {
    let devices = written(outcomes, state.config.shapes.outcomes_as_array);
    let mut answer = json!({"profile_uuid": uuid, "devices": devices});
    if let Some(retry_after) = retry_after.filter(|_| version >= 10) {
        answer["retry_after_seconds"] = retry_after.num_seconds().into();
    }
    Reply::Json(answer)
}

/// The outcomes, and how long the longest cool-down among them takes yet.
fn assign_each(
    state: &mut State,
    uuid: &Arc<str>,
    serials: Vec<String>,
    version: u32,
    now: DateTime<Utc>,
) -> (Outcomes, Option<TimeDelta>) {
    if serials.is_empty() {
        return (Outcomes::new(), None);
    }
    let strike = Strike::take(state, now);
    let mut outcomes = Outcomes::with_capacity(serials.len());
    let mut retry_after = None;
    for (index, serial) in serials.into_iter().enumerate() {
        if !state.devices.contains(&serial) {
            outcomes.push((serial, "NOT_ACCESSIBLE"));
            continue;
        }
        let outcome = match strike.on(index) {
            Some(Outcome::LeftOut) => continue,
            Some(Outcome::Failed) => "FAILED",
            Some(Outcome::NotAccessible) => "NOT_ACCESSIBLE",
            Some(Outcome::Throttled(time)) => {
                state.cooling.start(&serial, later(now, time));
                "THROTTLED"
            }
            None => assign_one(state, &serial, uuid, now),
        };
        let outcome = match (outcome, state.cooling.until(&serial)) {
            ("THROTTLED", Some(until)) => {
                retry_after = retry_after.max(Some(until - now));
                // Version 9 brought the word.
                if version >= 9 { "THROTTLED" } else { "FAILED" }
            }
            (outcome, _) => outcome,
        };
        outcomes.push((serial, outcome));
    }
    (outcomes, retry_after)
}

fn assign_one(
    state: &mut State,
    serial: &str,
    uuid: &Arc<str>,
    now: DateTime<Utc>,
) -> &'static str {
    if state.cooling.until(serial).is_some() {
        state.log.traffic.premature_assignments += 1;
        return "THROTTLED";
    }
    let lasting = &mut state.faults.lasting;
    if let Some((source, failing)) = &lasting.failing
        && failing.contains(serial)
    {
        let source = *source;
        state.faults.note(source, now);
        return "FAILED";
    }
    if let Some((source, throttled, time)) = &mut lasting.throttled
        && throttled.remove(serial)
    {
        let (source, time) = (*source, *time);
        state.cooling.start(serial, later(now, time));
        state.faults.note(source, now);
        return "THROTTLED";
    }
    if let Some(limit) = state.config.assignments_a_day
        && state.cooling.is_too_often(serial, limit, now)
    {
        state.cooling.start(serial, later(now, DAY));
        return "THROTTLED";
    }
    let moment = state.moment();
    state.devices.assign(serial, uuid, moment);
    "SUCCESS"
}

/// `DELETE /profile/devices`.
pub(super) fn unassign(
    state: &mut State,
    body: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Answered {
    each(state, body, now, |state, serial| {
        let moment = state.moment();
        state.devices.unassign(serial, moment);
    })
}

/// `POST /devices/disown`: there is no way back.
pub(super) fn disown(state: &mut State, body: &Map<String, Value>, now: DateTime<Utc>) -> Answered {
    if !state.config.disown_allowed {
        serials(state, body)?;
        return Err((403, "ACCESS_DENIED"));
    }
    each(state, body, now, |state, serial| {
        let moment = state.moment();
        state.devices.remove(serial, false, moment);
    })
}

fn each(
    state: &mut State,
    body: &Map<String, Value>,
    now: DateTime<Utc>,
    change: impl Fn(&mut State, &str),
) -> Answered {
    let serials = serials(state, body)?;
    let strike = Strike::take(state, now);
    let mut outcomes = Outcomes::with_capacity(serials.len());
    for (index, serial) in serials.into_iter().enumerate() {
        let outcome = match strike.on(index) {
            _ if !state.devices.contains(&serial) => "NOT_ACCESSIBLE",
            Some(Outcome::LeftOut) => continue,
            Some(Outcome::NotAccessible) => "NOT_ACCESSIBLE",
            Some(Outcome::Failed | Outcome::Throttled(_)) => "FAILED",
            None => {
                change(state, &serial);
                "SUCCESS"
            }
        };
        outcomes.push((serial, outcome));
    }
    let devices = written(outcomes, state.config.shapes.outcomes_as_array);
    Ok(Reply::Json(json!({ "devices": devices })))
}

fn written(outcomes: Outcomes, as_array: bool) -> Value {
    if as_array {
        outcomes
            .into_iter()
            .map(|(serial, outcome)| json!({ serial: outcome }))
            .collect()
    } else {
        let pairs = outcomes.into_iter();
        Value::Object(
            pairs
                .map(|(serial, outcome)| (serial, outcome.into()))
                .collect(),
        )
    }
}

fn serials(state: &mut State, body: &Map<String, Value>) -> Result<Vec<String>, Refused> {
    let serials = match body.get("devices") {
        None | Some(Value::Null) => return Err((400, "DEVICE_ID_REQUIRED")),
        Some(devices) => texts(devices)?,
    };
    state.named.clone_from(&serials);
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
