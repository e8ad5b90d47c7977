//! From the bytes of a message to the bytes of its answer.
//!
//! Until a request is proven, every failure of its envelope is one and the same refusal: whether a key
//! transport, a padding, a CSR or its signature was bad must not be told apart, or the server becomes
//! an oracle for the envelopes of others.

use futures_util::lock::OwnedMutexGuard;
use mdm_core::Secret;
use mdm_pki::{
    Certificate, CertificateRequest, KeyAlgorithm, KeyError, PublicKey,
    cms::{self, ContentCipher, DecryptPolicy},
};

use super::{Server, reply::Reply};
use crate::{
    attributes::{MessageType, TransactionId},
    authorize::{
        Authorized, Decision, EnrolmentRequest, Renewable, RenewalRefusal, authorize,
        has_whole_subject,
    },
    ca::{IssueError, Signed},
    error::Error,
    event::{Event, Refusal},
    message::{PkiMessage, is_issued_by},
    store::StoreError,
};

/// What goes back.
pub(super) enum Answer {
    /// A CertRep.
    Message(Vec<u8>),
    /// Nothing could be decided.
    Unavailable,
}

/// How a request ended that was not refused.
pub(super) enum Outcome {
    /// With this certificate, once it is stored.
    Signed(Box<Unstored>, Sealing),
    /// With this certs-only or CRL-only message, sealed in this way for the client.
    Granted(Vec<u8>, Sealing),
    /// Not yet.
    Pending,
}

/// What came of asking for a certificate.
pub(super) enum Asked {
    Signed(Box<Unstored>),
    /// The very same request has got it before.
    Earlier(Certificate),
    Pending,
}

/// A certificate that is signed, and what is told of it once it is stored.
pub(super) struct Unstored {
    pub(super) signed: Signed,
    pub(super) label: String,
    pub(super) key: PublicKey,
    /// Nobody else with the same challenge is served until it is stored.
    #[expect(dead_code, reason = "held for its end")]
    pub(super) turn: Option<OwnedMutexGuard<()>>,
}

/// How the answer is encrypted.
pub(super) struct Sealing {
    pub(super) cipher: ContentCipher,
    /// With the challenge, for a client whose key nothing can be encrypted to (RFC 8894 section 3.1).
    pub(super) password: Option<Secret<String>>,
}

/// Why a request was not served.
pub(super) enum Stop {
    Refused(Refusal),
    Unavailable(Error),
}

/// A request whose signature, key and proof of possession hold.
struct Proven {
    way: Way,
    csr: CertificateRequest,
    sealing: Sealing,
}

/// What may allow a request.
enum Way {
    /// Its challenge: the CSR's own key signed the message, or by policy any.
    Challenge,
    /// The certificate that signed the message: a RenewalReq, or a PKCSReq, by which clients of the drafts before
    /// RFC 8894 renew.
    Renewal(Renewable),
}

impl Server {
    /// Answers a message. An error is one that no CertRep can answer, for want of a transaction.
    pub(super) async fn pki_operation(&self, bytes: &[u8]) -> Result<Answer, Error> {
        let message = PkiMessage::parse(bytes, self.limits.message)?;
        let transaction_id = message
            .attributes
            .transaction_id
            .clone()
            .ok_or(Error::Attribute("transactionID"))?;
        let reply = match self.decide(&message, &transaction_id).await {
            Ok(outcome) => self.answer(&message, &transaction_id, outcome).await,
            Err(stop) => Err(stop),
        };
        let reply = match reply {
            Ok(reply) => Ok(reply),
            Err(Stop::Refused(refusal)) => {
                self.observer.observe(&Event::Refused {
                    transaction_id: &transaction_id,
                    refusal: &refusal,
                });
                let refused = Reply::Refused(&refusal);
                self.reply(&message, &transaction_id, refused).await
            }
            Err(Stop::Unavailable(error)) => Err(error),
        };
        Ok(match reply {
            Ok(message) => Answer::Message(message),
            Err(error) => {
                self.observer.observe(&Event::Unavailable {
                    transaction_id: &transaction_id,
                    error: &error,
                });
                Answer::Unavailable
            }
        })
    }

