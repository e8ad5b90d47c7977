//! What is answered (RFC 6960, section 4.2).

use chrono::{DateTime, SubsecRound, Utc};
use der::Sequence;

use super::{
    BASIC, OCSP_SIGNING,
    request::{CertId, nonce_extensions, read_nonce},
};
use crate::{
    asn1::{
        Algorithm, RawBits, RawInteger, RawOctets, RawOid, RawSequence, Tlv, elements, read, time,
        tlv,
    },
    certificate::{Certificate, KeyUsage, assemble},
    crl::RevocationReason,
    error::Error,
    key::PrivateKey,
    signer::{SignatureAlgorithm, Signer, preferred},
};

const WHAT: &str = "OCSP response";

/// Why there is no answer (section 4.2.1, OCSPResponseStatus).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OcspError {
    /// 1: the request cannot be read.
    MalformedRequest,
    /// 2: something failed.
    InternalError,
    /// 3: something failed that may work later.
    TryLater,
    /// 5: requests have to be signed.
    SigRequired,
    /// 6: the responder does not speak for the issuer asked about (RFC 5019, section 2.2.3).
    Unauthorized,
}

impl OcspError {
    /// The status's number.
    pub fn number(self) -> u8 {
        match self {
            Self::MalformedRequest => 1,
            Self::InternalError => 2,
            Self::TryLater => 3,
            Self::SigRequired => 5,
            Self::Unauthorized => 6,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        [
            Self::MalformedRequest,
            Self::InternalError,
            Self::TryLater,
            Self::SigRequired,
            Self::Unauthorized,
        ]
        .into_iter()
        .find(|status| status.number() == number)
    }
}

/// An answer that says why there is none. Nobody signs it.
pub fn refusal(error: OcspError) -> Vec<u8> {
    tlv(0x30, &tlv(0x0a, &[error.number()]))
}

/// What is known of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertStatus {
    /// It was issued and is not revoked. Whether it is still valid, it says itself.
    Good,
    /// It no longer counts.
    Revoked {
        /// Since when, in whole seconds.
        at: DateTime<Utc>,
        /// Why.
        reason: RevocationReason,
    },
    /// The responder knows no such certificate.
    Unknown,
}

impl CertStatus {
    /// It no longer counts, since then, in whole seconds, for this reason.
    pub fn revoked(at: DateTime<Utc>, reason: RevocationReason) -> Self {
        Self::Revoked {
            at: at.trunc_subsecs(0),
            reason,
        }
    }
}

/// The answer about one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SingleResponse {
    /// Which, in the words of the request.
    pub id: CertId,
    /// What is known of it.
    pub status: CertStatus,
    /// When that was so, in whole seconds.
    pub this_update: DateTime<Utc>,
    /// Until when the answer counts; without it there is always a newer one.
    pub next_update: Option<DateTime<Utc>>,
}

impl SingleResponse {
    /// This status, at this time, without an end.
    pub fn new(id: CertId, status: CertStatus, this_update: DateTime<Utc>) -> Self {
        Self {
            id,
            status,
            this_update: this_update.trunc_subsecs(0),
            next_update: None,
        }
    }

    /// The answer counts until then.
    #[must_use]
    pub fn until(mut self, next_update: DateTime<Utc>) -> Self {
        self.next_update = Some(next_update.trunc_subsecs(0));
        self
    }

    fn to_der(&self) -> Result<Vec<u8>, Error> {
        let status = match &self.status {
            CertStatus::Good => tlv(0x80, &[]),
            CertStatus::Unknown => tlv(0x82, &[]),
            CertStatus::Revoked { at, reason } => {
                let mut inside = generalized(*at)?;
                if *reason != RevocationReason::Unspecified {
                    inside.extend(tlv(0xa0, &tlv(0x0a, &[reason.number()])));
                }
                tlv(0xa1, &inside)
            }
        };
        let mut inside = [self.id.to_der(), &status, &generalized(self.this_update)?].concat();
        if let Some(next) = self.next_update {
            inside.extend(tlv(0xa0, &generalized(next)?));
        }
        Ok(tlv(0x30, &inside))
    }

