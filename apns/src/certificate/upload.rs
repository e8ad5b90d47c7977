//! The file that Apple's push certificates portal takes: a customer's request, signed by a vendor
//! (Apple, "Setting Up Push Notifications for Your MDM Customers").

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use mdm_pki::{
    Certificate, CertificateRequest, KeyError, Name, PublicKey, SignatureAlgorithm, pem,
};
use serde::{Deserialize, Serialize};

use super::{UnfitKey, check_key};

/// The longest file that is read unless told otherwise, in bytes; real ones have about 10,000.
pub const DEFAULT_MAX_BYTES: usize = 256 * 1024;
/// The most certificates in the chain: the vendor's, and the authorities above it.
pub const MAX_CHAIN: usize = 8;

/// A customer's request with the vendor's signature and certificates.
///
/// As a file it is base64 around an XML property list of three strings: `PushCertRequestCSR`, the
/// request in base64; `PushCertCertificateChain`, the vendor's certificate, Apple's intermediate
/// and Apple's root in PEM; `PushCertSignature`, the vendor's RSA signature (PKCS #1 v1.5, SHA-256)
/// over the request's DER, in base64.
///
/// ```
/// use chrono::{DateTime, Utc};
/// use mdm_apns::certificate::{PushCertificateRequest, upload::RequestError};
/// use mdm_pki::PublicKey;
///
/// // What a vendor sent back: is it whole, and is it for our key?
/// fn look(file: &[u8], ours: &PublicKey, now: DateTime<Utc>) -> Result<bool, RequestError> {
///     let request = PushCertificateRequest::read(file)?;
///     request.verify(now)?;
///     Ok(request.is_for(ours))
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PushCertificateRequest {
    csr: CertificateRequest,
    chain: Vec<Certificate>,
    signature: Vec<u8>,
}