    /// How the request ends, or why it does not.
    async fn decide(
        &self,
        message: &PkiMessage,
        transaction_id: &TransactionId,
    ) -> Result<Outcome, Stop> {
        let attributes = &message.attributes;
        let message_type = attributes
            .message_type
            .ok_or(Refusal::Attribute("messageType"))?;
        match message_type {
            MessageType::PkcsReq | MessageType::CertPoll => {}
            MessageType::GetCert | MessageType::GetCrl if self.policy.queries => {}
            MessageType::RenewalReq if self.policy.renewal => {}
            other => return Err(Refusal::MessageType(other).into()),
        }
        if attributes.sender_nonce.is_none() {
            return Err(Refusal::Attribute("senderNonce").into());
        }
        let signer = message.signer().map_err(|_| Refusal::Signature)?;
        let (asked, sealing) = match message_type {
            MessageType::GetCert | MessageType::GetCrl => {
                let (content, cipher) = self.query(message, message_type, signer).await?;
                let password = None;
                self.observer.observe(&Event::Answered {
                    transaction_id,
                    message_type,
                });
                return Ok(Outcome::Granted(content, Sealing { cipher, password }));
            }
            MessageType::CertPoll => self.poll(message, transaction_id, signer).await?,
            _ => {
                let proven = self.prove(message, message_type, signer).await?;
                self.certify(proven, transaction_id).await?
            }
        };
        Ok(match asked {
            Asked::Signed(unstored) => Outcome::Signed(unstored, sealing),
            Asked::Earlier(earlier) => Outcome::Granted(cms::certs_only(&[earlier])?, sealing),
            Asked::Pending => Outcome::Pending,
        })
    }

    /// What holds of every message: its digest, its signer's key, its signature.
    pub(super) fn check_message(
        &self,
        message: &PkiMessage,
        signer: &Certificate,
    ) -> Result<PublicKey, Stop> {
        let digest = message.digest();
        if !digest.is_some_and(|digest| self.policy.allows_digest(digest)) {
            let name = digest.map_or("an unknown digest".to_owned(), |name| format!("{name:?}"));
            return Err(Refusal::Algorithm(name).into());
        }
        let key = signer.public_key().map_err(|_| Refusal::Signature)?;
        self.check_key(&key)?;
        message.verify().map_err(|_| Refusal::Signature)?;
        Ok(key)
    }

