//! Apple's factory: the device CA, and the identity that each device leaves it with.

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{Certificate, CertificateBuilder, Identity, KeySpec, KeyUsage, Name, PrivateKey};

use crate::{Error, Hardware};

/// A device CA in the shape of Apple's: a root, and under it the CA that certifies devices.
///
/// A server that checks `MachineInfo` pins [`DeviceCa::certificate`], as it pins Apple's (Q2).
#[derive(Debug)]
pub struct DeviceCa {
    root: Certificate,
    certificate: Certificate,
    key: PrivateKey,
    made_at: DateTime<Utc>,
}

impl DeviceCa {
    /// Mints a root and a device CA that are valid for ten years around `now`.
    ///
    /// # Errors
    /// [`Error::Pki`] when no key can be made.
    pub fn new(now: DateTime<Utc>) -> Result<Self, Error> {
        let (from, until) = (now - TimeDelta::days(3650), now + TimeDelta::days(3650));
        let root_key = PrivateKey::generate(KeySpec::Rsa2048)?;
        let root = CertificateBuilder::new(
            Name::from_common_name("Simulated Apple Root CA"),
            root_key.public_key(),
        )
        .validity(from, until)
        .ca(None)
        .key_usage(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN)
        .self_signed(&root_key)?;
        let key = PrivateKey::generate(KeySpec::Rsa2048)?;
        let certificate = CertificateBuilder::new(
            Name::from_common_name("Simulated Apple Device CA"),
            key.public_key(),
        )
        .validity(from, until)
        .ca(Some(0))
        .key_usage(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN)
        .sign(&root, &root_key)?;
        Ok(Self {
            root,
            certificate,
            key,
            made_at: now,
        })
    }

    /// The certificate of the CA that signs the devices' own: what a server pins.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The identity that a device is built with, named after its serial number.
    ///
    /// # Errors
    /// [`Error::Pki`] when no key can be made.
    pub fn device_identity(&self, hardware: &Hardware) -> Result<Identity, Error> {
        let key = PrivateKey::generate(KeySpec::Rsa2048)?;
        let certificate = CertificateBuilder::new(
            Name::from_common_name(hardware.serial_number.as_str()),
            key.public_key(),
        )
        .validity(
            self.made_at - TimeDelta::days(365),
            self.made_at + TimeDelta::days(365),
        )
        .key_usage(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT)
        .sign(&self.certificate, &self.key)?;
        let chain = vec![self.certificate.clone(), self.root.clone()];
        Ok(Identity::new(certificate, chain, key)?)
    }
}
