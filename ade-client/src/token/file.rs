//! The token file: from whatever was uploaded to the CMS, and from the decrypted message to its JSON.
//!
//! Apple's file is S/MIME around BER of indefinite length (Q1); administrators open, mail, rename
//! and cut it before it arrives here.

use std::borrow::Cow;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use mdm_pki::{
    Decrypter, PrivateKey,
    cms::{DecryptPolicy, EnvelopedData, Limits},
};
use zeroize::Zeroizing;

use super::{MAX_TOKEN_BYTES, TokenError};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Shorter than the first line of any body, longer than a word of a folded header.
const MIN_LINE: usize = 40;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Finds the CMS in the file.
pub(super) fn envelope(file: &[u8]) -> Result<Cow<'_, [u8]>, TokenError> {
    if file.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLarge);
    }
    let file = file.strip_prefix(BOM).unwrap_or(file);
    // A SEQUENCE. In base64 it would begin with `M`, in a header with a letter.
    if file.first() == Some(&0x30) && file.get(1).is_some_and(|length| *length >= 0x80) {
        return Ok(Cow::Borrowed(file));
    }
    let text = std::str::from_utf8(file).map_err(|_| TokenError::NotAToken("not text, not CMS"))?;
    let base64: String = body_lines(text).flat_map(str::split_whitespace).collect();
    if base64.is_empty() {
        return Err(TokenError::NotAToken("it holds no base64"));
    }
    let Ok(bytes) = LENIENT.decode(base64) else {
        return Err(TokenError::NotAToken("its base64 cannot be read"));
    };
    // Interfaces that take the token in JSON have the whole file in base64. Each time it is shorter.
    let inner = match bytes.first() {
        Some(0x30) => None,
        _ => envelope(&bytes).ok().map(Cow::into_owned),
    };
    Ok(Cow::Owned(inner.unwrap_or(bytes)))
}

/// The lines of base64, between header lines or PEM's first and whatever a mail puts behind. The
/// blank line that ends a header says nothing: some files lost it, others have one after each line.
fn body_lines(text: &str) -> impl Iterator<Item = &str> {
    text.trim_start()
        .split(['\r', '\n'])
        .map(|line| line.trim_end_matches(|c: char| c.is_whitespace() || c == '\0'))
        .skip_while(|line| line.len() < MIN_LINE || line.starts_with(' ') || !is_base64(line))
        .take_while(|line| is_base64(line))
}

/// Spaces are what a form makes of line ends.
fn is_base64(line: &str) -> bool {
    line.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b' '))
}

/// Decrypts for the lone recipient, whoever it says it is for: Apple's own sample has a negative
/// serial number. Triple DES is read, as older tokens are encrypted with it.
pub(super) fn decrypt(envelope: &[u8], key: &PrivateKey) -> Result<Zeroizing<Vec<u8>>, TokenError> {
    parse(envelope)?
        .decrypt(key, &DecryptPolicy::default())
        .map_err(refusal)
}

/// As [`decrypt`], with a key that lives elsewhere.
pub(super) async fn decrypt_with(
    envelope: &[u8],
    key: &dyn Decrypter,
) -> Result<Zeroizing<Vec<u8>>, TokenError> {
    parse(envelope)?
        .decrypt_with(key, &DecryptPolicy::default())
        .await
        .map_err(refusal)
}

fn parse(envelope: &[u8]) -> Result<EnvelopedData, TokenError> {
    EnvelopedData::parse(envelope, &Limits::default())
        .map_err(|error| TokenError::Damaged(error.to_string()))
}

fn refusal(error: mdm_pki::Error) -> TokenError {
    match error {
        mdm_pki::Error::Decrypt | mdm_pki::Error::NoRecipient => TokenError::WrongKey,
        mdm_pki::Error::Key(error) => TokenError::Key(error.to_string()),
        other => TokenError::Damaged(other.to_string()),
    }
}

/// Finds the JSON between header and markers, either of which may be missing, and joins its lines:
/// some messages are wrapped inside of strings.
pub(super) fn json(message: &[u8]) -> Result<Zeroizing<Vec<u8>>, TokenError> {
    // A wrong key now and then decrypts to noise with valid padding.
    let text = std::str::from_utf8(message).map_err(|_| TokenError::WrongKey)?;
    let (Some(start), Some(end)) = (text.find('{'), text.rfind('}')) else {
        return Err(TokenError::Json);
    };
    let json = text.get(start..=end).ok_or(TokenError::Json)?;
    Ok(Zeroizing::new(
        json.bytes()
            .filter(|byte| !matches!(byte, b'\r' | b'\n'))
            .collect(),
    ))
}
