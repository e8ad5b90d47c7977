//! `cargo xtask conformance [--from PATH]`: the tables against Apple's schema, and `mdmtool` over
//! Apple's published examples.
//!
//! Each example is read as its own types, written from them again, and checked; profiles are linted,
//! too. The mistakes that Apple's examples hold are listed in `conformance.json`, with the reason. The
//! examples lie outside the project: a clone that has none beside it says `skipped`; a folder that was
//! asked for by name has to be there.

mod expected;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, de::DeserializeOwned};

use self::expected::{By, Expected, Found};
use crate::openssl;
use crate::run::{self, Outcome};
use crate::schema;

/// Where the examples are looked for, beside the project.
const BESIDE: &str = "../shared";

/// What the files below a folder are. The first kind names a file's type to the tool where its
/// content tells nothing at all.
const EXPECTED: &[(&str, &[&str])] = &[
    ("mdm/checkin", &["checkin"]),
    ("mdm/commands", &["command", "response"]),
    ("mdm/errors", &["error-body"]),
    ("mdm/profiles", &["profile"]),
    ("declarative/declarations", &["declaration"]),
    ("declarative/protocol", &["declaration", "status-report"]),
    ("declarative/status", &["status-report"]),
    ("other", &["document", "checkin"]),
];

/// What the tool says of a file.
#[derive(Debug, Deserialize)]
struct Told {
    kind: String,
    parts: Vec<Part>,
    faithful: bool,
    findings: Vec<Found>,
}

/// A part of the file that the schema describes.
#[derive(Debug, Deserialize)]
struct Part {
    path: String,
    kind: String,
    name: String,
    id: Option<String>,
    lost: Vec<String>,
}

/// Checks the tables and every example; fails where the tables differ, or where a file is refused,
/// taken for something else, not the same when written again, or has other mistakes than are listed.
pub(crate) fn conformance(from: Option<&Path>) -> Outcome {
    let folder = from.map_or_else(|| run::root().join(BESIDE), Path::to_owned);
    let vectors = folder.join("vectors");
    if !vectors.is_dir() {
        if from.is_some() {
            return Err(format!("conformance: no folder {}", vectors.display()).into());
        }
        println!("skipped: conformance: no {BESIDE}/vectors beside the project");
        return Ok(());
    }
    let mut files = Vec::new();
    collect(&vectors, &mut files).map_err(|error| format!("{}: {error}", vectors.display()))?;
    files.sort();
    let expected = Expected::read()?;
    let tool = build()?;
    schema::compare(&folder.join("schema"), &tool)?;

    let mut counts = BTreeMap::new();
    let (mut failures, mut typed, mut mistakes, mut linted) = (0, 0, 0, 0);
    for file in &files {
        let name = file.strip_prefix(&vectors).unwrap_or(file);
        match check(name, &expected, |options| roundtrip(&tool, file, options)) {
            Ok(Checked {
                count,
                findings,
                mut differences,
            }) => {
                if name.starts_with(PROFILES) {
                    let (found, others) = lint(&tool, file, name, &expected);
                    linted += found;
                    differences.extend(others);
                }
                *counts.entry(count).or_insert(0_usize) += 1;
                typed += 1;
                mistakes += findings;
                failures += usize::from(!differences.is_empty());
                tell(name, &differences);
            }
            Err(reasons) => {
                failures += 1;
                tell(name, &reasons);
            }
        }
    }
    for ((folder, kind), count) in &counts {
        println!("conformance: {folder}: {count} {kind}");
    }
    let (all, well) = (files.len(), files.len() - failures);
    println!(
        "conformance: {typed} of {all} files are read as their own types and written again as they \
         were; {mistakes} mistakes were found in them"
    );
    println!("conformance: the lint finds {linted} things in the profiles");
    match (failures, well) {
        (0, 1..) => Ok(()),
        (0, 0) => Err("conformance: no example found".into()),
        _ => Err(format!("conformance: {failures} files failed").into()),
    }
}

