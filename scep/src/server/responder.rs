//! Who speaks for the authority: opens requests and signs answers.

use std::sync::Arc;

use mdm_pki::{Certificate, Decrypter, KeyAlgorithm, PrivateKey, Signer};

use crate::error::Error;

/// An RSA certificate with the keys behind it: the CA's own, or that of a registration authority
/// (RA), which an EC authority needs since SCEP encrypts to RSA.
///
/// GetCACert shows this very certificate and every answer is signed by it: Apple's client compares
/// the two byte for byte.
#[derive(Debug, Clone)]
pub struct Responder {
    certificate: Certificate,
    signer: Arc<dyn Signer>,
    decrypter: Arc<dyn Decrypter>,
}

impl Responder {
    /// A responder whose keys may be anywhere.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the certificate's key is not RSA or not that of `signer` and
    /// `decrypter`; [`Error::Pki`] if it is none.
    pub fn new(
        certificate: Certificate,
        signer: Arc<dyn Signer>,
        decrypter: Arc<dyn Decrypter>,
    ) -> Result<Self, Error> {
        let key = certificate.public_key()?;
        if !matches!(key.algorithm(), KeyAlgorithm::Rsa { .. }) {
            return Err(Error::Configuration("the responder's key is not RSA"));
        }
        if !key.same_key(signer.public_key()) || !key.same_key(decrypter.public_key()) {
            return Err(Error::Configuration(
                "the responder's certificate is of another key",
            ));
        }
        Ok(Self {
            certificate,
            signer,
            decrypter,
        })
    }

    /// A responder whose key is in memory.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn local(certificate: Certificate, key: PrivateKey) -> Result<Self, Error> {
        let key = Arc::new(key);
        Self::new(certificate, key.clone(), key)
    }

    /// The certificate that GetCACert shows.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(super) fn signer(&self) -> &dyn Signer {
        &*self.signer
    }

    pub(super) fn decrypter(&self) -> &dyn Decrypter {
        &*self.decrypter
    }
}
