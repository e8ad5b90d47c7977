//! Which push meets which fault.

use std::collections::{HashMap, VecDeque};

use super::Fault;

/// The faults to come. The next in the queue goes first, then what stands for the token, then the
/// rules in the order of their making.
#[derive(Debug, Default)]
pub(super) struct Plan {
    queue: VecDeque<Fault>,
    tokens: HashMap<Vec<u8>, Fault>,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    when: When,
    fault: Fault,
}

#[derive(Debug)]
enum When {
    /// Each n-th push.
    Every { n: u64, met: u64 },
    /// As chance has it, so many of a thousand.
    Chance { state: u64, per_mille: u32 },
}

impl Plan {
    pub(super) fn add(&mut self, fault: Fault) {
        self.queue.push_back(fault);
    }

    pub(super) fn for_token(&mut self, token: &[u8], fault: Option<Fault>) {
        match fault {
            Some(fault) => self.tokens.insert(token.to_vec(), fault),
            None => self.tokens.remove(token),
        };
    }

    pub(super) fn every(&mut self, n: u64, fault: Fault) {
        let when = When::Every {
            n: n.max(1),
            met: 0,
        };
        self.rules.push(Rule { when, fault });
    }

    pub(super) fn chance(&mut self, seed: u64, per_mille: u32, fault: Fault) {
        let when = When::Chance {
            state: seed,
            per_mille,
        };
        self.rules.push(Rule { when, fault });
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What becomes of the push that came now. Every rule counts it, whoever has it.
    pub(super) fn next(&mut self, token: impl FnOnce() -> Option<Vec<u8>>) -> Option<Fault> {
        let mut ruled = None;
        for rule in &mut self.rules {
            if rule.when.now() && ruled.is_none() {
                ruled = Some(&rule.fault);
            }
        }
        if let Some(fault) = self.queue.pop_front() {
            return Some(fault);
        }
        if !self.tokens.is_empty()
            && let Some(fault) = token().and_then(|token| self.tokens.get(&token))
        {
            return Some(fault.clone());
        }
        ruled.cloned()
    }
}

impl When {
    fn now(&mut self) -> bool {
        match self {
            Self::Every { n, met } => {
                *met += 1;
                *met % *n == 0
            }
            Self::Chance { state, per_mille } => random(state) % 1000 < u64::from(*per_mille),
        }
    }
}

/// The next number of SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(plan: &mut Plan, pushes: usize) -> Vec<usize> {
        (1..=pushes)
            .filter(|_| plan.next(|| None).is_some())
            .collect()
    }

    #[test]
    fn each_nth_push_is_met_and_a_push_that_met_another_fault_counts_too() {
        let mut plan = Plan::default();
        plan.every(3, Fault::Stall);
        plan.add(Fault::Close);
        assert_eq!(plan.next(|| None), Some(Fault::Close));
        assert_eq!(met(&mut plan, 8), [2, 5, 8]);
        plan.clear();
        assert_eq!(met(&mut plan, 9), [0; 0]);
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed_and_keeps_its_rate() {
        let run = |seed| {
            let mut plan = Plan::default();
            plan.chance(seed, 100, Fault::Stall);
            met(&mut plan, 10_000)
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert!((900..1100).contains(&run(7).len()));
    }

    #[test]
    fn a_tokens_fault_stands_until_it_is_taken_back() {
        let mut plan = Plan::default();
        plan.for_token(b"a", Some(Fault::Stall));
        let next = |plan: &mut Plan, token: &[u8]| plan.next(|| Some(token.to_vec()));
        assert_eq!(next(&mut plan, b"a"), Some(Fault::Stall));
        assert_eq!(next(&mut plan, b"b"), None);
        assert_eq!(next(&mut plan, b"a"), Some(Fault::Stall));
        plan.for_token(b"a", None);
        assert_eq!(next(&mut plan, b"a"), None);
    }
}
