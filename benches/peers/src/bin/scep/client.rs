//! Requests made before the clock runs, and replies checked after it stopped.

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use http::Response;
use mdm_core::Secret;
use mdm_pki::{
    Certificate, CertificateBuilder, CertificateRequestBuilder, DigestAlgorithm, KeySpec, Name,
    PrivateKey,
    cms::{ContentCipher, DecryptPolicy, EnvelopedDataBuilder, SignedData},
};
use mdm_scep::{
    MessageType, Nonce, PkiMessage, PkiStatus, ScepUrl, TransactionId,
    client::{CaCert, PkiOperation},
};
use mdm_transport::HttpTransport;
use mdm_transport_reqwest::ReqwestTransport;

use crate::Failure;

/// How many devices take turns: making a key takes longer than all the rest of a request.
const DEVICES: usize = 8;

/// The keys that ask, each with the certificate that signs its messages.
pub(crate) struct Devices(Vec<(PrivateKey, Certificate)>);

/// A request that was made, and what to hold its reply against.
pub(crate) struct Asked {
    pub(crate) message: Bytes,
    device: usize,
    subject: Name,
    nonce: Nonce,
}

impl Devices {
    pub(crate) fn new() -> Result<Self, Failure> {
        let now = Utc::now();
        let device = |n| -> Result<_, Failure> {
            let key = PrivateKey::generate(KeySpec::Rsa2048)?;
            let name = Name::from_common_name(&format!("signer {n}"));
            let signer = CertificateBuilder::new(name, key.public_key())
                .validity(now - TimeDelta::days(1), now + TimeDelta::days(1))
                .self_signed(&key)?;
            Ok((key, signer))
        };
        (0..DEVICES).map(device).collect::<Result<_, _>>().map(Self)
    }

    /// Any of the keys.
    pub(crate) fn key(&self) -> &PrivateKey {
        &self.0[0].0
    }

    /// A request by device `n` of this name, as Apple's client makes them: AES-128-CBC, SHA-256.
    pub(crate) fn ask(
        &self,
        n: usize,
        name: &str,
        challenge: &Secret<String>,
        ca: &Certificate,
    ) -> Result<Asked, Failure> {
        let device = n % self.0.len();
        let (key, signer) = &self.0[device];
        let subject = Name::from_common_name(name);
        let csr = CertificateRequestBuilder::new(subject.clone())
            .challenge_password(challenge.expose())
            .sign(key)?;
        let envelope = EnvelopedDataBuilder::new(csr.to_der())
            .cipher(ContentCipher::Aes128Cbc)
            .recipient(ca)
            .encrypt()?;
        let nonce = Nonce::random()?;
        let transaction = TransactionId::for_key(key.public_key())?;
        let message = PkiMessage::build(MessageType::PkcsReq, transaction, nonce.clone())
            .envelope(envelope)
            .sign(signer, DigestAlgorithm::Sha256, key)?;
        Ok(Asked {
            message: message.into(),
            device,
            subject,
            nonce,
        })
    }

    /// Whether the reply holds a certificate of this authority for what was asked.
    pub(crate) fn check(
        &self,
        asked: &Asked,
        reply: Response<Bytes>,
        ca: &Certificate,
    ) -> Result<(), Failure> {
        let body = PkiOperation::new(asked.message.clone(), true).from_http(reply)?;
        let message = PkiMessage::parse(&body, 64 * 1024)?;
        message.verify()?;
        let attributes = &message.attributes;
        if attributes.status != Some(PkiStatus::Success) {
            return Err(format!("refused: {attributes:?}").into());
        }
        let answers = attributes.recipient_nonce.as_ref() == Some(&asked.nonce);
        if message.signer()? != ca || !answers {
            return Err("a reply of somebody else, or to something else".into());
        }
        let (key, _) = &self.0[asked.device];
        // micromdm answers in single DES, whatever it is asked in.
        let policy = DecryptPolicy::default().with(|policy| policy.single_des = true);
        let content = message.open_envelope()?.decrypt(key, &policy)?;
        let certs = SignedData::parse(&content, &Default::default())?;
        let issued = certs.certificates().first().ok_or("no certificate")?;
        issued.verify_signed_by(&ca.public_key()?)?;
        let fits = issued.public_key()?.same_key(key.public_key())
            && issued.subject().common_name() == asked.subject.common_name();
        match fits {
            true => Ok(()),
            false => Err("a certificate for something else".into()),
        }
    }
}

/// A connection of its own.
pub(crate) struct Line {
    transport: ReqwestTransport,
    url: ScepUrl,
}

impl Line {
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        Ok(Self {
            transport: ReqwestTransport::builder().no_proxy().build()?,
            url: url.parse()?,
        })
    }

    /// The authority's certificate; the connection then stands.
    pub(crate) async fn ca(&self) -> Result<Certificate, Failure> {
        let request = CaCert.to_http(&self.url, None)?;
        let found = CaCert.from_http(self.transport.send(request).await?)?;
        Ok(found.into_iter().next().ok_or("no certificate")?)
    }

    /// Sends a message and takes whatever comes.
    pub(crate) async fn post(&self, message: Bytes) -> Result<Response<Bytes>, Failure> {
        let request = PkiOperation::new(message, true).to_http(&self.url)?;
        Ok(self.transport.send(request).await?)
    }
}
