//! What goes back, and that no certificate does before it is stored.

use futures_util::future::join;
use mdm_pki::{
    Certificate, DigestAlgorithm,
    cms::{self, EnvelopedDataBuilder},
};

use super::{
    Server,
    pki_operation::{Outcome, Sealing, Stop, Unstored},
};
use crate::{
    attributes::{MessageType, Nonce, PkiStatus, TransactionId},
    authorize::RenewalRefusal,
    ca::{IssueError, Issued},
    challenge::ChallengeRefusal,
    error::Error,
    event::{Event, Refusal},
    message::PkiMessage,
};

/// What a CertRep says.
pub(super) enum Reply<'a> {
    /// This certs-only or CRL-only message, sealed in this way.
    Granted(&'a [u8], &'a Sealing),
    Pending,
    Refused(&'a Refusal),
}

impl Server {
    /// The answer to a request that was not refused so far.
    pub(super) async fn answer(
        &self,
        message: &PkiMessage,
        transaction_id: &TransactionId,
        outcome: Outcome,
    ) -> Result<Vec<u8>, Stop> {
        let reply = match &outcome {
            Outcome::Granted(content, sealing) => Reply::Granted(content, sealing),
            Outcome::Pending => Reply::Pending,
            Outcome::Signed(unstored, sealing) => {
                return self
                    .hand_out(message, transaction_id, unstored, sealing)
                    .await;
            }
        };
        Ok(self.reply(message, transaction_id, reply).await?)
    }

    /// The answer with a new certificate. It is made while the certificate is being stored, which takes as long,
    /// and leaves only if it is.
    async fn hand_out(
        &self,
        message: &PkiMessage,
        transaction_id: &TransactionId,
        unstored: &Unstored,
        sealing: &Sealing,
    ) -> Result<Vec<u8>, Stop> {
        let grant = async |certificate: &Certificate| {
            let content = cms::certs_only(std::slice::from_ref(certificate))?;
            let reply = Reply::Granted(&content, sealing);
            self.reply(message, transaction_id, reply).await
        };
        let certificate = unstored.signed.certificate();
        // In this order: the store is at work while the answer is made.
        let store = self.store(unstored, transaction_id);
        match join(store, grant(certificate)).await {
            (Ok(None), answer) => Ok(answer?),
            (Ok(Some(earlier)), _) => Ok(grant(&earlier).await?),
            (Err(stop), _) => Err(stop),
        }
    }

    /// Stores a certificate; returns the one that the very same request has got meanwhile, where there is one.
    async fn store(
        &self,
        unstored: &Unstored,
        transaction_id: &TransactionId,
    ) -> Result<Option<Certificate>, Stop> {
        let Unstored {
            signed, label, key, ..
        } = unstored;
        match self.authority.store(signed).await {
            Ok(Issued::New(certificate)) => {
                self.observer.observe(&Event::Issued {
                    transaction_id,
                    label,
                    certificate: &certificate,
                });
                Ok(None)
            }
            Ok(Issued::Earlier(certificate)) => {
                let earlier = self.repeated(certificate, transaction_id, label, key);
                earlier.map(Some)
            }
            Err(IssueError::Conflict) => Err(match signed.authorized().renewed() {
                Some(old) => {
                    let serial = hex::encode(old.serial());
                    Refusal::Renewal(RenewalRefusal::Overtaken { serial })
                }
                None => {
                    let label = label.clone();
                    Refusal::Challenge(ChallengeRefusal::Overtaken { label })
                }
            }
            .into()),
            Err(other) => Err(other.into()),
        }
    }

    pub(super) async fn reply(
        &self,
        message: &PkiMessage,
        transaction_id: &TransactionId,
        reply: Reply<'_>,
    ) -> Result<Vec<u8>, Error> {
        let digest = message
            .digest()
            .filter(|digest| self.policy.allows_digest(*digest))
            .unwrap_or(DigestAlgorithm::Sha256);
        let mut answer = PkiMessage::build(
            MessageType::CertRep,
            transaction_id.clone(),
            Nonce::random()?,
        );
        if let Some(nonce) = &message.attributes.sender_nonce {
            answer = answer.recipient_nonce(nonce.clone());
        }
        answer = match reply {
            Reply::Pending => answer.status(PkiStatus::Pending),
            Reply::Refused(refusal) => answer.failure(refusal.fail_info(), Some(refusal.text())),
            Reply::Granted(content, sealing) => {
                let envelope = EnvelopedDataBuilder::new(content).cipher(sealing.cipher);
                let envelope = match &sealing.password {
                    Some(password) => {
                        let iterations = self.policy.password_iterations.max(1000);
                        envelope.password(password.expose().as_bytes(), iterations)
                    }
                    None => envelope.recipient(message.signer()?),
                };
                let envelope = envelope.encrypt()?;
                answer.status(PkiStatus::Success).envelope(envelope)
            }
        };
        answer
            .sign_with(
                self.responder.certificate(),
                digest,
                self.responder.signer(),
            )
            .await
    }
}
