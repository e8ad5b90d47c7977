//! The certificates that will take the place of the present ones: GetNextCACert (RFC 8894 section 4.7).

use bytes::Bytes;
use mdm_pki::{
    Certificate, DigestAlgorithm, Signer,
    cms::{self, SignedDataBuilder},
};

use crate::error::Error;

/// What a server announces: the certificates of the next authority, signed by the present one.
#[derive(Debug, Clone)]
pub struct NextCa(Bytes);

impl NextCa {
    /// Announces `next`, in the order in which GetCACert will show it, as the holder of the present
    /// `issuer`, the CA itself: a registration authority speaks for it, and cannot name another.
    ///
    /// # Errors
    /// [`Error::Configuration`] if no CA is among `next`, or the signer is not the issuer's;
    /// [`Error::Pki`] where signing fails.
    pub async fn sign(
        next: &[Certificate],
        issuer: &Certificate,
        signer: &dyn Signer,
    ) -> Result<Self, Error> {
        if !next.iter().any(Certificate::is_ca) {
            return Err(Error::Configuration("the next authority has no CA"));
        }
        if !issuer.is_ca() || !issuer.public_key()?.same_key(signer.public_key()) {
            return Err(Error::Configuration(
                "the present authority's signer is another",
            ));
        }
        let content = cms::certs_only(next)?;
        let signed = SignedDataBuilder::new(&content)
            .signer(issuer, DigestAlgorithm::Sha256)
            .sign_with(signer)
            .await?;
        Ok(Self(signed.into()))
    }

    pub(crate) fn body(&self) -> Bytes {
        self.0.clone()
    }
}
