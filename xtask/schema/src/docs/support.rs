//! Availability in words: a table for a document, a sentence for what differs from it.

use crate::ir::{SharedIpad, Support};

/// The systems there are, in Apple's order.
pub(crate) const PLATFORMS: [&str; 5] = ["iOS", "macOS", "tvOS", "visionOS", "watchOS"];

/// The terms of a key, given those of what holds it: what it leaves open it takes over.
pub(crate) fn inherited(own: &[Support], holder: &[Support]) -> Vec<Support> {
    PLATFORMS
        .iter()
        .filter_map(|platform| {
            let own = own.iter().find(|support| support.platform == *platform);
            let holder = holder.iter().find(|support| support.platform == *platform);
            match (own, holder) {
                (Some(own), Some(holder)) => Some(merged(own, holder)),
                (Some(one), None) | (None, Some(one)) => Some(one.clone()),
                (None, None) => None,
            }
        })
        .collect()
}

/// Whether a key is missing on a system that what holds it is available on.
pub(crate) fn narrowed(own: &[Support], holder: &[Support]) -> bool {
    own.iter().any(|support| {
        let on_holder = holder
            .iter()
            .find(|holder| holder.platform == support.platform);
        let holder_is_there = holder.is_empty() || on_holder.is_some_and(is_there);
        support.introduced.as_deref() == Some("n/a") && holder_is_there
    })
}

fn is_there(support: &Support) -> bool {
    support.introduced.as_deref() != Some("n/a")
}

fn merged(own: &Support, holder: &Support) -> Support {
    let introduced = match holder.introduced.as_deref() {
        // What is not there holds nothing.
        Some("n/a") => holder.introduced.clone(),
        _ => own.introduced.clone().or_else(|| holder.introduced.clone()),
    };
    let shared_ipad = match (&own.shared_ipad, &holder.shared_ipad) {
        (Some(own), Some(holder)) => Some(SharedIpad {
            mode: own.mode.clone().or_else(|| holder.mode.clone()),
            device_channel: own.device_channel.or(holder.device_channel),
            user_channel: own.user_channel.or(holder.user_channel),
            scopes: own.scopes.clone().or_else(|| holder.scopes.clone()),
        }),
        (own, holder) => own.clone().or_else(|| holder.clone()),
    };
    Support {
        platform: own.platform.clone(),
        introduced,
        deprecated: own.deprecated.clone().or_else(|| holder.deprecated.clone()),
        removed: own.removed.clone().or_else(|| holder.removed.clone()),
        access_rights: own
            .access_rights
            .clone()
            .or_else(|| holder.access_rights.clone()),
        multiple: own.multiple.or(holder.multiple),
        device_channel: own.device_channel.or(holder.device_channel),
        user_channel: own.user_channel.or(holder.user_channel),
        supervised: own.supervised.or(holder.supervised),
        requires_dep: own.requires_dep.or(holder.requires_dep),
        user_approved: own.user_approved.or(holder.user_approved),
        manual_install: own.manual_install.or(holder.manual_install),
        enrollments: own
            .enrollments
            .clone()
            .or_else(|| holder.enrollments.clone()),
        scopes: own.scopes.clone().or_else(|| holder.scopes.clone()),
        shared_ipad,
        user_enrollment: own
            .user_enrollment
            .clone()
            .or_else(|| holder.user_enrollment.clone()),
        always_skippable: own.always_skippable.or(holder.always_skippable),
        beta: own.beta.or(holder.beta),
    }
}

/// A document's availability: a table of the systems that have it, and what is common to them.
pub(super) fn table(support: &[Support]) -> Vec<String> {
    let there: Vec<_> = support.iter().filter(|support| is_there(support)).collect();
    if support.is_empty() {
        return Vec::new();
    }
    if there.is_empty() {
        return vec!["On no system.".to_owned()];
    }
    let rights = rights(&there);
    let rows: Vec<_> = there
        .iter()
        .map(|support| {
            let mut terms = terms(support);
            if rights.is_none() {
                terms.extend(right(support));
            }
            (
                support.platform.as_str(),
                versions(support),
                terms.join("; "),
            )
        })
        .collect();
    let mut paragraphs = Vec::new();
    if rows.iter().all(|(.., terms)| terms.is_empty()) {
        let rows = rows
            .iter()
            .map(|(system, versions, _)| format!("| {system} | {versions} |"));
        paragraphs.push(format!("| System | Versions |\n|---|---|\n{}", lines(rows)));
    } else {
        let rows = rows
            .iter()
            .map(|(system, versions, terms)| format!("| {system} | {versions} | {terms} |"));
        paragraphs.push(format!(
            "| System | Versions | Terms |\n|---|---|---|\n{}",
            lines(rows)
        ));
    }
    let not: Vec<_> = support
        .iter()
        .filter(|support| !is_there(support))
        .collect();
    let not: Vec<_> = not
        .iter()
        .map(|support| support.platform.as_str())
        .collect();
    let mut below = Vec::new();
    if !not.is_empty() {
        below.push(format!("Not on {}.", not.join(", ")));
    }
    if let Some(Some(right)) = rights {
        below.push(format!("Needs {right}."));
    }
    paragraphs.push(below.join(" "));
    paragraphs
}