    fn read(element: Tlv<'_>) -> Result<Self, Error> {
        let broken = || Error::malformed(WHAT, "single response");
        let parts: RawSequence<'_> = read(WHAT, element.0)?;
        let mut parts = elements(parts.0);
        let mut next = || parts.next().transpose();
        let id = CertId::read(next()?.ok_or_else(broken)?)?;
        let status = next()?.ok_or_else(broken)?;
        let status = match (status.tag(), status.value()) {
            (0x80, []) => CertStatus::Good,
            (0x82, []) => CertStatus::Unknown,
            (0xa1, inside) => read_revoked(inside)?,
            _ => return Err(broken()),
        };
        let this_update = time::read(next()?.ok_or_else(broken)?)?;
        let until = next()?.filter(|part| part.tag() == 0xa0);
        let next_update = match until {
            Some(until) => {
                let until: Tlv<'_> = read(WHAT, until.value())?;
                Some(time::read(until)?)
            }
            None => None,
        };
        Ok(Self {
            id,
            status,
            this_update,
            next_update,
        })
    }
}

fn read_revoked(inside: &[u8]) -> Result<CertStatus, Error> {
    let broken = || Error::malformed(WHAT, "revocation");
    let parts = elements(inside).collect::<Result<Vec<_>, _>>()?;
    let (at, reason) = match parts.as_slice() {
        [at] => (at, RevocationReason::Unspecified),
        [at, reason] => match reason.value() {
            [0x0a, 1, number] if reason.tag() == 0xa0 => (
                at,
                RevocationReason::from_number(*number).ok_or_else(broken)?,
            ),
            _ => return Err(broken()),
        },
        _ => return Err(broken()),
    };
    let at = time::read(*at)?;
    Ok(CertStatus::Revoked { at, reason })
}

/// Writes an answer.
#[derive(Debug, Clone)]
#[must_use]
pub struct OcspResponseBuilder {
    produced_at: DateTime<Utc>,
    answers: Vec<SingleResponse>,
    nonce: Option<Vec<u8>>,
}

impl OcspResponseBuilder {
    /// An answer made at this time, in whole seconds.
    pub fn new(produced_at: DateTime<Utc>) -> Self {
        Self {
            produced_at,
            answers: Vec::new(),
            nonce: None,
        }
    }

    /// Repeats the request's nonce, if it had one.
    pub fn nonce(mut self, nonce: Option<&[u8]>) -> Self {
        self.nonce = nonce.map(<[u8]>::to_vec);
        self
    }

    /// Adds the answer about a certificate.
    pub fn answer(mut self, answer: SingleResponse) -> Self {
        self.answers.push(answer);
        self
    }

    /// Signs as the holder of `responder`, the `issuer` itself or whom it delegates to.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] when the key is not the responder's; [`Error::Unsupported`] for a responder that may not
    /// speak for the issuer.
    pub fn sign(
        self,
        issuer: &Certificate,
        responder: &Certificate,
        key: &PrivateKey,
    ) -> Result<Vec<u8>, Error> {
        if !responder.public_key()?.same_key(key.public_key()) {
            return Err(Error::KeyMismatch);
        }
        check_responder(issuer, responder)?;
        let algorithm = preferred(key.public_key())?;
        let data = self.data(responder)?;
        let signature = key.sign_digest(algorithm, &algorithm.digest_of(&data)?)?;
        finish(issuer, responder, &data, algorithm, &signature)
    }

    /// Signs with a key that lives elsewhere.
    ///
    /// # Errors
    /// As [`Self::sign`]; [`Error::Key`] when the signer fails.
    pub async fn sign_with(
        self,
        issuer: &Certificate,
        responder: &Certificate,
        signer: &dyn Signer,
        algorithm: SignatureAlgorithm,
    ) -> Result<Vec<u8>, Error> {
        if !responder.public_key()?.same_key(signer.public_key()) {
            return Err(Error::KeyMismatch);
        }
        check_responder(issuer, responder)?;
        let data = self.data(responder)?;
        let signature = signer.sign(algorithm, &algorithm.digest_of(&data)?).await?;
        finish(issuer, responder, &data, algorithm, &signature)
    }

    /// ResponseData: the responder is named by its key (RFC 5019, section 2.2.1), the version left at its default.
    fn data(&self, responder: &Certificate) -> Result<Vec<u8>, Error> {
        let key_id = responder.public_key()?.key_id()?;
        let answers = self
            .answers
            .iter()
            .map(SingleResponse::to_der)
            .collect::<Result<Vec<_>, _>>()?
            .concat();
        let mut inside = [
            tlv(0xa2, &tlv(0x04, &key_id)),
            generalized(self.produced_at)?,
            tlv(0x30, &answers),
        ]
        .concat();
        if let Some(nonce) = &self.nonce {
            inside.extend(tlv(0xa1, &nonce_extensions(nonce)));
        }
        Ok(tlv(0x30, &inside))
    }
}

