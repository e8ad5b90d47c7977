//! mdmcert.download: a free vendor, for those who run an open MDM server and are no vendor.
//!
//! It signs a customer's request and mails the result, encrypted. It wants an API key of the
//! product that asks, which its operators give out, and an e-mail address that is registered there.
//! Nothing of this is Apple's.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use mdm_core::Secret;
use mdm_pki::{
    Certificate, CertificateBuilder, CertificateRequest, Identity, KeySpec, KeyUsage, Name,
    PrivateKey,
    cms::{DecryptPolicy, EnvelopedData, Limits},
};
use mdm_transport::{ApiRequest, BaseUrl, BuildError, Replay, RequestMeta};
use serde::{Deserialize, Serialize};

/// Where the service lives.
pub const BASE_URL: &str = "https://mdmcert.download";

/// The most bytes of an answer's body that are read; it takes about 100.
pub const BODY_LIMIT: usize = 64 * 1024;

/// The most characters of the service's reason that are kept.
const MAX_REASON_CHARS: usize = 300;

/// `POST /api/v1/signrequest`: asks the service to sign a customer's request and to mail the result.
///
/// The answer says only that the mail is on its way. Each request makes another mail. Its body
/// holds the API key, so it must not be logged.
///
/// ```
/// use mdm_apns::certificate::{CustomerRequest, mdmcert};
/// use mdm_core::Secret;
/// use mdm_transport::{ApiRequest, BaseUrl, HttpTransport};
///
/// async fn ask(
///     transport: &dyn HttpTransport,
///     api_key: Secret<String>, // of the product that asks
/// ) -> Result<(), Box<dyn std::error::Error>> {
///     let email = "admin@example.com"; // as registered with the service
///     let (push_key, csr) = CustomerRequest::new("Example MDM push", email, "DE").generate()?;
///     let reply = mdmcert::reply_identity(chrono::Utc::now())?; // what the mail is encrypted to
///     // Keep `push_key` and `reply`, then ask.
///     let request = mdmcert::SignRequest::new(csr, email, api_key, reply.certificate);
///     let sent = request.to_http(&BaseUrl::new(mdmcert::BASE_URL)?)?;
///     request.from_http(transport.send(sent).await?)?;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct SignRequest {
    csr: CertificateRequest,
    email: String,
    key: Secret<String>,
    encrypt: Certificate,
}

/// Why the service did not take the request, or what it mailed does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service says no: the address is not registered, or the API key is not known.
    #[error("mdmcert.download refused the request: {reason}")]
    Refused {
        /// The status of the answer.
        status: StatusCode,
        /// Its words, cut at 300 characters and without control characters; perhaps empty.
        reason: String,
    },
    /// The answer is not one of the service's.
    #[error("mdmcert.download gave status {status} and no answer that can be read")]
    Unreadable {
        /// The status of the answer.
        status: StatusCode,
    },
    /// The file that was mailed is empty.
    #[error("the file is empty")]
    Empty,
    /// The file that was mailed is longer than [`MailPolicy::max_bytes`].
    #[error("the file is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The file holds half a byte: it is cut off.
    #[error("the file ends amid a byte")]
    CutOff,
    /// The file is no encrypted message, or does not open with this key.
    #[error("the file does not open")]
    Envelope(#[from] mdm_pki::Error),
}

impl SignRequest {
    /// A request to sign `csr`, for the holder of this e-mail address, under the API key of the
    /// product that asks. The mail is encrypted to `encrypt`, whose key has to be RSA: see
    /// [`reply_identity`].
    pub fn new(
        csr: CertificateRequest,
        email: impl Into<String>,
        key: Secret<String>,
        encrypt: Certificate,
    ) -> Self {
        Self {
            csr,
            email: email.into(),
            key,
            encrypt,
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    csr: String,
    email: &'a str,
    key: &'a Secret<String>,
    encrypt: String,
}

#[derive(Deserialize)]
struct Answer {
    result: String,
    #[serde(default)]
    reason: String,
}

impl ApiRequest for SignRequest {
    type Response = ();
    type Error = Error;

    const META: RequestMeta = RequestMeta::new("signrequest", Replay::Never, BODY_LIMIT);

    fn to_http(&self, base: &BaseUrl) -> Result<http::Request<Bytes>, BuildError> {
        if self.email.is_empty() {
            return Err(BuildError::invalid("email", "it is empty"));
        }
        if self.key.expose().is_empty() {
            return Err(BuildError::invalid("key", "it is empty"));
        }
        let body = Body {
            csr: STANDARD.encode(self.csr.to_pem()),
            email: &self.email,
            key: &self.key,
            encrypt: STANDARD.encode(self.encrypt.to_pem()),
        };
        let body = serde_json::to_vec(&body).map_err(BuildError::body)?;
        Ok(http::Request::builder()
            .method(Method::POST)
            .uri(base.endpoint("/api/v1/signrequest", &[])?)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body.into())?)
    }

    fn from_http(&self, response: http::Response<Bytes>) -> Result<(), Error> {
        let status = response.status();
        let answer = match response.body().len() {
            ..=BODY_LIMIT => serde_json::from_slice::<Answer>(response.body()).ok(),
            _ => None,
        };
        match answer {
            Some(answer) if status.is_success() && answer.result == "success" => Ok(()),
            Some(answer) => Err(Error::Refused {
                status,
                reason: printable(&answer.reason),
            }),
            None => Err(Error::Unreadable { status }),
        }
    }
}

impl fmt::Debug for SignRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignRequest")
            .field("csr", &self.csr)
            .finish_non_exhaustive()
    }
}

