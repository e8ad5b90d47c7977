//! One run: so many connections, over each of which devices of its own report and are answered.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use crate::{
    Failure,
    client::Line,
    devices::uuid,
    process::{Running, spent_by},
    world::{Side, World},
};

/// How long a run lasts, unless the devices have nothing left to say.
const LENGTH: Duration = Duration::from_secs(4);

/// What the devices of a load say.
pub(crate) struct Messages {
    /// `Idle` of each device: makes the server hand out the first command.
    pub(crate) idles: Vec<Vec<u8>>,
    /// The results of each device, in their order.
    pub(crate) results: Vec<Vec<Vec<u8>>>,
}

/// What one run came to.
pub(crate) struct Run {
    /// Polls per second.
    pub(crate) rate: f64,
    /// Seconds that half of the polls, and 99 of 100, took at most.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Processor time for one poll, in seconds.
    pub(crate) server: f64,
    pub(crate) database: f64,
}

/// One run of a side on a copy of its database.
pub(crate) fn run(
    world: &World,
    side: Side,
    messages: &Messages,
    connections: usize,
) -> Result<Run, Failure> {
    let database = world.copy(side, "run")?;
    let server = Running::start(side, &database, &world.ca)?;
    let spent = || -> Result<_, Failure> {
        let database = spent_by(&world.postgres.processes())?;
        Ok((server.spent()?, database))
    };
    let barrier = Barrier::new(connections + 1);
    let (times, seconds, before, after) = thread::scope(|scope| {
        let lines: Vec<_> = (0..connections)
            .map(|first| {
                let (server, barrier) = (&server, &barrier);
                scope.spawn(move || {
                    let devices = (first..messages.idles.len()).step_by(connections);
                    let mut line = warm(server, messages, devices.clone());
                    barrier.wait();
                    let times = line.as_mut().map(|line| talk(line, messages, devices));
                    barrier.wait();
                    times.map_err(|error| error.to_string())?
                })
            })
            .collect();
        barrier.wait();
        let before = spent();
        let began = Instant::now();
        barrier.wait();
        let seconds = began.elapsed().as_secs_f64();
        let after = spent();
        let mut times = Vec::new();
        for line in lines {
            times.extend(line.join().map_err(|_| "a thread panicked")??);
        }
        Ok::<_, Failure>((times, seconds, before?, after?))
    })?;
    drop(server);
    world.discard(side, "run")?;
    let mut times: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    times.sort_by(f64::total_cmp);
    let polls = times.len() as f64;
    let at = |part: f64| times.get((polls * part) as usize).copied();
    let none = "no poll was answered";
    Ok(Run {
        rate: polls / seconds,
        p50: at(0.5).ok_or(none)?,
        p99: at(0.99).ok_or(none)?,
        server: (after.0 - before.0) / polls,
        database: (after.1 - before.1) / polls,
    })
}

/// Connects, and lets every device ask for its first command.
fn warm(
    server: &Running,
    messages: &Messages,
    devices: impl Iterator<Item = usize>,
) -> Result<Line, Failure> {
    let mut line = Line::new(server.address)?;
    for device in devices {
        expect(line.ask(&messages.idles[device])?, &uuid(device, 0))?;
    }
    Ok(line)
}

/// Lets the devices take turns; tells how long each poll took.
fn talk(
    line: &mut Line,
    messages: &Messages,
    devices: impl Iterator<Item = usize> + Clone,
) -> Result<Vec<Duration>, String> {
    let end = Instant::now() + LENGTH;
    let mut times = Vec::new();
    let turns = messages.results.first().map_or(0, Vec::len);
    for n in 0..turns {
        for device in devices.clone() {
            let next = uuid(device, n + 1);
            let began = Instant::now();
            let answer = line.ask(&messages.results[device][n]);
            times.push(began.elapsed());
            let right = answer.and_then(|answer| expect(answer, &next));
            right.map_err(|error| error.to_string())?;
            if Instant::now() > end {
                return Ok(times);
            }
        }
    }
    Ok(times)
}

fn expect(answer: &str, uuid: &str) -> Result<(), Failure> {
    match answer.contains(uuid) {
        true => Ok(()),
        false => Err(format!("not the command {uuid}, but {answer:?}").into()),
    }
}
