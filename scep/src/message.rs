//! A SCEP message: a CMS SignedData around an EnvelopedData, its facts in signed attributes
//! (RFC 8894 section 3). Read and written the same way on both sides.

use chrono::{DateTime, Utc};
use mdm_pki::{
    Certificate, DigestAlgorithm, PrivateKey, Signer,
    cms::{self, EnvelopedData, SignedData, SignedDataBuilder},
    oid,
};

use crate::{
    attributes::{
        self, FailInfo, MessageType, Nonce, PkiStatus, TransactionId, number_der, text_der,
    },
    error::Error,
};

/// The most certificates that a message may carry. A signer's chain has two or three.
pub const MAX_CERTIFICATES: usize = 16;

/// A message as it was read: nothing in it is proven until [`verify`](PkiMessage::verify).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PkiMessage {
    /// What the message says of itself.
    pub attributes: Attributes,
    signed: SignedData,
}

impl PkiMessage {
    /// Starts a message of this type in this exchange.
    pub fn build(
        message_type: MessageType,
        transaction_id: TransactionId,
        sender_nonce: Nonce,
    ) -> MessageBuilder {
        MessageBuilder::new(message_type, transaction_id, sender_nonce)
    }

    /// Reads a message of at most `limit` bytes, DER or BER.
    ///
    /// An attribute that is missing or malformed is `None`, so that a refusal can still name the
    /// exchange.
    ///
    /// # Errors
    /// [`Error::TooLarge`]; [`Error::Pki`] for what is no SignedData; [`Error::Missing`] unless there is
    /// exactly one signer and at most [`MAX_CERTIFICATES`].
    pub fn parse(bytes: &[u8], limit: usize) -> Result<Self, Error> {
        if bytes.len() > limit {
            return Err(Error::TooLarge { limit });
        }
        let signed = SignedData::parse(bytes, &cms_limits(limit))?;
        if signed.certificates().len() > MAX_CERTIFICATES {
            return Err(Error::Missing("bounded list of certificates"));
        }
        if signed.content_type() != oid::DATA {
            return Err(Error::Missing("content of type data"));
        }
        let [signer] = signed.signers() else {
            return Err(Error::Missing("single signer"));
        };
        let attributes = Attributes::read(signer);
        Ok(Self { attributes, signed })
    }

    /// The message with its signer's certificate taken from these, where it came without. RFC 8894 section 3 has the
    /// certificates optional, and Microsoft's server leaves them out of its answers.
    #[must_use]
    pub fn with_known(mut self, certificates: &[Certificate]) -> Self {
        self.signed = self.signed.with_known(certificates);
        self
    }

    /// Whether the signature holds under the signer's own certificate. Who that is, is for the
    /// caller to judge.
    ///
    /// # Errors
    /// [`Error::Signature`] if it does not hold, or the signer's certificate is neither in the message nor known.
    pub fn verify(&self) -> Result<(), Error> {
        let signer = self.signed.signers().first().ok_or(Error::Signature)?;
        self.signed
            .verify_signature(signer, None)
            .map_err(|_| Error::Signature)
    }

    /// The certificate whose key signed the message.
    ///
    /// # Errors
    /// [`Error::Missing`] for a message that came without it, where it is not known either.
    pub fn signer(&self) -> Result<&Certificate, Error> {
        self.signed
            .signers()
            .first()
            .and_then(|signer| signer.certificate())
            .ok_or(Error::Missing("signer's certificate"))
    }

    /// The digest that the signer used, if it is a known one.
    pub fn digest(&self) -> Option<DigestAlgorithm> {
        self.signed.signers().first()?.digest_algorithm()
    }

    /// The time at which the signer says it signed.
    pub fn signing_time(&self) -> Option<DateTime<Utc>> {
        self.signed.signers().first()?.signing_time()
    }

    /// The signature's bytes.
    pub fn signature(&self) -> &[u8] {
        self.signed
            .signers()
            .first()
            .map_or(&[], |signer| signer.signature())
    }

    /// The EnvelopedData inside; a refusal has none.
    pub fn envelope(&self) -> Option<&[u8]> {
        self.signed.content()
    }

    /// The EnvelopedData inside, read.
    ///
    /// # Errors
    /// [`Error::Missing`] without one, [`Error::Pki`] for anything else in its place.
    pub fn open_envelope(&self) -> Result<EnvelopedData, Error> {
        let bytes = self.envelope().ok_or(Error::Missing("envelope"))?;
        let envelope = EnvelopedData::parse(bytes, &cms_limits(bytes.len()))?;
        if envelope.content_type() != oid::DATA {
            return Err(Error::Missing("encrypted content of type data"));
        }
        Ok(envelope)
    }
}

/// What a message says of itself. Fields stay `None` where an attribute is missing or malformed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attributes {
    /// `messageType`.
    pub message_type: Option<MessageType>,
    /// `transactionID`.
    pub transaction_id: Option<TransactionId>,
    /// `senderNonce`.
    pub sender_nonce: Option<Nonce>,
    /// `recipientNonce`, in answers.
    pub recipient_nonce: Option<Nonce>,
    /// `pkiStatus`, in answers.
    pub status: Option<PkiStatus>,
    /// `failInfo`, in refusals.
    pub fail_info: Option<FailInfo>,
    /// `failInfoText`, in refusals of servers that explain themselves.
    pub fail_info_text: Option<String>,
}

