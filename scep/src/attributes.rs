//! What a SCEP message says of itself, in signed attributes: type, transaction, nonces, status
//! (RFC 8894 section 3.2.1). Reading is bounded and takes what deployed clients write; writing is
//! exactly what the RFC asks for.

use std::fmt;

use mdm_pki::{DigestAlgorithm, PublicKey, digest, oid::Oid, random};

use crate::{
    der::{split, tlv},
    error::Error,
};

/// `messageType`, a PrintableString.
pub const MESSAGE_TYPE: Oid = Oid::constant("2.16.840.1.113733.1.9.2");
/// `pkiStatus`, a PrintableString.
pub const PKI_STATUS: Oid = Oid::constant("2.16.840.1.113733.1.9.3");
/// `failInfo`, a PrintableString.
pub const FAIL_INFO: Oid = Oid::constant("2.16.840.1.113733.1.9.4");
/// `senderNonce`, an OCTET STRING.
pub const SENDER_NONCE: Oid = Oid::constant("2.16.840.1.113733.1.9.5");
/// `recipientNonce`, an OCTET STRING.
pub const RECIPIENT_NONCE: Oid = Oid::constant("2.16.840.1.113733.1.9.6");
/// `transactionID`, a PrintableString.
pub const TRANSACTION_ID: Oid = Oid::constant("2.16.840.1.113733.1.9.7");
/// `failInfoText`, a UTF8String (RFC 8894 section 3.2.1.5).
pub const FAIL_INFO_TEXT: Oid = Oid::constant("1.3.6.1.5.5.7.24.1");

/// The longest `transactionID` taken, in characters. A SHA-512 in hexadecimal has 128.
pub const MAX_TRANSACTION_ID: usize = 256;
/// The longest nonce taken, in bytes. RFC 8894 asks for 16.
pub const MAX_NONCE: usize = 64;
/// The longest `failInfoText` read or written, in bytes; what is longer is cut.
pub const MAX_FAIL_INFO_TEXT: usize = 512;

/// What a message is (RFC 8894 section 3.2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageType {
    /// 3: the server's answer.
    CertRep,
    /// 17: a new certificate for an old one that signs.
    RenewalReq,
    /// 19: a first certificate; Apple's client also renews with it.
    PkcsReq,
    /// 20: asks for a certificate that was pending.
    CertPoll,
    /// 21: asks for a certificate by serial number.
    GetCert,
    /// 22: asks for a revocation list.
    GetCrl,
    /// Any other number: obsolete (18, `UpdateReq`), reserved, or made up.
    Other(u32),
}

impl MessageType {
    /// The type's number.
    pub fn number(self) -> u32 {
        match self {
            Self::CertRep => 3,
            Self::RenewalReq => 17,
            Self::PkcsReq => 19,
            Self::CertPoll => 20,
            Self::GetCert => 21,
            Self::GetCrl => 22,
            Self::Other(number) => number,
        }
    }

    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        number(value).map(Self::from)
    }
}

impl From<u32> for MessageType {
    fn from(number: u32) -> Self {
        match number {
            3 => Self::CertRep,
            17 => Self::RenewalReq,
            19 => Self::PkcsReq,
            20 => Self::CertPoll,
            21 => Self::GetCert,
            22 => Self::GetCrl,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::CertRep => "CertRep",
            Self::RenewalReq => "RenewalReq",
            Self::PkcsReq => "PKCSReq",
            Self::CertPoll => "CertPoll",
            Self::GetCert => "GetCert",
            Self::GetCrl => "GetCRL",
            Self::Other(number) => return write!(f, "messageType {number}"),
        };
        f.write_str(name)
    }
}

/// How a request ended (RFC 8894 section 3.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PkiStatus {
    /// 0: granted.
    Success,
    /// 2: refused; a [`FailInfo`] says why.
    Failure,
    /// 3: waiting for a person.
    Pending,
}

impl PkiStatus {
    /// The status's number.
    pub fn number(self) -> u32 {
        match self {
            Self::Success => 0,
            Self::Failure => 2,
            Self::Pending => 3,
        }
    }

    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        match number(value)? {
            0 => Some(Self::Success),
            2 => Some(Self::Failure),
            3 => Some(Self::Pending),
            _ => None,
        }
    }
}

/// Why a request was refused (RFC 8894 section 3.2.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailInfo {
    /// 0: an algorithm is not known or not allowed.
    BadAlg,
    /// 1: a signature, an encryption or a proof of possession did not hold.
    BadMessageCheck,
    /// 2: the transaction is not permitted or not supported.
    BadRequest,
    /// 3: the signing time is too far away.
    BadTime,
    /// 4: no certificate answers to the criteria.
    BadCertId,
    /// A number that RFC 8894 does not name.
    Other(u32),
}

