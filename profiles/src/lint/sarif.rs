//! Reports in SARIF 2.1.0, the format that code hosts and editors read.
//!
//! A profile has no lines worth pointing at once it is signed, so places are logical locations:
//! `PayloadContent[0].EncryptionType`.

use std::collections::BTreeMap;

use mdm_schema::Severity;
use serde::Serialize;

use super::{Finding, Report, Rule};

/// Where the schema of the format lies.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json";

/// A log of one run over any number of profiles; serialised, it is a SARIF file.
///
/// ```
/// use mdm_profiles::lint::{Report, sarif::Sarif};
///
/// fn write(reports: &[(String, Report)]) -> serde_json::Result<String> {
///     let reports = reports.iter().map(|(file, report)| (file.as_str(), report));
///     serde_json::to_string_pretty(&Sarif::new(reports))
/// }
/// assert!(write(&[])?.contains("\"version\": \"2.1.0\""));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Serialize)]
pub struct Sarif<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

impl<'a> Sarif<'a> {
    /// The reports of these files. A file is named by a URI reference, such as its path relative to
    /// the repository; what a URI cannot hold is escaped.
    pub fn new(reports: impl IntoIterator<Item = (&'a str, &'a Report)>) -> Self {
        let reports: Vec<_> = reports.into_iter().collect();
        let rules = reports.iter().flat_map(|(_, report)| &report.findings);
        let mut rules: BTreeMap<_, _> = rules.map(|f| (f.rule.id, (f.rule, 0))).collect();
        for (index, (_, place)) in rules.values_mut().enumerate() {
            *place = index;
        }
        let results = reports
            .iter()
            .flat_map(|(file, report)| report.findings.iter().map(move |f| (file, f)))
            .map(|(file, finding)| {
                let index = rules.get(finding.rule.id).map_or(0, |(_, index)| *index);
                SarifResult::new(file, finding, index)
            })
            .collect();
        let rules = rules
            .values()
            .map(|(rule, _)| Descriptor::new(rule))
            .collect();
        Self {
            schema: SCHEMA,
            version: "2.1.0",
            runs: [Run {
                tool: Tool {
                    driver: Driver {
                        name: env!("CARGO_PKG_NAME"),
                        semantic_version: env!("CARGO_PKG_VERSION"),
                        information_uri: env!("CARGO_PKG_REPOSITORY"),
                        rules,
                    },
                },
                results,
            }],
        }
    }
}

#[derive(Debug, Serialize)]
struct Run<'a> {
    tool: Tool,
    results: Vec<SarifResult<'a>>,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    information_uri: &'static str,
    rules: Vec<Descriptor>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: &'static str,
    short_description: Message,
    help: Message,
}

impl Descriptor {
    fn new(rule: &Rule) -> Self {
        Self {
            id: rule.id,
            short_description: Message::new(sentence(rule.reason)),
            help: Message::new(format!("{} Source: {}.", sentence(rule.fix), rule.source)),
        }
    }
}

#[derive(Debug, Serialize)]
struct Message {
    text: String,
}

impl Message {
    fn new(text: String) -> Self {
        Self { text }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'a> {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Location<'a>; 1],
    partial_fingerprints: Fingerprints,
    #[serde(skip_serializing_if = "Properties::is_empty")]
    properties: Properties<'a>,
}

impl<'a> SarifResult<'a> {
    fn new(file: &str, finding: &'a Finding, rule_index: usize) -> Self {
        let path = finding.path.as_str();
        let place = if path.is_empty() { "the profile" } else { path };
        let text = format!("{place}: {}. {}", finding.message, sentence(&finding.fix));
        let name = path.rsplit('.').next().unwrap_or(path);
        Self {
            rule_id: finding.rule.id,
            rule_index,
            level: match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                _ => "note",
            },
            message: Message::new(text),
            locations: [Location {
                physical_location: Physical {
                    artifact_location: Artifact { uri: uri(file) },
                },
                logical_locations: if path.is_empty() {
                    Vec::new()
                } else {
                    vec![Logical {
                        name,
                        fully_qualified_name: path,
                        kind: "member",
                    }]
                },
            }],
            partial_fingerprints: Fingerprints {
                place: format!("{}:{path}", finding.rule.id),
            },
            properties: Properties {
                targets: &finding.targets,
            },
        }
    }
}

/// What stays the same while the rest of the profile changes.
#[derive(Debug, Serialize)]
struct Fingerprints {
    #[serde(rename = "rulePath/v1")]
    place: String,
}

#[derive(Debug, Serialize)]
struct Properties<'a> {
    targets: &'a [String],
}

impl Properties<'_> {
    fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    physical_location: Physical,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<Logical<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
}

#[derive(Debug, Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Logical<'a> {
    name: &'a str,
    fully_qualified_name: &'a str,
    kind: &'static str,
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).chain(['.']).collect()
}

/// A path as a URI reference (RFC 3986): what may not stand there is escaped, and so is a percent sign.
fn uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut uri = String::with_capacity(path.len());
    // A colon in the first segment would be the end of a scheme.
    let scheme = path
        .split('/')
        .next()
        .is_some_and(|first| first.contains(':'));
    if scheme && !path.contains("://") {
        uri.push_str("./");
    }
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => uri.push(byte.into()),
            b'/' | b'-' | b'.' | b'_' | b'~' | b':' | b'@' | b'+' | b',' | b'=' => {
                uri.push(byte.into());
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
