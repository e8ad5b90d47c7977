//! Envoy's `x-forwarded-client-cert`: elements with commas between, of pairs with semicolons between;
//! a value that holds one of these should be quoted.
//!
//! Envoy writes `URI` and `DNS` as they stand in the certificate (envoyproxy/envoy#32945), so a client's certificate can bring
//! commas, semicolons and pairs of its own. `Hash` is Envoy's own and comes first: what a client adds makes an element or a
//! pair too many, and is refused for that.

use http::{HeaderMap, HeaderName};

use mdm_pki::DigestAlgorithm;

use super::{CertificateError, Told, bounded, pem};

const HEADER: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

/// The element that the outermost of so many proxies of ours wrote.
pub(super) fn read(headers: &HeaderMap, proxies: usize) -> Result<Option<Told>, CertificateError> {
    let mut value = Vec::new();
    // Several headers are one list (RFC 9110, section 5.3).
    for part in headers.get_all(&HEADER) {
        if !value.is_empty() {
            value.push(b',');
        }
        value.extend_from_slice(part.as_bytes());
        bounded(&value)?;
    }
    if value.trim_ascii().is_empty() {
        return Ok(None);
    }
    let elements = split(&value, b',')?;
    let Some(element) = elements.first().filter(|_| elements.len() == proxies) else {
        return Err(CertificateError::Syntax(
            "has not as many elements as there are proxies",
        ));
    };
    let mut cert = None;
    let mut chain = None;
    let mut hash = None;
    for pair in split(element, b';')? {
        let at = pair.iter().position(|byte| *byte == b'=');
        let (key, rest) = pair.split_at(at.unwrap_or(pair.len()));
        let place = match key.trim_ascii() {
            key if key.eq_ignore_ascii_case(b"Cert") => &mut cert,
            key if key.eq_ignore_ascii_case(b"Chain") => &mut chain,
            key if key.eq_ignore_ascii_case(b"Hash") => &mut hash,
            _ => continue,
        };
        if place.is_some() {
            return Err(CertificateError::Syntax("names a certificate twice"));
        }
        *place = Some(unquoted(rest.get(1..).unwrap_or_default()));
    }
    // `Chain` begins with the certificate that `Cert` is.
    let (Some(cert), chain) = (cert.or_else(|| chain.clone()), chain) else {
        return Ok(None);
    };
    let mut told = pem::read(&cert)?;
    if let Some(chain) = chain {
        let stack = pem::read(&chain)?;
        if stack.leaf != told.leaf {
            return Err(CertificateError::Syntax("names two different certificates"));
        }
        told.chain = stack.chain;
    }
    let found = hex(&told.leaf.fingerprint(DigestAlgorithm::Sha256)?);
    if !hash.is_some_and(|hash| hash.eq_ignore_ascii_case(found.as_bytes())) {
        return Err(CertificateError::Syntax(
            "names a certificate whose hash is another",
        ));
    }
    Ok(Some(told))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parts between the separators that are not quoted.
fn split(value: &[u8], separator: u8) -> Result<Vec<&[u8]>, CertificateError> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            byte if *byte == separator && !quoted => {
                parts.push(value.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    if quoted {
        return Err(CertificateError::Syntax("has a quote that does not end"));
    }
    parts.push(value.get(start..).unwrap_or_default());
    Ok(parts)
}

/// A value without its quotes.
fn unquoted(value: &[u8]) -> Vec<u8> {
    let value = value.trim_ascii();
    let Some(inside) = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
    else {
        return value.to_vec();
    };
    let mut plain = Vec::with_capacity(inside.len());
    let mut escaped = false;
    for byte in inside {
        if *byte == b'\\' && !escaped {
            escaped = true;
        } else {
            plain.push(*byte);
            escaped = false;
        }
    }
    plain
}