fn finish(
    issuer: &Certificate,
    responder: &Certificate,
    data: &[u8],
    algorithm: SignatureAlgorithm,
    signature: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut basic = assemble(data, algorithm, signature)?;
    if responder != issuer {
        // A certs field behind the three parts of every signed structure.
        let inside: RawSequence<'_> = read(WHAT, &basic)?;
        let certificates = tlv(0xa0, &tlv(0x30, responder.to_der()));
        basic = tlv(0x30, &[inside.0, &certificates].concat());
    }
    let bytes = [tlv(0x06, BASIC.as_bytes()), tlv(0x04, &basic)].concat();
    let inside = [tlv(0x0a, &[0]), tlv(0xa0, &tlv(0x30, &bytes))].concat();
    Ok(tlv(0x30, &inside))
}

/// Whether `responder` may speak for `issuer`: it is the issuer, or a certificate of its for that purpose
/// (section 4.2.2.2). The time is not looked at.
fn check_responder(issuer: &Certificate, responder: &Certificate) -> Result<(), Error> {
    let refuse = |detail: &str| Err(Error::unsupported("OCSP responder", detail));
    let signs = responder
        .key_usage()
        .is_none_or(|usage| usage.intersects(KeyUsage::DIGITAL_SIGNATURE));
    if responder == issuer {
        return Ok(());
    }
    let issued = responder.issuer().matches(&issuer.subject())
        && responder.verify_signed_by(&issuer.public_key()?).is_ok();
    if !issued {
        return refuse("of another issuer");
    }
    if !signs || !responder.extended_key_usages().contains(&OCSP_SIGNING) {
        return refuse("its certificate is not for that");
    }
    Ok(())
}

/// An answer that has been read. [`verify`](Self::verify) says whether to believe it.
#[derive(Debug, Clone)]
pub struct OcspResponse {
    data: Vec<u8>,
    algorithm: Option<SignatureAlgorithm>,
    signature: Vec<u8>,
    certificates: Vec<Certificate>,
    produced_at: DateTime<Utc>,
    answers: Vec<SingleResponse>,
    nonce: Option<Vec<u8>>,
}

#[derive(Sequence)]
struct Basic<'a> {
    data: Tlv<'a>,
    algorithm: Algorithm<'a>,
    signature: RawBits<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    certificates: Option<RawSequence<'a>>,
}