impl FailInfo {
    /// The reason's number.
    pub fn number(self) -> u32 {
        match self {
            Self::BadAlg => 0,
            Self::BadMessageCheck => 1,
            Self::BadRequest => 2,
            Self::BadTime => 3,
            Self::BadCertId => 4,
            Self::Other(number) => number,
        }
    }

    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        Some(match number(value)? {
            0 => Self::BadAlg,
            1 => Self::BadMessageCheck,
            2 => Self::BadRequest,
            3 => Self::BadTime,
            4 => Self::BadCertId,
            other => Self::Other(other),
        })
    }
}

impl fmt::Display for FailInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::BadAlg => "badAlg",
            Self::BadMessageCheck => "badMessageCheck",
            Self::BadRequest => "badRequest",
            Self::BadTime => "badTime",
            Self::BadCertId => "badCertId",
            Self::Other(number) => return write!(f, "failInfo {number}"),
        };
        f.write_str(name)
    }
}

/// The name of one exchange, chosen by the client and repeated by the server
/// (RFC 8894 section 3.2.1.1). Visible ASCII, at most [`MAX_TRANSACTION_ID`] characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TransactionId(String);

impl TransactionId {
    /// Takes the text if it can be a transaction's name.
    ///
    /// # Errors
    /// [`Error::Attribute`] for a text that is empty, too long, or not visible ASCII.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        let fits = (1..=MAX_TRANSACTION_ID).contains(&text.len())
            && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if fits {
            Ok(Self(text))
        } else {
            Err(Error::Attribute("transactionID"))
        }
    }

    /// The name for a request about `key`: upper-case hexadecimal of the SHA-256 of its
    /// SubjectPublicKeyInfo, so that a retry has the name of the first attempt.
    ///
    /// # Errors
    /// [`Error::Pki`] where OpenSSL fails.
    pub fn for_key(key: &PublicKey) -> Result<Self, Error> {
        let hash = digest(DigestAlgorithm::Sha256, key.to_spki_der())?;
        Ok(Self(hex::encode_upper(hash)))
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        Self::new(text(value)?).ok()
    }

    pub(crate) fn to_der(&self) -> Vec<u8> {
        // A client whose name leaves PrintableString's alphabet gets its text back all the same.
        let tag = if self.0.bytes().all(is_printable) {
            TAG_PRINTABLE
        } else {
            TAG_UTF8
        };
        tlv(tag, self.0.as_bytes())
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A number used once: proves that an answer belongs to a request (RFC 8894 section 3.2.1.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce(Vec<u8>);

impl Nonce {
    /// Sixteen fresh random bytes.
    ///
    /// # Errors
    /// [`Error::Pki`] where the machine has no randomness.
    pub fn random() -> Result<Self, Error> {
        Ok(Self(random::<16>()?.to_vec()))
    }

    /// Takes a peer's nonce of 1 to [`MAX_NONCE`] bytes.
    ///
    /// # Errors
    /// [`Error::Attribute`] for any other length.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let bytes = bytes.into();
        if (1..=MAX_NONCE).contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(Error::Attribute("nonce"))
        }
    }

    /// The nonce's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        Self::new(octets(value)?).ok()
    }

    pub(crate) fn to_der(&self) -> Vec<u8> {
        tlv(TAG_OCTETS, &self.0)
    }
}

/// A number as PrintableString, the form of type, status and reason.
pub(crate) fn number_der(number: u32) -> Vec<u8> {
    tlv(TAG_PRINTABLE, number.to_string().as_bytes())
}

/// A reason in words, cut at [`MAX_FAIL_INFO_TEXT`].
pub(crate) fn text_der(text: &str) -> Vec<u8> {
    tlv(TAG_UTF8, cut(text).as_bytes())
}

