//! `cargo xtask test`: the whole suite, doctests included, with a count of its own at the end.
//!
//! A test that lacks a program of others prints `skipped: WHAT: why` and returns. The runner shows
//! what passing tests print (`--show-output`); we keep those lines, with the test's name, and leave
//! the rest out.

mod reader;

use std::collections::BTreeSet;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::demo::split;
use crate::metadata::Metadata;
use crate::openssl;
use crate::run::{self, Outcome};
use reader::Reader;

/// What a run of tests came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
    /// Tests marked `#[ignore]`.
    ignored: usize,
    /// `TEST: WHAT: why`, one a line that a test printed.
    skips: BTreeSet<String>,
    /// How many tests printed such a line; the runner counts them as passed.
    skipping: usize,
}

impl Tally {
    /// Adds another run's count.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.skipping += other.skipping;
        self.skips.extend(other.skips);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "tests: {} passed, {} failed, {} skipped",
            self.passed.saturating_sub(self.skipping),
            self.failed,
            self.skipping + self.ignored
        )
    }
}

/// Runs the suite; the last line is the count.
pub(crate) fn test(arguments: &[&str]) -> Outcome {
    let (own, passed) = split(arguments);
    if !own.is_empty() {
        return Err(format!("test: unknown arguments: {}", own.join(" ")).into());
    }
    let vendored = openssl::vendored(false)?;
    let features = Metadata::load(false)?.full(vendored);
    let mut tally = Tally::default();
    let outcome = suite(&features, passed, &mut tally);
    println!("{tally}");
    outcome
}

/// Every test and doctest of the workspace.
pub(crate) fn suite(features: &str, passed: &[&str], tally: &mut Tally) -> Outcome {
    let mut command = run::cargo(&[
        "test",
        "--workspace",
        "--no-fail-fast",
        "--features",
        features,
    ]);
    counted(command.args(["--", "--show-output"]).args(passed), tally)
}

/// Runs `cargo test ... -- --show-output`, lists what was skipped, and adds to the count.
pub(crate) fn counted(command: &mut Command, tally: &mut Tally) -> Outcome {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo test: {error}"))?;
    let mut reader = Reader::default();
    if let Some(stdout) = child.stdout.take() {
        // Tests may print anything, so lines are read as bytes.
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.map_err(|error| format!("cargo test: {error}"))?;
            let line = String::from_utf8_lossy(&line);
            if reader.take(line.trim_end_matches('\r')) {
                println!("{line}");
            }
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("cargo test: {error}"))?;
    let mut found = reader.tally;
    if !status.success() {
        // A program that died, or did not build, has no count of its own.
        found.failed = found.failed.max(1);
    }
    for skip in &found.skips {
        println!("skipped: {skip}");
    }
    let outcome = judge(
        &found,
        std::env::var_os("REQUIRE_PEERS").is_some_and(|v| v == "1"),
    );
    tally.add(found);
    outcome
}

fn judge(found: &Tally, peers_required: bool) -> Outcome {
    if found.failed > 0 {
        return Err("tests failed (see above)".into());
    }
    if found.passed == 0 {
        return Err("no test ran".into());
    }
    if peers_required && found.skipping > 0 {
        let text = "tests were skipped although REQUIRE_PEERS=1: install what they name";
        return Err(text.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: usize, failed: usize, skipping: usize) -> Tally {
        let skips = (0..skipping)
            .map(|n| format!("test {n}: python3: missing"))
            .collect();
        Tally {
            passed,
            failed,
            skips,
            skipping,
            ..Tally::default()
        }
    }

    #[test]
    fn a_skip_passes_alone_and_fails_where_peers_are_required() {
        assert_eq!(judge(&tally(3, 0, 1), false), Ok(()));
        assert!(judge(&tally(3, 0, 1), true).is_err());
        assert_eq!(judge(&tally(3, 0, 0), true), Ok(()));
    }

    #[test]
    fn a_failure_fails_and_so_does_a_run_without_tests() {
        assert!(judge(&tally(3, 1, 0), false).is_err());
        assert!(judge(&tally(0, 0, 0), false).is_err());
    }

    #[test]
    fn counts_add_up_and_a_skipped_test_is_not_called_passed() {
        let mut sum = tally(3, 0, 1);
        sum.add(tally(2, 0, 0));
        assert_eq!(sum.to_string(), "tests: 4 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn a_test_program_that_dies_is_a_failure() {
        let mut sum = Tally::default();
        // A shell that prints one passing binary and then ends as if another had crashed.
        let script = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured'; exit 101";
        let outcome = counted(Command::new("sh").args(["-c", script]), &mut sum);
        assert!(outcome.is_err());
        assert_eq!(sum.to_string(), "tests: 2 passed, 1 failed, 0 skipped");
    }
}
