//! Which of the certificates from GetCACert is who, and whether to believe them.

use mdm_pki::{Certificate, DigestAlgorithm, KeyAlgorithm, KeyUsage, Name, oid};

use crate::{error::Error, message::is_issued_by};

/// What makes a server's certificates trusted. SCEP itself asks for no TLS, so this is what stands
/// between a challenge and whoever is on the way.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CaTrust {
    /// The fingerprint of the CA's or RA's certificate: `CAFingerprint` of a SCEP payload.
    Fingerprint {
        /// The digest that the fingerprint was made with.
        digest: DigestAlgorithm,
        /// Its bytes.
        fingerprint: Vec<u8>,
    },
    /// The CA's certificate itself.
    Certificate(Box<Certificate>),
    /// Whatever the server shows: right only where TLS has proven the server.
    Any,
}

impl CaTrust {
    /// A SHA-256 fingerprint.
    pub fn sha256(fingerprint: impl Into<Vec<u8>>) -> Self {
        Self::Fingerprint {
            digest: DigestAlgorithm::Sha256,
            fingerprint: fingerprint.into(),
        }
    }

    /// A fingerprint whose digest its length tells, as Apple's client has it: MD5, SHA-1, SHA-224,
    /// SHA-256, SHA-384, SHA-512.
    ///
    /// # Errors
    /// [`Error::Configuration`] for any other length.
    pub fn fingerprint(fingerprint: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let fingerprint = fingerprint.into();
        let digest = [
            DigestAlgorithm::Md5,
            DigestAlgorithm::Sha1,
            DigestAlgorithm::Sha224,
            DigestAlgorithm::Sha256,
            DigestAlgorithm::Sha384,
            DigestAlgorithm::Sha512,
        ]
        .into_iter()
        .find(|digest| digest.output_len() == fingerprint.len())
        .ok_or(Error::Configuration("no digest has this length"))?;
        Ok(Self::Fingerprint {
            digest,
            fingerprint,
        })
    }

    fn is(&self, certificate: &Certificate) -> Result<bool, Error> {
        Ok(match self {
            Self::Fingerprint {
                digest,
                fingerprint,
            } => certificate.fingerprint(*digest)? == *fingerprint,
            Self::Certificate(trusted) => **trusted == *certificate,
            Self::Any => certificate.is_ca(),
        })
    }
}

/// The certificates of GetCACert, each in its part.
#[derive(Debug, Clone)]
pub struct CaCertificates {
    all: Vec<Certificate>,
    recipient: Certificate,
    signers: Vec<Certificate>,
    issuers: Vec<Certificate>,
}

impl CaCertificates {
    /// Sorts a server's certificates.
    ///
    /// The trusted one must be among them. What opens requests or signs answers must be it, or be
    /// issued by it or by a CA of the list that leads to it. A certificate for TLS clients alone is
    /// never taken for a registration authority's: every enrolled device has one. Key usages are looked at
    /// where there are several certificates to choose from.
    ///
    /// # Errors
    /// [`Error::Untrusted`] without the trusted certificate; [`Error::Missing`] without an RSA
    /// certificate that may open requests or one that may sign answers.
    pub fn new(certificates: Vec<Certificate>, trust: &CaTrust) -> Result<Self, Error> {
        let anchor = anchor(&certificates, trust)?;
        let issuers = issuers(&certificates, anchor)?;
        let trusted = |certificate: &Certificate| {
            certificate == anchor
                || issuers
                    .iter()
                    .any(|issuer| is_issued_by(certificate, issuer))
        };
        // Registration authorities before CAs: where there is one, requests are meant for it.
        let (last, first): (Vec<_>, Vec<_>) = certificates
            .iter()
            .filter(|certificate| speaks_for_ca(certificate) && trusted(certificate))
            .partition(|certificate| certificate.is_ca());
        let candidates = || first.iter().chain(&last).copied();
        // A lone certificate does everything, whatever its key usage: micromdm's only signs certificates by
        // its own account, and Apple's client does not look.
        let lone = certificates.len() == 1;
        let may = |certificate, usage| lone || may(certificate, usage);
        let recipient = candidates()
            .find(|certificate| may(certificate, KeyUsage::KEY_ENCIPHERMENT))
            .ok_or(Error::Missing("CA certificate that opens requests"))?
            .clone();
        let signers: Vec<_> = candidates()
            .filter(|certificate| may(certificate, KeyUsage::DIGITAL_SIGNATURE))
            .cloned()
            .collect();
        if signers.is_empty() {
            return Err(Error::Missing("CA certificate that signs answers"));
        }
        Ok(Self {
            recipient,
            signers,
            issuers,
            all: certificates,
        })
    }

