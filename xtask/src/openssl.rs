//! Whether OpenSSL's headers are here; where they are not, OpenSSL is built from source.
//!
//! The question is asked the way the `openssl-sys` crate asks it: `OPENSSL_INCLUDE_DIR` or
//! `OPENSSL_DIR` first, then pkg-config. The answer is then tried on the C compiler, because a
//! package may be known to pkg-config and yet lack its headers.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::run::Outcome;

/// Homebrew's folders, which `openssl-sys` looks into as well.
const HOMEBREW: &[&str] = &["/opt/homebrew/opt/openssl@3", "/usr/local/opt/openssl@3"];

/// Whether binaries have to be built with their feature `vendored`. Says so where that is so.
pub(crate) fn vendored(forced: bool) -> Outcome<bool> {
    if forced {
        println!("openssl: built from source, as asked (--vendored)");
    } else {
        match find() {
            Ok(()) => return Ok(false),
            Err(reason) => println!("openssl: {reason}; built from source (feature `vendored`)"),
        }
    }
    for tool in ["perl", "make"] {
        if !answers(tool, "--version") {
            return Err(format!("building OpenSSL from source needs {tool}: install it").into());
        }
    }
    Ok(true)
}

/// The reason why the headers cannot be used.
fn find() -> Result<(), String> {
    let folder = include_folder(
        env::var_os("OPENSSL_INCLUDE_DIR"),
        env::var_os("OPENSSL_DIR"),
    );
    let flags = match folder {
        // The compiler would go on to its own folders, which is not what was asked for.
        Some(folder) if !folder.join("openssl/opensslv.h").exists() => {
            return Err(format!("no openssl/opensslv.h in {}", folder.display()));
        }
        Some(folder) => vec![format!("-I{}", folder.display())],
        None => known_flags().ok_or("pkg-config does not know it and OPENSSL_DIR is not set")?,
    };
    if compiles(&flags) {
        return Ok(());
    }
    Err("the C compiler does not find <openssl/opensslv.h>".to_owned())
}

fn include_folder(include: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    include
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(home?).join("include")))
}

/// The compiler flags that pkg-config or Homebrew stand for.
fn known_flags() -> Option<Vec<String>> {
    if cfg!(target_os = "macos") {
        let mut folders = HOMEBREW
            .iter()
            .map(|folder| Path::new(folder).join("include"));
        if let Some(folder) = folders.find(|folder| folder.exists()) {
            return Some(vec![format!("-I{}", folder.display())]);
        }
    }
    let program = env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    let answer = Command::new(program)
        .args(["--cflags", "openssl"])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let flags = String::from_utf8(answer.stdout).ok()?;
    let flags = flags.split_whitespace().map(str::to_owned).collect();
    answer.status.success().then_some(flags)
}

fn compiles(flags: &[String]) -> bool {
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let child = Command::new(compiler)
        .args(flags)
        .args(["-fsyntax-only", "-x", "c", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    let written = child
        .stdin
        .take()
        .is_some_and(|mut stdin| stdin.write_all(b"#include <openssl/opensslv.h>\n").is_ok());
    child.wait().is_ok_and(|status| status.success()) && written
}

fn answers(program: &str, argument: &str) -> bool {
    Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_include_folder_wins_over_the_installation() {
        let both = include_folder(Some("/a".into()), Some("/b".into()));
        assert_eq!(both, Some(PathBuf::from("/a")));
        assert_eq!(
            include_folder(None, Some("/b".into())),
            Some("/b/include".into())
        );
        assert_eq!(include_folder(None, None), None);
    }

    #[test]
    fn an_empty_include_folder_does_not_compile_without_the_systems_headers() {
        // `-nostdinc` takes the system's own folders away, whatever is installed here.
        assert!(!compiles(&["-nostdinc".to_owned()]));
    }
}
