//! The demonstration as its user sees it: lines on standard output, an exit code, a reason.

#![allow(clippy::unwrap_used, missing_docs)]

use std::process::{Command, Output};

const STEPS: [&str; 13] = [
    "token",
    "session",
    "sync",
    "assign",
    "ask",
    "profile",
    "scep",
    "authenticate",
    "token-update",
    "push",
    "device-information",
    "install-profile",
    "check-out",
];

fn quickstart(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.sqlite");
    Command::new(env!("CARGO_BIN_EXE_quickstart"))
        .arg("--state")
        .arg(&state)
        .args(arguments)
        .output()
        .unwrap()
}

/// The first word of each line that tells a step.
fn told(output: &Output) -> Vec<String> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| STEPS.contains(word))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_step_is_told_in_order_and_the_last_line_says_done() {
    let output = quickstart(&[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(told(&output), STEPS);
    assert!(text.lines().next().unwrap().ends_with("state.sqlite"));
    assert!(text.lines().last().unwrap().starts_with("done: "));
}

#[test]
fn a_broken_step_ends_the_demo_with_exit_code_1_and_its_name() {
    for (index, step) in STEPS.iter().enumerate() {
        let output = quickstart(&["--break", step]);
        let reason = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{step}: {reason}");
        assert_eq!(
            told(&output),
            STEPS[..index],
            "what came before {step} still worked"
        );
        assert!(
            reason.starts_with(&format!("failed: {step}: ")),
            "{step}: {reason}"
        );
        assert_eq!(reason.lines().count(), 1, "{step}: {reason}");
    }
}
