//! Server processes, and what they cost.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use nix::unistd::{SysconfVar, sysconf};

use crate::{Failure, nanomdm, world::Side};

/// A running server; ends when dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    process: Child,
}

impl Running {
    /// Starts a server on a database, and waits until it listens.
    pub(crate) fn start(side: Side, database: &str, ca: &Path) -> Result<Self, Failure> {
        let store = match side {
            Side::Nanomdm => {
                let (process, address) = nanomdm::start(database, ca)?;
                return Ok(Self { address, process });
            }
            Side::Sqlite => "sqlite",
            Side::Postgres => "postgres",
        };
        let mut process = Command::new(std::env::current_exe()?)
            .args(["serve", store, database])
            .arg(ca)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = process.stdout.take().ok_or("no standard output")?;
        let address = BufReader::new(out).lines().next();
        let address = address.ok_or("our server died")??.parse()?;
        Ok(Self { address, process })
    }

    /// Processor time so far, in seconds.
    pub(crate) fn spent(&self) -> Result<f64, Failure> {
        spent(self.process.id(), 2)
    }

    /// What of its memory is in memory, in bytes (proc_pid_status(5)).
    pub(crate) fn resident(&self) -> Result<f64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.ok_or("no VmRSS")?.parse::<f64>()? * 1024.0)
    }
}

/// Processor time of these processes so far, the first with all of its children that have ended.
pub(crate) fn spent_by(processes: &[u32]) -> Result<f64, Failure> {
    let mut sum = 0.0;
    for (at, process) in processes.iter().enumerate() {
        // One that ended meanwhile counts with the first next time.
        sum += spent(*process, if at == 0 { 4 } else { 2 }).unwrap_or(0.0);
    }
    Ok(sum)
}

/// The sum of the first so many of: user mode, system, both of its children that have ended
/// (proc_pid_stat(5)).
fn spent(process: u32, times: usize) -> Result<f64, Failure> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name before may hold anything, but no further parenthesis follows it.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in stat")?;
    let times = fields.split_whitespace().skip(11).take(times);
    let ticks: Result<Vec<f64>, _> = times.map(str::parse).collect();
    let second = sysconf(SysconfVar::CLK_TCK)?.ok_or("no length of a tick")? as f64;
    Ok(ticks?.iter().sum::<f64>() / second)
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
