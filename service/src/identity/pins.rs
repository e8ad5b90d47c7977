//! Which certificate may be pinned to which enrolment, and what is a renewal.

use std::fmt;

use async_trait::async_trait;
use mdm_core::SerialNumber;
use mdm_pki::{Certificate, GeneralName, Oid};
use mdm_protocol::{EnrollmentId, checkin::Authenticate};

use crate::{
    Enrollment, EnrollmentStatus, Invitation, Unavailable,
    enrollment::decide::tells_known_serial_number,
};

/// Says which certificate may speak for an enrolment.
///
/// A certificate belongs to the first device that it was pinned to, for good: what another device had
/// before is refused without asking here. A *former* pin of the same device comes back by `Authenticate`
/// alone, and never by renewal, so that a device which holds two identities (a SCEP certificate that
/// lingers beside that of ACME, mdmdirector#166) does not change its pin back and forth: the messages
/// that it signs with the former one are answered 403, which changes nothing.
#[async_trait]
pub trait PinPolicy: fmt::Debug + Send + Sync {
    /// Whether the certificate of an `Authenticate` may be pinned to the device that it names; the device
    /// is answered 403 without a body if not, and the vendor is told
    /// ([`EventKind::Refused`](crate::EventKind::Refused), reason `pinned`).
    ///
    /// Whatever an `Authenticate` tells of a device, its sender chose: a trusted certificate shows that
    /// somebody was let in, and not that it is *this* device's. So by default a pin that is in force gives
    /// way only to what is [proven](Pinning::is_proven) to be the device, and a device whose pin is not in
    /// force ([`is_released`](Pinning::is_released)) is anybody's. A device that was wiped and enrols by
    /// automated or over-the-air enrolment, or by a link for its serial number, is proven; one that comes by a new link for
    /// anybody is not, until the vendor takes the former enrolment back
    /// ([`Service::retire`](crate::Service::retire)) or says here what else counts.
    ///
    /// May be called again for the same message, when the enrolment changed meanwhile.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be told now; the device is answered 503.
    async fn may_pin(&self, pinning: &Pinning<'_>) -> Result<bool, Unavailable> {
        Ok(pinning.is_released() || pinning.is_proven())
    }

    /// Whether `certificate` is the renewed identity of `known`, and so may take the place of its pinned
    /// `certificate`: a device that renewed sends no `Authenticate` and goes on with the new one. Asked
    /// when it comes for the first time, and only if it was never pinned to any device; the device is
    /// answered 403 if not.
    ///
    /// Asked at `Authenticate` as well, for an enrolled device that names the invitation of its last profile, or none as it did
    /// then: one that is made to install that profile again renews like that. Where the answer is `true`,
    /// [`may_pin`](Self::may_pin) is not asked, and the queue and the users stay, unless the `TokenUpdate` says that
    /// the device was erased. Of devices that enrol without invitations an erased one is not told from one that
    /// renews unless it says so.
    ///
    /// By default never: a certificate of a trusted issuer that names a known device proves nothing yet
    /// (Q4). The device keeps its queue and its tokens, so `true` hands them over.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be told now; the device is answered 503.
    async fn may_renew(
        &self,
        certificate: &Certificate,
        known: &Enrollment,
    ) -> Result<bool, Unavailable> {
        let _ = (certificate, known);
        Ok(false)
    }
}

/// A certificate that came with an `Authenticate`, and what is known of the device that it names.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Pinning<'a> {
    /// The certificate. Its holder signed the message.
    pub certificate: &'a Certificate,
    /// The message; all that it tells is the sender's choice.
    pub message: &'a Authenticate,
    /// The device that the certificate would speak for: by the message's `UDID`, or its `EnrollmentID`
    /// where it tells no `UDID`.
    pub device: &'a EnrollmentId,
    /// The enrolment as it is, if the device was ever seen. What comes for it later goes to the new
    /// certificate, and its present `certificate` is refused from then on.
    pub known: Option<&'a Enrollment>,
    /// The invitation that the message names: one that exists, may be spent by this device, and is for
    /// none that tells something else of itself.
    pub invitation: Option<&'a Invitation>,
    /// Whether the certificate is the device's pin, or was before.
    pub is_own: bool,
    /// Whether the message names the invitation by which the device enrolled last: the same profile was
    /// installed again (Q16).
    pub is_invited_as_before: bool,
}