    /// All of them, in the server's order.
    pub fn all(&self) -> &[Certificate] {
        &self.all
    }

    /// The one that requests are encrypted to.
    pub fn recipient(&self) -> &Certificate {
        &self.recipient
    }

    /// The name of the CA that issues: the recipient's issuer where that is a registration authority.
    pub(crate) fn issuing_name(&self) -> Name {
        if self.recipient.is_ca() {
            self.recipient.subject()
        } else {
            self.recipient.issuer()
        }
    }

    /// Whether answers may be signed by this very certificate.
    pub fn may_answer(&self, certificate: &Certificate) -> bool {
        self.signers.contains(certificate)
    }

    /// The CAs that lead to the trusted certificate, that one first.
    pub fn issuers(&self) -> &[Certificate] {
        &self.issuers
    }

    /// The issuer of this certificate, if it is one of [`issuers`](Self::issuers).
    pub fn issuer_of(&self, certificate: &Certificate) -> Option<&Certificate> {
        self.issuers
            .iter()
            .find(|issuer| is_issued_by(certificate, issuer))
    }
}

fn anchor<'c>(certificates: &'c [Certificate], trust: &CaTrust) -> Result<&'c Certificate, Error> {
    for certificate in certificates {
        if trust.is(certificate)? {
            return Ok(certificate);
        }
    }
    match (trust, certificates) {
        // A lone certificate is its own authority, whatever it says of itself.
        (CaTrust::Any, [lone]) => Ok(lone),
        _ => Err(Error::Untrusted),
    }
}

/// The anchor if it issues, and every CA of the list below it. An anchor that does not issue, a pinned
/// registration authority, vouches for the CA that issued it.
fn issuers(certificates: &[Certificate], anchor: &Certificate) -> Result<Vec<Certificate>, Error> {
    let mut issuers = vec![anchor.clone()];
    if !anchor.is_ca() {
        issuers.extend(
            certificates
                .iter()
                .find(|certificate| certificate.is_ca() && is_issued_by(anchor, certificate))
                .cloned(),
        );
    }
    let mut rest: Vec<_> = certificates
        .iter()
        .filter(|certificate| certificate.is_ca() && !issuers.contains(certificate))
        .collect();
    loop {
        let before = issuers.len();
        rest.retain(|certificate| {
            let trusted = issuers
                .iter()
                .any(|issuer| is_issued_by(certificate, issuer));
            if trusted {
                issuers.push((*certificate).clone());
            }
            !trusted
        });
        if issuers.len() == before {
            return Ok(issuers);
        }
    }
}

fn may(certificate: &Certificate, usage: KeyUsage) -> bool {
    certificate
        .key_usage()
        .is_none_or(|allowed| allowed.contains(usage))
}

fn speaks_for_ca(certificate: &Certificate) -> bool {
    let rsa = certificate
        .public_key()
        .is_ok_and(|key| matches!(key.algorithm(), KeyAlgorithm::Rsa { .. }));
    let usages = certificate.extended_key_usages();
    let device = !usages.is_empty() && usages.iter().all(|usage| *usage == oid::CLIENT_AUTH);
    rsa && !device
}
