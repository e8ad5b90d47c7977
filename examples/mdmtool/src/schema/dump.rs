//! The tables as JSON, in the words of Apple's files: what a comparison with them reads.

use mdm_schema::{
    Key, Schema, Support,
    model::{Choice, Reason, SharedIpad},
};
use serde_json::{Map, Value, json};

use super::{stats::is_among, words};

/// Every schema, with everything that the tables say.
pub fn dump() -> Value {
    Value::Array(mdm_schema::all().map(schema).collect())
}

/// One schema.
pub(crate) fn schema(schema: &'static Schema) -> Value {
    let mut told = Told::default();
    told.set("kind", words::kind(schema.kind));
    told.set("id", schema.id);
    told.set("name", schema.name);
    told.set("file", schema.file);
    told.set("title", schema.title);
    told.set("page", schema.page);
    told.set_some("apply", schema.apply.map(words::apply));
    told.set("support", supports(schema.support));
    told.set(
        "reasons",
        schema.reasons.iter().map(reason).collect::<Vec<_>>(),
    );
    told.set("relatedStatusItems", schema.related_status_items);
    told.set("keys", keys(schema.keys, &mut Vec::new()));
    told.finish()
}

/// One key, with all that lies below it.
pub(crate) fn key_alone(described: &'static Key) -> Value {
    key(described, &mut Vec::new())
}

fn keys(list: &'static [Key], outer: &mut Vec<&'static [Key]>) -> Value {
    if list.is_empty() {
        return Value::Array(Vec::new());
    }
    if is_among(list, outer) {
        return json!({"recursive": true});
    }
    outer.push(list);
    let told = list.iter().map(|described| key(described, outer)).collect();
    outer.pop();
    Value::Array(told)
}

fn key(key: &'static Key, outer: &mut Vec<&'static [Key]>) -> Value {
    let mut told = Told::default();
    told.set("name", key.name);
    told.set("wildcard", key.wildcard);
    told.set("title", key.title);
    told.set("type", words::value_type(key.value));
    told.set_some("subtype", key.text.map(words::text_type));
    told.set("required", key.required);
    told.set_some("default", key.default.map(words::literal));
    told.set(
        "allowed",
        key.allowed.iter().map(choice).collect::<Vec<_>>(),
    );
    if key.allowed_are_keys {
        told.set("allowedAreKeys", true);
    }
    if let Some(range) = key.range {
        let mut bounds = Told::default();
        bounds.set_some("min", range.min.map(number));
        bounds.set_some("max", range.max.map(number));
        told.set("range", bounds.finish());
    }
    told.set_some("format", key.format);
    told.set_some(
        "repetition",
        key.repetition
            .map(|times| json!({"min": times.min, "max": times.max})),
    );
    told.set_some("combine", key.combine.map(words::combine));
    told.set("assetTypes", key.asset_types);
    told.set("assetContentTypes", key.asset_content_types);
    told.set("support", supports(key.support));
    told.set("structure", key.structure);
    told.set("secret", key.secret);
    if key.added {
        told.set("added", true);
    }
    told.set("keys", keys(key.keys, outer));
    told.finish()
}

fn choice(choice: &Choice) -> Value {
    let mut told = Told::default();
    told.set("value", words::literal(choice.value));
    told.set("support", supports(choice.support));
    told.finish()
}

fn reason(reason: &Reason) -> Value {
    let details = reason.details.iter();
    let details =
        details.map(|(key, value)| json!({"key": key, "type": words::value_type(*value)}));
    json!({"value": reason.code, "details": details.collect::<Vec<_>>()})
}

/// A number without the fraction that it does not have.
fn number(number: f64) -> Value {
    match serde_json::from_str::<Value>(&number.to_string()) {
        Ok(number) => number,
        Err(_) => crate::json::real(number),
    }
}

pub(crate) fn supports(supports: &[Support]) -> Vec<Value> {
    supports.iter().map(support).collect()
}

fn support(support: &Support) -> Value {
    let mut told = Told::default();
    told.set("platform", support.platform.as_str());
    told.set_some("introduced", support.introduced.map(|b| b.to_string()));
    told.set_some("deprecated", support.deprecated.map(|b| b.to_string()));
    told.set_some("removed", support.removed.map(|b| b.to_string()));
    told.set_some("accessrights", support.access_rights);
    told.set_some("multiple", support.multiple);
    told.set_some("devicechannel", support.device_channel);
    told.set_some("userchannel", support.user_channel);
    told.set_some("supervised", support.supervised);
    told.set_some("requiresdep", support.requires_dep);
    told.set_some("userapprovedmdm", support.user_approved);
    told.set_some("allowmanualinstall", support.manual_install);
    let enrollments = |list: &[_]| {
        list.iter()
            .map(|e| words::enrollment(*e))
            .collect::<Vec<_>>()
    };
    told.set_some("allowed-enrollments", support.enrollments.map(enrollments));
    let scopes = |list: &[_]| list.iter().map(|s| words::scope(*s)).collect::<Vec<_>>();
    told.set_some("allowed-scopes", support.scopes.map(scopes));
    told.set_some("sharedipad", support.shared_ipad.map(shared_ipad));
    told.set_some(
        "userenrollment",
        support
            .user_enrollment
            .map(|mode| json!({"mode": words::mode(mode)})),
    );
    told.set_some("always-skippable", support.always_skippable);
    told.set_some("beta", support.beta);
    told.finish()
}

fn shared_ipad(shared: SharedIpad) -> Value {
    let mut told = Told::default();
    told.set_some("mode", shared.mode.map(words::mode));
    told.set_some("devicechannel", shared.device_channel);
    told.set_some("userchannel", shared.user_channel);
    let scopes = |list: &[_]| list.iter().map(|s| words::scope(*s)).collect::<Vec<_>>();
    told.set_some("allowed-scopes", shared.scopes.map(scopes));
    told.finish()
}

/// A JSON object that leaves out what is not known.
#[derive(Default)]
struct Told(Map<String, Value>);

impl Told {
    fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    fn set_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    fn finish(self) -> Value {
        Value::Object(self.0)
    }
}
