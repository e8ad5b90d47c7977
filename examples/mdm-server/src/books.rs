//! What the authority's books say of a certificate: what granted it, and whether it still counts.

use mdm_sdk::{
    core::SerialNumber,
    pki::{self, Certificate, RevocationReason},
    scep::{
        acme::identifier::Identifier,
        store::{CertificateRecord, GrantKind, Revocation},
    },
    service::{Fingerprint, Unavailable},
};

use crate::database::Database;

/// What may stand before the serial number in an identifier of ACME, and so in the certificate's names.
pub(crate) const PREFIX: &str = "serial:";

/// Certificates that are looked through together.
const PAGE: usize = 1_000;

/// The books.
#[derive(Debug, Clone)]
pub(crate) struct Books(Database);

/// A certificate of the books.
#[derive(Debug)]
pub(crate) struct Entry(CertificateRecord);

impl Books {
    /// The books in this database.
    pub(crate) fn new(database: &Database) -> Self {
        Self(database.clone())
    }

    /// This very certificate, if it stands there.
    pub(crate) async fn find(
        &self,
        certificate: &Certificate,
    ) -> Result<Option<Entry>, Unavailable> {
        let found = self.0.books().certificate(certificate.serial()).await;
        let found = found.map_err(Unavailable::new)?;
        // The holder may write the signature in another way.
        let is_it = |it: &CertificateRecord| it.certificate.tbs_der() == certificate.tbs_der();
        Ok(found.filter(is_it).map(Entry))
    }

    /// Revokes the certificate that a pin is of; whether the books know it. A pin tells no serial number, so all of them are
    /// looked through.
    pub(crate) async fn revoke(
        &self,
        pin: &Fingerprint,
        revocation: Revocation,
    ) -> Result<bool, Unavailable> {
        let mut behind = 0;
        loop {
            let page = self.0.issued_certificates(behind, PAGE).await;
            let page = page.map_err(Unavailable::new)?;
            for issued in &page {
                let certificate = &issued.record.certificate;
                if is_of(pin, certificate).map_err(Unavailable::new)? {
                    let serial = certificate.serial();
                    let revoked = self.0.books().revoke(serial, revocation).await;
                    return Ok(revoked.map_err(Unavailable::new)?.is_some());
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => behind = last.place,
                _ => return Ok(false),
            }
        }
    }
}

/// Whether a pin is of this certificate, in the form of today or in the former one.
fn is_of(pin: &Fingerprint, certificate: &Certificate) -> Result<bool, pki::Error> {
    let (now, former) = (
        Fingerprint::of(certificate)?,
        Fingerprint::of_whole(certificate)?,
    );
    Ok(*pin == now || *pin == former)
}

impl Entry {
    /// Why it does not count any more.
    pub(crate) fn revoked(&self) -> Option<RevocationReason> {
        self.0.revoked.map(|revocation| revocation.reason)
    }

    /// Whether an order of ACME granted it.
    pub(crate) fn is_ordered(&self) -> bool {
        self.0.granted == Some(GrantKind::Order)
    }

    /// Whether Apple attested this serial number for it. The name is not enough: an order has to have proven it.
    pub(crate) fn attests(&self, serial_number: &SerialNumber) -> bool {
        let names = self.0.certificate.subject_alt_names();
        let serial_number = serial_number.as_str();
        self.is_ordered()
            && [serial_number, &format!("{PREFIX}{serial_number}")]
                .into_iter()
                .filter_map(|name| Identifier::permanent_identifier(name).general_name())
                .any(|name| names.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use mdm_sdk::{
        core::{Clock as _, SystemClock},
        pki::{CertificateBuilder, KeySpec, Name, PrivateKey},
    };

    use super::*;

    #[test]
    fn a_pin_is_known_in_both_of_its_forms() {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let now = SystemClock.now();
        let [one, other] = ["one", "other"].map(|name| {
            let builder = CertificateBuilder::new(Name::from_common_name(name), key.public_key());
            builder.validity(now, now).self_signed(&key).unwrap()
        });
        for pin in [Fingerprint::of(&one), Fingerprint::of_whole(&one)] {
            let pin = pin.unwrap();
            assert!(is_of(&pin, &one).unwrap());
            assert!(!is_of(&pin, &other).unwrap());
        }
    }
}
