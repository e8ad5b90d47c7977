//! What a device's coming was taken for, and why: said once, where it is decided, and kept.

use serde::{Deserialize, Serialize};

/// What a device's coming was taken for, with everything that spoke for it.
///
/// Made at `Authenticate`, or where a device goes on with another certificate without one; the first
/// `TokenUpdate` adds whether the device was erased, which only `AwaitingConfiguration` tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EnrollmentDecision {
    /// What it was taken for.
    pub kind: EnrollmentKind,
    /// What spoke for it, in the order in which it was seen.
    pub reasons: Vec<EnrollmentReason>,
}

impl EnrollmentDecision {
    /// A decision.
    pub fn new(kind: EnrollmentKind, reasons: impl IntoIterator<Item = EnrollmentReason>) -> Self {
        Self {
            kind,
            reasons: reasons.into_iter().collect(),
        }
    }

    /// Whether this spoke for it.
    pub fn because(&self, reason: EnrollmentReason) -> bool {
        self.reasons.contains(&reason)
    }
}

/// What a device's coming is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EnrollmentKind {
    /// A device that was never seen: everything begins.
    NewDevice,
    /// A known device that begins anew: its queue goes, its push address goes, its tally starts again.
    ReEnrollment,
    /// A known device that goes on with another certificate: its queue, its users and its tokens stay. Where it sent
    /// `Authenticate`, its push address comes anew and its tally starts again, and a first `TokenUpdate` with
    /// `AwaitingConfiguration` turns this into [`ReEnrollment`](Self::ReEnrollment).
    IdentityRenewal,
    /// What a newer version said and this one does not know.
    #[serde(other)]
    Unknown,
}

/// What spoke for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EnrollmentReason {
    /// It sent `Authenticate`.
    Authenticate,
    /// It sent something else than `Authenticate`, and was vouched for.
    NoAuthenticate,
    /// No device of this name was seen before.
    UnknownDevice,
    /// It is enrolled, for all that is known here.
    WasEnrolled,
    /// It began to enrol before and sent no `TokenUpdate`.
    WasNotFinished,
    /// It checked out before, or the vendor took the enrolment back.
    WasDisabled,
    /// It came with the certificate that is pinned to it.
    PinnedCertificate,
    /// It came with a certificate that was pinned to it before the present one.
    FormerCertificate,
    /// It came with a certificate that was never seen.
    NewCertificate,
    /// No certificate was pinned to it: it was imported.
    NothingPinned,
    /// Somebody says that the certificate of its `Authenticate` is its renewed one
    /// ([`PinPolicy::may_renew`](crate::PinPolicy::may_renew)).
    VouchedFor,
    /// It waits in Setup Assistant: it was erased, or is new.
    AwaitingConfiguration,
    /// It does not wait in Setup Assistant: what it held, it may still hold.
    NotAwaitingConfiguration,
    /// What a newer version saw and this one does not know.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_version_says_is_unknown_and_hides_nothing_beside_it() {
        let newer =
            r#"{"kind":"loan","reasons":["authenticate","moonlight","was_enrolled"],"x":1}"#;
        let read: EnrollmentDecision = serde_json::from_str(newer).unwrap();
        let reasons = [
            EnrollmentReason::Authenticate,
            EnrollmentReason::Unknown,
            EnrollmentReason::WasEnrolled,
        ];
        let expected = EnrollmentDecision::new(EnrollmentKind::Unknown, reasons);
        assert_eq!(read, expected);
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(
            serde_json::from_str::<EnrollmentDecision>(&written).unwrap(),
            expected
        );
    }
}
