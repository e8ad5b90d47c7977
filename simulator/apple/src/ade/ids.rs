//! Identifiers, tokens and made-up attributes: all from one seed, so that a run can be had again.

/// SplitMix64. Nothing that a fake gives out has to be beyond guessing.
#[derive(Debug, Clone)]
pub(super) struct Ids(u64);

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// `bytes` bytes as upper-case hex digits; 32 digits is the form of Apple's identifiers.
    pub(super) fn hex(&mut self, bytes: usize) -> String {
        let mut digits = String::with_capacity(bytes * 2 + 16);
        while digits.len() < bytes * 2 {
            digits.push_str(&format!("{:016X}", self.next()));
        }
        digits.truncate(bytes * 2);
        digits
    }
}
