//! What is not about single devices: the account, beta tokens, account-driven enrolment,
//! replacements.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    routes::{Answered, Refused, Reply, parameter},
    state::State,
    timestamp,
};

/// `GET /account`.
pub(super) fn account(state: &State, version: u32) -> Reply {
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
        let url = |uri: &str, methods: &[&str]| json!({"uri": uri, "http_method": methods});
        let limited = |uri: &str| {
            let mut url = url(uri, &["POST"]);
            url["limit"] = paged.clone();
            url
        };
        account["org_id"] = "1234567".into();
        account["org_id_hash"] = hex::encode([0xa5; 32]).into();
        account["org_type"] = "org".into();
        account["org_version"] = "v2".into();
        account["urls"] = json!([
            url("/account", &["GET"]),
            url(
                "/account-driven-enrollment/profile",
                &["DELETE", "GET", "POST"]
            ),
            url("/device/activationlock", &["POST"]),
            url("/device/replacementDetails", &["GET"]),
            url("/devices", &["POST"]),
            url("/devices/disown", &["POST"]),
            limited("/devices/sync"),
            url("/os-beta-enrollment/tokens", &["GET"]),
            url("/profile", &["GET", "POST"]),
            url("/profile/devices", &["DELETE", "POST", "PUT"]),
            limited("/roster/class"),
            limited("/roster/class/sync"),
            limited("/server/devices"),
        ]);
    }
    Reply::Json(account)
}

/// `GET /os-beta-enrollment/tokens`.
pub(super) fn beta_tokens(state: &State) -> Answered {
    if !state.config.seed_for_it {
        return Err((403, "APPLE_SEED_FOR_IT_TURNED_OFF"));
    }
    let token = |os: &str, title: &str| json!({"token": format!("{os}-{}", state.server_uuid), "title": title, "os": os});
    let mut answer = json!({"betaEnrollmentTokens": [
        token("iOS", "iOS 26 AppleSeed Beta"),
        token("OSX", "macOS 26 AppleSeed Beta"),
        token("tvOS", "tvOS 26 AppleSeed Beta"),
        token("watchOS", "watchOS 26 AppleSeed Beta"),
        token("visionOS", "visionOS 26 AppleSeed Beta"),
    ]});
    if state.config.shapes.seed_build_tokens {
        answer["seedBuildTokens"] = json!([]);
    }
    Ok(Reply::Json(answer))
}

fn account_driven(state: &State) -> Result<(), Refused> {
    if state.config.account_driven_enrollment {
        Ok(())
    } else {
        Err((400, "ORG_NOT_SUPPORTED"))
    }
}

/// `POST /account-driven-enrollment/profile`.
pub(super) fn set_discovery(
    state: &mut State,
    body: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Answered {
    account_driven(state)?;
    match body.get("mdm_service_discovery_url") {
        None | Some(Value::Null) => Err((400, "MDM_SERVICE_DISCOVERY_URL_REQUIRED")),
        Some(Value::String(url)) if url.is_empty() => {
            Err((400, "MDM_SERVICE_DISCOVERY_URL_REQUIRED"))
        }
        Some(Value::String(url)) if url.len() > 8 && url.starts_with("https://") => {
            state.discovery = Some((url.clone(), now));
            Ok(Reply::Empty)
        }
        Some(_) => Err((400, "MDM_SERVICE_DISCOVERY_URL_NOT_VALID")),
    }
}

/// `GET /account-driven-enrollment/profile`.
pub(super) fn discovery(state: &State) -> Answered {
    account_driven(state)?;
    let (url, updated) = state.discovery.as_ref().ok_or((404, "NOT_FOUND"))?;
    Ok(Reply::Json(json!({
        "mdm_service_discovery_url": url,
        "last_updated_timestamp": timestamp(*updated),
    })))
}

/// `DELETE /account-driven-enrollment/profile`.
pub(super) fn forget_discovery(state: &mut State) -> Answered {
    account_driven(state)?;
    state.discovery = None;
    Ok(Reply::Empty)
}

/// `GET /device/replacementDetails`.
pub(super) fn replacement(state: &mut State, query: Option<&str>, version: u32) -> Answered {
    if version < 10 {
        return Err((404, "NOT_FOUND"));
    }
    let serial = parameter(query, "device").ok_or((400, "DEVICE_ID_REQUIRED"))?;
    state.named = vec![serial.to_owned()];
    let status = match state.config.shapes.device_not_found_is_400 {
        true => 400,
        false => 404,
    };
    let found = state.replacements.get(serial);
    let (original, date) = found.ok_or((status, "DEVICE_NOT_FOUND"))?;
    Ok(Reply::Json(json!({
        "serial_number": serial,
        "original_device_serial_number": original,
        "replacement_date": date.format("%Y-%m-%d").to_string(),
    })))
}
