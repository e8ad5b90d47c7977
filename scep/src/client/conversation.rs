//! One exchange with a server whose certificates and capabilities are known: a message out, its answer in, and every
//! check that makes the answer one to this message.

use bytes::Bytes;
use chrono::TimeDelta;
use http::Request;
use mdm_core::Secret;
use mdm_pki::{
    Certificate, CertificateBuilder, DigestAlgorithm, KeyAlgorithm, KeyUsage, Name, PrivateKey,
    cms::{ContentCipher, DecryptPolicy, EnvelopedDataBuilder, SignedData},
};
use mdm_transport::{HttpTransport, TransportErrorKind};

use super::{CaCertificates, Client, PkiOperation, requests};
use crate::{
    attributes::{FailInfo, MessageType, Nonce, PkiStatus, TransactionId},
    capability::{Capabilities, Capability},
    error::Error,
    message::{PkiMessage, cms_limits},
    policy::Policy,
};

/// A message on its way out.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) message_type: MessageType,
    pub(super) transaction_id: &'a TransactionId,
    pub(super) signer: &'a Certificate,
    pub(super) key: &'a PrivateKey,
    /// What an answer to an EC key is encrypted with (RFC 8894 section 3.1).
    pub(super) password: Option<Secret<String>>,
    pub(super) content: &'a [u8],
    /// The largest answer that is read.
    pub(super) limit: usize,
}

/// What is known of a server before it is asked for anything.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) ca: CaCertificates,
    pub(super) capabilities: Capabilities,
    pub(super) choice: Choice,
}

/// The best that the server can do and the policy allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    pub(super) digest: DigestAlgorithm,
    pub(super) cipher: ContentCipher,
    pub(super) post: bool,
}

impl Choice {
    fn new(capabilities: &Capabilities, policy: &Policy) -> Result<Self, Error> {
        if !capabilities.can(&Capability::Aes) {
            return Err(Error::Capability(Capability::Aes));
        }
        let digest = if capabilities.can(&Capability::Sha512) {
            DigestAlgorithm::Sha512
        } else if capabilities.can(&Capability::Sha256) {
            DigestAlgorithm::Sha256
        } else if policy.sha1 {
            DigestAlgorithm::Sha1
        } else {
            return Err(Error::Capability(Capability::Sha256));
        };
        Ok(Self {
            digest,
            // The keyword AES stands for AES-128-CBC (RFC 8894 section 3.5.2).
            cipher: ContentCipher::Aes128Cbc,
            post: capabilities.can(&Capability::PostPkiOperation),
        })
    }
}

impl<T: HttpTransport> Client<T> {
    pub(super) async fn session(&self) -> Result<Session, Error> {
        let ca = self.ca_cert().await?;
        let capabilities = self.ca_caps().await?;
        let choice = Choice::new(&capabilities, &self.policy)?;
        Ok(Session {
            ca,
            capabilities,
            choice,
        })
    }

    /// Sends one message and reads what its answer holds.
    pub(super) async fn converse(
        &self,
        session: &Session,
        outgoing: Outgoing<'_>,
    ) -> Result<SignedData, Error> {
        let Session { ca, choice, .. } = session;
        let nonce = Nonce::random()?;
        let envelope = EnvelopedDataBuilder::new(outgoing.content)
            .cipher(choice.cipher)
            .recipient(ca.recipient())
            .encrypt()?;
        let message = PkiMessage::build(
            outgoing.message_type,
            outgoing.transaction_id.clone(),
            nonce.clone(),
        )
        .envelope(envelope)
        .sign(outgoing.signer, choice.digest, outgoing.key)?;
        let operation = PkiOperation::new(message, choice.post).limit(outgoing.limit);
        let response = self
            .send(operation.to_http(&self.url)?, outgoing.limit)
            .await?;
        let reply = operation.from_http(response)?;
        self.read_reply(&reply, &outgoing, &nonce, ca)
    }

    /// The self-signed certificate that signs the request and that the answer is encrypted to: the
    /// subject and key of the CSR (RFC 8894 section 2.3), good for a day.
    pub(super) fn temporary_signer(
        &self,
        key: &PrivateKey,
        subject: &Name,
    ) -> Result<Certificate, Error> {
        let now = self.clock.now();
        let shift = |days| now.checked_add_signed(TimeDelta::days(days)).unwrap_or(now);
        Ok(CertificateBuilder::new(subject.clone(), key.public_key())
            .validity(shift(-1), shift(1))
            .key_usage(match key.public_key().algorithm() {
                KeyAlgorithm::Rsa { .. } => {
                    KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT
                }
                _ => KeyUsage::DIGITAL_SIGNATURE,
            })
            .self_signed(key)?)
    }

