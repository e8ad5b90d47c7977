//! What a check-in message does to an enrolment: pure, so that the rules live once and every store
//! only loads and commits.
//!
//! ```text
//! load(id, certificate) -> Loaded    decide(&Loaded, &Sender, Message) -> Step    commit(id, version, Step)
//! ```
//!
//! The unit of change is a device with all its users: each step moves the device's version, so two
//! messages of one device never overwrite each other.
//!
//! | Who comes with a certificate that is not pinned | What happens |
//! |---|---|
//! | a new device: `Authenticate` | [`decide`] pins it |
//! | a known device: `Authenticate` | [`decide`] pins it instead and begins anew, where a [`PinPolicy`](crate::PinPolicy) says that it is the device |
//! | an enrolled device: `Authenticate`, and somebody vouches for a renewal ([`Message::vouched_for`]) | [`decide`] pins it instead; what else there is stays until `AwaitingConfiguration` says that the device was erased |
//! | a known device: anything else | refused, unless it is vouched for as a renewal: then [`renew`] pins it instead, and all else stays |

use chrono::{DateTime, Utc};
use mdm_core::{Secret, SerialNumber};
use mdm_protocol::EnrollmentId;

use super::{
    Claim, Enrollment, EnrollmentDecision, EnrollmentKind, EnrollmentReason, EnrollmentStatus,
    EscrowEntry, Fingerprint, PushAddress, Reported, Spend,
};
use crate::{Body, Event, EventKind};

mod rules;

pub use rules::TOKEN_BYTES;
use rules::{
    Authenticated, authenticate, check_out, disable, hand_on, reasons, set_bootstrap_token,
    token_update,
};

/// How often the enrolment of a device was changed; 0 for a device never seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(u64);

impl Version {
    /// A device never seen.
    pub const UNSEEN: Self = Self(0);

    /// Takes a number that the store kept.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The version after one more change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What a store knows that bears on a check-in message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Loaded {
    /// The version of the device.
    pub version: Version,
    /// The device, if it was ever seen.
    pub device: Option<Enrollment>,
    /// The user, if the message is a user's and the user was ever seen.
    pub user: Option<Enrollment>,
    /// The device that the message's certificate was ever pinned to.
    pub certificate_owner: Option<EnrollmentId>,
}

impl Loaded {
    /// A device never seen, with a certificate never seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is known after `edit`.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }
}

/// Who sent a check-in message, and when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sender {
    /// The device, or the user.
    pub id: EnrollmentId,
    /// The certificate that the message came with.
    pub certificate: Fingerprint,
    /// When it came.
    pub at: DateTime<Utc>,
}

impl Sender {
    /// A sender.
    pub fn new(id: EnrollmentId, certificate: Fingerprint, at: DateTime<Utc>) -> Self {
        Self {
            id,
            certificate,
            at,
        }
    }
}

/// A check-in message that changes an enrolment, reduced to what changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// `Authenticate`.
    #[non_exhaustive]
    Authenticate {
        /// The serial number, if the message tells it.
        serial_number: Option<SerialNumber>,
        /// What the message tells of the device; [`Message::reporting`] sets it.
        reported: Option<Reported>,
        /// Whether somebody says that its certificate is the device's renewed one; [`Message::vouched_for`]
        /// sets it.
        is_vouched_for: bool,
        /// The message as it came.
        raw: Body,
    },
    /// `TokenUpdate`.
    TokenUpdate(TokenUpdated),
    /// `CheckOut`.
    CheckOut,
    /// `SetBootstrapToken`; without a token the stored one is removed.
    #[non_exhaustive]
    SetBootstrapToken {
        /// The token.
        token: Option<Secret<Vec<u8>>>,
    },
}

impl Message {
    /// `Authenticate`.
    pub fn authenticate(serial_number: Option<SerialNumber>, raw: impl Into<Body>) -> Self {
        Self::Authenticate {
            serial_number,
            reported: None,
            is_vouched_for: false,
            raw: raw.into(),
        }
    }

    /// The same `Authenticate` of a device whose certificate somebody says to be its renewed one: a device that
    /// installs its enrolment profile again renews like that, and keeps its data. Counts where
    /// [`may_be_renewal`] allows it. Any other message stays as it is.
    #[must_use]
    pub fn vouched_for(mut self) -> Self {
        if let Self::Authenticate { is_vouched_for, .. } = &mut self {
            *is_vouched_for = true;
        }
        self
    }

    /// The same `Authenticate` with what it tells of the device. Any other message stays as it is.
    #[must_use]
    pub fn reporting(mut self, told: Reported) -> Self {
        if let Self::Authenticate { reported, .. } = &mut self {
            *reported = Some(told);
        }
        self
    }

    /// `TokenUpdate` with nothing but the address; [`TokenUpdated`] takes the rest.
    pub fn token_update(push: PushAddress) -> Self {
        Self::TokenUpdate(TokenUpdated::new(push))
    }

    /// `SetBootstrapToken`; an empty token counts as none.
    pub fn set_bootstrap_token(token: Option<Secret<Vec<u8>>>) -> Self {
        Self::SetBootstrapToken {
            token: token.filter(|token| !token.expose().is_empty()),
        }
    }
}

