//! What identities are issued for: the one name in a certificate, which its challenge is bound to and which alone is
//! looked at when the certificate comes.

use async_trait::async_trait;
use mdm_sdk::{
    core::SerialNumber,
    pki::{Certificate, DigestAlgorithm, GeneralName, digest},
    scep::Bound,
    service::{Enrollment, Unavailable, identity::PinPolicy},
};

use crate::books::Books;

/// Longest common name, in characters (X.520's `ub-common-name`).
const LONGEST: usize = 64;

/// What an identity is issued for, as text. The kinds begin differently, so that none passes for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IssuedFor(String);

impl IssuedFor {
    /// A device that Apple or an operator named by its serial number.
    pub(crate) fn device(serial_number: &SerialNumber) -> Result<Self, Unavailable> {
        let name = serial_number.as_str();
        // Every other name has a colon.
        match name.chars().count() <= LONGEST && !name.contains(':') {
            true => Ok(Self(name.to_owned())),
            false => hashed("serial", &[name]),
        }
    }

    /// Whoever came by this invitation. Its name is a secret until a device has spent it, and is not told.
    pub(crate) fn link(invitation: &str) -> Result<Self, Unavailable> {
        hashed("link", &[invitation])
    }

    /// The device of this enrolment, in the place of the identity that it has; not after its next `Authenticate`.
    pub(crate) fn renewal(known: &Enrollment) -> Result<Self, Unavailable> {
        let since = known.authenticated_at.map(|at| at.timestamp().to_string());
        let since = since.unwrap_or_default();
        hashed("renewal", &[&known.id.to_string(), &since])
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What binds a challenge to it: no other name gets into the certificate.
    pub(crate) fn bound(&self) -> Bound {
        Bound::device(&self.0).with(|bound| bound.alt_names = Some(Vec::new()))
    }

    /// What says so in a certificate beside an attested name.
    pub(crate) fn alternative_name(&self) -> GeneralName {
        GeneralName::Uri(format!("urn:mdm-server:{}", self.0))
    }

    /// Whether the certificate was issued for this.
    pub(crate) fn is_in(&self, certificate: &Certificate) -> bool {
        certificate.subject().common_name().as_deref() == Some(self.as_str())
    }
}

fn hashed(kind: &str, of: &[&str]) -> Result<IssuedFor, Unavailable> {
    let text = [&[kind], of].concat().join("\0");
    let digest = digest(DigestAlgorithm::Sha256, text.as_bytes()).map_err(Unavailable::new)?;
    let digits = digest.iter().take(16).map(|byte| format!("{byte:02x}"));
    Ok(IssuedFor(format!("{kind}:{}", digits.collect::<String>())))
}

/// Takes for a renewed identity what was issued for this very enrolment to renew its own, or what Apple attested for its
/// device anew by the profile that it enrolled with; whatever gets a device in does not. A pin in force stays, unless the
/// device is proven to be the same.
#[derive(Debug)]
pub(crate) struct Pins(pub(crate) Books);

#[async_trait]
impl PinPolicy for Pins {
    async fn may_renew(
        &self,
        certificate: &Certificate,
        known: &Enrollment,
    ) -> Result<bool, Unavailable> {
        let entry = self.0.find(certificate).await?;
        if entry.as_ref().is_some_and(|it| it.revoked().is_some()) {
            return Ok(false);
        }
        if IssuedFor::renewal(known)?.is_in(certificate) {
            return Ok(true);
        }
        let device = entry.zip(known.serial_number.as_ref());
        let is_attested = device.is_some_and(|(entry, number)| entry.attests(number));
        // Whoever has the device has it attested: only its profile tells where it came by.
        let link = known
            .invitation
            .as_deref()
            .map(IssuedFor::link)
            .transpose()?;
        let is_by_its_profile = link.is_some_and(|link| {
            let names = certificate.subject_alt_names();
            names.contains(&link.alternative_name())
        });
        Ok(is_attested && is_by_its_profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_passes_for_one_of_another_kind_and_each_fits_into_a_certificate() {
        let long = "x".repeat(256);
        let mut names = Vec::new();
        for text in ["C02MS0000001", "link:00", "renewal:00", long.as_str()] {
            names.push(IssuedFor::device(&text.parse().unwrap()).unwrap());
            names.push(IssuedFor::link(text).unwrap());
        }
        let id = "device:UDID-7".parse().unwrap();
        names.push(IssuedFor::renewal(&Enrollment::new(id)).unwrap());
        for (place, name) in names.iter().enumerate() {
            assert!(name.as_str().chars().count() <= LONGEST, "{name:?}");
            assert!(!names[..place].contains(name), "{name:?}");
        }
    }

    #[test]
    fn a_name_for_a_renewal_ends_with_the_enrolment() {
        let id = "device:UDID-7".parse().unwrap();
        let mut enrolled = Enrollment::new(id);
        enrolled.authenticated_at = Some("2026-11-22T12:00:00Z".parse().unwrap());
        let name = IssuedFor::renewal(&enrolled).unwrap();
        assert_eq!(IssuedFor::renewal(&enrolled.clone()).unwrap(), name);
        enrolled.authenticated_at = Some("2026-11-22T12:00:01Z".parse().unwrap());
        assert_ne!(IssuedFor::renewal(&enrolled).unwrap(), name);
    }
}