impl OcspResponse {
    /// Reads an answer about at most `limit` certificates.
    ///
    /// # Errors
    /// [`Error::Malformed`]; [`Error::TooMany`]; [`Error::Unsupported`] for an answer that says why there is none, with
    /// its [`OcspError`], and for kinds of answer other than the basic one.
    pub fn from_der(der: &[u8], limit: usize) -> Result<Self, Error> {
        let broken = |detail: &str| Error::malformed(WHAT, detail);
        let outer: RawSequence<'_> = read(WHAT, der)?;
        let mut outer = elements(outer.0);
        let status = outer.next().unwrap_or_else(|| Err(broken("empty")))?;
        match status.0 {
            [0x0a, 1, 0] => {}
            [0x0a, 1, number] => {
                let status = OcspError::from_number(*number).ok_or_else(|| broken("status"))?;
                return Err(Error::unsupported(WHAT, format_args!("{status:?}")));
            }
            _ => return Err(broken("status")),
        }
        let bytes = outer.next().unwrap_or_else(|| Err(broken("no answer")))?;
        let bytes: RawSequence<'_> = read(WHAT, bytes.value())?;
        let parts = elements(bytes.0).collect::<Result<Vec<_>, _>>()?;
        let [kind, basic] = parts.as_slice() else {
            return Err(broken("answer"));
        };
        let kind: RawOid<'_> = read(WHAT, kind.0)?;
        if !kind.is(BASIC) {
            return Err(Error::unsupported(WHAT, kind.oid()?));
        }
        let basic: RawOctets<'_> = read(WHAT, basic.0)?;
        let basic: Basic<'_> = read(WHAT, basic.0)?;
        let certificates = elements(basic.certificates.map_or(&[], |all| all.0))
            .take(MAX_CERTIFICATES)
            .map(|certificate| Certificate::from_der(certificate?.0))
            .collect::<Result<_, _>>()?;

        let data: RawSequence<'_> = read(WHAT, basic.data.0)?;
        let mut parts = elements(data.0).peekable();
        let mut next = |tag: u8| match parts.peek() {
            Some(Ok(part)) if part.tag() == tag => parts.next().transpose(),
            Some(Err(_)) => parts.next().transpose(),
            _ => Ok(None),
        };
        if let Some(version) = next(0xa0)? {
            let version: RawInteger<'_> = read(WHAT, version.value())?;
            if version.0 != [0] {
                return Err(broken("version"));
            }
        }
        // Who signed is found by trying the keys: the name here is a hint.
        if next(0xa1)?.is_none() && next(0xa2)?.is_none() {
            return Err(broken("no responder"));
        }
        let produced_at = next(0x18)?.ok_or_else(|| broken("no producedAt"))?;
        let list = next(0x30)?.ok_or_else(|| broken("no answers"))?;
        let nonce = match next(0xa1)? {
            Some(extensions) => read_nonce(extensions)?,
            None => None,
        };
        let mut answers = Vec::new();
        for answer in elements(list.value()) {
            if answers.len() >= limit {
                let what = "certificates answered about";
                return Err(Error::TooMany { what, limit });
            }
            answers.push(SingleResponse::read(answer?)?);
        }
        let signature = basic.signature.bytes();
        Ok(Self {
            data: basic.data.0.to_vec(),
            algorithm: SignatureAlgorithm::from_identifier(&basic.algorithm),
            signature: signature.ok_or_else(|| broken("signature"))?.to_vec(),
            certificates,
            produced_at: time::read(produced_at)?,
            answers,
            nonce,
        })
    }

    /// When it was made.
    pub fn produced_at(&self) -> DateTime<Utc> {
        self.produced_at
    }

    /// The nonce that it repeats. Whoever sent one compares it; a responder may leave it out.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }

    /// The answers.
    pub fn answers(&self) -> &[SingleResponse] {
        &self.answers
    }

    /// The answer about this certificate.
    pub fn find(&self, id: &CertId) -> Option<&SingleResponse> {
        self.answers.iter().find(|answer| answer.id == *id)
    }

    /// Verifies that `issuer`, or whom it delegates to, signed the answer, and that it counts at this time: a delegate's
    /// certificate is valid, and no answer is from the future or past its end.
    ///
    /// # Errors
    /// [`Error::BadSignature`]; [`Error::Unsupported`] for algorithms unknown here and for an answer that does not
    /// count now.
    pub fn verify(&self, issuer: &Certificate, at: DateTime<Utc>) -> Result<(), Error> {
        let algorithm = self
            .algorithm
            .ok_or_else(|| Error::unsupported("signature algorithm", "of the OCSP response"))?;
        let by = |certificate: &Certificate| {
            let key = certificate.public_key()?;
            key.verify(algorithm, &self.data, &self.signature)
        };
        let delegated = || {
            self.certificates.iter().any(|certificate| {
                certificate.is_valid_at(at)
                    && check_responder(issuer, certificate).is_ok()
                    && by(certificate).is_ok()
            })
        };
        if by(issuer).is_err() && !delegated() {
            return Err(Error::BadSignature);
        }
        let counts = self.answers.iter().all(|answer| {
            answer.this_update <= at && answer.next_update.is_none_or(|next| at <= next)
        });
        match counts {
            true => Ok(()),
            false => Err(Error::unsupported(WHAT, "it does not count at this time")),
        }
    }
}

/// The most certificates looked at in an answer. A responder's is one.
const MAX_CERTIFICATES: usize = 8;

/// Times here are GeneralizedTime, whatever the year, in whole seconds (section 4.2.2.1).
fn generalized(at: DateTime<Utc>) -> Result<Vec<u8>, Error> {
    use chrono::Datelike as _;
    if !(0..=9999).contains(&at.year()) {
        return Err(Error::unsupported("time", "a year outside 0 to 9999"));
    }
    let text = at.format("%Y%m%d%H%M%SZ").to_string();
    Ok(tlv(0x18, text.as_bytes()))
}
