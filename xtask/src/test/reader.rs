//! Reads what Rust's test runner prints with `--show-output`.

use super::Tally;

/// A state machine over the runner's lines.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) tally: Tally,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// The list of tests, and failures.
    #[default]
    Plain,
    /// What passing tests printed; the name of the last one, and whether it was counted.
    Shown { test: String, counted: bool },
    /// The names of passing tests that follows.
    Listed,
}

impl Reader {
    /// Takes a line; answers whether it is worth printing.
    pub(crate) fn take(&mut self, line: &str) -> bool {
        match &mut self.state {
            State::Plain => match line {
                "successes:" => {
                    let test = String::new();
                    self.state = State::Shown {
                        test,
                        counted: false,
                    };
                    return false;
                }
                _ => self.count(line),
            },
            State::Shown { test, counted } => {
                if line == "successes:" {
                    self.state = State::Listed;
                } else if let Some(name) = shown_test(line) {
                    *test = name.to_owned();
                    *counted = false;
                } else if let Some(reason) = line.strip_prefix("skipped: ") {
                    self.tally.skips.insert(format!("{test}: {reason}"));
                    self.tally.skipping += usize::from(!std::mem::replace(counted, true));
                }
                return false;
            }
            State::Listed => {
                if line != "failures:" && !line.starts_with("test result: ") {
                    return false;
                }
                self.state = State::Plain;
                self.count(line);
            }
        }
        true
    }

    /// Adds a `test result: ...` line to the count.
    fn count(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else {
            return;
        };
        let counts = counts.split_once(". ").map_or(counts, |(_, counts)| counts);
        for part in counts.split("; ") {
            let Some((number, what)) = part.split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<usize>() else {
                continue;
            };
            match what {
                "passed" => self.tally.passed += number,
                "failed" => self.tally.failed += number,
                "ignored" => self.tally.ignored += number,
                _ => {}
            }
        }
    }
}

/// The name in `---- NAME stdout ----`.
fn shown_test(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Tally, String) {
        let mut reader = Reader::default();
        let printed = text
            .lines()
            .filter(|line| reader.take(line))
            .collect::<Vec<_>>();
        let printed = printed.join("\n");
        (reader.tally, printed)
    }

    const SHOWN: &str = "\
running 3 tests
test reads ... ok
test writes ... ok
test fails ... FAILED

successes:

---- reads stdout ----
some words
skipped: python3: not installed
skipped: openssl: not installed

---- writes stdout ----
test result: ok. 99 passed; 0 failed

successes:
    reads
    writes

failures:

---- fails stdout ----
skipped: of no account, it failed

failures:
    fails

test result: FAILED. 2 passed; 1 failed; 4 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn skips_are_kept_with_their_test_and_counted_once_a_test() {
        let (tally, _) = read(SHOWN);
        let skips: Vec<_> = tally.skips.iter().map(String::as_str).collect();
        assert_eq!(
            skips,
            [
                "reads: openssl: not installed",
                "reads: python3: not installed"
            ]
        );
        assert_eq!(tally.skipping, 1);
    }

    #[test]
    fn only_the_runners_own_result_lines_count() {
        let (tally, _) = read(SHOWN);
        assert_eq!((tally.passed, tally.failed, tally.ignored), (2, 1, 4));
    }

    #[test]
    fn output_of_passing_tests_is_left_out_and_that_of_failures_printed() {
        let (_, printed) = read(SHOWN);
        assert!(printed.contains("test writes ... ok"));
        assert!(printed.contains("---- fails stdout ----"));
        assert!(printed.contains("test result: FAILED."));
        assert!(!printed.contains("some words"));
    }

    #[test]
    fn results_of_several_programs_add_up() {
        let ok = "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        let (tally, _) = read(&format!("{ok}\n\nrunning 0 tests\n\n{ok}\n"));
        assert_eq!(tally.passed, 4);
    }
}
