//! What the state of an account or a device does not allow.

use chrono::{DateTime, Utc};
use mdm_core::SerialNumber;

use crate::record::{AccountId, GiveUpStep};

/// Why something was not done. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such account.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    /// There is one of that name already.
    #[error("there is an account {0} already")]
    AccountExists(AccountId),
    /// The account has no token: it was never linked, or its token was cleared.
    #[error("the account has no server token")]
    NoToken,
    /// No key pair waits for a token.
    #[error("no key pair was made for a token of this account")]
    NoStagedKey,
    /// The token is for another server than the one in use: it knows nothing of its devices.
    #[error("the token is for another server in the portal than the one in use")]
    OtherServer,
    /// The token is for the same server, with another consumer key than the one in use. That can be
    /// right, as when another administrator downloads it.
    #[error(
        "the token has another consumer key than the one in use, though the server is the same"
    )]
    OtherConsumerKey,
    /// The token is older than the one in use.
    #[error("the token is older than the one in use")]
    OlderToken,
    /// The token's year is over already.
    #[error("the token has expired")]
    ExpiredToken,
    /// Something hangs on the account.
    #[error(
        "the account still has {devices} devices, {profiles} profiles{}",
        if *.default_profile { " and a default profile" } else { "" }
    )]
    AccountInUse {
        /// Devices that are the account's.
        devices: u64,
        /// Profiles.
        profiles: u64,
        /// Whether a default profile is set.
        default_profile: bool,
    },
    /// Another node works on the account.
    #[error("{node} works on the account until {until}")]
    UnderWay {
        /// The node.
        node: String,
        /// Until when at least.
        until: DateTime<Utc>,
    },
    /// Another node has taken the account over.
    #[error("another node has taken the account over")]
    LeaseLost,
    /// Asked for too early.
    #[error("not before {until}")]
    TooSoon {
        /// When it may be.
        until: DateTime<Utc>,
    },
    /// The account has no such device.
    #[error("the account has no device {0}")]
    NoDevice(SerialNumber),
    /// The device was released: it is not the account's any more.
    #[error("the device {0} is not the account's any more")]
    Released(SerialNumber),
    /// The device's tags and user are too long.
    #[error("tags and user take more than {most} bytes")]
    TooLong {
        /// The most bytes that they may take together.
        most: usize,
    },
    /// The account has no such profile.
    #[error("the account has no profile {0}")]
    NoProfile(String),
    /// The profile was replaced by another.
    #[error("the profile was replaced by {by}")]
    ProfileReplaced {
        /// The one to use.
        by: String,
    },
    /// The profile stands in for another that is still remembered.
    #[error("the profile replaces {0}, which has to be removed before")]
    ReplacesProfile(String),
    /// Something hangs on the profile.
    #[error(
        "the profile is still wanted by {devices} devices{}",
        if *.default_profile { " and is the default profile" } else { "" }
    )]
    ProfileInUse {
        /// Devices that want it.
        devices: u64,
        /// Whether it is the default profile.
        default_profile: bool,
    },
    /// The device is being given up.
    #[error("the device {0} is being given up")]
    GivingUp(SerialNumber),
    /// The device is not being given up.
    #[error("the device {0} is not being given up")]
    NotGivingUp(SerialNumber),
    /// Not the next step of giving the device up.
    #[error("the next step is {next:?}, not {given:?}")]
    WrongStep {
        /// What comes next.
        next: GiveUpStep,
        /// What was asked for.
        given: GiveUpStep,
    },
}
