//! BER of indefinite length, as Apple's token files have it: constructed encryptedContent in chunks,
//! closed by end-of-contents octets (X.690 section 8.1.3.6).

use mdm_pki::{
    Certificate, Error,
    cms::{ContentCipher, EnvelopedDataBuilder},
};

const SEQUENCE: u8 = 0x30;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_0_PRIMITIVE: u8 = 0x80;
const OCTET_STRING: u8 = 0x04;
const END_OF_CONTENTS: [u8; 2] = [0, 0];

/// How many octets of content stand in one chunk; small, so that there are several.
const CHUNK: usize = 160;

/// Encrypts for the recipient as Apple does: AES-128-CBC, the key wrapped with RSA PKCS#1 v1.5.
pub(super) fn envelope(message: &[u8], recipient: &Certificate) -> Result<Vec<u8>, Error> {
    let der = EnvelopedDataBuilder::new(message)
        .cipher(ContentCipher::Aes128Cbc)
        .recipient(recipient)
        .encrypt()?;
    indefinite(&der).ok_or(Error::Incomplete("the envelope's encryptedContent"))
}

/// Rewrites ContentInfo, EnvelopedData and EncryptedContentInfo; what is inside of them stays DER.
fn indefinite(der: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(der.len() + 128);
    let (tag, content_info, _) = element(der)?;
    open(&mut out, tag);
    for (tag, value, whole) in elements(content_info)? {
        if tag != CONTEXT_0 {
            out.extend_from_slice(whole);
            continue;
        }
        open(&mut out, CONTEXT_0);
        let (_, enveloped_data, _) = element(value)?;
        open(&mut out, SEQUENCE);
        for (tag, value, whole) in elements(enveloped_data)? {
            if tag == SEQUENCE {
                encrypted_content_info(&mut out, value)?;
            } else {
                out.extend_from_slice(whole);
            }
        }
        out.extend_from_slice(&END_OF_CONTENTS);
        out.extend_from_slice(&END_OF_CONTENTS);
    }
    out.extend_from_slice(&END_OF_CONTENTS);
    Some(out)
}

fn encrypted_content_info(out: &mut Vec<u8>, value: &[u8]) -> Option<()> {
    open(out, SEQUENCE);
    for (tag, value, whole) in elements(value)? {
        if tag != CONTEXT_0_PRIMITIVE {
            out.extend_from_slice(whole);
            continue;
        }
        open(out, CONTEXT_0);
        for chunk in value.chunks(CHUNK) {
            out.push(OCTET_STRING);
            length(out, chunk.len());
            out.extend_from_slice(chunk);
        }
        out.extend_from_slice(&END_OF_CONTENTS);
    }
    out.extend_from_slice(&END_OF_CONTENTS);
    Some(())
}

fn open(out: &mut Vec<u8>, tag: u8) {
    out.extend_from_slice(&[tag, 0x80]);
}

/// A chunk is shorter than 256 octets.
fn length(out: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short @ 0..=0x7f) => out.push(short),
        Ok(long) => out.extend_from_slice(&[0x81, long]),
        Err(_) => {}
    }
}

type Element<'a> = (u8, &'a [u8], &'a [u8]);

/// The first DER element: tag, value and the whole of it.
fn element(der: &[u8]) -> Option<Element<'_>> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, header) = match first {
        0..=0x7f => (usize::from(first), 2),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let digits = rest.get(..count)?;
            let length = digits
                .iter()
                .fold(0_usize, |length, digit| length << 8 | usize::from(*digit));
            (length, 2 + count)
        }
        _ => return None,
    };
    let whole = der.get(..header.checked_add(length)?)?;
    Some((tag, whole.get(header..)?, whole))
}

fn elements(mut der: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let next = element(der)?;
        der = der.get(next.2.len()..)?;
        found.push(next);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definite_becomes_indefinite_and_the_content_is_chunked() {
        // ContentInfo { OID 1.2, [0] { SEQ { INT 0, SET {}, SEQ { OID 1.2, SEQ {}, [0] 200 octets } } } }
        let content = [vec![0x80, 0x81, 200], vec![7; 200]].concat();
        let wrap = |tag: u8, inner: &[u8]| {
            let mut out = vec![tag, 0x81, u8::try_from(inner.len()).unwrap()];
            out.extend_from_slice(inner);
            out
        };
        let eci = wrap(SEQUENCE, &[&[6, 1, 42, SEQUENCE, 0][..], &content].concat());
        let data = wrap(SEQUENCE, &[&[2, 1, 0, 0x31, 0][..], &eci].concat());
        let info = wrap(
            SEQUENCE,
            &[&[6, 1, 42][..], &wrap(CONTEXT_0, &data)].concat(),
        );
        let expected = [
            &[
                0x30, 0x80, 6, 1, 42, 0xa0, 0x80, 0x30, 0x80, 2, 1, 0, 0x31, 0,
            ][..],
            &[0x30, 0x80, 6, 1, 42, 0x30, 0, 0xa0, 0x80, 4, 0x81, 160],
            &[7; 160],
            &[4, 40],
            &[7; 40],
            &[0; 10],
        ]
        .concat();
        assert_eq!(indefinite(&info).unwrap(), expected);
        assert_eq!(indefinite(&info[..20]), None);
    }
}
