//! Ours against the servers of others and against OpenSSL's own speed, runs interleaved.

use std::process::Command;

use mdm_benches::{Line, Unit, report::Better};
use tokio::runtime::Runtime;

use crate::{
    Failure,
    client::Devices,
    load::{self, Run},
    process::{Running, Side},
    step_ca,
};

/// How often each side runs with each number of connections.
const ROUNDS: usize = 5;

const CONNECTIONS: [usize; 2] = [1, 8];

/// Requests of one run: each side is busy for a second or two, and its processor time is told in hundredths.
const OURS: usize = 1500;
const THEIRS: usize = 400;

/// Requests that each server has served before the clock runs: its memory, its statements and its log are then those of one that
/// has been up for a while.
const WARM: usize = 500;

/// How many times less processor time ours has to take.
const BAR: f64 = 3.0;

/// What part of OpenSSL's speed has to be left: a certificate takes three operations with a private key.
const SPEED: f64 = 0.65;
const OPERATIONS: f64 = 3.0;

/// Processor time of the server.
pub(crate) const EACH: Unit = Unit::Other("µs/certificate", Better::Lower);

pub(crate) fn compare() -> Result<bool, Failure> {
    let runtime = Runtime::new()?;
    let devices = Devices::new()?;
    println!("scep: {ROUNDS} interleaved runs a side, medians; a server is new in each run");
    let mut met = true;
    for connections in CONNECTIONS {
        met &= row(&runtime, &devices, connections)?;
    }
    if !step_ca::is_built() {
        println!("scep: step-ca is not built (`cargo xtask peers` builds it) and was not compared");
    }
    Ok(met)
}

fn row(runtime: &Runtime, devices: &Devices, connections: usize) -> Result<bool, Failure> {
    let mut ours = Side::Ours.runs(OURS);
    let mut peers = vec![Side::Micromdm.runs(THEIRS)];
    if step_ca::is_built() {
        peers.push(Side::StepCa.runs(THEIRS));
    }
    let mut thirds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        // OpenSSL's speed right before and right after, so that all three have the same machine.
        let before = signs_per_second()?;
        ours.one(runtime, devices, connections)?;
        let after = signs_per_second()?;
        thirds.push((before + after) / 2.0 / OPERATIONS);
        for peer in &mut peers {
            peer.one(runtime, devices, connections)?;
        }
    }
    let row = match connections {
        1 => "1 connection".to_owned(),
        more => format!("{more} connections"),
    };
    let mut lines = Vec::new();
    for peer in &peers {
        let name = format!("scep {row}, {}", peer.side.name());
        let bar = (peer.side == Side::Micromdm).then_some(BAR);
        lines.push(Line::from_runs(name, EACH, &ours.each(), &peer.each(), bar));
    }
    let name = format!("scep {row}, openssl speed rsa2048 signs / {OPERATIONS}");
    let rates: Vec<f64> = ours.each().iter().map(|each| 1e6 / each).collect();
    let speed = Line::from_runs(name, Unit::PerSecond, &rates, &thirds, Some(SPEED));
    lines.push(speed);
    let mut met = true;
    for line in lines {
        let line = line.ok_or("a run answered no positive number")?;
        if let Some(bar) = line.bar {
            let word = if line.is_met() { "met" } else { "MISSED" };
            println!("{}: bar {bar:.2} {word}", line.name);
        }
        println!("{line}");
        met &= line.is_met();
    }
    for runs in peers.iter().chain([&ours]) {
        println!(
            "scep {row}, {}: {:.0}/s by the clock on the wall, {:.0} µs of the system for each, {} of {} requests \
             without a certificate",
            runs.side.name(),
            middle(runs.runs.iter().map(|run| run.rate)),
            middle(runs.runs.iter().map(|run| run.system)),
            runs.failed(),
            (WARM + runs.requests) * ROUNDS
        );
    }
    Ok(met && ours.failed() == 0)
}

/// The runs of one side.
struct Runs {
    side: Side,
    requests: usize,
    runs: Vec<Run>,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Micromdm => "micromdm",
            Self::StepCa => "step-ca",
        }
    }

    fn runs(self, requests: usize) -> Runs {
        Runs {
            side: self,
            requests,
            runs: Vec::with_capacity(ROUNDS),
        }
    }
}

impl Runs {
    fn one(&mut self, on: &Runtime, devices: &Devices, connections: usize) -> Result<(), Failure> {
        let server = Running::start(self.side)?;
        let runs = async {
            let warm = load::run(&server, devices, 0, WARM, connections).await?;
            let mut run = load::run(&server, devices, WARM, self.requests, connections).await?;
            run.failed += warm.failed;
            Ok::<_, Failure>(run)
        };
        self.runs.push(on.block_on(runs)?);
        Ok(())
    }

    fn each(&self) -> Vec<f64> {
        self.runs.iter().map(|run| run.each).collect()
    }

    fn failed(&self) -> usize {
        self.runs.iter().map(|run| run.failed).sum()
    }
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What `openssl speed` says of signatures with a key of 2048 bits, by its processor time.
fn signs_per_second() -> Result<f64, Failure> {
    let output = Command::new("openssl")
        .args(["speed", "-mr", "-seconds", "1", "rsa2048"])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    // `+F2:NUMBER:BITS:SIGNATURES A SECOND:VERIFICATIONS A SECOND`
    let line = text.lines().find_map(|line| line.strip_prefix("+F2:"));
    let sign = line.and_then(|line| line.split(':').nth(2));
    Ok(sign.ok_or("openssl speed tells no figures")?.parse()?)
}
