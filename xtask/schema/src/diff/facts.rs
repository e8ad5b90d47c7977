//! What a document, key or system says, as words that can be compared.

use crate::ir::{Document, Key, Literal, SharedIpad, Support};

/// A name and what is said under it.
pub(super) type Fact = (&'static str, String);

/// What is said otherwise: name, now, before.
pub(super) fn changes(old: &[Fact], new: &[Fact]) -> Vec<(&'static str, String, String)> {
    let said = |facts: &[Fact], name: &str| {
        let fact = facts.iter().find(|(known, _)| *known == name);
        fact.map_or_else(|| "unsaid".to_owned(), |(_, said)| said.clone())
    };
    let mut names: Vec<&'static str> = Vec::new();
    for (name, _) in old.iter().chain(new) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let pairs = names
        .into_iter()
        .map(|name| (name, said(new, name), said(old, name)));
    pairs.filter(|(_, new, old)| new != old).collect()
}

pub(super) fn of_document(document: &Document) -> Vec<Fact> {
    let mut facts = Facts::default();
    facts.text("file", Some(&document.file));
    facts.text("title", Some(&document.title));
    facts.text("apply", document.apply.as_ref());
    let codes: Vec<String> = document
        .reasons
        .iter()
        .map(|reason| {
            let details = reason.details.iter();
            let details = details.map(|(key, value)| format!("{key} {value:?}"));
            let details: Vec<_> = details.collect();
            format!("{} ({})", reason.code, details.join(", "))
        })
        .collect();
    facts.list("reasons", &codes);
    facts.list("related status items", &document.related_status_items);
    facts.0
}

/// All but what is compared by itself: availability and values.
pub(super) fn of_key(key: &Key) -> Vec<Fact> {
    let mut facts = Facts::default();
    facts.set("type", Some(value_type(key)));
    facts.text("subtype", key.text.as_ref());
    facts.set("presence", Some(presence(key)));
    facts.set("default", key.default.as_ref().map(literal));
    facts.set(
        "values",
        Some(if key.allowed.is_empty() {
            "any"
        } else {
            "listed"
        }),
    );
    facts.set(
        "range",
        key.range.map(|(min, max)| {
            let bound =
                |bound: Option<f64>| bound.map_or_else(String::new, |bound| bound.to_string());
            format!("{}..{}", bound(min), bound(max))
        }),
    );
    facts.text("format", key.format.as_ref());
    facts.set(
        "repetition",
        key.repetition.map(|(min, max)| format!("{min}..{max}")),
    );
    facts.text("combinetype", key.combine.as_ref());
    facts.list("assettypes", &key.asset_types);
    facts.list("asset-content-types", &key.asset_content_types);
    facts.0
}

pub(super) fn of_support(support: &Support) -> Vec<Fact> {
    let mut facts = Facts::default();
    facts.text("introduced", support.introduced.as_ref());
    facts.text("deprecated", support.deprecated.as_ref());
    facts.text("removed", support.removed.as_ref());
    facts.text("accessrights", support.access_rights.as_ref());
    facts.set("multiple", support.multiple);
    facts.set("devicechannel", support.device_channel);
    facts.set("userchannel", support.user_channel);
    facts.set("supervised", support.supervised);
    facts.set("requiresdep", support.requires_dep);
    facts.set("userapprovedmdm", support.user_approved);
    facts.set("allowmanualinstall", support.manual_install);
    facts.set(
        "allowed-enrollments",
        support.enrollments.as_ref().map(|list| list.join(", ")),
    );
    facts.set(
        "allowed-scopes",
        support.scopes.as_ref().map(|list| list.join(", ")),
    );
    let SharedIpad {
        mode,
        device_channel,
        user_channel,
        scopes,
    } = support.shared_ipad.clone().unwrap_or_default();
    facts.set("sharedipad mode", mode);
    facts.set("sharedipad devicechannel", device_channel);
    facts.set("sharedipad userchannel", user_channel);
    facts.set(
        "sharedipad allowed-scopes",
        scopes.map(|list| list.join(", ")),
    );
    facts.text("userenrollment mode", support.user_enrollment.as_ref());
    facts.set("always-skippable", support.always_skippable);
    facts.set("beta", support.beta);
    facts.0
}

#[derive(Default)]
struct Facts(Vec<Fact>);

impl Facts {
    fn set(&mut self, name: &'static str, said: Option<impl ToString>) {
        self.0.extend(said.map(|said| (name, said.to_string())));
    }

    fn text(&mut self, name: &'static str, said: Option<&String>) {
        self.set(name, said.map(|said| format!("`{said}`")));
    }

    fn list(&mut self, name: &'static str, said: &[String]) {
        self.set(name, (!said.is_empty()).then(|| said.join(", ")));
    }
}

/// A new key in a few words.
pub(super) fn summary(key: &Key) -> String {
    let mut summary = format!("{}, {}", value_type(key), presence(key));
    if !key.support.is_empty() {
        summary += "; ";
        summary += &availability(&key.support);
    }
    let values: Vec<_> = key.allowed.iter().map(|one| literal(&one.value)).collect();
    if !values.is_empty() {
        summary += "; one of ";
        summary += &values.join(", ");
    }
    summary
}

/// The systems that have something, and since when; empty where nothing is said.
pub(super) fn availability(support: &[Support]) -> String {
    let systems = support
        .iter()
        .filter_map(|block| match block.introduced.as_deref() {
            Some("n/a") => None,
            None => Some(block.platform.clone()),
            Some(version) => Some(format!("{} {version}", block.platform)),
        });
    let systems: Vec<String> = systems.collect();
    match systems.is_empty() {
        true => "on no system".to_owned(),
        false => systems.join(", "),
    }
}

pub(super) fn literal(literal: &Literal) -> String {
    match literal {
        Literal::String(text) => format!("`{text}`"),
        Literal::Integer(number) => number.to_string(),
        Literal::Real(number) => format!("{number:?}"),
        Literal::Boolean(flag) => flag.to_string(),
    }
}

fn value_type(key: &Key) -> String {
    format!("{:?}", key.value).to_ascii_lowercase()
}

fn presence(key: &Key) -> &'static str {
    if key.required { "required" } else { "optional" }
}
