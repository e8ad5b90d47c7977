//! Pushes per second, processor time and memory of each client in each row, runs interleaved.

use std::{env, fmt, io::ErrorKind, process::Command};

use mdm_benches::{Line, Unit, report::Better};

use crate::{
    Failure,
    service::{Behaviour, Service},
    side::{Run, Side},
};

/// How often each client runs in each row.
const ROUNDS: usize = 5;

/// How long a run is to take, in seconds; no run has more than `MOST` pushes.
const LENGTH: f64 = 1.5;
const MOST: usize = 100_000;

/// Fewer pushes than this say nothing of processor time: the start outweighs them.
const FEWEST_FOR_COST: usize = 10_000;

/// The services, and how many pushes are in flight at each.
const SERVICES: &[(Behaviour, &[usize])] = &[
    (Behaviour::Delay(0), &[1, 10, 100, 1000]),
    (Behaviour::Delay(30), &[1, 10, 100, 1000]),
    (Behaviour::Usual, &[100, 1000]),
];

/// Processor time of 100,000 pushes.
const COST: Unit = Unit::Other("s/100,000", Better::Lower);
const MEMORY: Unit = Unit::Other("MiB", Better::Lower);

/// How many times as many pushes per second ours has to send.
///
/// Against h2load the usual service decides, as where the bar comes from: the fake takes less for a push than
/// the `h2` crate does on either side, so there h2load's processor time alone is compared.
fn rate_bar(peer: Side, behaviour: Behaviour, in_flight: usize) -> Option<f64> {
    match (peer, behaviour, in_flight) {
        (Side::A2, Behaviour::Delay(0), 1) => Some(300.0),
        (Side::A2Nodelay, Behaviour::Delay(0), 100) => Some(1.1),
        (Side::A2Nodelay, Behaviour::Delay(0), 1000) => Some(1.0),
        (Side::H2load, Behaviour::Usual | Behaviour::Delay(30), 1000) => Some(0.7),
        _ => None,
    }
}

/// How many times less processor time ours may take.
fn cost_bar(peer: Side, behaviour: Behaviour, in_flight: usize) -> Option<f64> {
    match (peer, behaviour, in_flight) {
        (Side::A2Nodelay, Behaviour::Delay(0), 100 | 1000) => Some(1.0),
        _ => None,
    }
}

/// Measures all rows; whether every bar was met.
pub(crate) fn table() -> Result<bool, Failure> {
    let sides = sides()?;
    println!(
        "apns: every push answered 200 and taken once; {ROUNDS} interleaved runs a client, medians"
    );
    let mut lines = Vec::new();
    for (behaviour, in_flights) in SERVICES {
        let service = Service::start(*behaviour)?;
        for in_flight in *in_flights {
            let row = Row::measure(&service, *behaviour, *in_flight, &sides)?;
            println!("{row}");
            lines.extend(row.lines()?);
        }
    }
    for line in &lines {
        println!("{line}");
    }
    for line in &lines {
        let Some(bar) = line.bar else { continue };
        let word = if line.is_met() { "met" } else { "MISSED" };
        println!("{}: bar {bar:.2} {word}", line.name);
    }
    Ok(lines.iter().all(Line::is_met))
}

/// Ours and the peers that are there.
fn sides() -> Result<Vec<Side>, Failure> {
    let mut sides = vec![Side::Ours];
    sides.extend(Side::PEERS);
    let found = Command::new("h2load").arg("--version").output();
    if found.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        let text = "h2load is missing (Debian's nghttp2-client)";
        if env::var_os("REQUIRE_PEERS").is_some_and(|value| value == "1") {
            return Err(text.into());
        }
        println!("apns: {text}: its figures are left out, and their bar");
        sides.retain(|side| *side != Side::H2load);
    }
    Ok(sides)
}

/// One service and one number in flight.
struct Row {
    behaviour: Behaviour,
    in_flight: usize,
    measured: Vec<Measured>,
}

/// A client's runs in one row.
struct Measured {
    side: Side,
    pushes: usize,
    runs: Vec<Run>,
}

