//! The forms in which an attestation lies in a file.

use mdm_pki::{
    attestation::{Answer, AttestationError, Limits},
    pem::{self, decode_base64},
};
use mdm_plist::Value as Plist;
use mdmtool::one_line;
use serde_json::Value;

const KEY: &str = "DevicePropertiesAttestation";

/// What the file holds, and in which form.
pub(super) fn read(bytes: &[u8]) -> Result<(&'static str, Answer), String> {
    let bytes = bytes.trim_ascii_start();
    if let Some(known) = binary(bytes) {
        return known;
    }
    if bytes.starts_with(b"-----BEGIN ") {
        let blocks = pem::decode(bytes).map_err(|error| one_line(&error))?;
        let chain: Vec<_> = blocks
            .into_iter()
            .filter(|block| block.label.ends_with("CERTIFICATE"))
            .map(|block| block.der)
            .collect();
        return chained("PEM", &chain);
    }
    if mdm_plist::detect(bytes).is_some() {
        return response(bytes);
    }
    match bytes.first() {
        None => Err("the file is empty".to_owned()),
        Some(b'{' | b'[') => json(bytes),
        Some(_) => {
            let decoded = decode_base64(bytes).map_err(|_| "no attestation".to_owned())?;
            binary(&decoded).unwrap_or_else(|| Err("no attestation in this base64".to_owned()))
        }
    }
}

/// The attestation of ACME's challenge alone, in CBOR, from any of the forms that such have.
pub(crate) fn att_obj(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = bytes.trim_ascii();
    match text.first()? {
        // No text: the last byte of a signature may be a line's end.
        0xa0..=0xbf => Some(bytes.trim_ascii_start().to_vec()),
        b'{' => {
            let payload: Value = serde_json::from_slice(text).ok()?;
            decode_base64(payload.get("attObj")?.as_str()?.as_bytes()).ok()
        }
        _ => decode_base64(text).ok(),
    }
}

/// CBOR and DER, which tell by their first byte, and the `{}` of devices that do not attest.
fn binary(bytes: &[u8]) -> Option<Result<(&'static str, Answer), String>> {
    match bytes {
        [0xa0..=0xbf, ..] => Some(statement(bytes)),
        [0x30, 0x82, ..] => Some(concatenated(bytes).and_then(|chain| chained("DER", &chain))),
        _ if bytes.trim_ascii() == b"{}" => Some(statement(bytes)),
        _ => None,
    }
}

fn statement(bytes: &[u8]) -> Result<(&'static str, Answer), String> {
    let answer = Answer::from_cbor(bytes, &Limits::default());
    answer.map(|answer| ("CBOR", answer)).map_err(refused)
}

fn chained(form: &'static str, chain: &[Vec<u8>]) -> Result<(&'static str, Answer), String> {
    let answer = Answer::from_chain(chain, &Limits::default());
    answer.map(|answer| (form, answer)).map_err(refused)
}

fn refused(error: AttestationError) -> String {
    one_line(&error)
}

/// Certificates one behind the other, each with a length of two bytes.
fn concatenated(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut chain = Vec::new();
    let mut rest = bytes;
    while let [0x30, 0x82, high, low, ..] = rest {
        let length = 4 + usize::from(u16::from_be_bytes([*high, *low]));
        let Some((certificate, after)) = rest.split_at_checked(length) else {
            return Err("a certificate is cut off".to_owned());
        };
        chain.push(certificate.to_vec());
        rest = after;
    }
    match rest.trim_ascii().is_empty() {
        true => Ok(chain),
        false => Err("what follows is no certificate".to_owned()),
    }
}

/// The payload of ACME's challenge, or a list of certificates in base64.
fn json(bytes: &[u8]) -> Result<(&'static str, Answer), String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| one_line(&error))?;
    let base64 = |value: &Value| {
        let text = value.as_str().ok_or("not base64 text")?;
        decode_base64(text.as_bytes()).map_err(|error| one_line(&error))
    };
    match &value {
        Value::Array(items) => {
            let chain: Result<Vec<_>, String> = items.iter().map(base64).collect();
            chained("JSON", &chain?)
        }
        Value::Object(keys) => match keys.get("attObj") {
            Some(att_obj) => Ok(("JSON", statement(&base64(att_obj)?)?.1)),
            None => Err("no attObj in this JSON".to_owned()),
        },
        _ => Err("no attObj in this JSON".to_owned()),
    }
}

/// The response to DeviceInformation: the key is left out by a device that does not attest.
fn response(bytes: &[u8]) -> Result<(&'static str, Answer), String> {
    let plist: Plist = mdm_plist::from_slice(bytes).map_err(|error| one_line(&error))?;
    let keys = plist
        .as_dictionary()
        .ok_or("no response to DeviceInformation")?;
    let responses = keys.get("QueryResponses").and_then(Plist::as_dictionary);
    let found = match (responses, keys.get(KEY)) {
        (Some(responses), _) => responses.get(KEY),
        (None, Some(found)) => Some(found),
        (None, None) => return Err("no response to DeviceInformation".to_owned()),
    };
    let chain: Option<Vec<Vec<u8>>> = match found {
        None => Some(Vec::new()),
        Some(Plist::Array(items)) => items
            .iter()
            .map(|item| item.as_data().map(<[u8]>::to_vec))
            .collect(),
        Some(_) => None,
    };
    let chain = chain.ok_or_else(|| format!("{KEY} is no list of certificates"))?;
    chained("DeviceInformation", &chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_in_a_space_or_a_line_is_whole_in_cbor_and_not_in_text() {
        for end in *b" \n\r\t" {
            assert_eq!(att_obj(&[b'\n', 0xa0, end]), Some(vec![0xa0, end]));
            assert_eq!(att_obj(&[b'o', b'A', end]), Some(vec![0xa0]));
        }
    }
}
