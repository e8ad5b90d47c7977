//! `cargo xtask peers`: what others wrote and our tests and comparisons run against.
//!
//! Each peer is pinned where it is named: crates in `benches/peers/Cargo.lock`, programs by the
//! Debian package that carries them. What is built lies in `.peers`, which git ignores.

use std::fs;
use std::process::{Command, Stdio};

use crate::a2;
use crate::bench;
use crate::openssl;
use crate::run::{self, Outcome};

/// The crates that comparisons run against, and what of ours is held against each.
const CRATES: &[(&str, &str)] = &[
    ("openssl", "checking Mdm-Signature"),
    ("plist", "reading property lists"),
    ("quick-xml", "the events under a property list"),
];

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

/// The programs that the tests start. A test that lacks its program skips; `REQUIRE_PEERS=1`
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
    Program {
        name: "certmonger",
        version: &["--version"],
        package: "certmonger",
        held_against: "certmonger enrols at our SCEP server",
    },
    Program {
        name: "dbus-run-session",
        version: &["--version"],
        package: "dbus-daemon",
        held_against: "the bus that certmonger is reached by",
    },
    Program {
        name: "scepclient",
        version: &["-version"],
        package: "scep",
        held_against: "micromdm's client enrols at our SCEP server",
    },
    Program {
        name: "scepserver",
        version: &["-version"],
        package: "scep",
        held_against: "our SCEP client enrols at micromdm's server",
    },
    Program {
        name: "pki",
        version: &["--help"],
        package: "strongswan-pki",
        held_against: "strongSwan's client enrols and polls at our SCEP server",
    },
    Program {
        name: "certbot",
        version: &["--version"],
        package: "certbot",
        held_against: "certbot enrols, renews and revokes at our ACME server",
    },
    Program {
        name: "lego",
        version: &["--version"],
        package: "lego",
        held_against: "lego enrols, renews and revokes at our ACME server",
    },
    Program {
        name: "ip",
        version: &["-Version"],
        package: "iproute2",
        held_against: "the network of its own that micromdm's server listens in",
    },
    Program {
        name: "faketime",
        version: &["--version"],
        package: "faketime",
        held_against: "another clock, for the bytes of profiles that must not depend on it",
    },
    Program {
        name: "h2load",
        version: &["--version"],
        package: "nghttp2-client",
        held_against: "pushes per second over one connection",
    },
];

