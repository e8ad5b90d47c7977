//! Numbers that are booleans.

use crate::numbers;

numbers! {
    /// A boolean that travels as 0 or 1. Any other number is kept.
    pub enum Switch: i64 {
        /// `0`.
        Off = 0,
        /// `1`.
        On = 1,
    }
}

impl From<bool> for Switch {
    fn from(is_on: bool) -> Self {
        if is_on { Self::On } else { Self::Off }
    }
}

#[cfg(test)]
mod tests {
    use super::Switch;

    #[test]
    fn numbers_and_booleans_become_switches_and_unknown_numbers_stay() {
        assert_eq!(
            (Switch::from(0), Switch::from(1)),
            (Switch::Off, Switch::On)
        );
        assert_eq!(
            (Switch::from(false), Switch::from(true)),
            (Switch::Off, Switch::On)
        );
        assert_eq!(Switch::from(7).value(), 7);
        assert!(!Switch::from(7).is_known());
    }
}