    /// What is read in the envelope, if it opens, and the cipher of the answer.
    pub(super) async fn open<T>(
        &self,
        message: &PkiMessage,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<(Option<T>, ContentCipher), Stop> {
        let envelope = message.open_envelope().map_err(|_| Refusal::Envelope)?;
        let cipher = self.check_cipher(envelope.cipher().ok())?;
        let policy = DecryptPolicy::default().with(|policy| {
            policy.triple_des = self.policy.triple_des;
            policy.single_des = self.policy.legacy_des;
            policy.recipient = Some(self.responder.certificate().clone());
        });
        let key = self.responder.decrypter();
        match envelope.decrypt_with(key, &policy).await {
            Ok(content) => Ok((read(&content), cipher)),
            Err(error @ mdm_pki::Error::Key(KeyError::Unavailable(_))) => {
                Err(Stop::Unavailable(error.into()))
            }
            // Known before the key is used, and of the cipher alone.
            Err(error @ mdm_pki::Error::LegacyProviderMissing(_)) => {
                Err(Refusal::Algorithm(error.to_string()).into())
            }
            Err(_) => Ok((None, cipher)),
        }
    }

    /// Everything that can be known of a request without asking for permission.
    async fn prove(
        &self,
        message: &PkiMessage,
        message_type: MessageType,
        signer: &Certificate,
    ) -> Result<Proven, Stop> {
        let key = self.check_message(message, signer)?;
        let renewal = message_type == MessageType::RenewalReq;
        let way = if !renewal && is_issued_by(signer, signer) {
            Way::Challenge
        } else if self.policy.renewal {
            let now = self.clock.now();
            let renewable = Renewable::check(&*self.authority, signer, &self.policy, now).await?;
            Way::Renewal(renewable.map_err(|refusal| match refusal {
                RenewalRefusal::Stranger if !renewal => Refusal::Signature,
                refusal => Refusal::Renewal(refusal),
            })?)
        } else {
            return Err(Refusal::Signature.into());
        };
        let read = |content: &[u8]| CertificateRequest::from_der(content).ok();
        let (csr, cipher) = self.open(message, read).await?;
        // A CSR is read and something that is none, whatever came: a clock must not tell garbage from a CSR, whosever it is.
        let other = match csr {
            Some(_) => &[][..],
            None => self.decoy.to_der(),
        };
        let is_signers = |csr: &CertificateRequest| match (&way, csr.public_key()) {
            (Way::Challenge, Ok(of)) => self.policy.throwaway_signer || of.same_key(&key),
            (Way::Renewal(_), Ok(_)) => true,
            (_, Err(_)) => false,
        };
        let _ = read(other).as_ref().is_some_and(is_signers);
        let csr = csr.filter(is_signers);
        let csr = csr.filter(has_whole_subject);
        let Some(csr) = csr else {
            // Takes the time of the verification below.
            let _ = message.verify();
            return Err(Refusal::Envelope.into());
        };
        csr.verify_known(&key).map_err(|_| Refusal::Envelope)?;
        if self.policy.throwaway_signer || matches!(way, Way::Renewal(_)) {
            self.check_key(&csr.public_key()?)?;
        }
        let sealing = seal(&key, &csr, cipher)?;
        Ok(Proven { way, csr, sealing })
    }

    /// What comes of a proven request.
    async fn certify(
        &self,
        proven: Proven,
        transaction_id: &TransactionId,
    ) -> Result<(Asked, Sealing), Stop> {
        let Proven { way, csr, sealing } = proven;
        let transaction = transaction_id.clone();
        let key = csr.public_key()?;
        let request = match way {
            Way::Renewal(renewable) => {
                let authorized = renewable.authorize(transaction, csr)?;
                let authorized = authorized.map_err(Refusal::Renewal)?;
                return Ok((self.sign(authorized, key, None).await?, sealing));
            }
            Way::Challenge => EnrolmentRequest::new(transaction, csr, self.clock.now())?,
        };
        Ok((self.ask(request).await?, sealing))
    }

    /// What comes of a request that its verifier is asked about.
    pub(super) async fn ask(&self, request: EnrolmentRequest) -> Result<Asked, Stop> {
        let key = request.csr().public_key()?;
        let transaction_id = &request.transaction_id().clone();
        let turn = match self.verifier.turn(&request)? {
            Some(id) => Some(self.gates.pass(id).await),
            None => None,
        };
        match authorize(&*self.verifier, request).await? {
            Decision::Refused(refusal) => Err(Refusal::Challenge(refusal).into()),
            Decision::Repeated { certificate, label } => {
                let earlier = self.repeated(certificate, transaction_id, &label, &key);
                earlier.map(Asked::Earlier)
            }
            Decision::Pending { label } => {
                self.observer.observe(&Event::Pending {
                    transaction_id,
                    label: &label,
                });
                Ok(Asked::Pending)
            }
            Decision::Authorized(authorized) => self.sign(*authorized, key, turn).await,
        }
    }

    async fn sign(
        &self,
        authorized: Authorized,
        key: PublicKey,
        turn: Option<OwnedMutexGuard<()>>,
    ) -> Result<Asked, Stop> {
        let label = authorized.grant().label().to_owned();
        let signed = self.authority.sign(authorized).await?;
        check_issued(signed.certificate(), &key)?;
        Ok(Asked::Signed(Box::new(Unstored {
            signed,
            label,
            key,
            turn,
        })))
    }

    pub(super) fn repeated(
        &self,
        certificate: Certificate,
        transaction_id: &TransactionId,
        label: &str,
        key: &PublicKey,
    ) -> Result<Certificate, Stop> {
        check_issued(&certificate, key)?;
        self.observer.observe(&Event::Repeated {
            transaction_id,
            label,
            certificate: &certificate,
        });
        Ok(certificate)
    }

    fn check_key(&self, key: &PublicKey) -> Result<(), Stop> {
        let sizes = self.policy.min_rsa_bits..=self.policy.max_rsa_bits;
        match key.algorithm() {
            KeyAlgorithm::Rsa { bits } if sizes.contains(&bits) => {}
            KeyAlgorithm::Rsa { bits } => {
                return Err(Refusal::Key(format!("RSA with {bits} bits")).into());
            }
            KeyAlgorithm::Ec(_) if self.policy.ec_keys => {}
            other => return Err(Refusal::Algorithm(format!("{other:?} keys")).into()),
        }
        let ours = self
            .authority
            .chain()
            .iter()
            .chain([self.responder.certificate()])
            .any(|certificate| {
                certificate
                    .public_key()
                    .is_ok_and(|ours| ours.same_key(key))
            });
        if ours {
            return Err(Refusal::Key("it is the server's own".to_owned()).into());
        }
        Ok(())
    }

    /// The cipher of the answer: that of the request where it may be written.
    fn check_cipher(&self, cipher: Option<ContentCipher>) -> Result<ContentCipher, Stop> {
        match cipher {
            Some(
                cipher @ (ContentCipher::Aes128Cbc
                | ContentCipher::Aes192Cbc
                | ContentCipher::Aes256Cbc),
            ) => Ok(cipher),
            Some(ContentCipher::TripleDesCbc) if self.policy.triple_des => {
                Ok(ContentCipher::Aes128Cbc)
            }
            Some(ContentCipher::DesCbc) if self.policy.legacy_des => Ok(ContentCipher::Aes128Cbc),
            Some(other) => Err(Refusal::Algorithm(format!("{other:?}")).into()),
            None => Err(Refusal::Algorithm("an unknown cipher".to_owned()).into()),
        }
    }
}

/// How an answer to the holder of this key about this CSR is encrypted.
pub(super) fn seal(
    key: &PublicKey,
    csr: &CertificateRequest,
    cipher: ContentCipher,
) -> Result<Sealing, Refusal> {
    let password = match key.algorithm() {
        KeyAlgorithm::Rsa { .. } => None,
        _ => {
            let challenge = csr.challenge_password();
            let challenge = challenge.filter(|challenge| !challenge.expose().is_empty());
            let reason = "an EC key needs a challenge for the answer to be encrypted with";
            Some(challenge.ok_or_else(|| Refusal::Key(reason.to_owned()))?)
        }
    };
    Ok(Sealing { cipher, password })
}

/// An authority or verifier of the embedder that mixes up its certificates must not be believed.
fn check_issued(certificate: &Certificate, key: &PublicKey) -> Result<(), Stop> {
    if certificate.public_key()?.same_key(key) {
        Ok(())
    } else {
        Err(Stop::Unavailable(Error::Certificate("is of another key")))
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<IssueError> for Stop {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Refused(reason) => Self::Refused(Refusal::Authority(reason)),
            other => Self::Unavailable(other.into()),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Unavailable(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<mdm_pki::Error> for Stop {
    fn from(error: mdm_pki::Error) -> Self {
        Self::Unavailable(error.into())
    }
}
