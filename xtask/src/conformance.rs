//! `cargo xtask conformance [--from PATH]`: `mdmtool decode` over Apple's published examples.
//!
//! The examples lie outside the project. A clone that has none beside it says `skipped`; a folder
//! that was asked for by name has to be there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::openssl;
use crate::run::{self, Outcome};
use crate::schema;

/// Where the examples are looked for, beside the project.
const BESIDE: &str = "../shared";

/// What the files below a folder are. The first kind names a file's type to the tool where its
/// content does not (a status report or a credential document holds no type).
const EXPECTED: &[(&str, &[&str])] = &[
    ("mdm/commands", &["command", "response"]),
    ("mdm/profiles", &["profile"]),
    ("declarative/declarations", &["declaration"]),
    ("declarative/status", &["status-report"]),
];

/// What the tool says of a file.
#[derive(Debug, Deserialize)]
struct Decoded {
    kind: String,
}

/// Decodes every example; fails where one is refused or taken for something else.
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
    let tool = build()?;
    schema::compare(&folder.join("schema"), &tool)?;

    let mut counts = BTreeMap::new();
    let mut failures = 0;
    for file in &files {
        let name = file.strip_prefix(&vectors).unwrap_or(file);
        match check(name, |named| decode(&tool, file, named)) {
            Ok(count) => *counts.entry(count).or_insert(0_usize) += 1,
            Err(reason) => {
                println!("conformance: {}: {reason}", name.display());
                failures += 1;
            }
        }
    }
    for ((folder, kind, how), count) in &counts {
        println!("conformance: {folder}: {count} {kind} ({how})");
    }
    let decoded = files.len() - failures;
    println!(
        "conformance: {decoded} of {} files decoded as what they are",
        files.len()
    );
    match (failures, decoded) {
        (0, 1..) => Ok(()),
        (0, 0) => Err("conformance: no example found".into()),
        _ => Err(format!("conformance: {failures} files failed").into()),
    }
}

/// Folder, kind, and who named the type.
type Count = (&'static str, String, &'static str);

/// Decodes by content; where that is refused, with the type that the folder names.
fn check(
    name: &Path,
    decode: impl Fn(Option<&str>) -> Result<Decoded, String>,
) -> Result<Count, String> {
    let (folder, kinds) = EXPECTED
        .iter()
        .find(|(folder, _)| name.starts_with(folder))
        .ok_or("lies in no folder that says what it is")?;
    let (decoded, how) = match decode(None) {
        Ok(decoded) => (decoded, "by content"),
        Err(reason) => {
            let type_name = name
                .parent()
                .and_then(Path::file_name)
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            let named = decode(Some(&format!("{}/{type_name}", kinds[0])));
            (named.map_err(|_| reason)?, "type named by the folder")
        }
    };
    if !kinds.contains(&decoded.kind.as_str()) {
        return Err(format!(
            "taken for {}, is {}",
            decoded.kind,
            kinds.join(" or ")
        ));
    }
    Ok((folder, decoded.kind, how))
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
fn decode(tool: &Path, file: &Path, named: Option<&str>) -> Result<Decoded, String> {
    let mut command = Command::new(tool);
    command.arg("decode").arg(file).stdin(Stdio::null());
    if let Some(named) = named {
        command.args(["--as", named]);
    }
    let output = command.output().map_err(|error| error.to_string())?;
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

    fn kind(kind: &str) -> Result<Decoded, String> {
        Ok(Decoded {
            kind: kind.to_owned(),
        })
    }

    #[test]
    fn the_folder_says_what_a_file_has_to_be() {
        let file = Path::new("mdm/commands/device.lock/example2.plist");
        let count = check(file, |_| kind("response")).unwrap();
        assert_eq!(count, ("mdm/commands", "response".to_owned(), "by content"));
        let reason = check(file, |_| kind("profile")).unwrap_err();
        assert_eq!(reason, "taken for profile, is command or response");
    }

    #[test]
    fn a_file_without_a_type_takes_it_from_its_folder() {
        let file = Path::new("declarative/status/content-cache.info/example1.json");
        let decode = |named: Option<&str>| match named {
            Some("status-report/content-cache.info") => kind("status-report"),
            _ => Err("what is it?".to_owned()),
        };
        assert_eq!(check(file, decode).unwrap().2, "type named by the folder");
    }

    #[test]
    fn a_refused_file_keeps_the_first_reason() {
        let file = Path::new("mdm/profiles/com.apple.dock/example1.plist");
        let decode = |named: Option<&str>| match named {
            None => Err("line 3: unknown entity".to_owned()),
            Some(_) => Err("no such type".to_owned()),
        };
        assert_eq!(check(file, decode).unwrap_err(), "line 3: unknown entity");
    }

    #[test]
    fn a_file_that_no_folder_explains_is_a_failure() {
        assert!(check(Path::new("other/example.plist"), |_| kind("command")).is_err());
    }

    #[test]
    fn a_folder_asked_for_by_name_has_to_be_there() {
        let folder = std::env::temp_dir().join("no-such-conformance-folder");
        assert!(conformance(Some(&folder)).is_err());
    }
}
