//! Writes the tables of `mdm-schema` and the types of the crates above it from a checkout of Apple's
//! schema. Started by `cargo xtask schema`.
//!
//! [`yaml`] and [`read`] turn the checkout into [`ir`], [`overlay`] corrects it, [`tables`] and
//! [`types`] write it out, [`files`] puts it into place.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A program: this is how it talks.

mod failure;
mod files;
mod ir;
mod names;
mod overlay;
mod read;
mod stats;
mod types;
mod yaml;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use failure::Outcome;
use overlay::{Overlay, Written};

const USAGE: &str = "\
usage: schema-generator COMMAND

  write PATH        writes tables and types from the checkout at PATH
  stats PATH        counts";

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
        ["write", path] => {
            let (schema, overlay) = load(Path::new(path))?;
            let files = types::files(&schema, &overlay);
            for file in &files {
                let path = root().join(&file.path);
                let failed = |error: std::io::Error| format!("{}: {error}", file.path);
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder).map_err(failed)?;
                }
                fs::write(&path, &file.text).map_err(failed)?;
            }
            println!("schema: wrote {} files", files.len());
            Ok(())
        }
        ["stats", path] => {
            let (schema, _) = load(Path::new(path))?;
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

/// The checkout, corrected by the overlay.
fn load(path: &Path) -> Outcome<(ir::Schema, Overlay)> {
    let mut schema = read::read(path)?;
    let overlay = root().join("xtask/schema/overlay.toml");
    let text = fs::read_to_string(&overlay).map_err(|error| format!("overlay.toml: {error}"))?;
    let overlay = Overlay::apply(&Written::parse(&text)?, &mut schema)?;
    Ok((schema, overlay))
}

/// The workspace's folder.
fn root() -> PathBuf {
    let told = std::env::var_os("CARGO_MANIFEST_DIR");
    let package = told.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let folder = package.ancestors().nth(2).map(Path::to_owned);
    folder.unwrap_or(package)
}
