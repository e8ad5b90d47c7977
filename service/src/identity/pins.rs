//! Which certificate may be pinned to which enrolment, and what is a renewal.

use std::fmt;

use async_trait::async_trait;
use mdm_pki::{Certificate, GeneralName, Oid};
use mdm_protocol::checkin::Authenticate;

use crate::{Enrollment, Unavailable, enrollment::decide::tells_known_serial_number};

/// Says which certificate may speak for an enrolment from now on.
///
/// A certificate belongs to the first device that it was pinned to, for good: what another device had
/// before is refused without asking here. A *former* pin of the same device comes back by `Authenticate`
/// alone, and never by renewal, so that a device which holds two identities (a SCEP certificate that
/// lingers beside that of ACME, mdmdirector#166) does not change its pin back and forth: the messages
/// that it signs with the former one are answered 403, which changes nothing.
#[async_trait]
pub trait PinPolicy: fmt::Debug + Send + Sync {
    /// Whether `certificate` may be pinned to the device that `message` names; the device is answered
    /// 403 if not. `known` is the enrolment as it is, if there is one, and its `certificate` the pin
    /// that would be replaced: what comes for the device later goes to the new certificate, and the
    /// former one is refused from then on.
    ///
    /// By default any certificate of a trusted issuer that was never pinned to another device may enrol
    /// any device, also one that enrolled with another certificate before: a wiped device comes back
    /// like that and need not have checked out (Q14). Only the serial number must be the one that is
    /// known ([`tells_known_serial_number`]). So the issuer decides who gets in. Where certificates are
    /// handed out less carefully than enrolments shall be, compare the certificate with the message here
    /// ([`NamedInCertificate::also_to_enroll`]), or refuse to replace a pin that the vendor did not
    /// release.
    ///
    /// May be called again for the same message, when the enrolment changed meanwhile.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be told now; the device is answered 503.
    async fn may_pin(
        &self,
        certificate: &Certificate,
        message: &Authenticate,
        known: Option<&Enrollment>,
    ) -> Result<bool, Unavailable> {
        let _ = certificate;
        Ok(known
            .is_none_or(|known| tells_known_serial_number(known, message.serial_number.as_ref())))
    }

    /// Whether `certificate` is the renewed identity of `known`, and so may take the place of its pinned
    /// `certificate`: a device that renewed sends no `Authenticate` and goes on with the new one. Asked
    /// when it comes for the first time, and only if it was never pinned to any device; the device is
    /// answered 403 if not.
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

/// What holds where nothing is chosen: the issuer decides who enrols, and nothing is a renewal.
#[derive(Debug, Clone, Copy, Default)]
pub struct IssuerDecides;

impl PinPolicy for IssuerDecides {}

/// Takes a certificate for a renewal where it names the device: in the subject (`CN`, `serialNumber`) or
/// in an alternative name, by `UDID`, `EnrollmentID` or serial number.
///
/// Right where the issuer itself vouches for these names, because it issues to attested devices or
/// compares the request with the device that it gave the challenge to. Wrong where it signs whatever
/// subject a request has: then anybody with a challenge speaks for any device.
#[derive(Debug, Clone, Copy, Default)]
pub struct NamedInCertificate {
    also_to_enroll: bool,
}

impl NamedInCertificate {
    /// Asks for the name in renewals.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the name at `Authenticate` as well.
    #[must_use]
    pub fn also_to_enroll(mut self) -> Self {
        self.also_to_enroll = true;
        self
    }
}

#[async_trait]
impl PinPolicy for NamedInCertificate {
    async fn may_pin(
        &self,
        certificate: &Certificate,
        message: &Authenticate,
        known: Option<&Enrollment>,
    ) -> Result<bool, Unavailable> {
        let of_message = [
            message.udid.as_ref().map(AsRef::as_ref),
            message.enrollment_id.as_deref(),
            message.serial_number.as_ref().map(AsRef::as_ref),
        ];
        let is_named = !self.also_to_enroll || names(certificate, &of_message);
        Ok(is_named && IssuerDecides.may_pin(certificate, message, known).await?)
    }

    async fn may_renew(
        &self,
        certificate: &Certificate,
        known: &Enrollment,
    ) -> Result<bool, Unavailable> {
        Ok(names(certificate, &names_of(known)))
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

/// Takes a certificate for a renewal where the record of its issuer says that it is this device's.
#[derive(Debug, Clone)]
pub struct ByIssuingRecord<R>(pub R);

#[async_trait]
impl<R: IssuingRecord> PinPolicy for ByIssuingRecord<R> {
    async fn may_renew(
        &self,
        certificate: &Certificate,
        known: &Enrollment,
    ) -> Result<bool, Unavailable> {
        let device = self.0.issued_for(certificate).await?;
        Ok(device.is_some_and(|device| is_one_of(&device, &names_of(known))))
    }
}

/// As another policy, and besides takes the first certificate with which an imported enrolment comes:
/// those know no pin. The issuer is all that speaks for it, so take the policy away once the devices of
/// an import were seen.
#[derive(Debug, Clone)]
pub struct AdoptImported<P = IssuerDecides>(pub P);

impl AdoptImported {
    /// With no other policy than that the issuer decides.
    pub const fn new() -> Self {
        Self(IssuerDecides)
    }
}

impl Default for AdoptImported {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl<P: PinPolicy> PinPolicy for AdoptImported<P> {
    async fn may_pin(
        &self,
        certificate: &Certificate,
        message: &Authenticate,
        known: Option<&Enrollment>,
    ) -> Result<bool, Unavailable> {
        self.0.may_pin(certificate, message, known).await
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

fn names(certificate: &Certificate, wanted: &[Option<&str>]) -> bool {
    let subject = certificate.subject();
    let in_subject = [subject.common_name(), subject.get(SERIAL_NUMBER)];
    let mut names = in_subject.iter().flatten();
    names.any(|name| is_one_of(name, wanted))
        || certificate
            .subject_alt_names()
            .iter()
            .any(|name| match name {
                GeneralName::Dns(text)
                | GeneralName::Email(text)
                | GeneralName::UserPrincipalName(text) => is_one_of(text, wanted),
                // `urn:udid:...`, `https://example.com/devices/...`
                GeneralName::Uri(text) => {
                    let last = text.rsplit([':', '/']).next().unwrap_or_default();
                    is_one_of(last, wanted)
                }
                _ => false,
            })
}

fn is_one_of(name: &str, wanted: &[Option<&str>]) -> bool {
    let mut wanted = wanted.iter().flatten().filter(|wanted| !wanted.is_empty());
    wanted.any(|wanted| wanted.eq_ignore_ascii_case(name))
}