impl Pinning<'_> {
    /// Whether no pin has to give way: the device was never seen, has checked out, or the vendor took it
    /// back.
    pub fn is_released(&self) -> bool {
        self.known
            .is_none_or(|known| known.status == EnrollmentStatus::Disabled)
    }

    /// Whether it is the device that is known:
    ///
    /// - it has a certificate that was pinned to it, or names the invitation of its last profile (whose name
    ///   nobody else was told), and tells the serial number that is known;
    /// - or its invitation is for this very device: for its `UDID`, or for the serial number under which
    ///   it is known. Such an invitation goes into a profile that is handed out to somebody who showed a
    ///   certificate of Apple's for the device, or by a link that the vendor made for one serial number.
    pub fn is_proven(&self) -> bool {
        let told = self.message.serial_number.as_ref();
        let is_as_known = self
            .known
            .is_none_or(|known| tells_known_serial_number(known, told));
        ((self.is_own || self.is_invited_as_before) && is_as_known)
            || self.invitation.is_some_and(|invitation| {
                let udid = invitation.udid.as_ref().map(AsRef::as_ref);
                udid == Some(self.device.device_id())
                    || self.is_serial_number(invitation.serial_number.as_ref())
            })
    }

    /// Whether the device is known under this serial number and tells it. A number that only the message
    /// tells says nothing of the `UDID` beside it.
    fn is_serial_number(&self, number: Option<&SerialNumber>) -> bool {
        let known = self.known.and_then(|known| known.serial_number.as_ref());
        number.is_some() && number == known && number == self.message.serial_number.as_ref()
    }

    /// Whether these names are of this device: one is what its enrolment is kept by, or a serial number that belongs
    /// to it, because it is known under that or because its invitation is for both.
    fn is_named(&self, is_name: impl Fn(&str) -> bool) -> bool {
        if is_name(self.device.device_id()) {
            return true;
        }
        let Some(told) = &self.message.serial_number else {
            return false;
        };
        let is_tied = self.invitation.is_some_and(|invitation| {
            let udid = invitation.udid.as_ref().map(AsRef::as_ref);
            udid == Some(self.device.device_id()) && invitation.serial_number.as_ref() == Some(told)
        });
        is_name(told.as_str()) && (is_tied || self.is_serial_number(Some(told)))
    }
}

/// What holds where nothing is chosen: a pin in force stays, unless the device is proven to be the same;
/// and nothing is a renewal.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeepPins;

impl PinPolicy for KeepPins {}

/// Lets whatever certificate a trusted issuer issued take the place of any pin, if only the `Authenticate`
/// tells the serial number that is known ([`tells_known_serial_number`]); nothing is a renewal.
///
/// For issuers that hand out no certificate but to devices that may replace each other. Anybody who has one takes
/// over any device whose `UDID` and serial number they know.
#[derive(Debug, Clone, Copy, Default)]
pub struct IssuerDecides;

#[async_trait]
impl PinPolicy for IssuerDecides {
    async fn may_pin(&self, pinning: &Pinning<'_>) -> Result<bool, Unavailable> {
        let told = pinning.message.serial_number.as_ref();
        Ok(pinning
            .known
            .is_none_or(|known| tells_known_serial_number(known, told)))
    }
}

/// Takes a certificate for the device's where it names it by `UDID`, `EnrollmentID` or serial number: for a renewal,
/// and at `Authenticate` for one that may take the place of a pin.
///
/// Right where the issuer itself vouches for these names, because it issues to attested devices or
/// compares the request with the device that it gave the challenge to. Wrong where it signs whatever
/// subject a request has: then anybody with a challenge speaks for any device. So only the common name is
/// looked at unless more is said, each of which the issuer has to vouch for: who bound the common name alone
/// lets the device choose the rest.
///
/// A name by the serial number counts for the device that is known under it. At the first `Authenticate` only the
/// invitation can show which `UDID` belongs to the number, or a device would take the place of another that has not come yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct NamedInCertificate {
    also_to_enroll: bool,
    in_serial_number: bool,
    in_alternative_names: bool,
}

impl NamedInCertificate {
    /// Looks at the common name of the subject.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the `serialNumber` of the subject as well (X.520, section 6.2.9).
    #[must_use]
    pub fn in_serial_number(mut self) -> Self {
        self.in_serial_number = true;
        self
    }

    /// Looks at the alternative names as well: DNS names, mail addresses, principal names, and the end of URIs
    /// such as `urn:udid:...`.
    #[must_use]
    pub fn in_alternative_names(mut self) -> Self {
        self.in_alternative_names = true;
        self
    }

    /// Asks for the name at every `Authenticate`, also of a device that was never seen. Where certificates are named by serial
    /// numbers, such a device has to come by an invitation that is for its `UDID` too.
    #[must_use]
    pub fn also_to_enroll(mut self) -> Self {
        self.also_to_enroll = true;
        self
    }

