//! What is found in Apple's examples, as `conformance.json` lists it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::run::{self, Outcome};

/// Beside this package's manifest.
const FILE: &str = "xtask/conformance.json";

/// Who looks at an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum By {
    /// `mdmtool roundtrip`: what a device refuses.
    Check,
    /// `mdmtool profile lint`: that, and what is unwise.
    Lint,
}

/// The findings, file by file.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Expected(BTreeMap<String, Vec<Mistake>>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mistake {
    path: String,
    rule: String,
    /// Who alone finds it; of a profile both do where nothing is said.
    by: Option<By>,
    /// Why it is one of Apple's, in our words.
    why: String,
}

/// A finding of the tool.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Found {
    path: String,
    rule: String,
    severity: String,
    message: String,
}

impl Expected {
    pub(super) fn read() -> Outcome<Self> {
        let text = std::fs::read_to_string(run::root().join(FILE))
            .map_err(|error| format!("{FILE}: {error}"))?;
        let expected: Self =
            serde_json::from_str(&text).map_err(|error| format!("{FILE}: {error}"))?;
        let mut all = expected
            .0
            .iter()
            .flat_map(|(name, list)| list.iter().map(move |m| (name, m)));
        match all.find(|(_, mistake)| mistake.why.trim().is_empty()) {
            Some((name, mistake)) => {
                Err(format!("{FILE}: {name}: {}: says not why", mistake.path).into())
            }
            None => Ok(expected),
        }
    }

    /// What was found and is not listed, and what is listed and was not found.
    pub(super) fn differences(&self, name: &str, by: By, found: &[Found]) -> Vec<String> {
        let mut missing: Vec<(&str, &str)> = self
            .0
            .get(name)
            .into_iter()
            .flatten()
            .filter(|mistake| mistake.by.is_none_or(|finder| finder == by))
            .map(|mistake| (mistake.path.as_str(), mistake.rule.as_str()))
            .collect();
        let mut reasons = Vec::new();
        for finding in found {
            let Found {
                path,
                rule,
                severity,
                message,
            } = finding;
            let place = missing
                .iter()
                .position(|it| *it == (path.as_str(), rule.as_str()));
            match place {
                Some(place) => {
                    missing.swap_remove(place);
                }
                None => reasons.push(format!(
                    "not listed: {severity}: {path}: {message} ({rule})"
                )),
            }
        }
        let missing = missing.into_iter();
        reasons
            .extend(missing.map(|(path, rule)| format!("listed, but not found: {path} ({rule})")));
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Found {
        Found {
            path: path.to_owned(),
            rule: "required".to_owned(),
            severity: "error".to_owned(),
            message: "is missing".to_owned(),
        }
    }

    #[test]
    fn a_finding_too_many_or_too_few_is_a_difference() {
        let expected: Expected = serde_json::from_str(
            r#"{"a.plist": [{"path": "A", "rule": "required", "why": "left out"}]}"#,
        )
        .unwrap();
        for by in [By::Check, By::Lint] {
            let differences = |name, found: &[Found]| expected.differences(name, by, found);
            assert!(differences("a.plist", &[found("A")]).is_empty());
            assert!(differences("b.plist", &[]).is_empty());
            assert_eq!(
                differences("a.plist", &[]),
                ["listed, but not found: A (required)"]
            );
            assert_eq!(
                differences("a.plist", &[found("A"), found("A")]),
                ["not listed: error: A: is missing (required)"]
            );
            assert_eq!(differences("b.plist", &[found("A")]).len(), 1);
        }
    }

    #[test]
    fn what_one_of_them_finds_is_asked_of_that_one() {
        let expected: Expected = serde_json::from_str(
            r#"{"a.plist": [{"path": "A", "rule": "required", "by": "lint", "why": "left out"}]}"#,
        )
        .unwrap();
        assert!(expected.differences("a.plist", By::Check, &[]).is_empty());
        let found = [found("A")];
        assert!(expected.differences("a.plist", By::Lint, &found).is_empty());
        assert_eq!(expected.differences("a.plist", By::Check, &found).len(), 1);
    }

    #[test]
    fn every_listed_mistake_says_why() {
        assert!(Expected::read().is_ok());
    }
}