/// Builds the peers that are crates, asks the programs for their versions, and fails where one is
/// missing.
pub(crate) fn peers() -> Outcome {
    let vendored = openssl::vendored(false)?;
    run::succeed(&mut bench::cargo("build", vendored))?;
    println!("crates (built in .peers, pinned by benches/peers/Cargo.lock)");
    let tree = tree()?;
    for (name, held_against) in CRATES {
        let version = version(&tree, name)
            .ok_or_else(|| format!("benches/peers/Cargo.toml does not name {name}"))?;
        println!("  {name}: {version} ({held_against})");
    }
    a2::build()?;
    println!(
        "  a2: {} (pushes, built apart, host and roots replaced)",
        a2::VERSION
    );
    go()?;
    java()?;
    profile_writers()?;
    instant_acme()?;
    println!("  instant-acme: 0.8.5 (enrols at our ACME server, by attestation too; built apart)");
    println!("programs");
    let mut missing = Vec::new();
    for program in PROGRAMS {
        let found = ask(program);
        match &found {
            Some(version) => println!("  {version} ({})", program.held_against),
            None => println!("  {} is missing ({})", program.name, program.held_against),
        }
        if found.is_none() {
            missing.push(program.package);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("missing: install the Debian packages {}", missing.join(" ")).into())
}

/// The Go programs that tests start; the others are for comparisons.
const GO_FOR_TESTS: &[&str] = &["mdmb", "nanomdm", "scep", "scepclient", "step-ca"];

/// Builds what tests start and no Debian package has. Where there is no Go, Maven, npm or pip, those tests are skipped.
pub(crate) fn for_tests() -> Outcome {
    instant_acme()?;
    profile_writers()?;
    match go_version() {
        None => println!(
            "Go is missing: the tests with {} are skipped",
            GO_FOR_TESTS.join(", ")
        ),
        Some(_) => GO_FOR_TESTS.iter().try_for_each(|name| bench::go(name))?,
    }
    java()
}

/// Builds the program around the `instant-acme` crate: `.peers/instant-acme/release/mdm-peer-instant-acme`.
fn instant_acme() -> Outcome {
    let mut build = run::cargo(&["build", "--quiet", "--release", "--locked"]);
    build.args(["--manifest-path", "benches/peers/instant-acme/Cargo.toml"]);
    run::succeed(build.args(["--target-dir", ".peers/instant-acme"]))
}

/// Builds the peers written in Go; where there is no Go, only says so.
fn go() -> Outcome {
    let Some(version) = go_version() else {
        println!(
            "Go is missing: the comparisons with {} cannot run; the tests then need Debian's pebble",
            bench::go_peers().join(", ")
        );
        return Ok(());
    };
    println!("Go programs (built in .peers, pinned by benches/peers/go/*/go.sum)");
    for name in bench::go_peers() {
        bench::go(&name)?;
        println!("  {name}: {}", version.trim());
    }
    Ok(())
}

fn go_version() -> Option<String> {
    let asked = Command::new("go").arg("version").output().ok()?;
    let version = String::from_utf8_lossy(&asked.stdout).into_owned();
    asked.status.success().then_some(version)
}

/// Fetches the peer written in Java, pinned by its `pom.xml`; where Maven is missing, only says so.
fn java() -> Outcome {
    if !answers(Command::new("mvn").arg("--version")) {
        println!("Maven is missing: the tests with jscep are skipped");
        return Ok(());
    }
    let root = run::root();
    let mut command = Command::new("mvn");
    command
        .args(["--quiet", "--batch-mode", "dependency:copy-dependencies"])
        .arg(format!(
            "-DoutputDirectory={}",
            root.join(".peers/jscep").display()
        ))
        .current_dir(root.join("benches/peers/jscep"));
    run::succeed(&mut command)?;
    println!("  jscep: 2.5.8 (its client enrols, renews, polls and asks at our SCEP server)");
    Ok(())
}

/// Installs those who write profiles as well: one for npm, pinned by its `package-lock.json`, one for pip, pinned by the
/// hash in its `requirements.txt`. Where npm or pip is missing, only says so.
fn profile_writers() -> Outcome {
    let root = run::root();
    if answers(Command::new("npm").arg("--version")) {
        let folder = root.join(".peers/npm");
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(root.join("benches/peers/npm").join(file), folder.join(file))
                .map_err(|error| format!("benches/peers/npm/{file}: {error}"))?;
        }
        let mut command = Command::new("npm");
        let quiet = [
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ];
        run::succeed(command.arg("ci").args(quiet).current_dir(folder))?;
        println!("  @zone-eu/mobileconfig: 2.4.6 (its signed profiles are verified and read)");
    } else {
        println!("npm is missing: the tests with @zone-eu/mobileconfig are skipped");
    }
    if answers(Command::new("python3").args(["-m", "pip", "--version"])) {
        let mut command = Command::new("python3");
        command.args(["-m", "pip", "install", "--quiet", "--upgrade", "--no-deps"]);
        command.args(["--require-hashes", "--root-user-action", "ignore"]);
        command.arg("--target").arg(root.join(".peers/python"));
        let listed = root.join("benches/peers/python/requirements.txt");
        run::succeed(command.arg("--requirement").arg(listed))?;
        println!("  pymobileconfig: 0.3.3 (its profiles are read and written)");
    } else {
        println!("pip is missing: the tests with pymobileconfig are skipped");
    }
    Ok(())
}

/// Whether a program can be started and is content.
fn answers(command: &mut Command) -> bool {
    let output = command.stdin(Stdio::null()).output();
    output.is_ok_and(|output| output.status.success())
}

/// What `benches/peers` depends on directly, one `NAME vVERSION` a line.
fn tree() -> Outcome<String> {
    let mut command = run::cargo(&["tree", "--locked", "--depth", "1", "--prefix", "none"]);
    command.args([
        "--manifest-path",
        "benches/peers/Cargo.toml",
        "--edges",
        "normal",
    ]);
    run::output(&mut command)
}

fn version<'a>(tree: &'a str, name: &str) -> Option<&'a str> {
    let words = tree.lines().map(|line| line.split_whitespace());
    words
        .filter_map(|mut words| Some((words.next()?, words.next()?)))
        .find_map(|(known, version)| (known == name).then(|| version.trim_start_matches('v')))
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
    fn a_crates_version_is_the_one_in_the_tree() {
        let tree = "mdm-bench-peers v0.1.0 (here)\nplist v1.10.3\nquick-xml v0.42.0\n";
        assert_eq!(version(tree, "plist"), Some("1.10.3"));
        assert_eq!(version(tree, "xml"), None);
    }

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
