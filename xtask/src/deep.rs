//! `cargo xtask deep NAME`: a test at full length, in release, for which `test` runs a small one.

use crate::openssl;
use crate::run::{self, Outcome};

/// The tests there are.
const NAMES: &str = "ade";

/// Runs the test and shows what it prints.
pub(crate) fn deep(arguments: &[&str]) -> Outcome {
    match arguments {
        ["ade"] => ade(None),
        ["ade", "--run", number] => ade(Some(number)),
        _ => Err(format!("which test? {NAMES} [--run NUMBER]").into()),
    }
}

/// The sync of device assignment under faults: over 1,000 runs with 20,000 devices each, or one of
/// them.
fn ade(number: Option<&str>) -> Outcome {
    let arguments = [
        "test",
        "--release",
        "--package",
        "mdm-storage",
        "--test",
        "it",
    ];
    let mut command = run::cargo(&arguments);
    if openssl::vendored(false)? {
        command.args(["--features", "vendored"]);
    }
    command.args(["--", "--nocapture", "ade_faults"]);
    command.env("ADE_FAULTS", "full");
    if let Some(number) = number {
        command.env("ADE_FAULTS_RUN", number);
    }
    run::succeed(&mut command)
}