/// What is different for a key from what holds it, in sentences.
pub(super) fn difference(own: &[Support], holder: &[Support]) -> Vec<String> {
    let mut sentences = Vec::new();
    sentences.extend(systems(own, holder));
    for (field, verb) in [
        (deprecated as fn(&Support) -> Option<&str>, "Deprecated in"),
        (removed, "Removed in"),
    ] {
        let versions: Vec<_> = differing(own, holder)
            .filter(|(own, before)| is_there(own) && field(own) != before.and_then(field))
            .filter_map(|(own, _)| {
                let version = field(own).filter(|version| *version != "n/a")?;
                Some(match is_ever(version) {
                    true => format!("every {}", own.platform),
                    false => format!("{} {version}", own.platform),
                })
            })
            .collect();
        if !versions.is_empty() {
            sentences.push(format!("{verb} {}.", versions.join(", ")));
        }
    }
    sentences.extend(changed_terms(own, holder));
    sentences
}

fn deprecated(support: &Support) -> Option<&str> {
    support.deprecated.as_deref()
}

fn removed(support: &Support) -> Option<&str> {
    support.removed.as_deref()
}

/// Each system that the key says something about and that is not out of the question, with the terms
/// of the holder.
fn differing<'a>(
    own: &'a [Support],
    holder: &'a [Support],
) -> impl Iterator<Item = (&'a Support, Option<&'a Support>)> {
    own.iter().filter_map(move |own| {
        let before = holder.iter().find(|holder| holder.platform == own.platform);
        let possible = holder.is_empty() || before.is_some_and(is_there);
        possible.then_some((own, before))
    })
}

/// Which systems have the key, where that differs.
fn systems(own: &[Support], holder: &[Support]) -> Option<String> {
    let mut from = Vec::new();
    let mut not = Vec::new();
    for (own, before) in differing(own, holder) {
        if !is_there(own) {
            not.push(own.platform.as_str());
        } else if let Some(version) = &own.introduced {
            let known = before.and_then(|before| before.introduced.as_ref());
            if Some(version) != known && !is_ever(version) {
                from.push((own.platform.as_str(), version.as_str()));
            }
        }
    }
    let everywhere: Vec<&str> = if holder.is_empty() {
        PLATFORMS.to_vec()
    } else {
        let there = holder.iter().filter(|holder| is_there(holder));
        there.map(|holder| holder.platform.as_str()).collect()
    };
    let left: Vec<_> = everywhere
        .iter()
        .filter(|system| !not.contains(*system))
        .collect();
    let since = |system: &str| match from.iter().find(|(other, _)| *other == system) {
        Some((_, version)) => format!("{system} {version} and later"),
        None => system.to_owned(),
    };
    match (left.as_slice(), from.is_empty(), not.is_empty()) {
        (_, true, true) => None,
        ([], ..) => Some("On no system.".to_owned()),
        ([_] | [_, _], _, false) => {
            let systems: Vec<_> = left.iter().map(|system| since(system)).collect();
            Some(format!("Only on {}.", systems.join(", ")))
        }
        _ => {
            let mut parts = Vec::new();
            if !from.is_empty() {
                let systems: Vec<_> = from.iter().map(|(system, _)| since(system)).collect();
                parts.push(systems.join(", "));
            }
            if !not.is_empty() {
                let word = if parts.is_empty() { "Not" } else { "not" };
                parts.push(format!("{word} on {}", not.join(", ")));
            }
            Some(format!("{}.", parts.join("; ")))
        }
    }
}

/// Terms that a key adds to those of what holds it, or lifts.
fn changed_terms(own: &[Support], holder: &[Support]) -> Option<String> {
    let mut groups: Vec<(Vec<&str>, String)> = Vec::new();
    for (own, before) in differing(own, holder).filter(|(own, _)| is_there(own)) {
        let nothing = Support::on(&own.platform);
        let before = before.unwrap_or(&nothing);
        let known = terms(before);
        let now = merged(own, before);
        let mut changed: Vec<_> = terms(&now)
            .into_iter()
            .filter(|term| !known.contains(term))
            .collect();
        if before.supervised == Some(true) && own.supervised == Some(false) {
            changed.push("also unsupervised".to_owned());
        }
        if right(own) != right(before) && own.access_rights.is_some() {
            changed.extend(right(own).map(|right| format!("needs {right}")));
        }
        if changed.is_empty() {
            continue;
        }
        let changed = changed.join("; ");
        match groups.iter_mut().find(|(_, terms)| *terms == changed) {
            Some((systems, _)) => systems.push(&own.platform),
            None => groups.push((vec![&own.platform], changed)),
        }
    }
    let all = differing(&inherited(own, holder), holder)
        .filter(|(own, _)| is_there(own))
        .count();
    let groups: Vec<_> = groups
        .iter()
        .map(|(systems, terms)| {
            if systems.len() == all {
                format!("{}.", super::capital(terms))
            } else {
                format!("On {}: {terms}.", systems.join(", "))
            }
        })
        .collect();
    (!groups.is_empty()).then(|| groups.join(" "))
}

