//! `Client-Cert` and `Client-Cert-Chain` (RFC 9440): byte sequences of structured fields (RFC 9651,
//! section 3.3.5).

use http::{HeaderMap, HeaderName};
use mdm_pki::{Certificate, pem::decode_base64};

use super::{CertificateError, Told, bounded, only};
use crate::identity::issuers::MAX_CHAIN;

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

pub(super) fn read(headers: &HeaderMap) -> Result<Option<Told>, CertificateError> {
    let Some(leaf) = only(headers, &CLIENT_CERT)? else {
        // A chain of nothing is nothing (section 2.3).
        return Ok(None);
    };
    let leaf = certificate(leaf)?;
    let mut chain = Vec::new();
    let mut bytes = 0_usize;
    // A list may be spread over several headers (RFC 9651, section 4.2).
    for value in headers.get_all(&CLIENT_CERT_CHAIN) {
        bytes = bytes.saturating_add(value.len());
        let value = value.as_bytes();
        bounded(value)?;
        if bytes > super::MAX_HEADER_BYTES {
            return Err(CertificateError::TooLong {
                bytes,
                limit: super::MAX_HEADER_BYTES,
            });
        }
        for member in value.split(|byte| *byte == b',') {
            if chain.len() == MAX_CHAIN {
                return Err(CertificateError::TooManyCertificates {
                    count: MAX_CHAIN + 1,
                });
            }
            chain.push(certificate(member.trim_ascii())?);
        }
    }
    Ok(Some(Told { leaf, chain }))
}

/// A certificate in a byte sequence. Parameters, which RFC 9440 does not know, are refused.
fn certificate(item: &[u8]) -> Result<Certificate, CertificateError> {
    const SYNTAX: CertificateError = CertificateError::Syntax("is no byte sequence");
    let base64 = item
        .strip_prefix(b":")
        .and_then(|rest| rest.strip_suffix(b":"))
        .filter(|base64| !base64.is_empty())
        .ok_or(SYNTAX)?;
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    if !base64.iter().all(is_base64) {
        return Err(SYNTAX);
    }
    Ok(Certificate::from_der(&decode_base64(base64)?)?)
}