/// The folder of the examples that are linted.
const PROFILES: &str = "mdm/profiles";

/// The time at which certificates and dates in examples are judged.
const LINTED_AT: &str = "2026-11-22T12:00:00Z";

/// What a lint says of one file.
#[derive(Debug, Deserialize)]
struct Linted {
    files: Vec<LintedFile>,
}

#[derive(Debug, Deserialize)]
struct LintedFile {
    findings: Vec<Found>,
}

/// Lints a profile: how much was found, and what is not listed or listed and not found.
fn lint(tool: &Path, file: &Path, name: &Path, expected: &Expected) -> (usize, Vec<String>) {
    let mut command = Command::new(tool);
    command.args(["profile", "lint", "--json", "--fail-on", "never"]);
    command.args(["--at", LINTED_AT, "--"]).arg(file);
    let found = match answer::<Linted>(&mut command) {
        Ok(linted) => linted.files.into_iter().flat_map(|file| file.findings),
        Err(reason) => return (0, vec![format!("lint: {reason}")]),
    };
    let found: Vec<_> = found.collect();
    let name = name.to_string_lossy().replace('\\', "/");
    let differences = expected.differences(&name, By::Lint, &found).into_iter();
    let differences = differences.map(|difference| format!("lint: {difference}"));
    (found.len(), differences.collect())
}

fn tell(name: &Path, reasons: &[String]) {
    for reason in reasons {
        println!("conformance: {}: {reason}", name.display());
    }
}

/// Folder and kind.
type Count = (String, String);

/// What came of a file that was read as its own types and written again as it was.
#[derive(Debug)]
struct Checked {
    count: Count,
    findings: usize,
    /// Mistakes that are not listed, or listed and not found.
    differences: Vec<String>,
}

/// Runs the tool with the type that the folder names, for files that do not name theirs; where the
/// content does not tell the kind either, with the folder's kind.
fn check(
    name: &Path,
    expected: &Expected,
    roundtrip: impl Fn(&[&str]) -> Result<Told, String>,
) -> Result<Checked, Vec<String>> {
    let folder = EXPECTED.iter().find(|(folder, _)| name.starts_with(folder));
    let type_name = name.parent().unwrap_or(Path::new("")).to_string_lossy();
    let told = roundtrip(&["--type", &type_name]).or_else(|reason| {
        let Some((_, [kind, ..])) = folder else {
            return Err(vec![reason]);
        };
        roundtrip(&["--as", &format!("{kind}/{type_name}")]).map_err(|_| vec![reason])
    })?;
    let mut reasons = Vec::new();
    if let Some((_, kinds)) = folder
        && !kinds.contains(&told.kind.as_str())
    {
        let kinds = kinds.join(" or ");
        reasons.push(format!("taken for {}, is {kinds}", told.kind));
    }
    reasons.extend(told.strangers());
    let name = name.to_string_lossy().replace('\\', "/");
    let differences = expected.differences(&name, By::Check, &told.findings);
    if !reasons.is_empty() {
        reasons.extend(differences);
        return Err(reasons);
    }
    let folder = folder.map_or("elsewhere", |(folder, _)| folder);
    Ok(Checked {
        count: (folder.to_owned(), told.kind),
        findings: told.findings.len(),
        differences,
    })
}

impl Told {
    /// What was not read as a type of its own, or is not the same when written again.
    fn strangers(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.parts.is_empty() {
            reasons.push("no part of it is of a known type".to_owned());
        }
        for part in &self.parts {
            let Part {
                path, kind, name, ..
            } = part;
            if part.id.is_none() {
                reasons.push(format!("{path}: no {kind} is known as {name}"));
            }
            for lost in &part.lost {
                reasons.push(format!("{lost}: is not what was read when written again"));
            }
        }
        if reasons.is_empty() && !self.faithful {
            reasons.push("is another document when written again".to_owned());
        }
        reasons
    }
}

