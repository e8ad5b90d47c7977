//! Versions of Apple's systems, and the bounds that the schema sets on them.

use std::{
    cmp::Ordering,
    error, fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The most numbers that a version can have (`10.15.7` has three).
const MAX_NUMBERS: usize = 4;

/// A system's version: `16.1`, `4.2.6`, a seed `18.2b3`, a rapid response `13.4.1 (a)`.
///
/// Missing numbers count as zero: `16`, `16.0` and `16.0.0` are equal. A seed sorts before the
/// version it leads to, a rapid response after the version it repairs.
#[derive(Debug, Clone, Copy)]
pub struct OsVersion {
    numbers: [u16; MAX_NUMBERS],
    shown: u8,
    stage: Stage,
}

/// Where a build stands around its version; the order of the variants is the order in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Stage {
    Seed { letter: u8, number: u16 },
    Release,
    Response { letter: u8 },
}

impl OsVersion {
    /// A released version.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self {
            numbers: [major, minor, patch, 0],
            shown: if patch == 0 { 2 } else { 3 },
            stage: Stage::Release,
        }
    }

    /// The first number.
    pub const fn major(self) -> u16 {
        self.numbers[0]
    }

    /// The second number, zero where none is written.
    pub const fn minor(self) -> u16 {
        self.numbers[1]
    }

    /// The third number, zero where none is written.
    pub const fn patch(self) -> u16 {
        self.numbers[2]
    }

    /// Whether this is a seed (`18.2b3`), made before its version came out.
    pub const fn is_seed(self) -> bool {
        matches!(self.stage, Stage::Seed { .. })
    }
}

impl Ord for OsVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.numbers, self.stage).cmp(&(other.numbers, other.stage))
    }
}

impl PartialOrd for OsVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for OsVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for OsVersion {}

impl Hash for OsVersion {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.numbers, self.stage).hash(state);
    }
}

impl fmt::Display for OsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, number) in self.numbers.iter().take(self.shown.into()).enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            write!(f, "{number}")?;
        }
        match self.stage {
            Stage::Release => Ok(()),
            Stage::Seed { letter, number: 0 } => write!(f, "{}", char::from(letter)),
            Stage::Seed { letter, number } => write!(f, "{}{number}", char::from(letter)),
            Stage::Response { letter } => write!(f, " ({})", char::from(letter)),
        }
    }
}

impl FromStr for OsVersion {
    type Err = InvalidVersion;

    /// Reads `16.1`, `4.2.6`, `0`; seeds `18.2b3`, `18.2 beta 3`, `18.2a`; responses `13.4.1 (a)`.
    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let text = text.trim();
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (digits, suffix) = text.split_at(end);
        let mut numbers = [0; MAX_NUMBERS];
        let mut shown = 0;
        for part in digits.split('.') {
            let slot = numbers.get_mut(usize::from(shown)).ok_or(InvalidVersion)?;
            *slot = part.parse().map_err(|_| InvalidVersion)?;
            shown += 1;
        }
        Ok(Self {
            numbers,
            shown,
            stage: stage(suffix.trim()).ok_or(InvalidVersion)?,
        })
    }
}

fn stage(suffix: &str) -> Option<Stage> {
    if suffix.is_empty() {
        return Some(Stage::Release);
    }
    if let Some(inner) = suffix.strip_prefix('(') {
        return match inner.strip_suffix(')')?.as_bytes() {
            [letter @ b'a'..=b'z'] => Some(Stage::Response { letter: *letter }),
            _ => None,
        };
    }
    let end = suffix
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(suffix.len());
    let (word, number) = suffix.split_at(end);
    let letter = match word.to_ascii_lowercase().as_bytes() {
        b"beta" => b'b',
        [letter] => *letter,
        _ => return None,
    };
    let number = match number.trim() {
        "" => 0,
        number => number.parse().ok()?,
    };
    Some(Stage::Seed { letter, number })
}

impl Serialize for OsVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OsVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// What the schema writes under `introduced`, `deprecated` and `removed`.
///
/// Ordered by how early it is reached: `all` before every version, `n/a` after every version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// `all`: in every version.
    Always,
    /// From this version on. The schema's `0` is the version zero, so it is always reached.
    From(OsVersion),
    /// `n/a`: in no version.
    Never,
}

