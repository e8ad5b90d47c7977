//! Certificates in percent-encoded PEM, or in base64 alone.

use std::borrow::Cow;

use mdm_pki::{Certificate, pem::decode_base64};
use percent_encoding::percent_decode;

use super::{CertificateError, Told};
use crate::identity::issuers::MAX_CHAIN;

/// A plus sign stays one: it is a digit of base64, which not every proxy escapes. Only where the first line of PEM has
/// one in it was the value escaped as for a query, as `url.QueryEscape` of Go does it: then a digit is `%2B`.
pub(super) fn read(value: &[u8]) -> Result<Told, CertificateError> {
    let mut value = Cow::Borrowed(value);
    if contains(&value, b"BEGIN+CERTIFICATE") {
        let spaced = value
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte });
        value = Cow::Owned(spaced.collect());
    }
    let text: Vec<u8> = percent_decode(&value).collect();
    let is_pem = contains(&text, b"-----BEGIN ");
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

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
