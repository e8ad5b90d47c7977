//! The vendor's part: to sign a customer's request, with a key at hand or in a KMS.

use chrono::{DateTime, Utc};
use mdm_pki::{
    Certificate, CertificateRequest, DigestAlgorithm, PrivateKey, PublicKey, SignatureAlgorithm,
    Signer, digest,
};

use super::upload::{
    MAX_CHAIN, PushCertificateRequest, RequestError, check_chain, check_csr, has_issued, unlinked,
};

const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::RsaPkcs1Sha256;

/// A vendor of MDM servers: its certificate ("MDM CSR", from Apple's developer portal) and the
/// authorities above it.
///
/// ```
/// use chrono::Utc;
/// use mdm_apns::certificate::{Vendor, upload::RequestError};
/// use mdm_pki::{Certificate, CertificateRequest, Signer};
///
/// // As an HTTP endpoint of a vendor would: a customer's CSR in, the file for Apple's portal out.
/// async fn sign(
///     csr: &[u8],
///     certificate: Certificate,     // the vendor's
///     authorities: &[Certificate],  // Apple's WWDR intermediate and root
///     kms: &dyn Signer,             // the vendor's key
/// ) -> Result<String, RequestError> {
///     let vendor = Vendor::new(certificate, authorities)?;
///     let csr = CertificateRequest::from_pem(csr)?;
///     let request = vendor.sign_with(&csr, kms, Utc::now()).await?;
///     request.to_upload()
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vendor {
    chain: Vec<Certificate>,
}

/// A request that waits for the vendor's signature.
#[derive(Debug, Clone)]
pub struct UnsignedPushRequest {
    csr: CertificateRequest,
    chain: Vec<Certificate>,
    vendor: PublicKey,
    digest: Vec<u8>,
}

impl Vendor {
    /// Puts the chain together: the authorities may come in any order, and more than are needed, as
    /// when all of Apple's WWDR intermediates are given.
    ///
    /// # Errors
    /// [`RequestError::Unlinked`] where an authority up to one that signed itself is missing;
    /// [`RequestError::TooManyCertificates`].
    pub fn new(
        certificate: Certificate,
        authorities: &[Certificate],
    ) -> Result<Self, RequestError> {
        let mut chain = vec![certificate];
        while let Some(below) = chain.last() {
            if has_issued(below, below) {
                return Ok(Self { chain });
            }
            let above = authorities.iter().find(|above| {
                let is_used = chain.contains(above);
                !is_used && has_issued(above, below)
            });
            let above = above.ok_or_else(|| unlinked(below))?;
            if chain.len() >= MAX_CHAIN {
                return Err(RequestError::TooManyCertificates);
            }
            chain.push(above.clone());
        }
        Err(RequestError::NoCertificate)
    }

    /// The vendor's certificate first, Apple's root last.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// Everything but the signature, once the customer's request and the vendor's chain hold: see
    /// [`PushCertificateRequest::verify`].
    ///
    /// # Errors
    /// The variants of [`RequestError`] from [`RequestError::CustomerSignature`] on.
    pub fn prepare(
        &self,
        csr: &CertificateRequest,
        now: DateTime<Utc>,
    ) -> Result<UnsignedPushRequest, RequestError> {
        check_csr(csr)?;
        check_chain(&self.chain, now)?;
        let vendor = self.chain.first().ok_or(RequestError::NoCertificate)?;
        Ok(UnsignedPushRequest {
            csr: csr.clone(),
            chain: self.chain.clone(),
            vendor: vendor.public_key()?,
            digest: digest(DigestAlgorithm::Sha256, csr.to_der())?,
        })
    }

    /// Signs with a key at hand.
    ///
    /// # Errors
    /// As [`Self::prepare`]; [`RequestError::VendorKey`], [`RequestError::Algorithm`].
    pub fn sign(
        &self,
        csr: &CertificateRequest,
        key: &PrivateKey,
        now: DateTime<Utc>,
    ) -> Result<PushCertificateRequest, RequestError> {
        let unsigned = self.prepare(csr, now)?;
        unsigned.check_signer(key)?;
        let signature = key.sign_digest(ALGORITHM, unsigned.digest())?;
        unsigned.finish(&signature)
    }

    /// Signs with a key that lives elsewhere.
    ///
    /// # Errors
    /// As [`Self::sign`]; [`RequestError::Signer`] when the key cannot be reached.
    pub async fn sign_with(
        &self,
        csr: &CertificateRequest,
        signer: &dyn Signer,
        now: DateTime<Utc>,
    ) -> Result<PushCertificateRequest, RequestError> {
        let unsigned = self.prepare(csr, now)?;
        unsigned.check_signer(signer)?;
        let signature = signer.sign(ALGORITHM, unsigned.digest()).await?;
        unsigned.finish(&signature)
    }
}

impl UnsignedPushRequest {
    /// What has to be signed: the SHA-256 of the customer's request.
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// How it has to be signed: RSA, PKCS #1 v1.5, SHA-256.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        ALGORITHM
    }

    /// Adds the signature, if it is the vendor's.
    ///
    /// # Errors
    /// [`RequestError::VendorSignature`].
    pub fn finish(self, signature: &[u8]) -> Result<PushCertificateRequest, RequestError> {
        self.vendor
            .verify_digest(ALGORITHM, &self.digest, signature)
            .map_err(|_| RequestError::VendorSignature)?;
        let signature = signature.to_vec();
        Ok(PushCertificateRequest::new(self.csr, self.chain, signature))
    }

    fn check_signer(&self, signer: &dyn Signer) -> Result<(), RequestError> {
        if !signer.public_key().same_key(&self.vendor) {
            return Err(RequestError::VendorKey);
        }
        match signer.algorithms().contains(&ALGORITHM) {
            true => Ok(()),
            false => Err(RequestError::Algorithm),
        }
    }
}