/// Builds the tool; answers where it lies.
fn build() -> Outcome<PathBuf> {
    let mut command = run::cargo(&["build", "--quiet", "--package", "mdmtool"]);
    command.args(["--bin", "mdmtool", "--message-format", "json"]);
    if openssl::vendored(false)? {
        command.args(["--features", "vendored"]);
    }
    let messages = run::output(command.stderr(Stdio::inherit()))?;
    let mut executable = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    executable
        .next_back()
        .ok_or_else(|| "cargo built no mdmtool".into())
}

/// One run of the tool; what it said on standard error where it refuses.
fn roundtrip(tool: &Path, file: &Path, options: &[&str]) -> Result<Told, String> {
    let mut command = Command::new(tool);
    command.arg("roundtrip").args(options).arg("--").arg(file);
    answer(&mut command)
}

/// What the tool answers in JSON.
fn answer<T: DeserializeOwned>(command: &mut Command) -> Result<T, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} ({})", stderr.trim_end(), output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("its JSON: {error}"))
}

/// Every file of a document's kind below `folder`.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e != "md") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: &str) -> Told {
        Told {
            kind: kind.to_owned(),
            parts: vec![Part {
                path: "Command".to_owned(),
                kind: "command".to_owned(),
                name: "DeviceLock".to_owned(),
                id: Some("DeviceLock".to_owned()),
                lost: Vec::new(),
            }],
            faithful: true,
            findings: Vec::new(),
        }
    }

    fn run(
        file: &str,
        roundtrip: impl Fn(&[&str]) -> Result<Told, String>,
    ) -> Result<Checked, Vec<String>> {
        check(Path::new(file), &Expected::default(), roundtrip)
    }

    #[test]
    fn the_folder_says_what_a_file_has_to_be() {
        let file = "mdm/commands/device.lock/example2.plist";
        let checked = run(file, |_| Ok(told("response"))).unwrap();
        assert_eq!(
            checked.count,
            ("mdm/commands".to_owned(), "response".to_owned())
        );
        let reasons = run(file, |_| Ok(told("profile"))).unwrap_err();
        assert_eq!(reasons, ["taken for profile, is command or response"]);
        let elsewhere = run("captures/one.plist", |_| Ok(told("command")));
        assert_eq!(elsewhere.unwrap().count.0, "elsewhere");
    }

    #[test]
    fn a_file_without_a_type_takes_it_from_its_folder() {
        let file = "declarative/status/content-cache.info/example1.json";
        let checked = run(file, |options| match options {
            [
                "--as",
                "status-report/declarative/status/content-cache.info",
            ] => Ok(told("status-report")),
            _ => Err("what is it?".to_owned()),
        })
        .unwrap();
        assert_eq!(checked.count.1, "status-report");
    }

    #[test]
    fn a_refused_file_keeps_the_first_reason() {
        let reasons = run("mdm/profiles/dock/1.plist", |options| match options {
            ["--type", _] => Err("line 3: unknown entity".to_owned()),
            _ => Err("no such type".to_owned()),
        });
        assert_eq!(reasons.unwrap_err(), ["line 3: unknown entity"]);
    }

    #[test]
    fn what_is_of_no_type_or_changes_on_the_way_is_a_failure() {
        let mut other = told("command");
        other.parts[0].id = None;
        assert_eq!(
            other.strangers(),
            ["Command: no command is known as DeviceLock"]
        );
        let mut other = told("command");
        other.parts[0].lost.push("Command.PIN".to_owned());
        assert_eq!(other.strangers().len(), 1);
        let mut other = told("command");
        other.faithful = false;
        assert_eq!(other.strangers().len(), 1);
        other.parts.clear();
        assert_eq!(other.strangers(), ["no part of it is of a known type"]);
    }

    #[test]
    fn a_folder_asked_for_by_name_has_to_be_there() {
        let folder = std::env::temp_dir().join("no-such-conformance-folder");
        assert!(conformance(Some(&folder)).is_err());
    }
}