    fn read_reply(
        &self,
        bytes: &[u8],
        outgoing: &Outgoing<'_>,
        nonce: &Nonce,
        ca: &CaCertificates,
    ) -> Result<SignedData, Error> {
        let reply = PkiMessage::parse(bytes, outgoing.limit)?.with_known(ca.all());
        self.check_digest(reply.digest())?;
        if !ca.may_answer(reply.signer()?) {
            return Err(Error::Signer);
        }
        reply.verify()?;
        let attributes = &reply.attributes;
        if attributes.message_type != Some(MessageType::CertRep) {
            return Err(Error::Mismatch("messageType"));
        }
        if attributes.transaction_id.as_ref() != Some(outgoing.transaction_id) {
            return Err(Error::Mismatch("transactionID"));
        }
        if attributes.recipient_nonce.as_ref() != Some(nonce) {
            return Err(Error::Mismatch("recipientNonce"));
        }
        match attributes.status.ok_or(Error::Attribute("pkiStatus"))? {
            PkiStatus::Success => {}
            PkiStatus::Failure => {
                return Err(Error::Refused {
                    // RFC 8894 section 3.2.1.4 demands a reason; one that forgets it has refused all the same.
                    fail_info: attributes.fail_info.unwrap_or(FailInfo::BadRequest),
                    text: attributes.fail_info_text.clone(),
                });
            }
            PkiStatus::Pending => {
                return Err(Error::Pending {
                    transaction_id: outgoing.transaction_id.clone(),
                });
            }
        }
        let policy = DecryptPolicy::default().with(|policy| {
            policy.triple_des = self.policy.triple_des;
            policy.single_des = self.policy.legacy_des;
        });
        let envelope = reply.open_envelope()?;
        let content = match (outgoing.key.public_key().algorithm(), &outgoing.password) {
            (KeyAlgorithm::Rsa { .. }, _) | (_, None) => envelope.decrypt(outgoing.key, &policy),
            (_, Some(password)) => {
                envelope.decrypt_with_password(password.expose().as_bytes(), &policy)
            }
        };
        let content = content.map_err(|error| match error {
            mdm_pki::Error::NotAllowed(cipher) => Error::Algorithm(cipher.to_owned()),
            other => other.into(),
        })?;
        let limits = cms_limits(outgoing.limit).with(|limits| {
            // An entry of a revocation list has at most ten elements.
            limits.elements += 10 * requests::MAX_CRL_ENTRIES;
        });
        Ok(SignedData::parse(&content, &limits)?)
    }

    pub(super) fn check_digest(&self, digest: Option<DigestAlgorithm>) -> Result<(), Error> {
        match digest {
            Some(digest) if self.policy.allows_digest(digest) => Ok(()),
            Some(digest) => Err(Error::Algorithm(format!("{digest:?}"))),
            None => Err(Error::Algorithm("an unknown digest".to_owned())),
        }
    }

    pub(super) async fn send(
        &self,
        request: Request<Bytes>,
        limit: usize,
    ) -> Result<http::Response<Bytes>, Error> {
        self.transport
            .send(request)
            .await
            .map_err(|error| match error.kind() {
                TransportErrorKind::TooLarge => Error::TooLarge { limit },
                _ => Error::Transport(error),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_offer_is_chosen_and_weak_servers_are_named() {
        let choose = |text: &str, policy: &Policy| {
            Choice::new(&Capabilities::parse(text.as_bytes()).unwrap(), policy)
        };
        let strict = Policy::default();
        let best = choose("AES\nSHA-1\nSHA-256\nSHA-512\nPOSTPKIOperation", &strict).unwrap();
        assert_eq!((best.digest, best.post), (DigestAlgorithm::Sha512, true));
        let standard = choose("SCEPStandard", &strict).unwrap();
        assert_eq!(
            (standard.digest, standard.post),
            (DigestAlgorithm::Sha256, true)
        );
        assert!(!choose("AES\nSHA-256", &strict).unwrap().post);
        assert!(matches!(
            choose("", &strict),
            Err(Error::Capability(Capability::Aes))
        ));
        assert!(matches!(
            choose("DES3\nSHA-256", &strict),
            Err(Error::Capability(Capability::Aes))
        ));
        assert!(matches!(
            choose("AES\nSHA-1", &strict),
            Err(Error::Capability(Capability::Sha256))
        ));
        let lenient = Policy::default().with(|policy| policy.sha1 = true);
        assert_eq!(
            choose("AES", &lenient).unwrap().digest,
            DigestAlgorithm::Sha1
        );
    }
}
