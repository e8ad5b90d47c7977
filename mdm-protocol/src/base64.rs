//! Base64 as it is found in headers: either alphabet, padding or none, wrapped or not.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::error::Error;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes `text`, which `what` names in errors, if it is no longer than `limit` bytes.
pub(crate) fn decode(what: &'static str, text: &str, limit: usize) -> Result<Vec<u8>, Error> {
    if text.len() > limit {
        return Err(Error::TooLarge {
            what,
            bytes: text.len(),
            limit,
        });
    }
    let plain: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        })
        .collect();
    if plain.is_empty() {
        return Err(Error::Base64(what));
    }
    LENIENT.decode(plain).map_err(|_| Error::Base64(what))
}
