//! Checking documents against the tables.
//!
//! A finding is an error where a device refuses the document or it cannot mean what was intended, a
//! warning for what is probably a mistake, and information for what has no effect. In documents that
//! devices write (see [`Kind::is_from_device`]) a missing key and a value that is not listed are
//! warnings: devices leave out what the schema requires, and newer ones know more values.
//!
//! Messages quote no value, but for a short text that is none of the values its key allows, unless
//! the key is a secret.

use mdm_plist::{Dictionary, Value};

use crate::{
    availability::{self, Objection},
    finding::{Finding, Rule, Severity},
    model::{Choice, Key, Kind, Mode, Schema, Support, ValueType},
    payload,
    record::{Item, Log, Place, StatusItem},
    target::{Platform, Target},
    version::Bound,
};

pub(crate) mod format;
mod together;
mod value;

pub use together::validate_together;

/// How deep values may be nested. Property lists that were read are never as deep.
pub const MAX_DEPTH: usize = 128;

/// Checks a document, and with a target also whether the target takes it.
///
/// Without a target nothing is said about availability, and a key that some system does not know or
/// does not take under all conditions is not asked for.
///
/// In payloads the keys that all payloads share are known and checked; whether they are there is for
/// the profile to say. The keys around a command or a response (`RequestType`, `Status` and so on)
/// are known and not looked at.
pub fn validate(schema: &Schema, keys: &Dictionary, target: Option<&Target>) -> Vec<Finding> {
    let log = Log::default();
    let check = Check::new(schema, target);
    let root = Place::root(&log);
    let raised = check.document(&root);
    let holder = Holder::root(schema, raised);
    check.dictionary(schema.keys, keys, &holder, &root);
    log.into_findings()
}

/// Checks the value of a status item.
pub fn validate_value(schema: &Schema, value: &Value, target: Option<&Target>) -> Vec<Finding> {
    let log = Log::default();
    let check = Check::new(schema, target);
    let root = Place::root(&log);
    let place = root.key(schema.name);
    let raised = check.document(&place);
    let holder = Holder::root(schema, raised);
    match schema.keys.iter().find(|key| key.name == schema.name) {
        Some(key) => check.key(key, value, &holder, &place),
        None => match value {
            Value::Dictionary(keys) => check.dictionary(schema.keys, keys, &holder, &place),
            _ => place.note(Rule::Type, Severity::Error, "is not a dictionary"),
        },
    }
    log.into_findings()
}

/// Checks a typed document.
pub fn validate_item<T: Item>(item: &T, target: Option<&Target>) -> Vec<Finding> {
    validate(T::SCHEMA, &item.to_dictionary(), target)
}

/// Checks a typed status item.
pub fn validate_status_item<T: StatusItem>(item: &T, target: Option<&Target>) -> Vec<Finding> {
    validate_value(T::SCHEMA, &item.write(), target)
}

/// What is the same for all of a document.
struct Check<'a> {
    schema: &'a Schema,
    target: Option<&'a Target>,
    json: bool,
    /// How bad it is that a key is missing or a value not listed.
    incomplete: Severity,
}

/// What holds the keys that are looked at.
#[derive(Clone, Copy)]
pub(crate) struct Holder<'a> {
    outer: Option<&'a Holder<'a>>,
    schema: &'a Schema,
    key: Option<&'static Key>,
    pub(crate) raised: Raised,
    depth: usize,
}

/// The rules by which a target does not take what holds a key. By them nothing more is said about
/// the key: one objection to a document is enough.
#[derive(Clone, Copy, Default)]
pub(crate) struct Raised(u32);

impl Raised {
    pub(crate) fn and(mut self, objections: &[Objection]) -> Self {
        for objection in objections {
            self.0 |= match objection.rule() {
                // Nothing in what is not there is worth a word.
                Rule::NotAvailable | Rule::Removed => u32::MAX,
                rule => 1 << rule as u32,
            };
        }
        self
    }

    fn has(self, rule: Rule) -> bool {
        self.0 & 1 << rule as u32 != 0
    }
}

impl<'a> Holder<'a> {
    pub(crate) fn root(schema: &'a Schema, raised: Raised) -> Self {
        Self {
            outer: None,
            schema,
            key: None,
            raised,
            depth: 0,
        }
    }

    pub(crate) fn below<'b>(&'b self, key: &'static Key, raised: Raised) -> Holder<'b> {
        Holder {
            outer: Some(self),
            schema: self.schema,
            key: Some(key),
            raised,
            depth: self.depth + 1,
        }
    }

