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

/// Ends them all, the first one before it can tell the others; returns once they have.
pub(crate) fn kill(processes: &[u32]) -> io::Result<()> {
    let script = "kill -STOP \"$1\" && { kill -9 \"$@\"; true; }";
    let mut command = Command::new("sh");
    command.args(["-c", script, "kill"]);
    command.args(processes.iter().map(u32::to_string));
    if !command.stderr(Stdio::null()).status()?.success() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let ended = |it: &u32| state(*it).is_none_or(|(state, _)| state == 'Z');
    while !processes.iter().all(ended) {
        std::thread::yield_now();
    }
    Ok(())
}

/// The state of a process, and its parent: what stands behind its name, which is in brackets.
fn state(process: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut words = stat.rsplit(") ").next()?.split(' ');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}
