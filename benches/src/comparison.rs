//! What is compared, and the interleaved runs.

use std::fmt;
use std::hint::black_box;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::report::{Line, Unit, Verdict};

/// The fewest rounds that a comparison runs.
pub const FEWEST_ROUNDS: usize = 5;

/// How long one run of a timed side lasts unless told otherwise.
pub const RUN_LENGTH: Duration = Duration::from_millis(300);

/// One run of one side: is told how long to run, answers the value in the case's unit.
type Run<'a> = Box<dyn FnMut(Duration) -> f64 + 'a>;

/// A named set of cases, measured in one go.
pub struct Comparison<'a> {
    name: String,
    agree: Box<dyn FnOnce() -> Result<(), String> + 'a>,
    rounds: usize,
    run_length: Duration,
    cases: Vec<Case<'a>>,
}

/// One input or size: our side and its peers.
pub struct Case<'a> {
    name: String,
    unit: Unit,
    ours: Run<'a>,
    peers: Vec<Peer<'a>>,
}

struct Peer<'a> {
    name: String,
    bar: Option<f64>,
    run: Run<'a>,
}

impl<'a> Comparison<'a> {
    /// A comparison called `name`; `agree` compares the outputs of all sides before anything is
    /// measured and says what differs.
    pub fn new(name: impl Into<String>, agree: impl FnOnce() -> Result<(), String> + 'a) -> Self {
        Self {
            name: name.into(),
            agree: Box::new(agree),
            rounds: FEWEST_ROUNDS,
            run_length: RUN_LENGTH,
            cases: Vec::new(),
        }
    }

    /// How often each side runs: never less than [`FEWEST_ROUNDS`].
    #[must_use]
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds.max(FEWEST_ROUNDS);
        self
    }

    /// How long one run of a timed side lasts; [`RUN_LENGTH`] unless told.
    #[must_use]
    pub fn run_length(mut self, length: Duration) -> Self {
        self.run_length = length;
        self
    }

    /// Adds a case.
    #[must_use]
    pub fn case(mut self, case: Case<'a>) -> Self {
        self.cases.push(case);
        self
    }

    /// Runs it, prints the report to standard output, and fails where a bar was missed or the
    /// outputs differ.
    pub fn run(self) -> ExitCode {
        match self.run_to(&mut io::stdout().lock()) {
            Ok(verdict) if verdict.is_met() => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }

    /// Runs it and writes the report to `out`.
    ///
    /// # Errors
    /// Only those of `out`.
    pub fn run_to(mut self, out: &mut dyn Write) -> io::Result<Verdict> {
        if let Err(difference) = (self.agree)() {
            writeln!(out, "{}: outputs differ: {difference}", self.name)?;
            return Ok(Verdict::Differ(difference));
        }
        writeln!(
            out,
            "{}: outputs agree; {} interleaved runs a side, medians",
            self.name, self.rounds
        )?;
        let mut lines = Vec::new();
        for case in &mut self.cases {
            match case.measure(&self.name, self.rounds, self.run_length) {
                Ok(more) => lines.extend(more),
                Err(reason) => {
                    writeln!(out, "{reason}")?;
                    return Ok(Verdict::Differ(reason));
                }
            }
        }
        for line in &lines {
            let Some(bar) = line.bar else { continue };
            let word = if line.is_met() { "met" } else { "MISSED" };
            writeln!(out, "{}: bar {bar:.2} {word}", line.name)?;
        }
        for line in &lines {
            writeln!(out, "{line}")?;
        }
        let met = lines.iter().all(Line::is_met);
        Ok(if met {
            Verdict::Met(lines)
        } else {
            Verdict::Missed(lines)
        })
    }
}

impl<'a> Case<'a> {
    /// A case whose sides are single operations: the harness repeats them and takes the time of
    /// one, the drop of its result included. The unit is [`Unit::SecondsEach`].
    pub fn timed<T>(name: impl Into<String>, ours: impl FnMut() -> T + 'a) -> Self {
        Self::new(name, Unit::SecondsEach, timed(Unit::SecondsEach, ours))
    }

