//! Server processes, and what they cost.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use nix::unistd::{SysconfVar, sysconf};
use tempfile::TempDir;

use crate::{Failure, serve, step_ca};

/// Where `cargo xtask bench` builds the peer, seen from the workspace's folder.
const MICROMDM: &str = ".peers/go/scep";

/// The challenge of the peers, which know but one.
pub(crate) const CHALLENGE: &str = "a challenge for everybody";

/// A server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Micromdm,
    StepCa,
}

/// A running server; ends when dropped.
pub(crate) struct Running {
    pub(crate) side: Side,
    pub(crate) url: String,
    process: Child,
    folder: TempDir,
}

impl Running {
    /// Starts a server with nothing stored.
    pub(crate) fn start(side: Side) -> Result<Self, Failure> {
        let folder = TempDir::new()?;
        if side == Side::Ours {
            serve::found(folder.path())?;
        }
        Self::start_in(side, folder)
    }

    /// Starts a server over what is in the folder.
    pub(crate) fn start_in(side: Side, folder: TempDir) -> Result<Self, Failure> {
        let mut command = match side {
            Side::StepCa => {
                let (process, url) = step_ca::start(folder.path())?;
                return Ok(Self {
                    side,
                    url,
                    process,
                    folder,
                });
            }
            Side::Ours => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("serve").arg(folder.path());
                command
            }
            Side::Micromdm => {
                let mut command = Command::new(PathBuf::from(MICROMDM));
                command.arg(folder.path()).arg(CHALLENGE);
                command
            }
        };
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        let out = process.stdout.take().ok_or("no standard output")?;
        let url = BufReader::new(out).lines().next();
        let url = url.ok_or_else(|| format!("{command:?} died"))??;
        Ok(Self {
            side,
            url,
            process,
            folder,
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Processor time so far, in user mode and in the system, in seconds (proc_pid_stat(5)).
    pub(crate) fn spent(&self) -> Result<(f64, f64), Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // The name before may hold anything, but no further parenthesis follows it.
        let (_, fields) = stat.rsplit_once(')').ok_or("no name in stat")?;
        let mut times = fields.split_whitespace().skip(11).take(2);
        let mut next = || -> Result<f64, Failure> { Ok(times.next().ok_or("no time")?.parse()?) };
        let (user, system) = (next()?, next()?);
        let second = sysconf(SysconfVar::CLK_TCK)?.ok_or("no length of a tick")? as f64;
        Ok((user / second, system / second))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
