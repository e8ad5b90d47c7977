//! Writes the tables of `mdm-schema` and the types of the crates above it from a checkout of Apple's
//! schema. Started by `cargo xtask schema`.
//!
//! [`yaml`] and [`read`] turn the checkout into [`ir`], [`mod@overlay`] corrects it, [`tables`] and
//! [`types`] write it out, [`files`] puts it into place.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A program: this is how it talks.

mod api;
mod compare;
mod diff;
mod docs;
mod failure;
mod files;
mod ir;
mod names;
mod overlay;
mod read;
mod stats;
mod tables;
#[cfg(test)]
mod tests;
mod types;
mod yaml;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use failure::Outcome;
use files::{Difference, File};
use overlay::{Overlay, Written};

const USAGE: &str = "\
usage: schema-generator COMMAND

  write PATH        writes tables and types from the checkout at PATH
  accept-api PATH   writes them even where what is public changes
  check PATH        fails where they are not what it would write
  stats PATH        counts
  diff OLD NEW      what a newer checkout adds, changes, deprecates and removes
  compare PATH TABLES.json [KEYS]
                    compares a dump of the tables with the checkout, key by key, and the number of
                    its keys; `-` for a pipe";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("schema: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[&str]) -> Outcome {
    match arguments {
        ["write", path] => write(Path::new(path), false),
        ["accept-api", path] => write(Path::new(path), true),
        ["check", path] => check(Path::new(path)),
        ["compare", path, tables] => compare(Path::new(path), tables, None),
        ["compare", path, tables, keys] => compare(Path::new(path), tables, Some(keys)),
        ["diff", old, new] => {
            let (old, new) = (read::read(Path::new(old))?, read::read(Path::new(new))?);
            print!("{}", diff::diff(&old, &new));
            Ok(())
        }
        ["stats", path] => {
            let (schema, ..) = load(Path::new(path))?;
            let (documents, keys) = stats::stats(&schema)?;
            for (kind, count) in documents {
                println!("{count:>6}  {}", kind.module());
            }
            println!("{keys:>6}  keys");
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}

/// Writes what is not as it should be. What is public changes only where that is accepted.
fn write(path: &Path, accept_api: bool) -> Outcome {
    let (generated, absent) = generate(path)?;
    for path in &absent {
        println!("schema: the overlay speaks of `{path}`, which is not in the checkout");
    }
    let listing = generated.iter().find(|file| file.path == api::LISTING);
    if let Some(listing) = listing.filter(|_| !accept_api)
        && let Ok(earlier) = fs::read_to_string(root().join(api::LISTING))
    {
        let broken = api::broken(&earlier, &listing.text);
        for line in &broken {
            println!("schema: no longer there: {line}");
        }
        if !broken.is_empty() {
            let count = broken.len();
            let what = "public items would change: pin them in overlay.toml, or accept it with";
            return Err(format!("{count} {what} --accept-api").into());
        }
    }
    let differences = files::update(&root(), &generated)?;
    for (path, difference) in &differences {
        let done = match difference {
            Difference::Missing => "new",
            Difference::Changed => "changed",
            Difference::Stale => "deleted",
        };
        println!("schema: {done}: {path}");
    }
    let (all, changed) = (generated.len(), differences.len());
    println!("schema: {all} files are up to date, {changed} of them were not");
    Ok(())
}

/// Fails where something is not as it should be.
fn check(path: &Path) -> Outcome {
    let (generated, absent) = generate(path)?;
    if let Some(path) = absent.first() {
        let count = absent.len();
        let what = "paths of the overlay lead nowhere in the checkout, the first is";
        return Err(format!("{count} {what} `{path}`").into());
    }
    let differences = files::compare(&root(), &generated)?;
    for (path, difference) in &differences {
        let how = match difference {
            Difference::Missing => "is missing",
            Difference::Changed => "differs",
            Difference::Stale => "should not be there",
        };
        println!("schema: {path} {how}");
    }
    match differences.len() {
        0 => {
            println!("schema: {} files are up to date", generated.len());
            Ok(())
        }
        count => {
            let what = "not what the schema gives; `cargo xtask schema` writes them";
            Err(format!("{count} files are {what}").into())
        }
    }
}

/// Compares a dump of the tables, or what comes through standard input, with the checkout, and how
/// many keys somebody counted.
fn compare(path: &Path, tables: &str, keys: Option<&str>) -> Outcome {
    let dump: serde_json::Value = match tables {
        "-" => serde_json::from_reader(std::io::stdin().lock()),
        file => {
            let text = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
            serde_json::from_slice(&text)
        }
    }
    .map_err(|error| format!("{tables}: {error}"))?;
    let report = compare::compare(path, &dump, &overlay()?)?;
    for correction in &report.corrections {
        println!("schema: corrected: {correction}");
    }
    for difference in &report.differences {
        println!("schema: {difference}");
    }
    println!(
        "schema: compared {} documents; their {} keys are {} as they are counted; {} corrections",
        report.documents,
        report.written,
        report.counted,
        report.corrections.len()
    );
    if let Some(keys) = keys.filter(|keys| *keys != report.counted.to_string()) {
        return Err(format!("the tables count {keys} keys").into());
    }
    match report.differences.len() {
        0 => Ok(()),
        count => Err(format!("the tables differ from the schema in {count} places").into()),
    }
}

/// Every file, formatted, and the overlay's paths that lead nowhere.
fn generate(path: &Path) -> Outcome<(Vec<File>, Vec<String>)> {
    let (schema, overlay, absent) = load(path)?;
    let mut files = tables::files(&schema, &overlay)?;
    files.extend(types::files(&schema, &overlay)?);
    files::format(&mut files)?;
    files.push(api::file(&files));
    Ok((files, absent))
}

/// The checkout, corrected by the overlay, and the overlay's paths that lead nowhere in it.
fn load(path: &Path) -> Outcome<(ir::Schema, Overlay, Vec<String>)> {
    let mut schema = read::read(path)?;
    let (overlay, absent) = Overlay::apply(overlay()?, &mut schema)?;
    Ok((schema, overlay, absent))
}

fn overlay() -> Outcome<Written> {
    let path = root().join("xtask/schema/overlay.toml");
    let text = fs::read_to_string(path).map_err(|error| format!("overlay.toml: {error}"))?;
    Written::parse(&text)
}

/// The workspace's folder.
fn root() -> PathBuf {
    let told = std::env::var_os("CARGO_MANIFEST_DIR");
    let package = told.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let folder = package.ancestors().nth(2).map(Path::to_owned);
    folder.unwrap_or(package)
}
