//! How a device gets the identity that it shows to the server.

use crate::{
    builder::{PayloadRef, ProfileBuilder},
    error::Error,
    payload::{AcmeCertificate, CertificatePkcs12, Scep, scep::ScepContent},
};

/// How a device gets its identity; made from the payload of each kind.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EnrollmentIdentity {
    /// By SCEP. Where it says nothing about the key, that is one of RSA with 2048 bits, to sign and
    /// to encrypt.
    Scep(Box<ScepContent>),
    /// By ACME, attested by Apple where the payload asks for that.
    Acme(AcmeCertificate),
    /// It comes along, key included; only for tests and for what speaks neither of the others.
    Pkcs12(CertificatePkcs12),
}

impl From<ScepContent> for EnrollmentIdentity {
    fn from(scep: ScepContent) -> Self {
        Self::Scep(Box::new(scep))
    }
}

impl From<AcmeCertificate> for EnrollmentIdentity {
    fn from(acme: AcmeCertificate) -> Self {
        Self::Acme(acme)
    }
}

impl From<CertificatePkcs12> for EnrollmentIdentity {
    fn from(file: CertificatePkcs12) -> Self {
        Self::Pkcs12(file)
    }
}

impl EnrollmentIdentity {
    pub(super) fn check(&self) -> Result<(), Error> {
        let begins = |url: &str, scheme: &str| {
            let start = url.get(..scheme.len()).unwrap_or_default();
            start.eq_ignore_ascii_case(scheme)
        };
        match self {
            // SCEP protects its own messages, so Apple takes plain HTTP here.
            Self::Scep(scep) if !begins(&scep.url, "http") => Err(Error::Invalid {
                key: "URL",
                problem: "of the SCEP server is no http or https URL",
            }),
            Self::Acme(acme) if !begins(&acme.directory_url, "https://") => Err(Error::Invalid {
                key: "DirectoryURL",
                problem: "is no https URL",
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn add(&self, profile: &mut ProfileBuilder) -> Result<PayloadRef, Error> {
        match self {
            Self::Scep(scep) => profile.add("scep", &Scep::new((**scep).clone().or_rsa_2048())),
            Self::Acme(acme) => profile.add("acme", acme),
            Self::Pkcs12(file) => profile.add("identity", file),
        }
    }
}
