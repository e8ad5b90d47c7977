//! The clients that are compared, how each is started, and what each tells in the end.

use std::{env, path::Path, process::Command};

use crate::{
    Failure,
    process::{self, Ended},
    service::Service,
};

/// Where `cargo xtask bench` builds the peers, seen from the workspace's folder.
const A2: &str = ".peers/a2/target/release/mdm-bench-a2";
const GO: &str = ".peers/go/apns";

/// A client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    A2,
    A2Nodelay,
    Apns2,
    Nanopush,
    H2load,
}

/// What one run came to.
pub(crate) struct Run {
    pub(crate) delivered: u64,
    pub(crate) failed: u64,
    /// How many connections it took.
    pub(crate) connections: u64,
    /// How many pushes the service took, the one ahead of the others left out.
    pub(crate) accepted: u64,
    /// Pushes per second.
    pub(crate) rate: f64,
    /// Processor time of 100,000 pushes, in seconds.
    pub(crate) spent: f64,
    /// The most memory, in MiB.
    pub(crate) peak: f64,
}

impl Side {
    pub(crate) const PEERS: [Self; 5] = [
        Self::A2,
        Self::A2Nodelay,
        Self::Apns2,
        Self::Nanopush,
        Self::H2load,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::A2 => "a2",
            Self::A2Nodelay => "a2 with NODELAY",
            Self::Apns2 => "apns2",
            Self::Nanopush => "nanopush",
            Self::H2load => "h2load",
        }
    }

    /// Sends so many pushes with so many in flight at a time.
    pub(crate) fn run(
        self,
        service: &Service,
        in_flight: usize,
        pushes: usize,
    ) -> Result<Run, Failure> {
        let mut command = self.command(service, in_flight, pushes)?;
        let before = service.counted()?;
        let Ended { out, spent, peak } = process::run(&mut command)?;
        let after = service.counted()?;
        let told = match self {
            Self::H2load => h2load(&out),
            _ => line(&out),
        };
        let (delivered, failed, rate) =
            told.ok_or_else(|| format!("{} tells no figures: {out}", self.name()))?;
        if delivered + failed != pushes as u64 {
            let name = self.name();
            return Err(format!("{name}: {delivered} and {failed} are not {pushes}").into());
        }
        Ok(Run {
            delivered,
            failed,
            connections: after.connections - before.connections,
            accepted: after.accepted - before.accepted - self.ahead(),
            rate,
            spent: spent * 1e5 / pushes as f64,
            peak,
        })
    }

    /// How many pushes go ahead of those that are counted, so that the connection stands.
    fn ahead(self) -> u64 {
        u64::from(self != Self::H2load)
    }

    fn command(
        self,
        service: &Service,
        in_flight: usize,
        pushes: usize,
    ) -> Result<Command, Failure> {
        let folder = service.folder();
        let (port, in_flight, pushes) = (
            service.port.to_string(),
            in_flight.to_string(),
            pushes.to_string(),
        );
        let mut command = match self {
            Self::Ours => program(&env::current_exe()?, &["push"]),
            Self::A2 | Self::A2Nodelay => program(Path::new(A2), &[]),
            Self::Apns2 => program(Path::new(GO), &["apns2"]),
            Self::Nanopush => program(Path::new(GO), &["nanopush"]),
            Self::H2load => {
                let mut command = Command::new("h2load");
                command.args(["-c", "1", "-t", "1", "-m", &in_flight, "-n", &pushes]);
                command.arg("-d").arg(folder.join("body"));
                command.arg("-i").arg(folder.join("urls"));
                for header in service.headers()? {
                    command.arg("-H").arg(header);
                }
                return Ok(command);
            }
        };
        command.arg(&port).arg(folder).args([&in_flight, &pushes]);
        command.env("A2_HOST", format!("localhost:{port}"));
        command.env("A2_ROOT", folder.join("root.pem"));
        if self == Self::A2Nodelay {
            command.env("A2_NODELAY", "1");
        }
        Ok(command)
    }
}

fn program(path: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(path);
    command.args(arguments);
    command
}

/// Delivered, failed, seconds.
fn line(out: &str) -> Option<(u64, u64, f64)> {
    let mut words = out.split_whitespace();
    let delivered: u64 = words.next()?.parse().ok()?;
    let failed: u64 = words.next()?.parse().ok()?;
    let seconds: f64 = words.next()?.parse().ok()?;
    Some((delivered, failed, (delivered + failed) as f64 / seconds))
}

/// Such as `finished in 2.05s, 48780.12 req/s, 3.21MB/s` and
/// `status codes: 100000 2xx, 0 3xx, 0 4xx, 0 5xx`.
fn h2load(out: &str) -> Option<(u64, u64, f64)> {
    let after = |start: &str| out.lines().find_map(|line| line.strip_prefix(start));
    let rate = after("finished in ")?.split(", ").nth(1)?;
    let rate: f64 = rate.strip_suffix(" req/s")?.parse().ok()?;
    let total: u64 = after("requests: ")?.split(' ').next()?.parse().ok()?;
    let delivered: u64 = after("status codes: ")?.split(' ').next()?.parse().ok()?;
    Some((delivered, total.checked_sub(delivered)?, rate))
}
