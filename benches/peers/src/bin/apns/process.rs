//! Client processes, and what they cost.

use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::{TimeVal, TimeValLike},
};

use crate::Failure;

/// How often a process is asked how much memory it has taken at most.
const LOOK: Duration = Duration::from_millis(20);

/// A process that has come to its end.
pub(crate) struct Ended {
    pub(crate) out: String,
    /// Processor time, user and system, in seconds.
    pub(crate) spent: f64,
    /// The most memory it has taken, in MiB.
    pub(crate) peak: f64,
}

/// Runs it to its end; fails where it fails.
pub(crate) fn run(command: &mut Command) -> Result<Ended, Failure> {
    let before = spent();
    let mut process = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    let mut peak = 0.0;
    let status = loop {
        peak = resident(process.id()).unwrap_or(peak);
        // What it prints is little: a pipe holds it.
        match process.try_wait()? {
            Some(status) => break status,
            None => thread::sleep(LOOK),
        }
    };
    let spent = spent() - before;
    let mut out = String::new();
    let pipe = process.stdout.take();
    pipe.ok_or("no standard output")?.read_to_string(&mut out)?;
    if !status.success() {
        return Err(format!("{command:?} ended with {status}: {out}").into());
    }
    Ok(Ended { out, spent, peak })
}

/// Processor time of all processes that have been waited for, in seconds.
fn spent() -> f64 {
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(f64::NAN, |usage| {
        seconds(usage.user_time()) + seconds(usage.system_time())
    })
}

/// A process's peak memory in MiB (VmHWM); `None` once it has ended.
fn resident(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}
