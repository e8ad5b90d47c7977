//! Where a profile goes that a command made: a new file, or standard output.

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use mdm_profiles::detect::{Packing, packing};
use mdmtool::{input, json};
use serde_json::{Map, Value};

use crate::{
    console::Console,
    failure::{Done, Failure},
};

/// Where it goes.
#[derive(Debug, Args)]
pub(super) struct Output {
    /// Where the profile goes, never over another file; standard output if nothing is said.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Output {
    /// Refuses to write what no terminal can show, before any work is done.
    pub(super) fn check(&self, console: &Console, binary: bool) -> Done {
        let shown = self.out.is_none() && !console.is_json();
        if shown && binary && io::stdout().is_terminal() {
            return Err(Failure::input(
                "what this writes is no text",
                "name a file by --out, or send it on to another program",
            ));
        }
        Ok(())
    }

    /// Writes the profile; with `--json` tells `about` it, and the profile itself in base64 where no
    /// file is named.
    pub(super) fn write(&self, console: &mut Console, bytes: &[u8], about: Value) -> Done {
        if let Some(file) = &self.out {
            input::write_new(file, bytes)?;
        }
        if !console.is_json() {
            return match &self.out {
                Some(_) => Ok(()),
                None => write_raw(bytes),
            };
        }
        let mut document = Map::new();
        let out = self.out.as_deref().map(Path::display);
        document.insert("out".to_owned(), out.map(|out| out.to_string()).into());
        document.insert("packing".to_owned(), form(bytes).into());
        document.insert("bytes".to_owned(), bytes.len().into());
        if let Value::Object(about) = about {
            document.extend(about);
        }
        if self.out.is_none() {
            document.insert("profile".to_owned(), json::data(bytes));
        }
        console.document(&document)
    }
}

/// How bytes are packed, in a word.
pub(super) fn form(bytes: &[u8]) -> Option<&'static str> {
    Some(match packing(bytes)? {
        Packing::Xml => "xml",
        Packing::Binary => "binary",
        Packing::Cms => "cms",
        Packing::Pem => "pem",
        _ => return None,
    })
}

fn write_raw(bytes: &[u8]) -> Done {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(Failure::Output),
    }
}