fn printable(text: &str) -> String {
    text.chars()
        .take(MAX_REASON_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Makes what the mail is encrypted to: a new RSA key and a certificate that signed itself, valid
/// from a day ago, for clocks that differ, and for a year.
///
/// # Errors
/// [`mdm_pki::Error::Crypto`] when OpenSSL fails.
pub fn reply_identity(now: DateTime<Utc>) -> Result<Identity, mdm_pki::Error> {
    let key = PrivateKey::generate(KeySpec::Rsa2048)?;
    let name = Name::from_common_name("mdmcert.download");
    let certificate = CertificateBuilder::new(name, key.public_key())
        .validity(now - TimeDelta::days(1), now + TimeDelta::days(365))
        .key_usage(KeyUsage::KEY_ENCIPHERMENT)
        .self_signed(&key)?;
    Identity::new(certificate, Vec::new(), key)
}

/// What is read of a mailed file, and how it may be encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailPolicy {
    /// The longest file, in bytes: 1 MiB by default; real ones have about 20,000.
    pub max_bytes: usize,
    /// How it may be encrypted: triple DES and AES by default. The recipient is filled in.
    pub decrypt: DecryptPolicy,
}

impl Default for MailPolicy {
    fn default() -> Self {
        Self {
            max_bytes: 1024 * 1024,
            decrypt: DecryptPolicy::default(),
        }
    }
}

impl MailPolicy {
    /// Changes some of it in place of a struct literal.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// Opens the file that was mailed, `mdm_signed_request.<time>.plist.b64.p7`: CMS enveloped data in
/// hexadecimal, in whatever case and with whatever white space; DER, PEM and base64 are read too.
///
/// Gives the file for Apple's portal, which
/// [`PushCertificateRequest::read`](super::PushCertificateRequest::read) reads.
///
/// # Errors
/// [`Error::Empty`], [`Error::TooLong`], [`Error::CutOff`]; [`Error::Envelope`], where
/// [`mdm_pki::Error::Decrypt`] mostly means the key of another request.
///
/// ```
/// use mdm_apns::certificate::{PushCertificateRequest, mdmcert};
/// use mdm_pki::Identity;
///
/// fn open(mail: &[u8], reply: &Identity) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
///     let file = mdmcert::decrypt(mail, reply, &Default::default())?;
///     PushCertificateRequest::read(&file)?.verify(chrono::Utc::now())?;
///     Ok(file) // to upload
/// }
/// ```
pub fn decrypt(mail: &[u8], reply: &Identity, policy: &MailPolicy) -> Result<Vec<u8>, Error> {
    let limit = policy.max_bytes;
    if mail.len() > limit {
        return Err(Error::TooLong { limit });
    }
    let dense: Vec<u8> = mail
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    if dense.is_empty() {
        return Err(Error::Empty);
    }
    let is_hex = dense.iter().all(u8::is_ascii_hexdigit);
    let unhexed = is_hex
        .then(|| hex::decode(&dense).map_err(|_| Error::CutOff))
        .transpose()?;
    let limits = Limits::default().with(|limits| limits.bytes = limit);
    let envelope = EnvelopedData::parse(unhexed.as_deref().unwrap_or(mail), &limits)?;
    let policy = policy
        .decrypt
        .clone()
        .with(|policy| policy.recipient = Some(reply.certificate.clone()));
    Ok(envelope.decrypt(&reply.key, &policy)?.to_vec())
}