/// What a `TokenUpdate` tells. Each field but the address may be missing, and then says nothing; an empty
/// `UnlockToken` or `UserShortName` says as little (Q12).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenUpdated {
    /// Where to push from now on.
    pub push: PushAddress,
    /// `UnlockToken`.
    pub unlock_token: Option<Secret<Vec<u8>>>,
    /// `AwaitingConfiguration`.
    pub awaiting_configuration: Option<bool>,
    /// `UserShortName`.
    pub user_short_name: Option<String>,
}

impl TokenUpdated {
    /// Nothing but the address.
    pub fn new(push: PushAddress) -> Self {
        Self {
            push,
            unlock_token: None,
            awaiting_configuration: None,
            user_short_name: None,
        }
    }

    /// The message after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }
}

impl From<TokenUpdated> for Message {
    fn from(update: TokenUpdated) -> Self {
        Self::TokenUpdate(update)
    }
}

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The certificate is not the one that is pinned to the device, or no such device enrolled.
    #[error("the certificate is not pinned to this enrolment")]
    NotPinned,
    /// The certificate was pinned to another device before (Q4).
    #[error("the certificate belongs to another enrolment")]
    CertificateReused,
    /// `Authenticate` that [`may_pin`](crate::PinPolicy::may_pin) turned down.
    #[error("the certificate may not be pinned to this enrolment")]
    MayNotPin,
    /// `TokenUpdate` with an empty `Token`: nobody could be pushed to by it.
    #[error("the token of the TokenUpdate is empty")]
    EmptyToken,
    /// `UnlockToken` or `BootstrapToken` of more than [`TOKEN_BYTES`].
    #[error("the unlock token or bootstrap token is larger than {TOKEN_BYTES} bytes")]
    TokenTooLarge,
    /// Who speaks, or its device, checked out or was taken back by the vendor.
    #[error("the enrolment checked out or was taken back")]
    CheckedOut,
}

/// What changes besides the named enrolments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Cascade {
    /// Nothing.
    #[default]
    None,
    /// What is queued for the step's user is cancelled.
    User,
    /// Each `EraseDevice` that is queued for the device is cancelled, and nothing else: it may be what erased the device, its
    /// answer lost, and offered again it would erase what enrols now.
    Erasures,
    /// What is queued for the device and for all its users is cancelled, and all its users become
    /// [`Disabled`](EnrollmentStatus::Disabled).
    Device,
}

/// A change to commit as one: all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// When the change happens: the time of what the cascade cancels and disables.
    pub at: DateTime<Utc>,
    /// The device as it is from now on. Its `certificate` is recorded as belonging to it for good.
    pub device: Option<Enrollment>,
    /// The user as it is from now on.
    pub user: Option<Enrollment>,
    /// What goes with it. Comes before the new state of `user`.
    pub cascade: Cascade,
    /// The limits of the pools that the device may take a place in only while there is one left. What
    /// places it has from now on `device.licences` says; [`Step::claim`] sets both.
    pub claims: Vec<Claim>,
    /// The invitation that the device spends.
    pub invitation: Option<Spend>,
    /// Secrets to keep for good: the tokens that the message brings, and those whose place they take or that go. What is
    /// in escrow already need not be kept twice.
    pub escrow: Vec<EscrowEntry>,
    /// Whether the enrolment is to be pushed to at `at` if a command waits for it.
    pub wakes: bool,
    /// What the vendor is told.
    pub events: Vec<Event>,
}

impl Step {
    /// A step that changes nothing.
    pub fn new(at: DateTime<Utc>) -> Self {
        Self {
            at,
            device: None,
            user: None,
            cascade: Cascade::None,
            claims: Vec::new(),
            invitation: None,
            escrow: Vec::new(),
            wakes: false,
            events: Vec::new(),
        }
    }

    /// Gives the step's device a place in each of these pools, as long as there is one left, and in no
    /// others. A step without a device stays as it is.
    pub fn claim(&mut self, claims: Vec<Claim>) {
        if let Some(device) = &mut self.device {
            device.licences = claims.iter().map(|claim| claim.pool.clone()).collect();
            self.claims = claims;
        }
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.device.is_none()
            && self.user.is_none()
            && self.cascade == Cascade::None
            && self.invitation.is_none()
            && self.escrow.is_empty()
            && self.events.is_empty()
    }
}

/// Decides what `message` does.
///
/// # Errors
/// [`Refusal`] if the message must not be taken; then nothing changes.
pub fn decide(loaded: &Loaded, sender: &Sender, message: Message) -> Result<Step, Refusal> {
    match message {
        Message::Authenticate {
            serial_number,
            reported,
            is_vouched_for,
            raw,
        } => {
            let is_renewal = is_vouched_for && may_be_renewal(loaded, sender);
            let told = Authenticated {
                serial_number,
                reported,
                is_renewal,
                raw,
            };
            authenticate(loaded, sender, told)
        }
        Message::TokenUpdate(update) => token_update(loaded, sender, update),
        Message::CheckOut => check_out(loaded, sender),
        Message::SetBootstrapToken { token } => set_bootstrap_token(loaded, sender, token),
    }
}

