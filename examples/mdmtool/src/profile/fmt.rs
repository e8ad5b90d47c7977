//! `fmt`: a profile written anew, and nothing lost.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use mdm_profiles::Profile;
use mdmtool::Error;
use serde_json::json;

use super::{Told, Verdict, output::Output, source};
use crate::{console::Console, failure::Failure};

#[derive(Debug, Args)]
pub(super) struct Fmt {
    /// The profile, or - for standard input.
    file: PathBuf,
    /// What to write.
    #[arg(long, value_name = "FORM", default_value = "xml")]
    to: Form,
    /// Sort the keys of every dictionary by name; else they stay in their order.
    #[arg(long)]
    sort: bool,
    /// Take the signature away, which a profile written anew cannot keep.
    #[arg(long)]
    unsigned: bool,
    /// Write over the file itself.
    #[arg(long, conflicts_with_all = ["out", "check"])]
    in_place: bool,
    /// Write nothing; exit code 1 if the file is not what would be written.
    #[arg(long, conflicts_with = "out")]
    check: bool,
    #[command(flatten)]
    out: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Xml,
    Binary,
}

impl Fmt {
    pub(super) fn run(self, console: &mut Console) -> Told {
        let writes = !self.check && !self.in_place;
        self.out.check(console, writes && self.to == Form::Binary)?;
        let source = source::read(&self.file, None)?;
        if source.signers().next().is_some() && !self.unsigned {
            return Err(Failure::input(
                format!(
                    "{} is signed, and written anew it would not be",
                    source.name
                ),
                "give --unsigned to take the signature away",
            ));
        }
        let mut keys = source.profile.to_dictionary();
        if self.sort {
            sort(&mut keys);
        }
        let bytes = match self.to {
            Form::Xml => mdm_plist::to_xml(&keys),
            Form::Binary => mdm_plist::to_binary(&keys),
        };
        let bytes = bytes.map_err(|error| source::refused(&source.name, &error.into()))?;
        // Never seen, and better an error than a profile that is another one.
        let again =
            Profile::decode(&bytes).map_err(|error| source::refused(&source.name, &error))?;
        if again.to_dictionary() != keys {
            return Err(Failure::input(
                format!("{} cannot be written without loss", source.name),
                "write it in the other form",
            ));
        }
        let same = bytes == source.bytes;
        if self.check {
            let document = json!({"file": source.name, "formatted": same});
            console.answer(&document, || match same {
                true => format!("{} is as it would be written", source.name),
                false => format!("{} would be written otherwise", source.name),
            })?;
            return Ok(Verdict::of(same));
        }
        if self.in_place {
            if !same {
                replace(&self.file, &bytes)?;
            }
            let document = json!({"file": source.name, "changed": !same});
            if console.is_json() {
                console.document(&document)?;
            }
            return Ok(Verdict::Fine);
        }
        self.out.write(console, &bytes, json!({"changed": !same}))?;
        Ok(Verdict::Fine)
    }
}

fn sort(keys: &mut mdm_plist::Dictionary) {
    keys.sort_keys();
    for (_, value) in keys.iter_mut() {
        sort_inside(value);
    }
}

fn sort_inside(value: &mut mdm_plist::Value) {
    match value {
        mdm_plist::Value::Dictionary(keys) => sort(keys),
        mdm_plist::Value::Array(values) => values.iter_mut().for_each(sort_inside),
        _ => {}
    }
}

/// Puts new content into the place of a file's at once: it is never there by half.
fn replace(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if file.as_os_str() == "-" {
        return Err(Failure::input(
            "standard input cannot be written over",
            "name a file",
        ));
    }
    let failed = |source| {
        let name = file.display().to_string();
        Failure::from(Error::Write { name, source })
    };
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    mdmtool::input::write_new(&beside, bytes)?;
    let permissions = fs::metadata(file).map_err(failed)?.permissions();
    fs::set_permissions(&beside, permissions).map_err(failed)?;
    fs::rename(&beside, file).map_err(failed)
}
