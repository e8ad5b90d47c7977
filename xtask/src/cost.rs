//! `cargo xtask cost`: what the generated types cost an embedder to compile, against bars.
//!
//! Three builds of each crate: as it comes, with one area of its types, and with all features. What the
//! last has more than the first is `crypto`, that is OpenSSL's crates and what they bring; a vendor asks
//! for it, and the bar for dependencies is not about it.
//!
//! Processor time of one job at a time, as one core would need it. Two jobs would get in each other's
//! way where two of the machine's cores are one, so a busy machine still tells too much. The crate
//! itself is measured by touching it once its dependencies are built.

use std::fs::{self, File};
use std::path::Path;
use std::time::SystemTime;

use crate::metadata::{Metadata, Package};
use crate::run::{self, Outcome};

/// An ignored folder, emptied before each build from nothing.
const TARGET: &str = ".peers/cost";

/// A debug build with every dependency but those of `crypto`, in seconds of one core.
const DEBUG_BAR: f64 = 40.0;
/// The crate itself in release, in seconds of one core.
const RELEASE_BAR: f64 = 30.0;

/// A program that commands a device and checks nothing, `mdm-protocol/examples/embed.rs`.
const PROGRAM: &str = "embed";
const WORD: &[u8] = b"AllowDeviceErase";

/// The clock of `/proc`: a hundred ticks a second on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// Crate, and the one area that stands for "one area only".
const CRATES: &[(&str, &str)] = &[("mdm-protocol", "commands"), ("mdm-profiles", "network")];

/// Measures every build; fails where a bar is missed.
pub(crate) fn cost() -> Outcome {
    let metadata = Metadata::load(true)?;
    let (mut missed, mut notes) = (Vec::new(), Vec::new());
    println!("| Crate | Features | Debug, all | Debug, itself | Release, itself |");
    println!("|---|---|---|---|---|");
    for (name, area) in CRATES {
        let package = metadata
            .members()
            .into_iter()
            .find(|member| member.name == *name)
            .ok_or_else(|| format!("no crate {name}"))?;
        let all = package.single_features().join(",");
        let mut as_it_comes = 0.0;
        for (label, features) in [("default", "default"), (area, area), ("all", &all)] {
            let built = Build { package, features };
            let debug = built.all()?;
            let itself = built.again(&[])?;
            built.run(&["--release"])?;
            let release = built.again(&["--release"])?;
            println!("| `{name}` | {label} | {debug:.1} s | {itself:.1} s | {release:.1} s |");
            match label {
                "default" => as_it_comes = debug,
                "all" => notes.push(format!(
                    "`crypto` adds {:.1} s to `{name}`",
                    debug - as_it_comes
                )),
                _ => {}
            }
            if debug > DEBUG_BAR && label != "all" {
                missed.push(format!(
                    "{name}, {label}: debug {debug:.1} s > {DEBUG_BAR} s"
                ));
            }
            if release > RELEASE_BAR {
                missed.push(format!(
                    "{name}, {label}: release {release:.1} s > {RELEASE_BAR} s"
                ));
            }
        }
    }
    println!("\n{}: OpenSSL's crates, and no bar.", notes.join(", "));
    if tables_are_linked()? {
        missed.push(format!("`{PROGRAM}` uses no table and holds some"));
    }
    if missed.is_empty() {
        println!("`{PROGRAM}`, which uses no table, holds none.");
        return Ok(());
    }
    Err(format!("a bar is missed: {}", missed.join("; ")).into())
}

/// Whether a program holds tables that it does not use. A word stands for them that no type has.
fn tables_are_linked() -> Outcome<bool> {
    let root = run::root();
    let table = root.join("foundation/schema/src/generated/command/erase_device.rs");
    let program = root.join(TARGET).join("release/examples").join(PROGRAM);
    let arguments = ["build", "--quiet", "--release", "--no-default-features"];
    let mut command = run::cargo(&arguments);
    command.args(["--features", "commands", "--target-dir", TARGET]);
    run::succeed(command.args(["--package", "mdm-protocol", "--example", PROGRAM]))?;
    let holds = |path: &Path| -> Outcome<bool> {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(bytes.windows(WORD.len()).any(|window| window == WORD))
    };
    if !holds(&table)? {
        return Err("the word that stands for the tables is in none of them".into());
    }
    holds(&program)
}

#[derive(Clone, Copy)]
struct Build<'a> {
    package: &'a Package,
    features: &'a str,
}

impl Build<'_> {
    /// The crate and all that it depends on, in debug.
    fn all(self) -> Outcome<f64> {
        let built = run::root().join(TARGET).join("debug");
        if built.exists() {
            fs::remove_dir_all(&built).map_err(|error| format!("{}: {error}", built.display()))?;
        }
        self.run(&[])
    }

    /// The crate alone.
    fn again(&self, profile: &[&str]) -> Outcome<f64> {
        let root = Path::new(&self.package.manifest_path).with_file_name("src/lib.rs");
        File::options()
            .append(true)
            .open(&root)
            .and_then(|file| file.set_modified(SystemTime::now()))
            .map_err(|error| format!("{}: {error}", root.display()))?;
        self.run(profile)
    }

    fn run(&self, profile: &[&str]) -> Outcome<f64> {
        let arguments = [
            "build",
            "--quiet",
            "--jobs=1",
            "--no-default-features",
            "--package",
            &self.package.name,
        ];
        let mut command = run::cargo(&arguments);
        command
            .args(["--features", self.features, "--target-dir", TARGET])
            .args(profile);
        let before = children()?;
        run::succeed(&mut command)?;
        Ok(children()? - before)
    }
}

/// Processor seconds of the processes that were waited for so far, by proc(5).
fn children() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/self/stat")
        .map_err(|error| format!("processor time is read from /proc, on Linux only: {error}"))?;
    ticks(&stat)
        .map(|ticks| ticks / TICKS)
        .ok_or_else(|| "/proc/self/stat is not as proc(5) says".into())
}

/// `cutime` and `cstime`; the name in parentheses before them may hold spaces.
fn ticks(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(13);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_children_is_found_behind_a_name_with_spaces() {
        let stat = "7 (a (b) c) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 700 80 20 0 1 0 100";
        assert_eq!(ticks(stat), Some(780.0));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}
