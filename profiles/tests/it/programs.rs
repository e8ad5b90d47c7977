//! The programs of others. Without its program a test says so and passes, unless `REQUIRE_PEERS=1` turns that into a
//! failure.

use std::process::{Command, Stdio};

/// Says that a peer is missing, which is a failure where peers are required.
pub(crate) fn missing(peer: &str) {
    let required = std::env::var("REQUIRE_PEERS").as_deref() == Ok("1");
    assert!(!required, "{peer} is missing");
    eprintln!("skipped: {peer} is missing");
}

/// Whether a program can be started; once said so, where it cannot.
pub(crate) fn found(program: &str) -> bool {
    let started = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if started.is_err() {
        missing(program);
    }
    started.is_ok()
}