/// Whether `sender` may speak for the enrolment: the rule for everything but a device's `Authenticate`.
///
/// # Errors
/// [`Refusal::NotPinned`] if not.
pub fn authorize<'a>(loaded: &'a Loaded, sender: &Sender) -> Result<&'a Enrollment, Refusal> {
    loaded
        .device
        .as_ref()
        .filter(|device| device.certificate == Some(sender.certificate))
        .ok_or(Refusal::NotPinned)
}

/// Whether `sender` is answered with what there is for its device: tokens, declarations, settings. Not for one
/// that checked out or that the vendor took back, until it enrols again.
///
/// # Errors
/// [`Refusal::NotPinned`] as [`authorize`], [`Refusal::CheckedOut`].
pub fn serve<'a>(loaded: &'a Loaded, sender: &Sender) -> Result<&'a Enrollment, Refusal> {
    let device = authorize(loaded, sender)?;
    match device.status {
        EnrollmentStatus::Disabled => Err(Refusal::CheckedOut),
        _ => Ok(device),
    }
}

/// What `GetBootstrapToken` is answered: the token, if this sender's certificate deposited it. Another
/// certificate that enrolled the device anew does not get what the former one left behind.
///
/// # Errors
/// As [`serve`].
pub fn bootstrap_token<'a>(
    loaded: &'a Loaded,
    sender: &Sender,
) -> Result<Option<&'a Secret<Vec<u8>>>, Refusal> {
    let deposited = serve(loaded, sender)?.bootstrap_token.as_ref();
    Ok(deposited
        .filter(|deposited| deposited.certificate == sender.certificate)
        .map(|deposited| &deposited.token))
}

/// Whether an `Authenticate` with this serial number may come from the device that is known: it told
/// none before, or the same. One that told one does not stop doing so.
pub fn tells_known_serial_number(known: &Enrollment, told: Option<&SerialNumber>) -> bool {
    known.serial_number.is_none() || known.serial_number.as_ref() == told
}

/// Whether an `Authenticate` of this sender may be a renewal, if somebody vouches for it: the device is enrolled,
/// or was until an `Authenticate` of that kind, and the certificate was never pinned to any.
pub fn may_be_renewal(loaded: &Loaded, sender: &Sender) -> bool {
    let Some(known) = &loaded.device else {
        return false;
    };
    let is_enrolled = match known.status {
        EnrollmentStatus::Enrolled => true,
        EnrollmentStatus::Authenticated => known
            .decision
            .as_ref()
            .is_some_and(|decision| decision.kind == EnrollmentKind::IdentityRenewal),
        EnrollmentStatus::Disabled => false,
    };
    is_enrolled
        && loaded.certificate_owner.is_none()
        && known.certificate != Some(sender.certificate)
}

/// Pins the sender's certificate in the place of the one before. Nothing else changes: a renewed
/// identity is no new enrolment.
///
/// Whether it is a renewal cannot be told from here; somebody has to vouch for it.
///
/// # Errors
/// [`Refusal::NotPinned`] if the device is unknown or has checked out, or had this certificate before;
/// [`Refusal::CertificateReused`] if another device had it.
pub fn renew(loaded: &Loaded, sender: &Sender) -> Result<Step, Refusal> {
    let known = loaded.device.as_ref().ok_or(Refusal::NotPinned)?;
    match &loaded.certificate_owner {
        Some(owner) if *owner != known.id => return Err(Refusal::CertificateReused),
        Some(_) => return Err(Refusal::NotPinned),
        None if known.status == EnrollmentStatus::Disabled => return Err(Refusal::NotPinned),
        None => {}
    }
    let mut device = known.clone();
    device.last_seen_at = Some(sender.at);
    device.certificate = Some(sender.certificate);
    hand_on(&mut device.bootstrap_token, known, sender.certificate);
    let reasons = reasons(loaded, sender, EnrollmentReason::NoAuthenticate);
    let decision = EnrollmentDecision::new(EnrollmentKind::IdentityRenewal, reasons);
    // What a device that is about to enrol was taken for is not decided anew.
    if known.status != EnrollmentStatus::Authenticated {
        device.decision = Some(decision.clone());
    }
    let mut step = Step::new(sender.at);
    step.events = vec![Event::new(
        known.id.clone(),
        sender.at,
        EventKind::IdentityRenewed { decision },
    )];
    step.device = Some(device);
    Ok(step)
}

/// Takes an enrolment back that may never say goodbye (Q14): the device, or the user, is managed no
/// longer, what was queued is cancelled, its places are free. Nothing is wiped, nothing escrowed is
/// forgotten, and an `Authenticate` or a user's `TokenUpdate` enrols it again.
///
/// The step is empty if there is no such enrolment or it is disabled.
pub fn retire(loaded: &Loaded, id: &EnrollmentId, at: DateTime<Utc>) -> Step {
    disable(loaded, id, at, EventKind::Retired)
}
