//! CertPoll: the answer to a request that had to wait (RFC 8894 section 3.3.3).

use mdm_pki::Certificate;

use super::{
    Server,
    pki_operation::{Asked, Sealing, Stop, seal},
};
use crate::{
    attributes::TransactionId,
    authorize::EnrolmentRequest,
    event::Refusal,
    message::{PkiMessage, is_issued_by},
    subject::IssuerAndSubject,
};

impl Server {
    /// What came of a request that waited.
    pub(super) async fn poll(
        &self,
        message: &PkiMessage,
        transaction_id: &TransactionId,
        signer: &Certificate,
    ) -> Result<(Asked, Sealing), Stop> {
        let key = self.check_message(message, signer)?;
        if !is_issued_by(signer, signer) {
            return Err(Refusal::Signature.into());
        }
        // Before the envelope is opened: whoever has no request here learns nothing of envelopes.
        let now = self.clock.now();
        let csr = self
            .verifier
            .pending(transaction_id, &key, now)
            .await?
            .filter(|csr| csr.public_key().is_ok_and(|of| of.same_key(&key)))
            .ok_or(Refusal::NotPending)?;
        let (about, cipher) = self.open(message, IssuerAndSubject::read).await?;
        let fits = about.is_some_and(|about| {
            let chain = self.authority.chain();
            about.subject == csr.subject() && chain.iter().any(|ca| ca.subject() == about.issuer)
        });
        if !fits {
            return Err(Refusal::Envelope.into());
        }
        let sealing = seal(&key, &csr, cipher)?;
        let request = EnrolmentRequest::new(transaction_id.clone(), csr, now)?;
        Ok((self.ask(request).await?, sealing))
    }
}
