//! Certificates in percent-encoded PEM, or in base64 alone.

use mdm_pki::{Certificate, pem::decode_base64};
use percent_encoding::percent_decode;

use super::{CertificateError, Told};
use crate::identity::issuers::MAX_CHAIN;

/// A plus sign stays one: it is a digit of base64, which not every proxy escapes.
pub(super) fn read(value: &[u8]) -> Result<Told, CertificateError> {
    let text: Vec<u8> = percent_decode(value).collect();
    let is_pem = text.windows(BEGIN.len()).any(|window| window == BEGIN);
    let stack = if is_pem {
        // nginx's older header has tabs where lines end.
        Certificate::stack_from_pem(&text)?
    } else {
        text.split(|byte| *byte == b',')
            .take(MAX_CHAIN + 2)
            .map(|base64| Certificate::from_der(&decode_base64(base64.trim_ascii())?))
            .collect::<Result<_, mdm_pki::Error>>()?
    };
    Told::from_stack(stack)
}

const BEGIN: &[u8] = b"-----BEGIN ";
