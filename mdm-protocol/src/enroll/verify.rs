//! The signature of MachineInfo, and of the other documents that a device signs before it is
//! enrolled.

use chrono::{DateTime, Utc};
use mdm_pki::{
    Certificate,
    cms::{Limits, SignedData, Verify, VerifyError},
};

use super::MachineInfo;
use crate::error::Error;

/// The authorities that issue device certificates, pinned.
///
/// Pin the issuing authority itself (the "Apple iPhone Device CA"), not only Apple's root: the root
/// has signed much else. Validity does not count, because that authority expired in 2014 and its
/// issuer in 2022, and devices still sign with what they issued (Q2).
#[derive(Debug, Clone)]
pub struct DeviceAuthorities {
    pinned: Vec<Certificate>,
    limits: Limits,
}

impl DeviceAuthorities {
    /// Takes the pinned authorities. A message may have 256 KiB and 16 certificates.
    ///
    /// # Errors
    /// [`MachineInfoError::NotAnAuthority`] for a certificate that may not issue others.
    pub fn new(pinned: Vec<Certificate>) -> Result<Self, MachineInfoError> {
        if pinned.iter().all(Certificate::is_ca) {
            Ok(Self {
                pinned,
                limits: Limits::default().with(|limits| {
                    limits.bytes = 256 << 10;
                    limits.certificates = 16;
                }),
            })
        } else {
            Err(MachineInfoError::NotAnAuthority)
        }
    }

    /// Takes messages within other bounds.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Verifies a signed MachineInfo: DER or BER, with signed attributes or without, exactly one
    /// signer whose certificate a pinned authority issued (Q2).
    ///
    /// `now` is not compared with anything that decides; it is what the signature library wants.
    ///
    /// # Errors
    /// [`MachineInfoError`].
    pub fn verify(
        &self,
        cms: &[u8],
        now: DateTime<Utc>,
    ) -> Result<VerifiedMachineInfo, MachineInfoError> {
        let signed = SignedData::parse(cms, &self.limits)?;
        let content = signed.content().ok_or(MachineInfoError::NoContent)?;
        let signer = self.signer(&signed, now)?;
        Ok(VerifiedMachineInfo {
            info: MachineInfo::decode(content)?,
            signer,
        })
    }

    fn signer(
        &self,
        signed: &SignedData,
        now: DateTime<Utc>,
    ) -> Result<Certificate, MachineInfoError> {
        let layers = signed.verify(&Verify::new(&self.pinned, now))?;
        let [layer] = &layers[..] else {
            return Err(MachineInfoError::Signers(layers.len()));
        };
        let signer = layer.validity_does_not_matter()?;
        Ok(signer.clone())
    }
}

/// A MachineInfo that a genuine device signed, and the certificate that it signed with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifiedMachineInfo {
    /// What the device says.
    pub info: MachineInfo,
    /// The device's certificate.
    pub signer: Certificate,
}

/// Why a signed MachineInfo does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MachineInfoError {
    /// A certificate to pin that may not issue others.
    #[error("a pinned certificate is no certificate authority")]
    NotAnAuthority,
    /// No CMS message that can be read.
    #[error("the signed MachineInfo cannot be read")]
    Cms(#[from] mdm_pki::Error),
    /// A detached signature.
    #[error("the CMS message carries no MachineInfo")]
    NoContent,
    /// Not exactly one signer.
    #[error("the MachineInfo has {0} signers, not one")]
    Signers(usize),
    /// The signature does not hold, or no pinned authority issued the signer's certificate.
    #[error("the signature of the MachineInfo does not count")]
    Signature(#[from] VerifyError),
    /// The content is no MachineInfo.
    #[error(transparent)]
    Document(#[from] Error),
}
