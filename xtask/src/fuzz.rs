//! `cargo xtask fuzz` and `deep fuzz`: the fuzz targets, built with coverage feedback and run for a while.
//!
//! The flags are those of cargo-fuzz, which is not needed, and neither is a nightly compiler: without a sanitizer
//! all of them are stable, and AddressSanitizer comes with the stable one too.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::openssl;
use crate::run::{self, Failure, Outcome};

/// What lets libFuzzer see which branches an input takes, and what makes a bug a crash.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Cdebug-assertions",
    "-Coverflow-checks",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
];

const ADDRESS: &str = "-Zsanitizer=address";

/// How a target is run.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// How long each target runs.
    length: Duration,
    /// Whether it is built with AddressSanitizer.
    address: bool,
}

impl Plan {
    /// As often as anything changes.
    pub(crate) const SHORT: Self = Self {
        length: Duration::from_secs(20),
        address: false,
    };
    /// Once a target is new, and now and then.
    pub(crate) const LONG: Self = Self {
        length: Duration::from_secs(600),
        address: true,
    };
}

/// Runs all targets, or one, as many at a time as there are processors; fails where one crashes.
pub(crate) fn fuzz(plan: Plan, only: Option<&str>) -> Outcome {
    let targets = targets()?;
    if let Some(only) = only.filter(|only| !targets.contains(*only)) {
        return Err(format!("no fuzz target `{only}`; there are: {targets:?}").into());
    }
    let host = host()?;
    run::succeed(cargo("build", plan, &host)?.arg("--bins"))?;
    let left = targets
        .into_iter()
        .filter(|name| only.is_none_or(|only| only == name));
    let (left, failed) = (Mutex::new(left), Mutex::new(Vec::new()));
    let next = || left.lock().ok()?.next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(name) = next() {
                    if let Err(failure) = one(plan, &host, &name)
                        && let Ok(mut failed) = failed.lock()
                    {
                        failed.push(failure.to_string());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(failed.join("\n").into()),
    }
}

/// Runs one target. What it found out is kept beside the others' corpora, which git ignores.
fn one(plan: Plan, host: &str, name: &str) -> Outcome {
    let folder = |kind| run::root().join("fuzz").join(kind).join(name);
    let (corpus, artifacts) = (folder("corpus"), folder("artifacts"));
    for folder in [&corpus, &artifacts] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let mut command = cargo("run", plan, host)?;
    command.args(["--bin", name, "--"]);
    command.arg(format!("-max_total_time={}", plan.length.as_secs()));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.args(["-print_final_stats=1", "-timeout=10", "-rss_limit_mb=2048"]);
    let output = command
        .arg(corpus)
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let end: Vec<&str> = said.lines().rev().take(60).collect();
        let end: Vec<&str> = end.into_iter().rev().collect();
        return Err(format!("fuzz target `{name}`:\n{}", end.join("\n")).into());
    }
    println!("{name}: {}", summary(&said));
    Ok(())
}

/// The figures of a run, from libFuzzer's own.
fn summary(said: &str) -> String {
    let stat = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.map_or("?", |line| line.trim_start_matches(':').trim())
            .to_owned()
    };
    let covered = said
        .lines()
        .filter_map(|line| line.split_once(" cov: "))
        .filter_map(|(_, rest)| rest.split(' ').next())
        .next_back();
    format!(
        "{} runs, {} a second, {} edges",
        stat("stat::number_of_executed_units"),
        stat("stat::average_exec_per_sec"),
        covered.unwrap_or("?")
    )
}

/// Cargo on the targets' own package and lock file. With a target triple build scripts are left as they are.
fn cargo(subcommand: &str, plan: Plan, host: &str) -> Outcome<Command> {
    let mut command = run::cargo(&[subcommand, "--quiet", "--release", "--locked"]);
    command.args(["--manifest-path", "fuzz/Cargo.toml", "--target", host]);
    // Apart from what else is built by this compiler, which has other flags.
    let folder = if plan.address { "address" } else { "coverage" };
    command.arg("--target-dir").arg(target().join(folder));
    if openssl::vendored(false)? {
        command.args(["--features", "vendored"]);
    }
    let mut flags = FLAGS.join(" ");
    if plan.address {
        flags = format!("{flags} {ADDRESS}");
        // The flag is the one thing of all this that is not stable; the sanitizer itself is there.
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    command.env("RUSTFLAGS", flags);
    Ok(command)
}

fn target() -> PathBuf {
    run::root().join("fuzz/target")
}

/// The targets there are, by name.
fn targets() -> Outcome<BTreeSet<String>> {
    let folder = run::root().join("fuzz/fuzz_targets");
    let files = fs::read_dir(&folder).map_err(|error| Failure::from(error.to_string()))?;
    let names = files
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    Ok(names.collect())
}

/// What the compiler builds for unless told otherwise.
fn host() -> Outcome<String> {
    let said = run::output(Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc tells no host")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_the_last_figures() {
        let said = "#2\tINITED cov: 5 ft: 5\n#9\tDONE   cov: 77 ft: 99 corp: 3/9b\n\
                    stat::number_of_executed_units: 9\nstat::average_exec_per_sec:     3\n";
        assert_eq!(summary(said), "9 runs, 3 a second, 77 edges");
        assert_eq!(summary(""), "? runs, ? a second, ? edges");
    }

    #[test]
    fn every_target_is_named_in_the_package() {
        let manifest = fs::read_to_string(run::root().join("fuzz/Cargo.toml")).unwrap();
        for target in targets().unwrap() {
            let line = format!("path = \"fuzz_targets/{target}.rs\"");
            assert!(manifest.contains(&line), "{target}");
        }
    }

    #[test]
    fn an_unknown_target_names_those_there_are() {
        let failure = fuzz(Plan::SHORT, Some("nothing")).unwrap_err();
        assert!(failure.to_string().starts_with("no fuzz target `nothing`"));
    }
}