impl Bound {
    /// Whether a device of this version is at or past the bound.
    ///
    /// A seed counts as the version it leads to, because it carries that version's vocabulary.
    pub fn is_reached_by(self, version: OsVersion) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::From(bound) => version.numbers >= bound.numbers,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("all"),
            Self::From(version) => version.fmt(f),
            Self::Never => f.write_str("n/a"),
        }
    }
}

impl FromStr for Bound {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        match text.trim() {
            "all" => Ok(Self::Always),
            "n/a" => Ok(Self::Never),
            version => version.parse().map(Self::From),
        }
    }
}

/// A text that is no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidVersion;

impl fmt::Display for InvalidVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a version: one to four numbers with dots are expected, such as 16.1")
    }
}

impl error::Error for InvalidVersion {}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> OsVersion {
        text.parse().unwrap()
    }

    #[test]
    fn versions_sort_by_number_with_seeds_before_and_responses_after() {
        let sorted = [
            "0",
            "4.2.6",
            "9.3.2",
            "10.0",
            "10.15.7",
            "16",
            "16.1a",
            "16.1b2",
            "16.1 beta 10",
            "16.1",
            "16.1 (a)",
            "16.1 (c)",
            "16.1.1",
            "27.0",
        ];
        for pair in sorted.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn missing_numbers_count_as_zero_and_are_shown_as_written() {
        assert_eq!(version("16"), version("16.0.0"));
        for text in ["16", "16.0", "16.0.0", "18.2b3", "18.2a", "13.4.1 (a)"] {
            assert_eq!(version(text).to_string(), text);
        }
        assert_eq!(version("18.2 beta 3").to_string(), "18.2b3");
        assert_eq!(OsVersion::new(4, 2, 6).to_string(), "4.2.6");
        assert_eq!(OsVersion::new(16, 1, 0).to_string(), "16.1");
    }

    #[test]
    fn bounds_cover_all_zero_and_not_available() {
        let bounds = ["all", "0", "4.2.6", "16.1", "n/a"].map(|b| b.parse::<Bound>().unwrap());
        assert!(bounds.is_sorted());
        let reached = bounds.map(|bound| bound.is_reached_by(version("4.2.6")));
        assert_eq!(reached, [true, true, true, false, false]);
        assert_eq!(
            bounds.map(|b| b.to_string()).join(" "),
            "all 0 4.2.6 16.1 n/a"
        );
    }

    #[test]
    fn a_seed_has_what_its_version_brings() {
        let bound: Bound = "18.2".parse().unwrap();
        for reached in ["18.2a", "18.2b1", "18.2 beta 3", "18.2", "18.2 (a)", "26"] {
            assert!(bound.is_reached_by(version(reached)), "{reached}");
        }
        for earlier in ["0", "18.1.9", "18.1 (a)", "18", "4.2.6"] {
            assert!(!bound.is_reached_by(version(earlier)), "{earlier}");
        }
    }

    #[test]
    fn all_is_always_reached_and_not_available_never() {
        for text in ["0", "4.2.6", "16.1", "16.1b2", "65535.65535"] {
            assert!(Bound::Always.is_reached_by(version(text)), "{text}");
            assert!("0".parse::<Bound>().unwrap().is_reached_by(version(text)));
            assert!(!Bound::Never.is_reached_by(version(text)), "{text}");
        }
        for no_bound in ["N/A", "none", "ALL", ""] {
            assert_eq!(no_bound.parse::<Bound>(), Err(InvalidVersion), "{no_bound}");
        }
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in [
            "",
            ".",
            "16.",
            ".1",
            "1.2.3.4.5",
            "65536",
            "16.1 (ab)",
            "16.1 (a",
            "16.1 gamma",
            "16.1b99999",
            "-1",
            "16.1bé",
            "ios",
        ] {
            assert_eq!(text.parse::<OsVersion>(), Err(InvalidVersion), "{text}");
        }
    }

    #[test]
    fn versions_travel_as_text() {
        let json = serde_json::to_string(&version("16.1")).unwrap();
        assert_eq!(json, r#""16.1""#);
        assert_eq!(
            serde_json::from_str::<OsVersion>(&json).unwrap(),
            version("16.1")
        );
        assert!(serde_json::from_str::<OsVersion>(r#""x""#).is_err());
    }
}