pub(crate) fn read_text(value: &[u8]) -> Option<String> {
    text(value).map(|text| cut(text).to_owned())
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_FAIL_INFO_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

/// Decimal text of at most nine digits without a leading zero.
fn number(value: &[u8]) -> Option<u32> {
    let digits = text(value)?;
    let canonical = (1..=9).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    canonical.then(|| digits.parse().ok()).flatten()
}

fn text(value: &[u8]) -> Option<&str> {
    match split(value)? {
        (TAG_PRINTABLE | TAG_UTF8 | TAG_IA5, content, []) => std::str::from_utf8(content).ok(),
        _ => None,
    }
}

/// An OCTET STRING; some clients cut it into pieces, which BER allows.
fn octets(value: &[u8]) -> Option<Vec<u8>> {
    match split(value)? {
        (TAG_OCTETS, content, []) => Some(content.to_vec()),
        (TAG_OCTETS_CONSTRUCTED, mut pieces, []) => {
            let mut whole = Vec::new();
            while !pieces.is_empty() {
                let (TAG_OCTETS, piece, rest) = split(pieces)? else {
                    return None;
                };
                whole.extend_from_slice(piece);
                pieces = rest;
            }
            Some(whole)
        }
        _ => None,
    }
}

const TAG_OCTETS: u8 = 0x04;
const TAG_OCTETS_CONSTRUCTED: u8 = 0x24;
const TAG_UTF8: u8 = 0x0c;
const TAG_PRINTABLE: u8 = 0x13;
const TAG_IA5: u8 = 0x16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_type_reads_back_and_unknown_numbers_are_kept() {
        for number in [0, 3, 17, 18, 19, 20, 21, 22, 99, 999_999_999] {
            let read = MessageType::read(&number_der(number)).unwrap();
            assert_eq!(read.number(), number);
            assert!(!read.to_string().is_empty());
        }
        assert_eq!(MessageType::from(18), MessageType::Other(18));
    }

    #[test]
    fn numbers_that_are_not_plain_decimal_text_are_no_numbers() {
        for text in [
            "",
            "019",
            "+19",
            "-1",
            "1 9",
            "0x13",
            "1234567890",
            "nineteen",
        ] {
            assert_eq!(
                MessageType::read(&tlv(TAG_PRINTABLE, text.as_bytes())),
                None,
                "{text}"
            );
        }
        assert_eq!(
            MessageType::read(&[0x02, 1, 19]),
            None,
            "an INTEGER is not text"
        );
        assert_eq!(MessageType::read(&[]), None);
        assert_eq!(MessageType::read(&[0x13, 0x05, b'1']), None, "cut short");
        assert_eq!(
            MessageType::read(&[0x13, 0x01, b'3', 0]),
            None,
            "something follows"
        );
    }

    #[test]
    fn statuses_and_reasons_have_the_numbers_of_the_rfc() {
        for (status, number) in [
            (PkiStatus::Success, 0),
            (PkiStatus::Failure, 2),
            (PkiStatus::Pending, 3),
        ] {
            assert_eq!(status.number(), number);
            assert_eq!(PkiStatus::read(&number_der(number)), Some(status));
        }
        assert_eq!(PkiStatus::read(&number_der(1)), None);
        for (reason, number) in [
            (FailInfo::BadAlg, 0),
            (FailInfo::BadMessageCheck, 1),
            (FailInfo::BadRequest, 2),
            (FailInfo::BadTime, 3),
            (FailInfo::BadCertId, 4),
            (FailInfo::Other(7), 7),
        ] {
            assert_eq!(reason.number(), number);
            assert_eq!(FailInfo::read(&number_der(number)), Some(reason));
        }
    }

    #[test]
    fn a_transaction_id_keeps_its_text_whatever_string_type_carried_it() {
        for tag in [TAG_PRINTABLE, TAG_UTF8, TAG_IA5] {
            let id = TransactionId::read(&tlv(tag, b"1f9A=_")).unwrap();
            assert_eq!(id.as_str(), "1f9A=_");
            assert_eq!(id.to_der()[0], TAG_UTF8, "the underscore is not printable");
        }
        assert_eq!(
            TransactionId::new("AB12").unwrap().to_der(),
            b"\x13\x04AB12"
        );
    }

    #[test]
    fn transaction_ids_and_nonces_are_bounded() {
        assert!(TransactionId::new("x".repeat(MAX_TRANSACTION_ID)).is_ok());
        for text in ["", "a\nb", "é", &"x".repeat(MAX_TRANSACTION_ID + 1)] {
            assert!(TransactionId::new(text).is_err());
        }
        assert!(Nonce::new(vec![1; MAX_NONCE]).is_ok());
        assert!(Nonce::new(vec![]).is_err());
        assert!(Nonce::new(vec![1; MAX_NONCE + 1]).is_err());
    }

    #[test]
    fn a_nonce_in_pieces_is_put_together() {
        let pieces = [tlv(TAG_OCTETS, &[1; 8]), tlv(TAG_OCTETS, &[2; 8])].concat();
        let nonce = Nonce::read(&tlv(TAG_OCTETS_CONSTRUCTED, &pieces)).unwrap();
        assert_eq!(nonce.as_bytes(), [[1; 8], [2; 8]].concat());
        assert!(Nonce::read(&tlv(TAG_OCTETS_CONSTRUCTED, &tlv(TAG_UTF8, b"x"))).is_none());
        assert_ne!(Nonce::random().unwrap(), Nonce::random().unwrap());
        assert_eq!(Nonce::random().unwrap().as_bytes().len(), 16);
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let text = "é".repeat(MAX_FAIL_INFO_TEXT);
        let read = read_text(&text_der(&text)).unwrap();
        assert_eq!(read.len(), MAX_FAIL_INFO_TEXT);
        assert!(text.starts_with(&read));
    }
}