    /// On what terms a system takes it.
    pub(crate) fn support_on(&self, platform: Platform) -> Support {
        match (self.outer, self.key) {
            (Some(outer), Some(key)) => key.support_under(outer.support_on(platform)),
            _ => self.schema.support_on(platform),
        }
    }

    /// Whether it is one of several alternatives.
    pub(crate) fn is_alternative(&self) -> bool {
        let array = self.outer.and_then(|outer| outer.key);
        array.is_some_and(|key| key.value == ValueType::Array && key.keys.len() > 1)
    }

    /// The keys that hold it, itself first.
    #[cfg(feature = "sample")]
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> {
        std::iter::successors(Some(self), |holder| holder.outer).filter_map(|holder| holder.key)
    }

    /// What stands against a key or a value that it holds, beyond what stands against itself.
    pub(crate) fn objections(
        &self,
        own: &'static [Support],
        target: Option<&Target>,
    ) -> Vec<Objection> {
        // Most keys say nothing of their own; then there is nothing to inherit either.
        let Some(target) = target.filter(|t| availability::on(own, t.platform).is_some()) else {
            return Vec::new();
        };
        let added = availability::added(own, self.support_on(target.platform), target);
        let new = |objection: &&Objection| !self.raised.has(objection.rule());
        added.objections().iter().filter(new).copied().collect()
    }

    /// Whether a key that is required has to be there.
    pub(crate) fn demands(&self, key: &Key, target: Option<&Target>) -> bool {
        if !key.required || key.wildcard {
            return false;
        }
        match target {
            // Of a target that does not have what holds the key nothing can be asked.
            Some(target) if !self.raised.has(Rule::NotAvailable) => key
                .availability(self.support_on(target.platform), target)
                .is_available(),
            _ => !key.support.iter().any(|own| {
                let outer = self.support_on(own.platform);
                outer.introduced != Some(Bound::Never) && narrows(own, &outer)
            }),
        }
    }
}

/// Whether some devices that take what holds a key do not take the key.
fn narrows(own: &Support, outer: &Support) -> bool {
    let mode = |mode| matches!(mode, Some(Mode::Forbidden | Mode::Required));
    let shared = own.shared_ipad;
    own.introduced > outer.introduced.or(Some(Bound::Always))
        || own.removed.is_some()
        || [own.supervised, own.requires_dep, own.user_approved].contains(&Some(true))
        || [own.device_channel, own.user_channel, own.manual_install].contains(&Some(false))
        || own.enrollments.is_some()
        || own.scopes.is_some()
        || mode(own.user_enrollment)
        || shared.is_some_and(|shared| {
            mode(shared.mode)
                || shared.scopes.is_some()
                || [shared.device_channel, shared.user_channel].contains(&Some(false))
        })
}

impl<'a> Check<'a> {
    fn new(schema: &'a Schema, target: Option<&'a Target>) -> Self {
        Self {
            schema,
            target,
            json: schema.kind.is_json(),
            incomplete: if schema.kind.is_from_device() {
                Severity::Warning
            } else {
                Severity::Error
            },
        }
    }

    /// Notes what stands against the whole document.
    fn document(&self, place: &Place<'_>) -> Raised {
        let Some(target) = self.target else {
            return Raised::default();
        };
        let availability = self.schema.availability(target);
        for objection in availability.objections() {
            place.note(
                objection.rule(),
                objection.severity(),
                objection.to_string(),
            );
        }
        Raised::default().and(availability.objections())
    }

    /// Notes what stands against a key or a value, and returns that with what stands against what
    /// holds it.
    fn availability(&self, own: &'static [Support], outer: &Holder<'_>, at: &Place<'_>) -> Raised {
        let objections = outer.objections(own, self.target);
        for objection in &objections {
            at.note(
                objection.rule(),
                objection.severity(),
                objection.to_string(),
            );
        }
        outer.raised.and(&objections)
    }

    /// Checks the entries of a dictionary against the keys that it may have.
    fn dictionary(
        &self,
        keys: &'static [Key],
        entries: &Dictionary,
        holder: &Holder<'_>,
        place: &Place<'_>,
    ) {
        let removal = is_removal(self.schema.kind, keys, entries);
        let mut known = 0;
        for key in keys.iter().filter(|key| !key.wildcard) {
            let place = place.key(key.name);
            if let Some(value) = entries.get(key.name) {
                known += 1;
                self.key(key, value, holder, &place);
            } else if (!removal || key.name == "identifier") && holder.demands(key, self.target) {
                place.note(Rule::Required, self.incomplete, "is missing");
            }
        }
        if known == entries.len() {
            return;
        }
        let wildcard = keys.iter().find(|key| key.wildcard);
        let named = |name: &str| keys.iter().any(|key| !key.wildcard && key.name == name);
        for (name, value) in entries.iter().filter(|(name, _)| !named(name)) {
            // Of a flood of keys no more are looked up than are worth a word.
            if place.is_full() {
                return;
            }
            let place = place.key(name);
            match wildcard {
                Some(key) => self.key(key, value, holder, &place),
                None => self.unlisted(name, value, holder, &place),
            }
        }
    }

