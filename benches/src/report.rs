//! What a comparison says in the end: values with their unit, ratios with their spread, and whether
//! every bar was met.

use std::fmt;

/// Which of two values is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Time, memory: less is better.
    Lower,
    /// Rates: more is better.
    Higher,
}

/// What a run's value counts, and how it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Seconds for one operation; printed as ns, µs, ms or s.
    SecondsEach,
    /// Operations in a second, printed as `N/s`.
    PerSecond,
    /// Anything else, printed as `N NAME`.
    Other(&'static str, Better),
}

impl Unit {
    /// Which direction is the better one.
    #[must_use]
    pub fn better(self) -> Better {
        match self {
            Self::SecondsEach => Better::Lower,
            Self::PerSecond => Better::Higher,
            Self::Other(_, better) => better,
        }
    }

    /// How many times better `ours` is than `peer`: above 1 where ours wins.
    #[must_use]
    pub fn ratio(self, ours: f64, peer: f64) -> f64 {
        match self.better() {
            Better::Lower => peer / ours,
            Better::Higher => ours / peer,
        }
    }

    /// A value of this unit as text, three significant digits or more.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self {
            Self::SecondsEach => {
                let (scale, name) = match value {
                    v if v < 1e-6 => (1e9, "ns"),
                    v if v < 1e-3 => (1e6, "µs"),
                    v if v < 1.0 => (1e3, "ms"),
                    _ => (1.0, "s"),
                };
                format!("{} {name}", three_digits(value * scale))
            }
            Self::PerSecond => format!("{}/s", three_digits(value)),
            Self::Other(name, _) => format!("{} {name}", three_digits(value)),
        }
    }
}

fn three_digits(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// One line of the report: ours against one peer on one case.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Line {
    /// Comparison, case and peer, such as `plist 4 KB, plist crate`.
    pub name: String,
    /// The unit of `ours` and `peer`.
    pub unit: Unit,
    /// Median of our runs.
    pub ours: f64,
    /// Median of the peer's runs.
    pub peer: f64,
    /// Median of the ratios of neighbouring runs: how many times better ours is.
    pub ratio: f64,
    /// The lowest ratio of any round.
    pub lowest: f64,
    /// The highest ratio of any round.
    pub highest: f64,
    /// What `ratio` has to reach; `None` for a figure that is only stated.
    pub bar: Option<f64>,
}

impl Line {
    /// A line from the values of both sides, round by round; `None` where there is no round, or a
    /// side of other length, or a value that is not a positive number.
    #[must_use]
    pub fn from_runs(
        name: String,
        unit: Unit,
        ours: &[f64],
        peer: &[f64],
        bar: Option<f64>,
    ) -> Option<Self> {
        let sound = |v: &f64| v.is_finite() && *v > 0.0;
        if ours.len() != peer.len() || !ours.iter().chain(peer).all(sound) {
            return None;
        }
        let ratios: Vec<f64> = ours
            .iter()
            .zip(peer)
            .map(|(ours, peer)| unit.ratio(*ours, *peer))
            .collect();
        Some(Self {
            name,
            unit,
            ours: median(ours)?,
            peer: median(peer)?,
            ratio: median(&ratios)?,
            lowest: ratios.iter().copied().fold(f64::INFINITY, f64::min),
            highest: ratios.iter().copied().fold(0.0, f64::max),
            bar,
        })
    }

    /// Whether the median ratio reaches the bar.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.bar.is_none_or(|bar| self.ratio >= bar)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: ours {}, peer {}, ratio {:.2} ({:.2}..{:.2})",
            self.name,
            self.unit.show(self.ours),
            self.unit.show(self.peer),
            self.ratio,
            self.lowest,
            self.highest
        )
    }
}

/// Whether the comparison held.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// Every bar was met.
    Met(Vec<Line>),
    /// Some line is below its bar.
    Missed(Vec<Line>),
    /// The sides do not answer alike, or one gave no value: nothing can be compared.
    Differ(String),
}

impl Verdict {
    /// Whether every bar was met.
    #[must_use]
    pub fn is_met(&self) -> bool {
        matches!(self, Self::Met(_))
    }
}

/// The middle value; of an even number of values the mean of the two in the middle.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get(sorted.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(unit: Unit, ours: &[f64], peer: &[f64], bar: f64) -> Line {
        Line::from_runs("plist 4 KB, peer".into(), unit, ours, peer, Some(bar)).unwrap()
    }

    #[test]
    fn ratio_says_how_many_times_better_ours_is_in_either_direction() {
        assert_eq!(Unit::SecondsEach.ratio(2.0, 8.0), 4.0);
        assert_eq!(Unit::PerSecond.ratio(8.0, 2.0), 4.0);
        assert_eq!(Unit::Other("MB", Better::Lower).ratio(10.0, 5.0), 0.5);
    }

    #[test]
    fn one_wild_run_moves_the_spread_and_not_the_medians() {
        let line = line(
            Unit::SecondsEach,
            &[1e-6, 1e-6, 9e-6, 1e-6, 1e-6],
            &[4e-6, 4e-6, 4e-6, 4e-6, 4e-6],
            4.0,
        );
        assert_eq!(
            line.to_string(),
            "plist 4 KB, peer: ours 1.00 µs, peer 4.00 µs, ratio 4.00 (0.44..4.00)"
        );
        assert!(line.is_met());
    }

    #[test]
    fn a_ratio_below_its_bar_misses() {
        assert!(!line(Unit::PerSecond, &[300.0], &[100.0], 3.01).is_met());
        assert!(line(Unit::PerSecond, &[300.0], &[100.0], 3.0).is_met());
    }

    #[test]
    fn runs_that_cannot_be_compared_make_no_line() {
        let make = |ours: &[f64], peer: &[f64]| {
            Line::from_runs("x".into(), Unit::PerSecond, ours, peer, None)
        };
        assert_eq!(make(&[], &[]), None);
        assert_eq!(make(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(make(&[0.0], &[1.0]), None);
        assert_eq!(make(&[f64::NAN], &[1.0]), None);
    }

    #[test]
    fn an_even_number_of_runs_has_the_mean_of_its_middle_as_median() {
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn values_carry_their_unit() {
        assert_eq!(Unit::SecondsEach.show(123e-9), "123 ns");
        assert_eq!(Unit::SecondsEach.show(6.123e-6), "6.12 µs");
        assert_eq!(Unit::SecondsEach.show(0.0123), "12.3 ms");
        assert_eq!(Unit::SecondsEach.show(2.0), "2.00 s");
        assert_eq!(Unit::PerSecond.show(31_234.4), "31234/s");
        assert_eq!(Unit::Other("MB", Better::Lower).show(12.34), "12.3 MB");
    }
}