    /// As [`timed`](Self::timed), stated as operations in a second.
    pub fn rate<T>(name: impl Into<String>, ours: impl FnMut() -> T + 'a) -> Self {
        Self::new(name, Unit::PerSecond, timed(Unit::PerSecond, ours))
    }

    /// A case whose sides measure themselves: each call is one run and answers its value in `unit`.
    pub fn measured(
        name: impl Into<String>,
        unit: Unit,
        mut ours: impl FnMut() -> f64 + 'a,
    ) -> Self {
        Self::new(name, unit, Box::new(move |_| ours()))
    }

    fn new(name: impl Into<String>, unit: Unit, ours: Run<'a>) -> Self {
        Self {
            name: name.into(),
            unit,
            ours,
            peers: Vec::new(),
        }
    }

    /// A peer of a [`timed`](Self::timed) or [`rate`](Self::rate) case. Ours has to be `bar` times
    /// better; `None` only states the figure.
    #[must_use]
    pub fn peer<T>(
        self,
        name: impl Into<String>,
        bar: impl Into<Option<f64>>,
        operation: impl FnMut() -> T + 'a,
    ) -> Self {
        let run = timed(self.unit, operation);
        self.with_peer(name.into(), bar.into(), run)
    }

    /// A peer of a [`measured`](Self::measured) case.
    #[must_use]
    pub fn measured_peer(
        self,
        name: impl Into<String>,
        bar: impl Into<Option<f64>>,
        mut run: impl FnMut() -> f64 + 'a,
    ) -> Self {
        self.with_peer(name.into(), bar.into(), Box::new(move |_| run()))
    }

    fn with_peer(mut self, name: String, bar: Option<f64>, run: Run<'a>) -> Self {
        self.peers.push(Peer { name, bar, run });
        self
    }

    /// All rounds of this case: one line a peer, or the peer whose values make no line.
    fn measure(
        &mut self,
        comparison: &str,
        rounds: usize,
        length: Duration,
    ) -> Result<Vec<Line>, String> {
        let mut ours = Vec::with_capacity(rounds);
        let mut peers = vec![Vec::with_capacity(rounds); self.peers.len()];
        for _ in 0..rounds {
            ours.push((self.ours)(length));
            for (peer, values) in self.peers.iter_mut().zip(&mut peers) {
                values.push((peer.run)(length));
            }
        }
        self.peers
            .iter()
            .zip(&peers)
            .map(|(peer, values)| {
                let name = format!("{comparison} {}, {}", self.name, peer.name);
                Line::from_runs(name.clone(), self.unit, &ours, values, peer.bar)
                    .ok_or_else(|| format!("{name}: a run answered no positive number"))
            })
            .collect()
    }
}

/// A run that repeats `operation` for as long as it is told. How often that is is found out on the
/// first call, which thereby warms the side up too.
fn timed<'a, T>(unit: Unit, mut operation: impl FnMut() -> T + 'a) -> Run<'a> {
    let mut repeats = None;
    Box::new(move |length| {
        let repeats = *repeats.get_or_insert_with(|| calibrate(length, &mut operation));
        let each = time(repeats, &mut operation).as_secs_f64() / repeats as f64;
        match unit {
            Unit::SecondsEach => each,
            Unit::PerSecond => 1.0 / each,
            // A unit that time says nothing about: no value, so the comparison fails by name.
            Unit::Other(..) => f64::NAN,
        }
    })
}

/// How many operations take about `length`.
fn calibrate<T>(length: Duration, operation: &mut impl FnMut() -> T) -> u64 {
    let mut repeats = 1_u64;
    loop {
        let spent = time(repeats, operation);
        // A tenth of the run is long enough to extrapolate from.
        if spent >= length / 10 {
            let each = spent.as_secs_f64() / repeats as f64;
            return ((length.as_secs_f64() / each) as u64).max(1);
        }
        repeats = repeats.saturating_mul(2);
    }
}

