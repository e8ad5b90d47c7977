//! The management payload: what of it never changes (Apple's page `MDM`).

use mdm_plist::Value;
use mdm_schema::{Severity, path};

use super::{Reason, Rule};
use crate::{
    mdm::{EnrollmentMode, ServerCapability},
    payload::{Mdm, Payload, RawPayload},
    profile::Profile,
};

/// Keys whose value an update must not change; one that comes or goes has changed.
const FROZEN: &[&str] = &[
    "Topic",
    "ServerURL",
    "CheckInURL",
    "AssignedManagedAppleID",
    "EnrollmentMode",
    "RequiredAppIDForMDM",
];

fn find(profile: &Profile) -> Option<(usize, RawPayload<'_>)> {
    let is_mdm = |payload: &RawPayload<'_>| payload.payload_type() == Some(Mdm::PAYLOAD_TYPE);
    profile.numbered().find(|(_, payload)| is_mdm(payload))
}

/// What an update of the enrolment must not do.
pub(super) fn update(installed: &Profile, update: &Profile, reasons: &mut Vec<Reason>) {
    let Some((_, old)) = find(installed) else {
        return;
    };
    let Some((place, new)) = find(update) else {
        if !update.is_encrypted() {
            let message = "has no management payload, while the installed profile does: the device \
                           is no longer managed, or refuses";
            reasons.push(Reason::new(Rule::LostMdm, "", Severity::Warning, message));
        }
        return;
    };
    let at = |key: &str| path::join(&path::index("PayloadContent", place), key);
    for key in FROZEN {
        let [was, is] = [old, new].map(|mdm| mdm.keys().get(key));
        if was == is {
            continue;
        }
        let (severity, message) = if *key == "CheckInURL" && check_in(&old) == check_in(&new) {
            let message = "is written down in one of the two only, and leads to ServerURL in both: \
                           whether a device compares the key or where it leads, no source says";
            (Severity::Warning, message)
        } else {
            let message = "never changes in an update, not by a letter";
            (Severity::Error, message)
        };
        reasons.push(Reason::new(Rule::FrozenKey, at(key), severity, message));
    }
    if !ignores_rights(&new) {
        let added = bits(&new) & !bits(&old);
        if added != 0 {
            let message =
                format!("adds {added} to the access rights, which only ever become fewer");
            let path = at("AccessRights");
            let rule = Rule::AddedAccessRight;
            reasons.push(Reason::new(rule, path, Severity::Error, message));
        }
    }
    let per_user = [old, new].map(has_connections_per_user);
    if per_user[0] != per_user[1] {
        let message = "adds or drops com.apple.mdm.per-user-connections, which never changes";
        let path = at("ServerCapabilities");
        let rule = Rule::PerUserConnections;
        reasons.push(Reason::new(rule, path, Severity::Error, message));
    }
}

/// A device is managed by one server.
pub(super) fn second(installed: &Profile, update: &Profile, reasons: &mut Vec<Reason>) {
    if let (Some(_), Some((place, _))) = (find(installed), find(update)) {
        let message = "is a second management payload, under another profile's identifier";
        let path = path::index("PayloadContent", place);
        reasons.push(Reason::new(Rule::SecondMdm, path, Severity::Error, message));
    }
}

/// Where the device checks in: at `ServerURL` unless another URL is given (Apple's page `Check-in`).
fn check_in<'a>(mdm: &RawPayload<'a>) -> Option<&'a Value> {
    let url = mdm.keys().get("CheckInURL");
    url.or_else(|| mdm.keys().get("ServerURL"))
}

/// User Enrolment knows no access rights.
fn ignores_rights(mdm: &RawPayload<'_>) -> bool {
    let text = |key: &str| mdm.keys().get(key).and_then(Value::as_string);
    text("EnrollmentMode") == Some(EnrollmentMode::Byod.as_str())
        || text("ManagedAppleID").is_some()
}

fn bits(mdm: &RawPayload<'_>) -> i64 {
    let bits = mdm.keys().get("AccessRights");
    bits.and_then(Value::as_signed_integer).unwrap_or_default()
}

fn has_connections_per_user(mdm: RawPayload<'_>) -> bool {
    let list = mdm
        .keys()
        .get("ServerCapabilities")
        .and_then(Value::as_array);
    let wanted = ServerCapability::PerUserConnections;
    let mut list = list.into_iter().flatten().filter_map(Value::as_string);
    list.any(|capability| capability == wanted.as_str())
}