impl Attributes {
    fn read(signer: &cms::SignerInfo) -> Self {
        let value = |oid| signer.signed_attribute(oid);
        Self {
            message_type: value(attributes::MESSAGE_TYPE).and_then(MessageType::read),
            transaction_id: value(attributes::TRANSACTION_ID).and_then(TransactionId::read),
            sender_nonce: value(attributes::SENDER_NONCE).and_then(Nonce::read),
            recipient_nonce: value(attributes::RECIPIENT_NONCE).and_then(Nonce::read),
            status: value(attributes::PKI_STATUS).and_then(PkiStatus::read),
            fail_info: value(attributes::FAIL_INFO).and_then(FailInfo::read),
            fail_info_text: value(attributes::FAIL_INFO_TEXT).and_then(attributes::read_text),
        }
    }
}

/// A message about to be signed.
#[derive(Debug, Clone)]
pub struct MessageBuilder {
    message_type: MessageType,
    transaction_id: TransactionId,
    sender_nonce: Nonce,
    recipient_nonce: Option<Nonce>,
    status: Option<PkiStatus>,
    failure: Option<(FailInfo, Option<String>)>,
    envelope: Option<Vec<u8>>,
}

impl MessageBuilder {
    fn new(message_type: MessageType, transaction_id: TransactionId, sender_nonce: Nonce) -> Self {
        Self {
            message_type,
            transaction_id,
            sender_nonce,
            recipient_nonce: None,
            status: None,
            failure: None,
            envelope: None,
        }
    }

    /// Repeats the peer's nonce.
    #[must_use]
    pub fn recipient_nonce(mut self, nonce: Nonce) -> Self {
        self.recipient_nonce = Some(nonce);
        self
    }

    /// Says how the request ended.
    #[must_use]
    pub fn status(mut self, status: PkiStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Says that the request failed and why.
    #[must_use]
    pub fn failure(mut self, fail_info: FailInfo, text: Option<String>) -> Self {
        self.status = Some(PkiStatus::Failure);
        self.failure = Some((fail_info, text));
        self
    }

    /// Puts an EnvelopedData inside. Without one the content is left out altogether, as refusals
    /// and pending answers must have it (RFC 8894 section 3.3.2).
    #[must_use]
    pub fn envelope(mut self, envelope: Vec<u8>) -> Self {
        self.envelope = Some(envelope);
        self
    }

    /// Signs with a key in memory.
    ///
    /// # Errors
    /// [`Error::Pki`] where the key cannot sign so.
    pub fn sign(
        &self,
        certificate: &Certificate,
        digest: DigestAlgorithm,
        key: &PrivateKey,
    ) -> Result<Vec<u8>, Error> {
        Ok(self.cms(certificate, digest).sign(key)?)
    }

    /// Signs with a key wherever it is.
    ///
    /// # Errors
    /// [`Error::Pki`] where the key cannot sign so or cannot be reached.
    pub async fn sign_with(
        &self,
        certificate: &Certificate,
        digest: DigestAlgorithm,
        key: &dyn Signer,
    ) -> Result<Vec<u8>, Error> {
        Ok(self.cms(certificate, digest).sign_with(key).await?)
    }

    fn cms(&self, certificate: &Certificate, digest: DigestAlgorithm) -> SignedDataBuilder<'_> {
        let mut values = vec![
            (
                attributes::MESSAGE_TYPE,
                number_der(self.message_type.number()),
            ),
            (attributes::TRANSACTION_ID, self.transaction_id.to_der()),
            (attributes::SENDER_NONCE, self.sender_nonce.to_der()),
        ];
        if let Some(nonce) = &self.recipient_nonce {
            values.push((attributes::RECIPIENT_NONCE, nonce.to_der()));
        }
        if let Some(status) = self.status {
            values.push((attributes::PKI_STATUS, number_der(status.number())));
        }
        if let Some((fail_info, text)) = &self.failure {
            values.push((attributes::FAIL_INFO, number_der(fail_info.number())));
            if let Some(text) = text {
                values.push((attributes::FAIL_INFO_TEXT, text_der(text)));
            }
        }
        let builder = match &self.envelope {
            Some(envelope) => SignedDataBuilder::new(envelope),
            None => SignedDataBuilder::without_content(),
        };
        values.into_iter().fold(
            builder.signer(certificate, digest),
            |builder, (oid, value)| builder.signed_attribute(oid, &value),
        )
    }
}

/// The bounds for CMS of this size. Real messages have 11 levels and some hundred elements.
pub(crate) fn cms_limits(bytes: usize) -> cms::Limits {
    cms::Limits::default().with(|limits| {
        limits.bytes = bytes;
        limits.depth = 32;
        limits.elements = 16 * 1024;
    })
}

/// Whether this certificate names that issuer and bears its signature.
pub(crate) fn is_issued_by(certificate: &Certificate, issuer: &Certificate) -> bool {
    certificate.issuer().matches(&issuer.subject())
        && issuer
            .public_key()
            .and_then(|key| certificate.verify_signed_by(&key))
            .is_ok()
}
