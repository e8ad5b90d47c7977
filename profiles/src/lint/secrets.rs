//! Secrets that stand in the profile as anybody can read them.

use mdm_plist::{Dictionary, Value};
use mdm_schema::{Log, Place, Severity};

use super::{Finding, LintOptions, rule};
use crate::{predict::Installer, profile::Profile, shown::Known};

pub(super) fn check(profile: &Profile, options: &LintOptions, findings: &mut Vec<Finding>) {
    if options.encrypted {
        return;
    }
    // Through MDM it travels under TLS, to a device that proved itself.
    let severity = match options.delivery {
        Installer::Mdm => Severity::Info,
        Installer::Manual => Severity::Warning,
    };
    let log = Log::default();
    let root = Place::root(&log);
    let content = root.key("PayloadContent");
    let mut walk = Walk { severity, findings };
    for (place, payload) in profile.numbered() {
        let known = Known::new(payload.schema().map_or(&[], |schema| schema.keys));
        walk.dictionary(known, payload.keys(), &content.index(place));
    }
}

struct Walk<'a> {
    severity: Severity,
    findings: &'a mut Vec<Finding>,
}

impl Walk<'_> {
    fn dictionary(&mut self, known: Known, keys: &Dictionary, place: &Place<'_>) {
        for (key, value) in keys {
            self.value(known.key(key), value, &place.key(key));
        }
    }

    fn value(&mut self, known: Known, value: &Value, place: &Place<'_>) {
        match value {
            Value::Dictionary(keys) => self.dictionary(known, keys, place),
            Value::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    self.value(known.element(value), value, &place.index(index));
                }
            }
            _ if !known.secret => {}
            Value::String(text) if text.is_empty() => {}
            Value::String(_) | Value::Data(_) => {
                let rule = rule::named("secret-in-clear");
                let (path, message) = (place.path(), "is a secret in clear");
                self.findings
                    .push(Finding::new(rule, path, self.severity, message));
            }
            _ => {}
        }
    }
}
