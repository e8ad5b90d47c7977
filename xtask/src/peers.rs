//! `cargo xtask peers`: what others wrote and our tests and comparisons run against.
//!
//! Each peer is pinned where it is named: crates in `benches/peers/Cargo.lock`, programs by the
//! Debian package that carries them. What is built lies in `.peers`, which git ignores.

use std::process::{Command, Stdio};

use crate::bench;
use crate::openssl;
use crate::run::{self, Outcome};

/// A program that somebody else wrote.
struct Program {
    name: &'static str,
    /// What to ask for its version.
    version: &'static [&'static str],
    /// The Debian package that carries it.
    package: &'static str,
    /// What of ours is held against it.
    held_against: &'static str,
}

/// The programs that the tests start. A test that finds none of them skips; `REQUIRE_PEERS=1`
/// makes that a failure.
const PROGRAMS: &[Program] = &[
    Program {
        name: "python3",
        version: &["--version"],
        package: "python3",
        held_against: "plistlib reads the property lists that we write",
    },
    Program {
        name: "openssl",
        version: &["version"],
        package: "openssl",
        held_against: "openssl cms, req, x509 and pkcs12 read what we write and the other way round",
    },
];

/// Builds the peers that are crates, asks the programs for their versions, and fails where one is
/// missing.
pub(crate) fn peers() -> Outcome {
    let vendored = openssl::vendored(false)?;
    run::succeed(&mut bench::cargo("build", vendored))?;
    println!("crates (built in .peers, pinned by benches/peers/Cargo.lock)");
    for line in crates()? {
        println!("  {line}");
    }
    println!("programs");
    let mut missing = Vec::new();
    for program in PROGRAMS {
        let found = ask(program);
        println!(
            "  {}: {} ({})",
            program.name,
            found.as_deref().unwrap_or("missing"),
            program.held_against
        );
        if found.is_none() {
            missing.push(program.package);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("missing: install the Debian packages {}", missing.join(" ")).into())
}

/// The crates that `benches/peers` names, with the versions of its lock file, and not our own.
fn crates() -> Outcome<Vec<String>> {
    let mut command = run::cargo(&["tree", "--locked", "--depth", "1", "--prefix", "none"]);
    command.args([
        "--manifest-path",
        "benches/peers/Cargo.toml",
        "--edges",
        "normal",
    ]);
    let tree = run::output(&mut command)?;
    Ok(tree
        .lines()
        .filter(|line| !line.contains('('))
        .map(str::to_owned)
        .collect())
}

/// The first line that the program says of its version; `None` where it cannot be started.
fn ask(program: &Program) -> Option<String> {
    let output = Command::new(program.name)
        .args(program.version)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next()?.trim().to_owned();
    output.status.success().then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_has_no_version() {
        let program = Program {
            name: "no-such-program-here",
            version: &["--version"],
            package: "none",
            held_against: "nothing",
        };
        assert_eq!(ask(&program), None);
    }
}