/// Why a request for the portal could not be made, read or believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The file is longer than the limit.
    #[error("the file is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The file is neither base64 nor a property list.
    #[error("the file is neither base64 nor a property list")]
    NotBase64,
    /// The property list cannot be read or written, or one of its three strings is missing.
    #[error(
        "not a property list with PushCertRequestCSR, PushCertCertificateChain and PushCertSignature"
    )]
    Plist(#[from] mdm_plist::Error),
    /// One of the three strings does not hold what it should.
    #[error("{name} cannot be read")]
    Field {
        /// Which.
        name: &'static str,
        /// Why not.
        #[source]
        source: mdm_pki::Error,
    },
    /// The customer's request is not signed by its own key, so nobody knows who holds that.
    #[error("the customer's request is not signed by its own key")]
    CustomerSignature(#[source] mdm_pki::Error),
    /// Apple's portal does not take the customer's key.
    #[error("the customer's key is not taken")]
    CustomerKey(#[from] UnfitKey),
    /// There is no certificate.
    #[error("the chain holds no certificate")]
    NoCertificate,
    /// More than [`MAX_CHAIN`] certificates.
    #[error("the chain holds more than {MAX_CHAIN} certificates")]
    TooManyCertificates,
    /// Nobody in the chain issued one of its certificates.
    #[error("the authority that issued {subject} is missing, or does not stand above it")]
    Unlinked {
        /// Whose certificate it is.
        subject: Name,
    },
    /// A certificate of the chain has expired.
    #[error("the certificate of {subject} has expired on {since}")]
    Expired {
        /// Whose certificate it is.
        subject: Name,
        /// Since when.
        since: DateTime<Utc>,
    },
    /// A certificate of the chain is not valid yet.
    #[error("the certificate of {subject} is not valid before {from}")]
    NotYetValid {
        /// Whose certificate it is.
        subject: Name,
        /// From when on.
        from: DateTime<Utc>,
    },
    /// The signing key is not the one of the vendor's certificate.
    #[error("the key does not belong to the vendor's certificate")]
    VendorKey,
    /// The signature is not that of the vendor's key over the customer's request.
    #[error("the signature is not the vendor's")]
    VendorSignature,
    /// The key does not make RSA signatures (PKCS #1 v1.5) with SHA-256.
    #[error("the vendor's key does not sign with RSA and SHA-256")]
    Algorithm,
    /// The key failed.
    #[error("the vendor's key did not sign")]
    Signer(#[from] KeyError),
    /// OpenSSL failed, or the certificate's key cannot be read.
    #[error(transparent)]
    Pki(#[from] mdm_pki::Error),
}

/// The property list, its keys in Apple's order.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Plist {
    #[serde(rename = "PushCertRequestCSR")]
    csr: String,
    #[serde(rename = "PushCertCertificateChain")]
    chain: String,
    #[serde(rename = "PushCertSignature")]
    signature: String,
}

impl PushCertificateRequest {
    pub(super) fn new(
        csr: CertificateRequest,
        chain: Vec<Certificate>,
        signature: Vec<u8>,
    ) -> Self {
        Self {
            csr,
            chain,
            signature,
        }
    }

    /// Reads the file, as base64 or as the bare property list, of at most [`DEFAULT_MAX_BYTES`].
    ///
    /// Whether it holds is for [`Self::verify`] to say.
    ///
    /// # Errors
    /// [`RequestError::TooLong`], [`RequestError::NotBase64`], [`RequestError::Plist`],
    /// [`RequestError::Field`], [`RequestError::TooManyCertificates`].
    pub fn read(file: &[u8]) -> Result<Self, RequestError> {
        Self::read_within(file, DEFAULT_MAX_BYTES)
    }

    /// Reads the file if it has at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_within(file: &[u8], limit: usize) -> Result<Self, RequestError> {
        if file.len() > limit {
            return Err(RequestError::TooLong { limit });
        }
        let limits = mdm_plist::Limits::default().with(|limits| {
            limits.bytes = limit;
            limits.depth = 8;
            limits.items = 64;
        });
        let plist: Plist = match mdm_plist::detect(file) {
            Some(_) => mdm_plist::from_slice_with(file, &limits)?,
            None => {
                let inside = pem::decode_base64(file).map_err(|_| RequestError::NotBase64)?;
                mdm_plist::from_slice_with(&inside, &limits)?
            }
        };
        let field = |name| move |source| RequestError::Field { name, source };
        let csr = pem::decode_base64(plist.csr.as_bytes())
            .and_then(|der| CertificateRequest::from_der(&der))
            .map_err(field("PushCertRequestCSR"))?;
        let chain = Certificate::stack_from_pem(plist.chain.as_bytes())
            .map_err(field("PushCertCertificateChain"))?;
        if chain.len() > MAX_CHAIN {
            return Err(RequestError::TooManyCertificates);
        }
        let signature =
            pem::decode_base64(plist.signature.as_bytes()).map_err(field("PushCertSignature"))?;
        Ok(Self::new(csr, chain, signature))
    }

    /// The customer's request.
    pub fn csr(&self) -> &CertificateRequest {
        &self.csr
    }

    /// The vendor's certificate first, Apple's root last.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The vendor's signature over the DER of the customer's request.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Whether the certificate is asked for this key.
    pub fn is_for(&self, key: &PublicKey) -> bool {
        self.csr.public_key().is_ok_and(|asked| asked.same_key(key))
    }

    /// Checks everything in it: the customer's signature and key, that each certificate of the
    /// chain issued the one before it, up to one that signed itself, that all are valid now, and
    /// the vendor's signature. Whether the root is Apple's is for the caller to know.
    ///
    /// Gives how the vendor signed: with SHA-256, or with SHA-1 as tools of old did.
    ///
    /// # Errors
    /// The variants of [`RequestError`] from [`RequestError::CustomerSignature`] on.
    pub fn verify(&self, now: DateTime<Utc>) -> Result<SignatureAlgorithm, RequestError> {
        check_csr(&self.csr)?;
        check_chain(&self.chain, now)?;
        let vendor = self.chain.first().ok_or(RequestError::NoCertificate)?;
        let key = vendor.public_key()?;
        [
            SignatureAlgorithm::RsaPkcs1Sha256,
            SignatureAlgorithm::RsaPkcs1Sha1,
        ]
        .into_iter()
        .find(|algorithm| {
            let signed = key.verify(*algorithm, self.csr.to_der(), &self.signature);
            signed.is_ok()
        })
        .ok_or(RequestError::VendorSignature)
    }

    /// The property list alone.
    ///
    /// # Errors
    /// [`RequestError::Plist`], which does not come about.
    pub fn to_plist(&self) -> Result<Vec<u8>, RequestError> {
        Ok(mdm_plist::to_xml(&Plist {
            csr: STANDARD.encode(self.csr.to_der()),
            chain: self.chain.iter().map(Certificate::to_pem).collect(),
            signature: STANDARD.encode(&self.signature),
        })?)
    }

    /// The file to upload: base64 in one line.
    ///
    /// # Errors
    /// As [`Self::to_plist`].
    pub fn to_upload(&self) -> Result<String, RequestError> {
        Ok(STANDARD.encode(self.to_plist()?))
    }
}

impl fmt::Debug for PushCertificateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushCertificateRequest")
            .field("csr", &self.csr)
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}

pub(super) fn check_csr(csr: &CertificateRequest) -> Result<(), RequestError> {
    csr.verify().map_err(RequestError::CustomerSignature)?;
    Ok(check_key(&csr.public_key()?)?)
}

pub(super) fn check_chain(chain: &[Certificate], now: DateTime<Utc>) -> Result<(), RequestError> {
    if chain.is_empty() {
        return Err(RequestError::NoCertificate);
    }
    if chain.len() > MAX_CHAIN {
        return Err(RequestError::TooManyCertificates);
    }
    // The last one has to have issued itself.
    let above = chain.iter().skip(1).chain(chain.last());
    for (certificate, above) in chain.iter().zip(above) {
        if !has_issued(above, certificate) {
            return Err(unlinked(certificate));
        }
        check_time(certificate, now)?;
    }
    Ok(())
}

/// Whether `above` is an authority, the one that `below` names, and signed it.
pub(super) fn has_issued(above: &Certificate, below: &Certificate) -> bool {
    above.subject() == below.issuer()
        && above.is_ca()
        && above
            .public_key()
            .is_ok_and(|key| below.verify_signed_by(&key).is_ok())
}

pub(super) fn unlinked(certificate: &Certificate) -> RequestError {
    RequestError::Unlinked {
        subject: certificate.subject(),
    }
}

fn check_time(certificate: &Certificate, now: DateTime<Utc>) -> Result<(), RequestError> {
    let subject = certificate.subject();
    let (from, since) = (certificate.not_before(), certificate.not_after());
    match () {
        () if now < from => Err(RequestError::NotYetValid { subject, from }),
        () if now > since => Err(RequestError::Expired { subject, since }),
        () => Ok(()),
    }
}
