//! The structures of RFC 5652 as `der` reads and writes them. Input has been normalised to DER before.

use der::{Decode, Sequence};

use crate::{
    asn1::{Algorithm, RawInteger, RawOctets, RawOid, RawSequence, RawSet, Tlv, elements, read},
    error::Error,
    oid::Oid,
};

/// The content type of a ContentInfo (section 3) and the element it holds.
pub(crate) fn content_info<'a>(
    what: &'static str,
    der: &'a [u8],
) -> Result<(RawOid<'a>, Option<Tlv<'a>>), Error> {
    let info: RawSequence<'a> = read(what, der)?;
    let mut parts = elements(info.0);
    let content_type = parts
        .next()
        .unwrap_or_else(|| Err(Error::malformed(what, "empty")))?;
    let content = match (parts.next().transpose()?, parts.next()) {
        (None, _) => None,
        (Some(wrapper), None) if wrapper.tag() == 0xa0 => Some(Tlv(wrapper.value())),
        _ => return Err(Error::malformed(what, "not a ContentInfo")),
    };
    Ok((read(what, content_type.0)?, content))
}

/// What a ContentInfo of this type holds.
pub(crate) fn body<'a, T>(what: &'static str, content_type: Oid, der: &'a [u8]) -> Result<T, Error>
where
    T: Decode<'a>,
{
    match content_info(what, der)? {
        (found, Some(content)) if found.is(content_type) => read(what, content.0),
        _ => Err(Error::malformed(what, "another content type")),
    }
}

/// Section 5.1.
#[derive(Sequence)]
pub(crate) struct SignedDataBody<'a> {
    pub(crate) version: RawInteger<'a>,
    pub(crate) digest_algorithms: RawSet<'a>,
    pub(crate) content_info: EncapsulatedContent<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) certificates: Option<RawSet<'a>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) crls: Option<RawSet<'a>>,
    pub(crate) signers: RawSet<'a>,
}

/// Section 5.2.
#[derive(Sequence)]
pub(crate) struct EncapsulatedContent<'a> {
    pub(crate) content_type: RawOid<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) content: Option<RawOctets<'a>>,
}

/// Section 5.3. Which of the two identifiers `signer` is, its tag tells.
#[derive(Sequence)]
pub(crate) struct SignerInfoBody<'a> {
    pub(crate) version: RawInteger<'a>,
    pub(crate) signer: Tlv<'a>,
    pub(crate) digest_algorithm: Algorithm<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) signed_attributes: Option<RawSet<'a>>,
    pub(crate) signature_algorithm: Algorithm<'a>,
    pub(crate) signature: RawOctets<'a>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) unsigned_attributes: Option<RawSet<'a>>,
}

/// Section 10.2.4.
#[derive(Sequence)]
pub(crate) struct IssuerAndSerial<'a> {
    pub(crate) issuer: Tlv<'a>,
    pub(crate) serial: RawInteger<'a>,
}

/// Section 6.1. The unprotected attributes are passed over.
#[derive(Sequence)]
pub(crate) struct EnvelopedDataBody<'a> {
    pub(crate) version: RawInteger<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) originator: Option<RawSequence<'a>>,
    pub(crate) recipients: RawSet<'a>,
    pub(crate) content: RawSequence<'a>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) unprotected_attributes: Option<RawSet<'a>>,
}

/// Section 6.2.1. Which of the two identifiers `recipient` is, its tag tells.
#[derive(Sequence)]
pub(crate) struct KeyTransRecipient<'a> {
    pub(crate) version: RawInteger<'a>,
    pub(crate) recipient: Tlv<'a>,
    pub(crate) algorithm: Algorithm<'a>,
    pub(crate) encrypted_key: RawOctets<'a>,
}

/// Section 6.2.4, under the tag [`PASSWORD`].
#[derive(Sequence)]
pub(crate) struct PasswordRecipientBody<'a> {
    pub(crate) version: RawInteger<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) derivation: Option<RawSequence<'a>>,
    pub(crate) algorithm: Algorithm<'a>,
    pub(crate) encrypted_key: RawOctets<'a>,
}

/// RSAES-OAEP-params (RFC 8017, appendix A.2.1).
#[derive(Sequence)]
pub(crate) struct OaepParameters<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) hash: Option<Algorithm<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) mask: Option<Algorithm<'a>>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) label: Option<Algorithm<'a>>,
}

/// The context tag of a subject key identifier, in a signer's and in a recipient's place.
pub(crate) const KEY_ID: u8 = 0x80;
/// The context tag of KeyAgreeRecipientInfo (section 6.2.2) among the recipients.
pub(crate) const AGREEMENT: u8 = 0xa1;
/// The context tag of [`PasswordRecipientBody`] among the recipients.
pub(crate) const PASSWORD: u8 = 0xa3;
/// The tag of [`IssuerAndSerial`].
pub(crate) const SEQUENCE: u8 = 0x30;
