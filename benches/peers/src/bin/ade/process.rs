//! Client processes, and what they cost.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::{TimeVal, TimeValLike},
};

use crate::{Failure, apple::Apple};

/// Where `cargo xtask bench` builds the peer, seen from the workspace's folder.
pub(crate) const NANODEP: &str = ".peers/go/ade";

/// One side: a program that syncs once.
pub(crate) struct Side {
    root: PathBuf,
    command: Box<dyn Fn() -> Command>,
}

impl Side {
    pub(crate) fn new(apple: &Apple, command: impl Fn() -> Command + 'static) -> Self {
        Self {
            root: apple.root.path().to_path_buf(),
            command: Box::new(command),
        }
    }

    /// What the side says of what it saw.
    pub(crate) fn check(&self) -> Result<String, Failure> {
        let mut command = self.command();
        let output = command.arg("check").stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(format!("{command:?} ended with {}", output.status).into());
        }
        let text = String::from_utf8(output.stdout)?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    /// One run: CPU time of the process in microseconds per device; no number where it failed.
    pub(crate) fn each(&self, devices: usize) -> f64 {
        let before = spent(UsageWho::RUSAGE_CHILDREN);
        let status = self.command().stdout(Stdio::null()).status();
        let spent = spent(UsageWho::RUSAGE_CHILDREN) - before;
        match status {
            Ok(status) if status.success() => spent / devices as f64,
            _ => f64::NAN,
        }
    }

    /// Both sides trust the fake's root alone, by the variables that Go and OpenSSL read.
    fn command(&self) -> Command {
        let mut command = (self.command)();
        trust(&mut command, &self.root);
        command
    }
}

/// Has a client trust this root and no other.
pub(crate) fn trust(command: &mut Command, root: &Path) {
    command.env("SSL_CERT_FILE", root);
    command.env("SSL_CERT_DIR", "/nonexistent");
}

/// CPU time, user and system, in microseconds: of this process, or of all that it has waited for.
pub(crate) fn spent(whose: UsageWho) -> f64 {
    let micros = |time: TimeVal| time.num_microseconds() as f64;
    getrusage(whose).map_or(f64::NAN, |usage| {
        micros(usage.user_time()) + micros(usage.system_time())
    })
}
