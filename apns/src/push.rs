//! A push: whom to wake, with which word, until when.

use std::time::Duration;

use chrono::{DateTime, Utc};
use mdm_core::{PushMagic, PushToken};

use crate::id::ApnsId;

/// How long the service keeps a push for a device that is offline, unless the push says otherwise.
///
/// Without an expiry the service may drop the push at once, and a device that was asleep never
/// hears of its commands.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// One MDM push: it tells a device to ask its server for commands, and carries nothing else.
///
/// Sending it twice has the effect of once, so it may always be sent again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Push {
    /// The device's address, from the last `TokenUpdate` of this channel.
    pub token: PushToken,
    /// The word the device expects, from the same `TokenUpdate`.
    pub magic: PushMagic,
    /// Until when the service tries; [`DEFAULT_LIFETIME`] from now unless set.
    pub expiration: Expiration,
    /// How urgent it is; [`Priority::Immediate`] unless set.
    pub priority: Priority,
    /// The push's own id; a random one is made when it is sent unless set.
    pub id: Option<ApnsId>,
}

impl Push {
    /// A push to the device with this token, expecting this word.
    pub fn new(token: PushToken, magic: PushMagic) -> Self {
        Self {
            token,
            magic,
            expiration: Expiration::default(),
            priority: Priority::default(),
            id: None,
        }
    }

    /// Sets until when the service tries.
    pub fn expiration(mut self, expiration: Expiration) -> Self {
        self.expiration = expiration;
        self
    }

    /// Sets how urgent it is.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the push's own id.
    pub fn id(mut self, id: ApnsId) -> Self {
        self.id = Some(id);
        self
    }
}

/// Until when the service tries to deliver (`apns-expiration`); it is always sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiration {
    /// This long from the moment of sending, rounded up to a full minute: pushes of the same
    /// minute share the header's value, which HPACK then sends as one byte.
    After(Duration),
    /// Until this moment, in whole seconds; after 1970. Apple keeps nothing beyond 30 days.
    At(DateTime<Utc>),
    /// One attempt; nothing is kept for a device that is offline.
    Once,
}

impl Default for Expiration {
    fn default() -> Self {
        Self::After(DEFAULT_LIFETIME)
    }
}

/// How urgent a push is (`apns-priority`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Priority {
    /// 10: at once.
    #[default]
    Immediate,
    /// 5: when it suits the device's battery.
    Considerate,
    /// 1: battery first; it need not wake the device.
    Low,
}

impl Priority {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Immediate => "10",
            Self::Considerate => "5",
            Self::Low => "1",
        }
    }
}
