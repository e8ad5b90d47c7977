//! GetCert and GetCRL: what the authority has issued and revoked (RFC 8894 sections 3.3.4 and 3.3.5).

use mdm_pki::{
    Certificate, KeyAlgorithm,
    cms::{self, ContentCipher},
};

use super::{Server, pki_operation::Stop};
use crate::{
    attributes::MessageType,
    event::Refusal,
    message::{PkiMessage, is_issued_by},
    subject::IssuerAndSerial,
};

impl Server {
    /// A message of the certificate or the revocation list.
    ///
    /// Whatever does not lead to one is the same refusal: that an envelope did not open, or whose was sent
    /// again by a stranger, is not told.
    pub(super) async fn query(
        &self,
        message: &PkiMessage,
        message_type: MessageType,
        signer: &Certificate,
    ) -> Result<(Vec<u8>, ContentCipher), Stop> {
        let key = self.check_message(message, signer)?;
        if !matches!(key.algorithm(), KeyAlgorithm::Rsa { .. }) {
            // A query has no challenge that the answer could be encrypted with.
            let reason = "the answer to a query is encrypted to an RSA key";
            return Err(Refusal::Algorithm(reason.to_owned()).into());
        }
        let issuer = self.authority.chain().first().ok_or(Refusal::NotFound)?;
        if !is_issued_by(signer, signer) && !is_issued_by(signer, issuer) {
            return Err(Refusal::Signature.into());
        }
        let (about, cipher) = self.open(message, IssuerAndSerial::read).await?;
        let about = about
            .filter(|about| about.issuer == issuer.subject())
            .ok_or(Refusal::NotFound)?;
        if message_type == MessageType::GetCert {
            let found = self.authority.find(&about.serial).await?;
            let record = found.ok_or(Refusal::NotFound)?;
            return Ok((cms::certs_only(&[record.certificate])?, cipher));
        }
        // The list of this issuer, whichever of its certificates is asked about.
        let list = self.authority.crl(self.clock.now()).await?;
        Ok((cms::crl_only(&list)?, cipher))
    }
}
