//! The terms of one system, in words.

use mdm_schema::{
    Bound, Support,
    model::{Mode, SharedIpad},
};

use crate::schema::words;

/// What is said about one system. `whole` for all that holds there, otherwise for what a key says
/// beside what it takes over.
pub(super) fn terms(support: &Support, whole: bool) -> Vec<String> {
    let mut told = Vec::new();
    match support.introduced {
        Some(Bound::Never) => return vec!["not available".to_owned()],
        Some(Bound::From(version)) => told.push(format!("{version} and later")),
        Some(Bound::Always) => told.push("every version".to_owned()),
        None if whole => told.push("available".to_owned()),
        None => {}
    }
    for (what, bound) in [
        ("deprecated", support.deprecated),
        ("removed", support.removed),
    ] {
        match bound {
            Some(Bound::From(version)) => told.push(format!("{what} in {version}")),
            Some(Bound::Always) => told.push(what.to_owned()),
            Some(Bound::Never) | None => {}
        }
    }
    match support.access_rights {
        Some("None" | "n/a") | None => {}
        Some("Special Case") => told.push("access right depends on what it holds".to_owned()),
        Some(right) => told.push(format!("access right {right}")),
    }
    let says = |told: &mut Vec<String>, flag: Option<bool>, yes: &str, no: &str| match flag {
        Some(true) if !yes.is_empty() => told.push(yes.to_owned()),
        // What is not needed goes without saying, unless what holds the key needs it.
        Some(false) if !no.is_empty() => told.push(no.to_owned()),
        _ => {}
    };
    let only = |text| if whole { "" } else { text };
    says(
        &mut told,
        support.supervised,
        "supervised only",
        only("supervised or not"),
    );
    says(
        &mut told,
        support.requires_dep,
        "automated enrolment only",
        only("automated enrolment or not"),
    );
    says(
        &mut told,
        support.user_approved,
        "user-approved enrolment only",
        only("user-approved enrolment or not"),
    );
    told.extend(channels(support.device_channel, support.user_channel));
    says(
        &mut told,
        support.manual_install,
        only("also by hand"),
        "not by hand",
    );
    says(
        &mut told,
        support.multiple,
        only("several at once"),
        "once only",
    );
    if let Some(ways) = support.enrollments {
        let ways: Vec<&str> = ways.iter().map(|way| words::enrollment(*way)).collect();
        told.push(format!("enrolment: {}", ways.join(", ")));
    }
    if let Some(scopes) = support.scopes {
        let scopes: Vec<&str> = scopes.iter().map(|scope| words::scope(*scope)).collect();
        told.push(format!("scope: {}", scopes.join(", ")));
    }
    told.extend(
        support
            .shared_ipad
            .and_then(|shared| shared_ipad(shared, whole)),
    );
    match support.user_enrollment {
        Some(Mode::Allowed) if whole => {}
        Some(mode) => told.push(format!("user enrolment: {}", words::mode(mode))),
        None => {}
    }
    says(
        &mut told,
        support.always_skippable,
        "",
        "not always skipped",
    );
    says(&mut told, support.beta, "beta", "");
    told
}

fn channels(device: Option<bool>, user: Option<bool>) -> Option<String> {
    Some(
        match (device, user) {
            (Some(true), Some(true)) => "device and user channel",
            (Some(true), Some(false)) => "device channel only",
            (Some(false), Some(true)) => "user channel only",
            (Some(false), Some(false)) => "no channel",
            (Some(true), None) => "device channel",
            (Some(false), None) => "not on the device channel",
            (None, Some(true)) => "user channel",
            (None, Some(false)) => "not on the user channel",
            (None, None) => return None,
        }
        .to_owned(),
    )
}

fn shared_ipad(shared: SharedIpad, whole: bool) -> Option<String> {
    let mut told = Vec::new();
    match shared.mode {
        Some(Mode::Allowed) if whole => {}
        Some(mode) => told.push(words::mode(mode).to_owned()),
        None => {}
    }
    if shared.mode != Some(Mode::Forbidden) {
        told.extend(channels(shared.device_channel, shared.user_channel));
        if shared.scopes == Some(&[]) {
            told.push("no scope".to_owned());
        } else if let Some(scopes) = shared.scopes {
            let scopes: Vec<&str> = scopes.iter().map(|scope| words::scope(*scope)).collect();
            told.push(format!("scope {}", scopes.join(" or ")));
        }
    }
    (!told.is_empty()).then(|| format!("Shared iPad: {}", told.join(", ")))
}
