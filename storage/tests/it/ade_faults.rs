//! A sync that goes wrong at every point, and in the end knows what Apple knows.
//!
//! Each run is one account with many devices that come, change, leave and return while requests
//! fail, answers are lost or lie, and the program stops. Afterwards the store has to hold what the
//! fake service holds, every device has its profile, and nothing was asked too often. A run that
//! fails tells its number; `ADE_FAULTS_RUN` repeats it alone, `ADE_FAULTS=full` is the whole test
//! (`cargo xtask deep ade`).
#![allow(clippy::print_stdout)] // A victim talks, and the whole test tells what it came to.

mod check;
mod drive;
mod faults;
mod line;
mod run;
mod stop;
mod victim;
mod world;

use std::{
    collections::BTreeMap,
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use self::run::{Outcome, Plan, Sort};

/// How much is done.
struct Scale {
    devices: usize,
    page: usize,
    crashes: Option<usize>,
    in_turn: usize,
    random: usize,
    killed: usize,
}

/// Steps are the same at both scales: a twentieth of the devices come on pages a twentieth as long.
const SMALL: Scale = Scale {
    devices: 1_000,
    page: 50,
    crashes: Some(10),
    in_turn: 23,
    random: 15,
    killed: 2,
};

const FULL: Scale = Scale {
    devices: 20_000,
    page: 1_000,
    crashes: None,
    in_turn: 400,
    random: 400,
    killed: 40,
};

#[test]
fn whatever_goes_wrong_the_store_ends_with_what_apple_has() {
    if victim::is_one() {
        return victim::work();
    }
    let scale = match env::var("ADE_FAULTS").as_deref() {
        Ok("full") => FULL,
        _ => SMALL,
    };
    let began = Instant::now();
    let plans = plans(&scale);
    let tally = Mutex::new(Tally::default());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = catch_unwind(AssertUnwindSafe(|| run::run(plan)));
                    let mut tally = tally.lock().unwrap();
                    tally.add(plan, result);
                    let done: usize = tally.runs.values().sum();
                    if done.is_multiple_of(100) {
                        println!("{done} of {} runs", plans.len());
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    tally.print(&scale, began);
    assert!(tally.failed.is_empty(), "{:#?}", tally.failed);
    if plans.len() > 1 {
        for kind in faults::KINDS {
            assert!(tally.fired.contains_key(kind), "{kind} never happened");
        }
        assert!(tally.stopped > 0 && tally.killed > 0);
    }
}

/// What is run: the program stopped at each of its steps in turn, each fault at each request in
/// turn, and both by chance.
fn plans(scale: &Scale) -> Vec<Plan> {
    let plan = |number, sort| Plan {
        number,
        sort,
        devices: scale.devices,
        page: scale.page,
    };
    let calm = run::run(&plan(0, Sort::Calm));
    let crashes = scale.crashes.unwrap_or(calm.steps);
    let mut sorts = vec![Sort::Calm];
    sorts.extend((0..crashes).map(|n| Sort::Stop {
        step: 1 + n * calm.steps / crashes,
    }));
    sorts.extend((0..scale.in_turn).map(|n| Sort::Fault {
        kind: n % faults::KINDS.len(),
        // Each kind comes to each part of a run in its time.
        request: 1 + (n * 7 % scale.in_turn * calm.requests / scale.in_turn) as u64,
    }));
    sorts.extend((0..scale.random).map(|_| Sort::Random));
    sorts.extend((0..scale.killed).map(|_| Sort::Killed));
    let plans = sorts.into_iter().enumerate();
    let plans = plans.map(|(number, sort)| plan(number as u64, sort));
    match env::var("ADE_FAULTS_RUN").map(|number| number.parse::<u64>()) {
        Ok(number) => plans
            .filter(|plan| Ok(plan.number) == number)
            .collect::<Vec<_>>(),
        Err(_) => plans.collect(),
    }
}

#[derive(Default)]
struct Tally {
    runs: BTreeMap<&'static str, usize>,
    fired: BTreeMap<&'static str, u64>,
    requests: u64,
    stopped: usize,
    killed: usize,
    failed: Vec<String>,
}

impl Tally {
    fn add(&mut self, plan: &Plan, result: thread::Result<Outcome>) {
        *self.runs.entry(plan.sort.name()).or_default() += 1;
        match result {
            Ok(outcome) => {
                self.requests += outcome.requests as u64;
                self.stopped += outcome.stopped;
                self.killed += outcome.killed;
                for (kind, times) in outcome.fired {
                    *self.fired.entry(kind).or_default() += times;
                }
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                let text = text.unwrap_or_default();
                self.failed.push(format!(
                    "ADE_FAULTS_RUN={} ({:?}): {text}",
                    plan.number, plan.sort
                ));
            }
        }
    }

    fn print(&self, scale: &Scale, began: Instant) {
        println!(
            "{} devices, pages of {}, {:.0} s",
            scale.devices,
            scale.page,
            began.elapsed().as_secs_f64()
        );
        for (sort, runs) in &self.runs {
            println!("{runs:>8} runs: {sort}");
        }
        println!("{:>8} runs failed", self.failed.len());
        println!("{:>8} requests", self.requests);
        println!("{:>8} times the program stopped", self.stopped);
        println!("{:>8} times its process was killed", self.killed);
        for (kind, times) in &self.fired {
            println!("{times:>8} {kind}");
        }
    }
}