fn time<T>(repeats: u64, operation: &mut impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    for _ in 0..repeats {
        black_box(operation());
    }
    start.elapsed()
}

impl fmt::Debug for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Comparison")
            .field("name", &self.name)
            .field("rounds", &self.rounds)
            .field("cases", &self.cases)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peers: Vec<_> = self.peers.iter().map(|peer| &peer.name).collect();
        f.debug_struct("Case")
            .field("name", &self.name)
            .field("unit", &self.unit)
            .field("peers", &peers)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn quick<'a>() -> Comparison<'a> {
        Comparison::new("demo", || Ok(())).run_length(Duration::from_micros(100))
    }

    fn report(comparison: Comparison<'_>) -> (Verdict, String) {
        let mut out = Vec::new();
        let verdict = comparison.run_to(&mut out).unwrap();
        (verdict, String::from_utf8(out).unwrap())
    }

    #[test]
    fn outputs_that_differ_stop_it_before_anything_is_measured() {
        let comparison = Comparison::new("demo", || Err("7 against 8".to_owned()))
            .case(Case::timed("1 KB", || panic!("measured")));
        let (verdict, text) = report(comparison);
        assert_eq!(verdict, Verdict::Differ("7 against 8".into()));
        assert_eq!(text, "demo: outputs differ: 7 against 8\n");
    }

    #[test]
    fn sides_take_turns_and_never_less_than_five_times() {
        let order = RefCell::new(String::new());
        let run = |side: char| {
            order.borrow_mut().push(side);
            1.0
        };
        let case = Case::measured("x", Unit::PerSecond, || run('o'))
            .measured_peer("p", 1.0, || run('p'))
            .measured_peer("q", None, || run('q'));
        let (verdict, _) = report(quick().rounds(1).case(case));
        assert!(verdict.is_met());
        assert_eq!(order.into_inner(), "opqopqopqopqopq");
    }

    #[test]
    fn a_missed_bar_is_named_and_fails() {
        let case = Case::measured("4 KB", Unit::PerSecond, || 30.0)
            .measured_peer("slow", 2.0, || 10.0)
            .measured_peer("fast", 2.0, || 20.0);
        let (verdict, text) = report(quick().case(case));
        assert!(matches!(verdict, Verdict::Missed(_)));
        assert!(text.contains("demo 4 KB, slow: bar 2.00 met\n"));
        assert!(text.contains("demo 4 KB, fast: bar 2.00 MISSED\n"));
        assert!(text.ends_with(
            "demo 4 KB, slow: ours 30.0/s, peer 10.0/s, ratio 3.00 (3.00..3.00)\n\
             demo 4 KB, fast: ours 30.0/s, peer 20.0/s, ratio 1.50 (1.50..1.50)\n"
        ));
    }

    #[test]
    fn timed_sides_are_repeated_and_compared() {
        let work = |n: u64| (0..n).fold(0_u64, |sum, x| sum ^ black_box(x));
        let case = Case::rate("sum", || work(10)).peer("ten times the work", 1.5, || work(1_000));
        let (verdict, text) = report(quick().case(case));
        assert!(verdict.is_met(), "{text}");
    }

    #[test]
    fn a_run_without_a_value_is_a_difference_and_not_a_panic() {
        let case =
            Case::measured("x", Unit::PerSecond, || 1.0).measured_peer("broken", 1.0, || 0.0);
        let (verdict, text) = report(quick().case(case));
        assert!(matches!(verdict, Verdict::Differ(_)));
        assert!(text.contains("demo x, broken: a run answered no positive number"));
    }

    #[test]
    fn an_operation_that_takes_longer_than_a_run_is_run_once() {
        let mut calls = 0;
        let repeats = calibrate(Duration::from_nanos(1), &mut || calls += 1);
        assert_eq!((repeats, calls), (1, 1));
    }
}
