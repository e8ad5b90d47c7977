//! Documents to decode, all made here.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, DigestAlgorithm, KeySpec, Name, PrivateKey,
    cms::{EnvelopedDataBuilder, SignedDataBuilder},
};

pub(crate) const PROFILE: &str = "<key>PayloadContent</key><array/>
    <key>PayloadIdentifier</key><string>com.example</string>
    <key>PayloadType</key><string>Configuration</string>
    <key>PayloadUUID</key><string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D3E</string>
    <key>PayloadVersion</key><integer>1</integer>";

pub(crate) const TOKEN: &str = r#"{"consumer_key":"CK_1","consumer_secret":"CS_1","access_token":"AT_1",
    "access_secret":"AS_1","access_token_expiry":"2027-11-05T09:00:00Z"}"#;

pub(crate) fn plist(keys: &str) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict>{keys}</dict></plist>"
    )
    .into_bytes()
}

pub(crate) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 5, 9, 0, 0).unwrap()
}

/// A key with a certificate of its own.
pub(crate) fn identity(name: &str) -> (PrivateKey, Certificate) {
    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    let certificate = CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(now(), now() + TimeDelta::days(365))
        .self_signed(&key)
        .unwrap();
    (key, certificate)
}

pub(crate) fn signed(content: &[u8]) -> Vec<u8> {
    let (key, certificate) = identity("signer");
    SignedDataBuilder::new(content)
        .signer(&certificate, DigestAlgorithm::Sha256)
        .signing_time(now())
        .sign(&key)
        .unwrap()
}

pub(crate) fn sealed(content: &[u8], recipient: &Certificate) -> Vec<u8> {
    EnvelopedDataBuilder::new(content)
        .recipient(recipient)
        .encrypt()
        .unwrap()
}

/// The file that Apple's portal would give for this certificate: S/MIME around BER (Q1).
pub(crate) fn token_file(recipient: &Certificate) -> Vec<u8> {
    let message = format!(
        "Content-Type: text/plain;charset=UTF-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
         -----BEGIN MESSAGE-----\n{}\n-----END MESSAGE-----\n",
        TOKEN.replace("\n    ", "")
    );
    let der = indefinite(&sealed(message.as_bytes(), recipient));
    let pem = mdm_pki::pem::encode("X", &der).replace('\n', "\r\n");
    let base64: Vec<&str> = pem.lines().filter(|line| !line.contains('-')).collect();
    format!(
        "Content-Type: application/pkcs7-mime; name=\"smime.p7m\";\r\n smime-type=enveloped-data\r\n\
         Content-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n{}\r\n",
        base64.join("\r\n")
    )
    .into_bytes()
}

/// A DER message with its two outer elements in BER of indefinite length.
pub(crate) fn indefinite(der: &[u8]) -> Vec<u8> {
    let outer = content(der);
    let (oid, explicit) = outer.split_at(2 + usize::from(outer[1]));
    [
        &[0x30, 0x80][..],
        oid,
        &[0xA0, 0x80],
        content(explicit),
        &[0; 4],
    ]
    .concat()
}

/// The same signed message without the certificates that came along.
pub(crate) fn without_certificates(der: &[u8]) -> Vec<u8> {
    let [oid, explicit] = elements(content(der))[..] else {
        panic!("no ContentInfo");
    };
    let kept: Vec<&[u8]> = elements(content(content(explicit)))
        .into_iter()
        .filter(|element| element[0] != 0xA0)
        .collect();
    [
        &[0x30, 0x80][..],
        oid,
        &[0xA0, 0x80, 0x30, 0x80],
        &kept.concat(),
        &[0; 6],
    ]
    .concat()
}

/// The same bytes with every `from` replaced by a `to` of the same length.
pub(crate) fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while at + from.len() <= bytes.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
        at += 1;
    }
    bytes
}

/// The elements of a definite length that follow one another.
fn elements(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let header = bytes.len() - content(bytes).len();
        let length = match bytes[1] {
            short @ 0..0x80 => usize::from(short),
            _ => bytes[2..header]
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte)),
        };
        let header = if bytes[1] < 0x80 { 2 } else { header };
        let (element, rest) = bytes.split_at(header + length);
        found.push(element);
        bytes = rest;
    }
    found
}

fn content(element: &[u8]) -> &[u8] {
    let header = match element[1] {
        short @ 0..0x80 => return &element[2..2 + usize::from(short)],
        long => 2 + usize::from(long & 0x7F),
    };
    &element[header..]
}
