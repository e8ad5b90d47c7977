//! The server's processes, as `/proc` tells them (proc_pid_stat(5)).

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The file that names the first process.
pub(crate) fn lock(data: &Path) -> PathBuf {
    data.join("postmaster.pid")
}

/// The process that all others come from.
pub(crate) fn first(data: &Path) -> Option<u32> {
    let text = fs::read_to_string(lock(data)).ok()?;
    text.lines().next()?.parse().ok()
}

/// A process and its children.
pub(crate) fn family(first: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten();
    let all = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let children = all.filter(|it: &u32| state(*it).is_some_and(|(_, parent)| parent == first));
    [first].into_iter().chain(children).collect()
}

/// Ends a process and its children; returns once they have. The first stands still before its children are counted, so
/// that it neither tells them nor makes another one.
pub(crate) fn kill(first: u32) -> io::Result<()> {
    signal("-STOP", &[first])?;
    wait_until(|| state(first).is_none_or(|(state, _)| matches!(state, 'T' | 'Z')));
    let family = family(first);
    signal("-KILL", &family)?;
    wait_until(|| {
        let mut states = family.iter().filter_map(|it| state(*it));
        states.all(|(state, _)| state == 'Z')
    });
    Ok(())
}

/// Sends a signal. Who has gone by himself is no error, but for the one who is alone.
fn signal(name: &str, processes: &[u32]) -> io::Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", "kill \"$@\"", "kill", name]);
    command.args(processes.iter().map(u32::to_string));
    let is_done = command.stderr(Stdio::null()).status()?.success();
    match is_done || processes.len() > 1 {
        true => Ok(()),
        false => Err(io::ErrorKind::NotFound.into()),
    }
}

fn wait_until(done: impl Fn() -> bool) {
    while !done() {
        std::thread::yield_now();
    }
}

/// The state of a process, and its parent: what stands behind its name, which is in brackets.
fn state(process: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut words = stat.rsplit(") ").next()?.split(' ');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}
