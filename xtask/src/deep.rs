//! `cargo xtask deep NAME`: a test at full length, in release, for which `test` runs a small one.

use std::process::Command;

use crate::fuzz::{self, Plan};
use crate::openssl;
use crate::run::{self, Outcome};

/// The tests there are.
const NAMES: &str = "ade [--run NUMBER], apns, fuzz [NAME], service";

/// Runs the test and shows what it prints.
pub(crate) fn deep(arguments: &[&str]) -> Outcome {
    match arguments {
        ["ade"] => ade(None),
        ["ade", "--run", number] => ade(Some(number)),
        ["apns"] => run::succeed(test("mdm-apns", "faults::", &[])?.env("APNS_FAULTS", "full")),
        ["fuzz"] => fuzz::fuzz(Plan::LONG, None),
        ["fuzz", name] => fuzz::fuzz(Plan::LONG, Some(name)),
        ["service"] => {
            // 500 devices at two servers on one PostgreSQL that are killed at random.
            let mut command = test("mdm-storage", "chaos::", &["postgres"])?;
            run::succeed(command.env("CHAOS", "full").env("REQUIRE_PEERS", "1"))
        }
        _ => Err(format!("which test? {NAMES}").into()),
    }
}

/// The sync of device assignment under faults: over 1,000 runs with 20,000 devices each, or one of
/// them.
fn ade(number: Option<&str>) -> Outcome {
    let mut command = test("mdm-storage", "ade_faults", &[])?;
    command.env("ADE_FAULTS", "full");
    if let Some(number) = number {
        command.env("ADE_FAULTS_RUN", number);
    }
    run::succeed(&mut command)
}

/// Cargo on the tests of this package whose names begin so, with these features.
fn test(package: &str, name: &str, features: &[&str]) -> Outcome<Command> {
    let arguments = ["test", "--release", "--package", package, "--test", "it"];
    let mut command = run::cargo(&arguments);
    let mut features = features.to_vec();
    if openssl::vendored(false)? {
        features.push("vendored");
    }
    command.arg("--features").arg(features.join(","));
    command.args(["--", "--nocapture", name]);
    Ok(command)
}
