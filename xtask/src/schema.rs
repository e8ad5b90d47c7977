//! `cargo xtask schema`: Apple's schema as tables and types, by the package `schema-generator`.
//!
//! That is a package of its own because it needs readers of YAML and TOML, which nothing else here
//! does.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::{self, Outcome};

/// Where a checkout is looked for, beside the project.
const BESIDE: &str = "../shared/schema";

/// What stands behind `cargo xtask schema`.
pub(crate) fn schema(arguments: &[&str]) -> Outcome {
    match arguments {
        ["diff", old, new] => generator("diff", &[absolute(old)?, absolute(new)?]),
        ["compare", checkout, tables] => {
            generator("compare", &[absolute(checkout)?, absolute(tables)?])
        }
        options => {
            let wanted = Wanted::read(options)?;
            let path = match wanted.from {
                Some(path) => absolute(path)?,
                None => beside().ok_or_else(|| {
                    format!("no {BESIDE} beside the project; name a checkout with --from PATH")
                })?,
            };
            generator(wanted.command, &[path])
        }
    }
}

/// Fails where tables or types are not what the schema beside the project gives.
pub(crate) fn check() -> Outcome {
    match beside() {
        Some(path) => generator("check", &[path]),
        None => {
            println!("skipped: schema: no {BESIDE} beside the project");
            Ok(())
        }
    }
}

/// Compares what the tool knows with a checkout, key by key; without a checkout says so.
pub(crate) fn compare(checkout: &Path, tool: &Path) -> Outcome {
    if !checkout.is_dir() {
        println!("skipped: schema: no {} to compare with", checkout.display());
        return Ok(());
    }
    let dump = run::output(Command::new(tool).args(["schema", "dump"]))?;
    let stats = run::output(Command::new(tool).args(["schema", "stats"]))?;
    let stats: Stats =
        serde_json::from_str(&stats).map_err(|error| format!("what the tool counted: {error}"))?;
    let checkout = absolute(&checkout.to_string_lossy())?;
    let mut child = cargo(
        "compare",
        &[checkout, "-".to_owned(), stats.keys.to_string()],
    )
    .stdin(Stdio::piped())
    .spawn()
    .map_err(|error| format!("the schema generator: {error}"))?;
    if let Some(mut input) = child.stdin.take() {
        // One that ended early has said why itself.
        let _ = input.write_all(dump.as_bytes());
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        _ => Err("the tables differ from the schema".into()),
    }
}

/// What the tool counted, as far as it is compared.
#[derive(serde::Deserialize)]
struct Stats {
    keys: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Wanted<'a> {
    command: &'static str,
    from: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn read(options: &[&'a str]) -> Outcome<Self> {
        let mut wanted = Self {
            command: "write",
            from: None,
        };
        let mut rest = options;
        loop {
            rest = match rest {
                [] => return Ok(wanted),
                ["--from", path, rest @ ..] if wanted.from.is_none() => {
                    wanted.from = Some(path);
                    rest
                }
                [option, rest @ ..] if wanted.command == "write" => {
                    wanted.command = match *option {
                        "--check" => "check",
                        "--stats" => "stats",
                        "--accept-api" => "accept-api",
                        _ => return Err(format!("schema: unknown argument {option}").into()),
                    };
                    rest
                }
                [option, ..] => return Err(format!("schema: misplaced {option}").into()),
            };
        }
    }
}

fn beside() -> Option<String> {
    let path = run::root().join(BESIDE);
    path.is_dir().then(|| path.to_string_lossy().into_owned())
}

/// The generator runs in the workspace's folder, we may not.
fn absolute(path: &str) -> Outcome<String> {
    let absolute = std::path::absolute(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(absolute.to_string_lossy().into_owned())
}

fn generator(command: &str, arguments: &[String]) -> Outcome {
    run::succeed(&mut cargo(command, arguments))
}

fn cargo(command: &str, arguments: &[String]) -> Command {
    let package = [
        "run",
        "--quiet",
        "--package",
        "schema-generator",
        "--",
        command,
    ];
    let mut cargo = run::cargo(&package);
    cargo.args(arguments);
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_in_any_order_and_once() {
        let wanted = Wanted::read(&["--check", "--from", "there"]).unwrap();
        assert_eq!(
            wanted,
            Wanted::read(&["--from", "there", "--check"]).unwrap()
        );
        assert_eq!((wanted.command, wanted.from), ("check", Some("there")));
        assert_eq!(Wanted::read(&[]).unwrap().command, "write");
        for wrong in [
            &["--check", "--accept-api"][..],
            &["--from"],
            &["--from", "a", "--from", "b"],
            &["there"],
        ] {
            assert!(Wanted::read(wrong).is_err(), "{wrong:?}");
        }
    }
}