/// From which version to which.
fn versions(support: &Support) -> String {
    let mut parts = vec![match support.introduced.as_deref() {
        None => "all".to_owned(),
        Some(version) if is_ever(version) => "all".to_owned(),
        Some(version) => format!("{version} and later"),
    }];
    if let Some(version) = support
        .deprecated
        .as_deref()
        .filter(|version| *version != "n/a")
    {
        parts.push(format!("deprecated in {version}"));
    }
    if let Some(version) = support
        .removed
        .as_deref()
        .filter(|version| *version != "n/a")
    {
        parts.push(format!("removed in {version}"));
    }
    parts.join("; ")
}

fn is_ever(version: &str) -> bool {
    matches!(version, "all" | "0" | "0.0")
}

/// On what terms a system has it.
fn terms(support: &Support) -> Vec<String> {
    let mut terms = Vec::new();
    let mut term = |text: &str| terms.push(text.to_owned());
    if support.supervised == Some(true) {
        term("supervised");
    }
    if support.requires_dep == Some(true) {
        term("automated enrolment");
    }
    if support.user_approved == Some(true) {
        term("approved by the user");
    }
    if let Some(enrollments) = &support.enrollments {
        match enrollments.len() {
            4 => term("any enrolment"),
            _ => term(&format!("enrolment: {}", enrollments.join(", "))),
        }
    }
    match support.user_enrollment.as_deref() {
        Some("forbidden") => term("not in user enrolment"),
        Some("required") => term("user enrolment only"),
        Some("ignored") => term("without effect in user enrolment"),
        _ => {}
    }
    if let Some(channel) = channel(support.device_channel, support.user_channel) {
        term(channel);
    }
    if let Some(scopes) = &support.scopes {
        term(&scope(scopes));
    }
    if let Some(shared) = support.shared_ipad.as_ref().and_then(shared_ipad) {
        term(&shared);
    }
    if support.manual_install == Some(false) {
        term("not by hand");
    }
    if support.multiple == Some(false) {
        term("one only");
    }
    match support.always_skippable {
        Some(true) => term("always skipped"),
        Some(false) => term("at some points of the setup shown all the same"),
        None => {}
    }
    if support.beta == Some(true) {
        term("may still change");
    }
    terms
}

fn channel(device: Option<bool>, user: Option<bool>) -> Option<&'static str> {
    match (device, user) {
        (Some(true), Some(true)) => Some("device and user channel"),
        (Some(true), _) => Some("device channel"),
        (_, Some(true)) => Some("user channel"),
        _ => None,
    }
}

fn scope(scopes: &[String]) -> String {
    format!("{} scope", scopes.join(" and "))
}

fn shared_ipad(shared: &SharedIpad) -> Option<String> {
    let mut how = Vec::new();
    how.extend(channel(shared.device_channel, shared.user_channel).map(str::to_owned));
    match shared.scopes.as_deref() {
        Some([]) => return Some("not on Shared iPad".to_owned()),
        Some(scopes) => how.push(scope(scopes)),
        None => {}
    }
    let how = how.join(", ");
    match shared.mode.as_deref() {
        Some("forbidden") => Some("not on Shared iPad".to_owned()),
        Some("ignored") => Some("without effect on Shared iPad".to_owned()),
        Some("required") if how.is_empty() => Some("Shared iPad only".to_owned()),
        Some("required") => Some(format!("Shared iPad only, {how}")),
        _ if how.is_empty() => None,
        _ => Some(format!("Shared iPad: {how}")),
    }
}

/// The access right that all systems need: `None` where they differ.
fn rights(there: &[&Support]) -> Option<Option<String>> {
    let mut rights = there.iter().map(|support| right(support));
    let first = rights.next()?;
    rights.all(|right| right == first).then_some(first)
}

fn right(support: &Support) -> Option<String> {
    match support.access_rights.as_deref() {
        None | Some("None" | "n/a") => None,
        Some("Special Case") => Some("access rights that depend on its keys".to_owned()),
        Some(right) => Some(format!("the access right `{right}`")),
    }
}

fn lines(rows: impl IntoIterator<Item = String>) -> String {
    rows.into_iter().collect::<Vec<_>>().join("\n")
}
