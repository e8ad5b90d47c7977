//! How near a certificate's end is, and so how urgent it is to renew it.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

/// From how long before its end on a push certificate is worth a warning.
///
/// ```
/// use chrono::TimeDelta;
/// use mdm_apns::certificate::RenewalPolicy;
///
/// let policy = RenewalPolicy::default().with(|policy| policy.due = TimeDelta::days(60));
/// assert_eq!(policy.critical, TimeDelta::days(1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RenewalPolicy {
    /// From when on it is [`Renewal::Due`]. Default 30 days.
    pub due: TimeDelta,
    /// From when on it is [`Renewal::Urgent`]. Default 7 days.
    pub urgent: TimeDelta,
    /// From when on it is [`Renewal::Critical`]. Default 1 day.
    pub critical: TimeDelta,
}

impl Default for RenewalPolicy {
    fn default() -> Self {
        Self {
            due: TimeDelta::days(30),
            urgent: TimeDelta::days(7),
            critical: TimeDelta::days(1),
        }
    }
}

impl RenewalPolicy {
    /// Changes some of the spans in place of a struct literal.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Judges something that is valid from the one moment to the other, both included.
    pub fn judge(
        &self,
        not_before: DateTime<Utc>,
        not_after: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Renewal {
        let left = not_after - now;
        match () {
            () if left < TimeDelta::zero() => Renewal::Expired { since: not_after },
            () if now < not_before => Renewal::NotYetValid { from: not_before },
            () if left <= self.critical => Renewal::Critical { left },
            () if left <= self.urgent => Renewal::Urgent { left },
            () if left <= self.due => Renewal::Due { left },
            () => Renewal::Fine { left },
        }
    }
}

/// Whether a push certificate has to be renewed. `Display` says it in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewal {
    /// There is time.
    Fine {
        /// How long it is valid yet.
        left: TimeDelta,
    },
    /// It is time to renew it.
    Due {
        /// How long it is valid yet.
        left: TimeDelta,
    },
    /// It has to be renewed this week.
    Urgent {
        /// How long it is valid yet.
        left: TimeDelta,
    },
    /// It has to be renewed today.
    Critical {
        /// How long it is valid yet.
        left: TimeDelta,
    },
    /// It has ended: no push is taken. To renew it brings all devices back.
    Expired {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// It begins later, or the clock is wrong.
    NotYetValid {
        /// When.
        from: DateTime<Utc>,
    },
}

impl Renewal {
    /// `fine`, `due`, `urgent`, `critical`, `expired` or `not_yet_valid`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine { .. } => "fine",
            Self::Due { .. } => "due",
            Self::Urgent { .. } => "urgent",
            Self::Critical { .. } => "critical",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not_yet_valid",
        }
    }

    /// How long it is valid yet; `None` where it is not valid.
    pub fn left(self) -> Option<TimeDelta> {
        match self {
            Self::Fine { left }
            | Self::Due { left }
            | Self::Urgent { left }
            | Self::Critical { left } => Some(left),
            Self::Expired { .. } | Self::NotYetValid { .. } => None,
        }
    }

    /// Whether there is something to do.
    pub fn is_warning(self) -> bool {
        !matches!(self, Self::Fine { .. })
    }
}

impl fmt::Display for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |time: &DateTime<Utc>| time.format("%Y-%m-%d %H:%M UTC");
        match self {
            Self::Fine { left } => write!(f, "valid for {} more", Span(*left)),
            Self::Due { left } => write!(f, "ends in {}: renew it", Span(*left)),
            Self::Urgent { left } => write!(f, "ends in {}: renew it this week", Span(*left)),
            Self::Critical { left } => write!(f, "ends in {}: renew it now", Span(*left)),
            Self::Expired { since } => write!(f, "ended on {}: renew it now", day(since)),
            Self::NotYetValid { from } => {
                write!(f, "not valid before {}, or the clock is wrong", day(from))
            }
        }
    }
}

/// Whole days, or hours below two days.
struct Span(TimeDelta);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.num_days(), self.0.num_hours()) {
            (..2, 1) => f.write_str("1 hour"),
            (..2, hours) => write!(f, "{hours} hours"),
            (days, _) => write!(f, "{days} days"),
        }
    }
}