impl Row {
    fn measure(
        service: &Service,
        behaviour: Behaviour,
        in_flight: usize,
        sides: &[Side],
    ) -> Result<Self, Failure> {
        let mut measured = Vec::new();
        for side in sides {
            measured.push(Measured {
                side: *side,
                pushes: pushes(*side, service, in_flight)?,
                runs: Vec::with_capacity(ROUNDS),
            });
        }
        for _ in 0..ROUNDS {
            for Measured { side, pushes, runs } in &mut measured {
                runs.push(exact(*side, service, in_flight, *pushes)?);
            }
        }
        Ok(Self {
            behaviour,
            in_flight,
            measured,
        })
    }

    fn name(&self) -> String {
        match self.behaviour {
            Behaviour::Delay(delay) => format!("{} in flight, {delay} ms delay", self.in_flight),
            _ => format!("{} in flight, usual service", self.in_flight),
        }
    }

    /// Ours against each peer.
    fn lines(&self) -> Result<Vec<Line>, Failure> {
        let (behaviour, in_flight) = (self.behaviour, self.in_flight);
        let Some((ours, peers)) = self.measured.split_first() else {
            return Ok(Vec::new());
        };
        let mut lines = Vec::new();
        for peer in peers {
            let name = format!("apns {}, {}", self.name(), peer.side.name());
            let mut compare = |name, unit, values: fn(&Run) -> f64, bar| {
                let line =
                    Line::from_runs(name, unit, &ours.values(values), &peer.values(values), bar)
                        .ok_or("a run answered no positive number")?;
                lines.push(line);
                Ok::<_, Failure>(())
            };
            let bar = rate_bar(peer.side, behaviour, in_flight);
            compare(name.clone(), Unit::PerSecond, |run| run.rate, bar)?;
            if ours.pushes.min(peer.pushes) < FEWEST_FOR_COST {
                continue;
            }
            let bar = cost_bar(peer.side, behaviour, in_flight);
            compare(
                format!("{name}, processor time"),
                COST,
                |run| run.spent,
                bar,
            )?;
            compare(format!("{name}, memory"), MEMORY, |run| run.peak, None)?;
        }
        Ok(lines)
    }
}

impl Measured {
    fn values(&self, of: fn(&Run) -> f64) -> Vec<f64> {
        self.runs.iter().map(of).collect()
    }

    fn median(&self, of: fn(&Run) -> f64) -> f64 {
        let mut values = self.values(of);
        values.sort_by(f64::total_cmp);
        values.get(ROUNDS / 2).copied().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.name())?;
        for measured in &self.measured {
            let rate = Unit::PerSecond.show(measured.median(|run| run.rate));
            write!(f, "\n  {:<16}{rate:>10}", measured.side.name())?;
            if measured.pushes >= FEWEST_FOR_COST {
                let spent = COST.show(measured.median(|run| run.spent));
                let peak = MEMORY.show(measured.median(|run| run.peak));
                write!(f, "{spent:>18}{peak:>12}")?;
            }
            write!(f, "  ({} pushes a run", measured.pushes)?;
            let most = measured.runs.iter().map(|run| run.connections).max();
            match most {
                None | Some(1) => write!(f, ")")?,
                Some(most) => write!(f, ", over up to {most} connections)")?,
            }
        }
        Ok(())
    }
}

/// How many pushes fill a run; finding out warms the client's files up.
fn pushes(side: Side, service: &Service, in_flight: usize) -> Result<usize, Failure> {
    let mut pushes = (2 * in_flight).max(20);
    loop {
        let rate = exact(side, service, in_flight, pushes)?.rate;
        if pushes == MOST || pushes as f64 / rate > LENGTH / 5.0 {
            let filling = (rate * LENGTH) as usize;
            return Ok(filling.clamp(in_flight, MOST));
        }
        pushes = (pushes * 5).min(MOST);
    }
}

/// One run, in which every push was answered 200 and taken once. Ours keeps to one connection;
/// Go's HTTP/2 may open another where it has no place for a moment.
fn exact(side: Side, service: &Service, in_flight: usize, pushes: usize) -> Result<Run, Failure> {
    let run = side.run(service, in_flight, pushes)?;
    let is_one = run.connections == 1 || side != Side::Ours;
    if run.failed > 0 || run.accepted != pushes as u64 || !is_one {
        let (name, connections) = (side.name(), run.connections);
        let text = format!(
            "{name}: of {pushes} pushes {} were not answered 200, {} taken, over {connections} connections",
            run.failed, run.accepted
        );
        return Err(text.into());
    }
    Ok(run)
}