    /// Checks a key that the dictionary's own list does not have.
    fn unlisted(&self, name: &str, value: &Value, holder: &Holder<'_>, place: &Place<'_>) {
        if holder.depth == 0 {
            if let Some(key) = common(self.schema, name) {
                return self.key(key, value, holder, place);
            }
            if self.schema.kind.envelope().contains(&name) {
                return;
            }
        }
        // Known where the alternative's own list lacks it, too.
        if name == TAG && holder.is_alternative() {
            return;
        }
        place.note(Rule::UnknownKey, Severity::Warning, "is not known");
    }

    /// Checks a value and what it holds.
    fn key(&self, key: &'static Key, value: &Value, holder: &Holder<'_>, place: &Place<'_>) {
        let raised = self.availability(key.support, holder, place);
        let here = holder.below(key, raised);
        if let Err(mismatch) = value::fits(key.value, value, self.json) {
            place.note(Rule::Type, mismatch.severity, mismatch.message);
            if mismatch.severity == Severity::Error {
                return;
            }
        }
        if let Some(choice) = value::allowed(key, value, self.incomplete, place) {
            self.availability(choice.support, &here, place);
        }
        value::bounds(key, value, place);
        format::check(key, value, place);
        // A key without keys of its own may hold anything.
        if key.keys.is_empty() || key.value == ValueType::Any {
            return;
        }
        if here.depth >= MAX_DEPTH {
            place.note(Rule::Range, Severity::Error, "is nested too deep");
            return;
        }
        match value {
            Value::Dictionary(entries) => self.dictionary(key.keys, entries, &here, place),
            Value::Array(values) => self.array(key, values, &here, place),
            _ => {}
        }
    }

    fn array(&self, key: &'static Key, values: &[Value], here: &Holder<'_>, place: &Place<'_>) {
        if let [element] = key.keys {
            value::repetition(element, values.len(), place);
            for (index, value) in values.iter().enumerate() {
                if place.is_full() {
                    return;
                }
                self.key(element, value, here, &place.index(index));
            }
        } else {
            for (index, value) in values.iter().enumerate() {
                if place.is_full() {
                    return;
                }
                self.alternative(key.keys, value, here, &place.index(index));
            }
        }
    }

    /// Checks an element that is one of several alternatives, told apart by [`TAG`].
    fn alternative(
        &self,
        alternatives: &'static [Key],
        value: &Value,
        holder: &Holder<'_>,
        place: &Place<'_>,
    ) {
        let Value::Dictionary(entries) = value else {
            return place.note(Rule::Type, Severity::Error, "is not a dictionary");
        };
        let at = place.key(TAG);
        let name = match entries.get(TAG) {
            None => return at.note(Rule::Required, self.incomplete, "is missing"),
            Some(Value::String(name)) => name,
            Some(_) => return at.note(Rule::Type, Severity::Error, "is not a string"),
        };
        match alternatives.iter().find(|key| key.name == name) {
            None => {
                let found = value::quoted(name).unwrap_or_else(|| "is".to_owned());
                let message = format!("{found} none of the alternatives");
                at.note(Rule::Enum, self.incomplete, message);
            }
            Some(key) => self.key(key, value, holder, place),
        }
    }
}

/// What tells the alternatives of an array apart.
pub(crate) const TAG: &str = "Item";

/// What takes an entry of a status array back.
pub(crate) const REMOVED: &str = "_removed";

/// An entry of a status array that only says that it is gone.
pub(crate) fn is_removal(kind: Kind, keys: &[Key], entries: &Dictionary) -> bool {
    kind == Kind::StatusItem
        && entries.get(REMOVED).and_then(Value::as_boolean) == Some(true)
        && keys.iter().any(|key| key.name == REMOVED)
}

/// A key that all payloads share.
fn common(schema: &Schema, name: &str) -> Option<&'static Key> {
    let common = &payload::COMMON_PAYLOAD_KEYS;
    let key = common.keys.iter().find(|key| key.name == name);
    key.filter(|_| schema.kind == Kind::Payload)
}

#[cfg(test)]
mod tests;
