//! Numbers and texts at random, the same for the same seed.

use chrono::{DateTime, Utc};

/// SplitMix64: small, and good enough for tests.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Self(seed);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut next = self.0;
        next = (next ^ (next >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        next = (next ^ (next >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        next ^ (next >> 31)
    }

    /// A number below `end`; zero where there is none.
    #[allow(clippy::cast_possible_truncation)] // Below a usize.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % (end as u64).max(1)) as usize
    }

    /// True in so many of ten times.
    pub(super) fn chance(&mut self, of_ten: usize) -> bool {
        self.below(10) < of_ten
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        of.get(self.below(of.len())).copied()
    }

    #[allow(clippy::cast_possible_wrap)] // Below 1000.
    pub(super) fn small(&mut self) -> i64 {
        self.below(1000) as i64
    }

    /// Any number; small ones more often than not.
    #[allow(clippy::cast_possible_wrap)] // Meant.
    pub(super) fn integer(&mut self) -> i64 {
        match self.below(4) {
            0 => self.next() as i64,
            1 => -self.small(),
            _ => self.small(),
        }
    }

    /// A number within bounds, both inclusive.
    pub(super) fn between(&mut self, min: i64, max: i64) -> i64 {
        let count = max.wrapping_sub(min).cast_unsigned().saturating_add(1);
        min.wrapping_add((self.next() % count.max(1)).cast_signed())
    }

    pub(super) fn bytes(&mut self, longest: usize) -> Vec<u8> {
        (0..self.below(longest + 1))
            .map(|_| self.next().to_le_bytes()[0])
            .collect()
    }

    /// A date in whole seconds, between 1970 and 2100.
    pub(super) fn date(&mut self) -> DateTime<Utc> {
        let seconds = self.between(0, 4_102_444_799);
        DateTime::from_timestamp(seconds, 0).unwrap_or_default()
    }

    /// Lower-case letters.
    pub(super) fn word(&mut self) -> String {
        let length = 1 + self.below(8);
        (0..length).map(|_| self.of(&[('a', 'z')])).collect()
    }

    /// A text with all that has to be quoted somewhere.
    pub(super) fn text(&mut self, longest: usize) -> String {
        const CHARS: &[(char, char)] =
            &[('a', 'z'), ('A', 'Z'), (' ', '?'), ('À', 'ÿ'), ('😀', '😃')];
        (0..self.below(longest + 1))
            .map(|_| self.of(CHARS))
            .collect()
    }

    /// A character of one of these ranges, all inclusive.
    pub(super) fn of(&mut self, ranges: &[(char, char)]) -> char {
        let (from, to) = self.pick(ranges).unwrap_or(('a', 'a'));
        let code = self.between(i64::from(u32::from(from)), i64::from(u32::from(to)));
        u32::try_from(code)
            .ok()
            .and_then(char::from_u32)
            .unwrap_or(from)
    }
}

/// A text that a regular expression matches from end to end. Known are literals, classes without
/// negation, groups, alternatives and repetition: what the schema uses, and a little more.
pub(super) fn matching(expression: &str, random: &mut Random) -> String {
    let text: Vec<char> = expression.chars().collect();
    Matching {
        text: &text,
        at: 0,
        random,
    }
    .alternatives()
}

struct Matching<'a> {
    text: &'a [char],
    at: usize,
    random: &'a mut Random,
}

impl Matching<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    fn takes(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn alternatives(&mut self) -> String {
        let mut all = vec![self.sequence()];
        while self.takes('|') {
            all.push(self.sequence());
        }
        let chosen = self.random.below(all.len());
        all.swap_remove(chosen)
    }

    fn sequence(&mut self) -> String {
        let mut out = String::new();
        while let Some(next) = self.peek() {
            if next == '|' || next == ')' {
                break;
            }
            let start = self.at;
            let mut made = self.atom();
            let count = self.count();
            let end = self.at;
            for left in (0..count).rev() {
                out.push_str(&made);
                if left > 0 {
                    self.at = start;
                    made = self.atom();
                }
            }
            self.at = end;
        }
        out
    }

    fn atom(&mut self) -> String {
        match self.take() {
            None | Some('^' | '$') => String::new(),
            Some('(') => {
                let inner = self.alternatives();
                self.takes(')');
                inner
            }
            Some('[') => self.class().into(),
            Some('.') => self.random.of(&[('a', 'z')]).into(),
            Some('\\') => self.take().map(String::from).unwrap_or_default(),
            Some(literal) => literal.into(),
        }
    }

    fn class(&mut self) -> char {
        let mut ranges = Vec::new();
        while let Some(from) = self.take().filter(|from| *from != ']') {
            // A hyphen at the end means itself.
            let ends = self.text.get(self.at + 1) == Some(&']');
            let to = if !ends && self.takes('-') {
                self.take()
            } else {
                None
            };
            ranges.push((from, to.unwrap_or(from)));
        }
        self.random.of(&ranges)
    }

    /// How often what went before is repeated.
    fn count(&mut self) -> usize {
        if self.takes('*') {
            return self.random.below(4);
        } else if self.takes('+') {
            return 1 + self.random.below(3);
        } else if self.takes('?') {
            return self.random.below(2);
        } else if !self.takes('{') {
            return 1;
        }
        let min = self.number().unwrap_or(0);
        let max = if self.takes(',') {
            self.number().unwrap_or(min + 3)
        } else {
            min
        };
        self.takes('}');
        min + self.random.below(max.saturating_sub(min) + 1)
    }

    fn number(&mut self) -> Option<usize> {
        let start = self.at;
        while self.peek().is_some_and(|next| next.is_ascii_digit()) {
            self.at += 1;
        }
        self.text
            .get(start..self.at)?
            .iter()
            .collect::<String>()
            .parse()
            .ok()
    }
}