    fn names(self, certificate: &Certificate, wanted: &str) -> bool {
        let subject = certificate.subject();
        let is_wanted = |name: &str| is_same(name, wanted);
        subject.common_name().as_deref().is_some_and(is_wanted)
            || (self.in_serial_number
                && subject.get(SERIAL_NUMBER).as_deref().is_some_and(is_wanted))
            || (self.in_alternative_names
                && certificate
                    .subject_alt_names()
                    .iter()
                    .any(|name| match name {
                        GeneralName::Dns(text)
                        | GeneralName::Email(text)
                        | GeneralName::UserPrincipalName(text) => is_wanted(text),
                        // `urn:udid:...`, `https://example.com/devices/...`
                        GeneralName::Uri(text) => {
                            is_wanted(text.rsplit([':', '/']).next().unwrap_or_default())
                        }
                        _ => false,
                    }))
    }
}

#[async_trait]
impl PinPolicy for NamedInCertificate {
    async fn may_pin(&self, pinning: &Pinning<'_>) -> Result<bool, Unavailable> {
        let is_named = pinning.is_named(|name| self.names(pinning.certificate, name));
        Ok(is_named || (!self.also_to_enroll && KeepPins.may_pin(pinning).await?))
    }

    async fn may_renew(
        &self,
        certificate: &Certificate,
        known: &Enrollment,
    ) -> Result<bool, Unavailable> {
        let mut names = names_of(known).into_iter().flatten();
        Ok(names.any(|name| self.names(certificate, name)))
    }
}

/// Remembers for which device a certificate was issued: what an authority with a database of its own
/// offers here.
#[async_trait]
pub trait IssuingRecord: fmt::Debug + Send + Sync {
    /// The `UDID`, `EnrollmentID` or serial number of the device that the certificate was issued for;
    /// `None` if it was not issued here, or for nobody in particular.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be told now.
    async fn issued_for(&self, certificate: &Certificate) -> Result<Option<String>, Unavailable>;
}

/// Takes a certificate for the device's where the record of its issuer says so: for a renewal, and at `Authenticate`
/// for one that may take the place of a pin.
#[derive(Debug, Clone)]
pub struct ByIssuingRecord<R>(pub R);

#[async_trait]
impl<R: IssuingRecord> PinPolicy for ByIssuingRecord<R> {
    async fn may_pin(&self, pinning: &Pinning<'_>) -> Result<bool, Unavailable> {
        if KeepPins.may_pin(pinning).await? {
            return Ok(true);
        }
        let device = self.0.issued_for(pinning.certificate).await?;
        Ok(device.is_some_and(|device| pinning.is_named(|name| is_same(&device, name))))
    }

    async fn may_renew(
        &self,
        certificate: &Certificate,
        known: &Enrollment,
    ) -> Result<bool, Unavailable> {
        let device = self.0.issued_for(certificate).await?;
        let mut names = names_of(known).into_iter().flatten();
        Ok(device.is_some_and(|device| names.any(|name| is_same(&device, name))))
    }
}

/// As another policy, and besides takes the first certificate with which an imported enrolment comes:
/// those know no pin. The issuer is all that speaks for it, so take the policy away once the devices of
/// an import were seen.
#[derive(Debug, Clone)]
pub struct AdoptImported<P = KeepPins>(pub P);

impl AdoptImported {
    /// With no other policy than that pins are kept.
    pub const fn new() -> Self {
        Self(KeepPins)
    }
}

impl Default for AdoptImported {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl<P: PinPolicy> PinPolicy for AdoptImported<P> {
    async fn may_pin(&self, pinning: &Pinning<'_>) -> Result<bool, Unavailable> {
        let is_imported = pinning
            .known
            .is_some_and(|known| known.certificate.is_none());
        Ok(is_imported || self.0.may_pin(pinning).await?)
    }

    async fn may_renew(
        &self,
        certificate: &Certificate,
        known: &Enrollment,
    ) -> Result<bool, Unavailable> {
        if known.certificate.is_none() {
            return Ok(true);
        }
        self.0.may_renew(certificate, known).await
    }
}

/// `serialNumber` of a subject (X.520, section 6.2.9).
const SERIAL_NUMBER: Oid = Oid::constant("2.5.4.5");

fn names_of(known: &Enrollment) -> [Option<&str>; 2] {
    let serial_number = known.serial_number.as_ref().map(AsRef::as_ref);
    [Some(known.id.device_id()), serial_number]
}

fn is_same(name: &str, wanted: &str) -> bool {
    !wanted.is_empty() && wanted.eq_ignore_ascii_case(name)
}
