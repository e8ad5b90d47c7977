//! An enrolment as the store keeps it, of a device or of one of its users.
//!
//! What may happen to it is decided in [`decide`], and nowhere else.

use std::fmt;

use chrono::{DateTime, Utc};
use mdm_core::{PushMagic, PushToken, Secret, SerialNumber, Topic};
use mdm_pki::{Certificate, DigestAlgorithm};
use mdm_protocol::EnrollmentId;

use crate::Body;

pub mod decide;
mod decision;
mod escrow;
mod import;
mod invitation;
mod reported;

pub use decision::{EnrollmentDecision, EnrollmentKind, EnrollmentReason};
pub use escrow::{EscrowEntry, EscrowKind};
pub use import::import;
pub use invitation::{Claim, Invitation, Spend};
pub use reported::Reported;

/// What is known of one enrolment.
///
/// A device and each of its users have one of their own; the certificate is the device's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enrollment {
    /// Who it is.
    pub id: EnrollmentId,
    /// How far it has come.
    pub status: EnrollmentStatus,
    /// The certificate that the device must show; `None` for a user.
    pub certificate: Option<Fingerprint>,
    /// Where to push; `None` until the first `TokenUpdate` after `Authenticate`.
    pub push: Option<PushAddress>,
    /// How many `TokenUpdate`s came since `Authenticate` (Q14).
    pub token_update_tally: u64,
    /// The last `AwaitingConfiguration` that the device stated (Q12: a message without it changes
    /// nothing).
    pub awaiting_configuration: Option<bool>,
    /// The last `UnlockToken` that the device sent (Q12), since it was erased. Each that it ever sent is in
    /// escrow ([`EscrowKind::UnlockToken`]), at the latest when this one goes.
    pub unlock_token: Option<Secret<Vec<u8>>>,
    /// The bootstrap token that the device deposited last. Each that it ever deposited is in escrow
    /// ([`EscrowKind::BootstrapToken`]), at the latest when this one goes.
    pub bootstrap_token: Option<BootstrapToken>,
    /// The last serial number that an `Authenticate` told; a user enrolment tells none.
    pub serial_number: Option<SerialNumber>,
    /// The short name of a user.
    pub user_short_name: Option<String>,
    /// The vendor's name of the account whose device it is.
    pub owner: Option<String>,
    /// The pools that the device takes a place in, such as those of licences; empty once it is
    /// [`Disabled`](EnrollmentStatus::Disabled), and for a user.
    pub licences: Vec<String>,
    /// What it last said of itself.
    pub reported: Option<Reported>,
    /// The invitation that its last `Authenticate` named. An update of the enrolment profile has to
    /// repeat it in its URLs, which may not change.
    pub invitation: Option<String>,
    /// What its last coming was taken for; `None` for a user.
    pub decision: Option<EnrollmentDecision>,
    /// The last `Authenticate` as it came.
    pub authenticate: Option<Body>,
    /// When the last `Authenticate` came.
    pub authenticated_at: Option<DateTime<Utc>>,
    /// When the first `TokenUpdate` after it came.
    pub enrolled_at: Option<DateTime<Utc>>,
    /// When it was disabled, if it is.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was last heard of. A poll moves it only where it is older than
    /// [`Report::seen_every`](crate::queue::Report::seen_every), and nothing moves it back.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// Since when its push token is dead (Q24), if it is: only a `TokenUpdate` revives it.
    pub push_dead_at: Option<DateTime<Utc>>,
}

impl Enrollment {
    /// An enrolment of which nothing but the name is known.
    pub fn new(id: EnrollmentId) -> Self {
        Self {
            id,
            status: EnrollmentStatus::Authenticated,
            certificate: None,
            push: None,
            token_update_tally: 0,
            awaiting_configuration: None,
            unlock_token: None,
            bootstrap_token: None,
            serial_number: None,
            user_short_name: None,
            owner: None,
            licences: Vec::new(),
            reported: None,
            invitation: None,
            decision: None,
            authenticate: None,
            authenticated_at: None,
            enrolled_at: None,
            disabled_at: None,
            last_seen_at: None,
            push_dead_at: None,
        }
    }

    /// Whether it can be pushed to: it is [`Enrolled`](EnrollmentStatus::Enrolled) and its token not
    /// known to be dead.
    pub fn is_pushable(&self) -> bool {
        self.status == EnrollmentStatus::Enrolled
            && self.push.is_some()
            && self.push_dead_at.is_none()
    }

    /// The enrolment after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }
}

/// A bootstrap token, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BootstrapToken {
    /// The token.
    pub token: Secret<Vec<u8>>,
    /// The certificate that deposited it, or took that one's place by renewal. The token is answered
    /// to no other.
    pub certificate: Fingerprint,
    /// Whether it was deposited before the last `Authenticate`, so that it may be one of an erased
    /// system.
    pub is_former: bool,
}

impl BootstrapToken {
    /// A token that `certificate` deposited since the last `Authenticate`.
    pub fn new(token: Secret<Vec<u8>>, certificate: Fingerprint) -> Self {
        Self {
            token,
            certificate,
            is_former: false,
        }
    }
}

/// How far an enrolment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EnrollmentStatus {
    /// `Authenticate` came, `TokenUpdate` not yet: it cannot be pushed to.
    Authenticated,
    /// It can be pushed to.
    Enrolled,
    /// It checked out, or is a user of a device that checked out or began anew.
    Disabled,
}

/// Where an enrolment is pushed to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushAddress {
    /// The topic of the push certificate that the enrolment profile named.
    pub topic: Topic,
    /// The device's address at Apple's push service.
    pub token: PushToken,
    /// The word that the device expects in the push.
    pub magic: PushMagic,
}

impl PushAddress {
    /// An address.
    pub fn new(topic: Topic, token: PushToken, magic: PushMagic) -> Self {
        Self {
            topic,
            token,
            magic,
        }
    }
}

/// The SHA-256 of what the issuer of a certificate signed (`tbsCertificate`): how a certificate is pinned to an enrolment.
///
/// Not of the whole certificate, for its holder can write the signature in two ways: to each pair (r, s) of ECDSA belongs
/// another, (r, n - s), that is as good. Those would be two certificates, and two devices could have one of them each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Takes the digest's bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The fingerprint of `certificate`.
    ///
    /// # Errors
    /// [`mdm_pki::Error`] if the digest cannot be computed.
    pub fn of(certificate: &Certificate) -> Result<Self, mdm_pki::Error> {
        Self::of_bytes(certificate.tbs_der())
    }

    /// The SHA-256 of the whole certificate, which others call its fingerprint, and of which pins were taken here once.
    ///
    /// # Errors
    /// [`mdm_pki::Error`] if the digest cannot be computed.
    pub fn of_whole(certificate: &Certificate) -> Result<Self, mdm_pki::Error> {
        Self::of_bytes(certificate.to_der())
    }

    fn of_bytes(content: &[u8]) -> Result<Self, mdm_pki::Error> {
        let digest = mdm_pki::digest(DigestAlgorithm::Sha256, content)?;
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(digest) {
            *to = from;
        }
        Ok(Self(bytes))
    }

    /// The digest's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}
