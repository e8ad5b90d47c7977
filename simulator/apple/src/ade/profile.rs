//! What Apple refuses in a profile, and how it shows one.

use serde_json::{Map, Value};

use super::{
    ProfileNotFound,
    routes::{Answered, Refused, Reply, parameter},
    state::State,
};

/// `GET /profile`.
pub(super) fn show(state: &State, query: Option<&str>) -> Answered {
    let uuid = parameter(query, "profile_uuid").ok_or((400, "PROFILE_UUID_REQUIRED"))?;
    let profile = state.profiles.get(uuid);
    let not_found = not_found(state.config.shapes.profile_not_found);
    let mut profile = profile.ok_or(not_found)?.clone();
    profile.insert("profile_uuid".to_owned(), uuid.into());
    Ok(Reply::Json(Value::Object(profile)))
}

pub(super) fn not_found(shape: ProfileNotFound) -> Refused {
    match shape {
        ProfileNotFound::Named => (400, "PROFILE_NOT_FOUND"),
        ProfileNotFound::Bare => (400, "NOT_FOUND"),
        ProfileNotFound::BareAs404 => (404, "NOT_FOUND"),
    }
}

/// Apple's code for the first thing that is wrong.
pub(super) fn check(profile: &Map<String, Value>, legacy: bool) -> Result<(), &'static str> {
    required(
        profile,
        "profile_name",
        125,
        "CONFIG_NAME_REQUIRED",
        "CONFIG_NAME_INVALID",
    )?;
    let url = required(
        profile,
        "url",
        2000,
        "CONFIG_URL_REQUIRED",
        "CONFIG_URL_INVALID",
    )?;
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err("CONFIG_URL_INVALID");
    }
    for (key, longest, code) in [
        ("department", 125, "DEPARTMENT_INVALID"),
        ("org_magic", 256, "MAGIC_INVALID"),
        ("support_email_address", 250, "SUPPORT_EMAIL_INVALID"),
        ("support_phone_number", 50, "SUPPORT_PHONE_INVALID"),
    ] {
        let too_long = |value: &Value| value.as_str().is_none_or(|text| text.len() > longest);
        if profile.get(key).is_some_and(too_long) {
            return Err(code);
        }
    }
    let missing = |key| profile.get(key).is_none_or(Value::is_null);
    if legacy && missing("department") {
        return Err("DEPARTMENT_REQUIRED");
    }
    if legacy && missing("support_phone_number") {
        return Err("SUPPORT_PHONE_REQUIRED");
    }
    locale(profile)?;
    flags(profile)
}

fn required<'a>(
    profile: &'a Map<String, Value>,
    key: &str,
    longest: usize,
    missing: &'static str,
    invalid: &'static str,
) -> Result<&'a str, &'static str> {
    match profile.get(key) {
        None | Some(Value::Null) => Err(missing),
        Some(Value::String(text)) if !text.is_empty() && text.len() <= longest => Ok(text),
        Some(_) => Err(invalid),
    }
}

fn locale(profile: &Map<String, Value>) -> Result<(), &'static str> {
    let fits = |key, lengths: &[usize], letter: fn(&u8) -> bool| {
        profile.get(key).is_none_or(|value| {
            value.as_str().is_some_and(|code| {
                lengths.contains(&code.len()) && code.as_bytes().iter().all(letter)
            })
        })
    };
    let language = fits("language", &[2, 3], u8::is_ascii_lowercase);
    let region = fits("region", &[2], u8::is_ascii_uppercase);
    if language && region {
        Ok(())
    } else {
        Err("LOCALE_INVALID")
    }
}

/// A profile that cannot be removed needs a supervised device.
fn flags(profile: &Map<String, Value>) -> Result<(), &'static str> {
    for key in [
        "allow_pairing",
        "is_supervised",
        "is_mandatory",
        "is_mdm_removable",
        "is_multi_user",
        "await_device_configured",
        "auto_advance_setup",
        "do_not_use_profile_from_backup",
        "is_return_to_service",
    ] {
        if profile.get(key).is_some_and(|value| !value.is_boolean()) {
            return Err("MALFORMED_REQUEST_BODY");
        }
    }
    let says = |key, value| profile.get(key) == Some(&Value::Bool(value));
    if says("is_mdm_removable", false) && !says("is_supervised", true) {
        return Err("FLAGS_INVALID");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_rule_has_its_code() {
        let good = json!({"profile_name": "n", "url": "https://a.example/e"});
        for (change, code) in [
            (json!({}), Ok(())),
            (json!({"profile_name": null}), Err("CONFIG_NAME_REQUIRED")),
            (json!({"profile_name": ""}), Err("CONFIG_NAME_INVALID")),
            (
                json!({"profile_name": "x".repeat(126)}),
                Err("CONFIG_NAME_INVALID"),
            ),
            (json!({"url": null}), Err("CONFIG_URL_REQUIRED")),
            (json!({"url": "mdm"}), Err("CONFIG_URL_INVALID")),
            (
                json!({"url": format!("https://{}", "x".repeat(2000))}),
                Err("CONFIG_URL_INVALID"),
            ),
            (
                json!({"department": "x".repeat(126)}),
                Err("DEPARTMENT_INVALID"),
            ),
            (json!({"org_magic": "x".repeat(257)}), Err("MAGIC_INVALID")),
            (
                json!({"support_email_address": "x".repeat(251)}),
                Err("SUPPORT_EMAIL_INVALID"),
            ),
            (
                json!({"support_phone_number": "1".repeat(51)}),
                Err("SUPPORT_PHONE_INVALID"),
            ),
            (json!({"language": "English"}), Err("LOCALE_INVALID")),
            (json!({"language": "de", "region": "DE"}), Ok(())),
            (json!({"region": "de"}), Err("LOCALE_INVALID")),
            (json!({"is_mdm_removable": false}), Err("FLAGS_INVALID")),
            (
                json!({"is_mdm_removable": false, "is_supervised": true}),
                Ok(()),
            ),
            (
                json!({"is_mandatory": "yes"}),
                Err("MALFORMED_REQUEST_BODY"),
            ),
        ] {
            let mut profile = good.as_object().unwrap().clone();
            profile.extend(change.as_object().unwrap().clone());
            assert_eq!(check(&profile, false), code, "{change}");
        }
    }
}
