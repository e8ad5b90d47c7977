//! The tool as people run it: the built program over files made here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod acme;
mod ade;
mod attest;
mod ddm;
mod every_type;
mod fixtures;
mod hostile;
mod kinds;
mod profile;
mod push;
mod reports;
mod scep;
mod schema;
mod sealed;
mod told;
mod typed;
mod validate;

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// Runs the program with `input` on standard input.
fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mdmtool"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that stops reading early closes the pipe; its exit tells why.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// What `decode -` makes of a document that it must be able to read.
fn decode(arguments: &[&str], input: &[u8]) -> Value {
    let output = run(&[&["decode", "-"], arguments].concat(), input);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.is_empty(), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The line on standard error about a document that cannot be read.
fn refusal(arguments: &[&str], input: &[u8]) -> String {
    let output = run(arguments, input);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with("mdmtool: ") && line.len() > 15, "{line}");
    line
}

fn kind_and_type(told: &Value) -> (&str, &str) {
    let name = told["type"].as_str().unwrap_or("null");
    (told["kind"].as_str().unwrap(), name)
}

fn findings(told: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = told["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| (text(&finding["path"]), text(&finding["rule"])))
        .collect()
}

fn found(path: &str, rule: &str) -> (String, String) {
    (path.to_owned(), rule.to_owned())
}
