//! Ours on both databases against nanomdm, runs interleaved.

use mdm_benches::{Line, Unit};

use crate::{
    Failure,
    load::{self, Messages, Run},
    world::{Side, World},
};

/// How often each side runs with each number of connections.
const ROUNDS: usize = 5;

const CONNECTIONS: [usize; 2] = [8, 64];

/// How many are enrolled, how many of them poll, and how many results each has for one run.
const ENROLLED: usize = 10_000;
const POLLING: usize = 640;
const RESULTS: usize = 20;

/// How many times nanomdm's rate ours has to reach, at what part of its 99th percentile.
const RATE: f64 = 3.0;
const P99: f64 = 1.0;

pub(crate) fn compare() -> Result<bool, Failure> {
    let world = World::new(ENROLLED)?;
    println!("service: {ROUNDS} interleaved runs a side, medians; {ENROLLED} devices enrolled");
    fill(&world, &Side::ALL)?;
    let messages = messages(&world)?;
    let mut met = true;
    for connections in CONNECTIONS {
        met &= row(&world, &messages, connections)?;
    }
    Ok(met)
}

/// One side by itself, for whoever looks where its time goes.
pub(crate) fn alone(side: &str, connections: &str, rounds: &str) -> Result<bool, Failure> {
    let side = Side::named(side)?;
    let world = World::new(POLLING)?;
    fill(&world, &[side])?;
    let messages = messages(&world)?;
    for _ in 0..rounds.parse()? {
        let run = load::run(&world, side, &messages, connections.parse()?)?;
        println!("{}", shown(&[run]));
    }
    Ok(true)
}

/// Enrols everybody on each side and queues what they poll for.
fn fill(world: &World, sides: &[Side]) -> Result<(), Failure> {
    let enrolments = world.devices.enrolments()?;
    for side in sides {
        let enrolled = world.enrol(*side, &enrolments)?;
        let each = 10_000.0 / enrolments.len() as f64 / 1e6;
        println!(
            "service, {}: {:.0} enrolments a second; 10,000 of them take {:.1} MB of the server's memory and {:.1} MB of \
             the database",
            side.name(),
            enrolled.rate,
            enrolled.resident * each,
            enrolled.stored * each
        );
        // One more than there are results: every poll gets a command.
        world.queue(*side, POLLING, RESULTS + 1)?;
    }
    Ok(())
}

fn messages(world: &World) -> Result<Messages, Failure> {
    Ok(Messages {
        idles: world.devices.idles(POLLING)?,
        results: world.devices.results(POLLING, RESULTS)?,
    })
}

fn row(world: &World, messages: &Messages, connections: usize) -> Result<bool, Failure> {
    let mut runs = Side::ALL.map(|side| (side, Vec::with_capacity(ROUNDS)));
    for _ in 0..ROUNDS {
        for (side, runs) in &mut runs {
            runs.push(load::run(world, *side, messages, connections)?);
        }
    }
    let [sqlite, postgres, (_, theirs)] = &runs;
    let mut met = true;
    for (side, ours) in [sqlite, postgres] {
        let name = format!("service {connections} connections, {}", side.name());
        let each = |of: fn(&Run) -> f64| -> (Vec<f64>, Vec<f64>) {
            (
                ours.iter().map(of).collect(),
                theirs.iter().map(of).collect(),
            )
        };
        let line = |what: &str, unit, of: fn(&Run) -> f64, bar| {
            let (ours, theirs) = each(of);
            Line::from_runs(format!("{name}, {what}"), unit, &ours, &theirs, bar)
        };
        let lines = [
            line("polls", Unit::PerSecond, |run| run.rate, Some(RATE)),
            line("p99", Unit::SecondsEach, |run| run.p99, Some(P99)),
            line("p50", Unit::SecondsEach, |run| run.p50, None),
        ];
        for line in lines {
            let line = line.ok_or("a run answered no positive number")?;
            if let Some(bar) = line.bar {
                let word = if line.is_met() { "met" } else { "MISSED" };
                println!("{}: bar {bar:.2} {word}", line.name);
            }
            println!("{line}");
            met &= line.is_met();
        }
    }
    for (side, runs) in &runs {
        let name = side.name();
        println!("service {connections} connections, {name}: {}", shown(runs));
    }
    Ok(met)
}

fn shown(runs: &[Run]) -> String {
    let middle = |of: fn(&Run) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    format!(
        "{:.0} polls/s, p50 {:.2} ms, p99 {:.2} ms; processor time of a poll: server {:.0} µs, database's server {:.0} µs",
        middle(|run| run.rate),
        middle(|run| run.p50) * 1e3,
        middle(|run| run.p99) * 1e3,
        middle(|run| run.server) * 1e6,
        middle(|run| run.database) * 1e6
    )
}
