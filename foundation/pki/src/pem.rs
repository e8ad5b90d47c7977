//! PEM and base64 around DER (RFC 7468), read leniently.

use std::borrow::Cow;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};

use crate::error::Error;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BEGIN: &[u8] = b"-----BEGIN ";

/// The labels of messages (RFC 7468, section 9, and what was before it).
const MESSAGES: &[&str] = &["CMS", "PKCS7", "PKCS #7 SIGNED DATA"];

const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const ANY_PADDING_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// One block of a PEM text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Block {
    /// What stands after `BEGIN`, such as `CERTIFICATE`.
    pub label: String,
    /// What is inside.
    pub der: Vec<u8>,
}

/// Reads every block of a PEM text; text around the blocks is passed over.
///
/// # Errors
/// [`Error::Malformed`] for a block that does not end or is no base64. A text without any block gives an empty list.
pub fn decode(pem: &[u8]) -> Result<Vec<Block>, Error> {
    let fail = |detail: &str| Error::malformed("PEM", detail);
    let text = String::from_utf8_lossy(pem);
    let mut rest = text.as_ref();
    let mut blocks = Vec::new();
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        let (label, inside) = begun
            .split_once("-----")
            .ok_or_else(|| fail("a BEGIN line that does not end"))?;
        let (body, after) = inside
            .split_once("-----END ")
            .ok_or_else(|| fail("a block without END"))?;
        // Headers, as OpenSSL's old key files have, end with an empty line.
        let body = match body.contains(':') {
            true => body
                .split_once("\n\n")
                .or_else(|| body.split_once("\r\n\r\n"))
                .map_or(body, |(_, data)| data),
            false => body,
        };
        blocks.push(Block {
            label: label.trim().to_owned(),
            der: decode_base64(body.as_bytes())?,
        });
        rest = after;
    }
    Ok(blocks)
}

/// Writes one block, with lines of 64 characters.
pub fn encode(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in base64.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}

/// Reads base64: standard or URL alphabet, with or without padding and white space.
///
/// # Errors
/// [`Error::Malformed`] for any other character.
pub fn decode_base64(text: &[u8]) -> Result<Vec<u8>, Error> {
    let text: Cow<'_, [u8]> = if text.iter().any(u8::is_ascii_whitespace) {
        let dense = text
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace());
        Cow::Owned(dense.collect())
    } else {
        Cow::Borrowed(text)
    };
    let url = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let engine = if url { &ANY_PADDING_URL } else { &ANY_PADDING };
    engine
        .decode(text)
        .map_err(|error| Error::malformed("base64", error))
}

/// The DER or BER inside: given as it is, in PEM, or in bare base64.
pub(crate) fn unwrap<'a>(what: &'static str, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
    let trimmed = bytes.trim_ascii_start();
    if bytes.first() == Some(&0x30) && trimmed.get(1).is_some_and(|next| !is_base64(*next)) {
        return Ok(Cow::Borrowed(bytes));
    }
    // Tools write what is inside in words before it.
    if bytes.windows(BEGIN.len()).any(|at| at == BEGIN) {
        let mut blocks = decode(bytes)?;
        if blocks.is_empty() {
            return Err(Error::malformed(what, "no PEM block"));
        }
        let is_message = |block: &Block| MESSAGES.contains(&block.label.as_str());
        let first = blocks.iter().position(is_message).unwrap_or(0);
        return Ok(Cow::Owned(blocks.swap_remove(first).der));
    }
    if bytes.first() == Some(&0x30) {
        // `0` opens a SEQUENCE as well as a base64 text, whose first byte would then be no tag of anything here.
        return Ok(Cow::Borrowed(bytes));
    }
    decode_base64(trimmed)
        .ok()
        .filter(|der| !der.is_empty())
        .map(Cow::Owned)
        .ok_or_else(|| Error::malformed(what, "neither DER, nor PEM, nor base64"))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_whatever_surrounds_them() {
        let pem = format!(
            "Bag Attributes\n{}subject=x\r\n{}",
            encode("CERTIFICATE", &[1; 100]),
            encode("X", b"").replace('\n', "\r\n"),
        );
        let blocks = decode(pem.as_bytes()).unwrap();
        assert_eq!(blocks.len(), 2);
        assert_eq!(blocks[0].label, "CERTIFICATE");
        assert_eq!(blocks[0].der, [1; 100]);
        assert!(blocks[1].der.is_empty());
        assert!(decode(b"nothing here").unwrap().is_empty());
        for broken in [
            "-----BEGIN X",
            "-----BEGIN X-----\nAAAA",
            "-----BEGIN X-----\n*\n-----END X-----",
        ] {
            assert!(decode(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn base64_is_read_in_both_alphabets_with_and_without_padding() {
        for text in ["-_8=", "-_8", "+/8=", "+/8", " +/\r\n8= "] {
            assert_eq!(
                decode_base64(text.as_bytes()).unwrap(),
                [0xfb, 0xff],
                "{text}"
            );
        }
        assert!(decode_base64(b"+_8").is_err());
    }

    #[test]
    fn der_pem_and_base64_are_told_apart() {
        let der = [0x30, 0x80, 0, 0];
        for form in [
            der.to_vec(),
            encode("CMS", &der).into_bytes(),
            b"MIAAAA==".to_vec(),
            b"\r\nMIAAAA".to_vec(),
            format!("Signers:\n{}", encode("PKCS7", &der)).into_bytes(),
            (encode("CERTIFICATE", b"x") + &encode("PKCS7", &der)).into_bytes(),
        ] {
            assert_eq!(*unwrap("CMS", &form).unwrap(), der);
        }
        for other in [&b""[..], b"<html>", b"-----BEGIN "] {
            assert!(unwrap("CMS", other).is_err());
        }
    }
}
