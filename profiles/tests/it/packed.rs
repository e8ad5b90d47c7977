//! Profiles in every packing, with whatever may stand around them.

use mdm_pki::pem;
use mdm_profiles::{
    Error, Profile,
    detect::{Packing, packing},
    sign::sign,
    verify::{Require, Trust, open},
};

use crate::{
    given::{payload, profile},
    peers::{OpenSsl, now, signer},
};

/// A signed message in each way it may come.
pub(crate) fn packings(signed: &[u8]) -> Vec<Vec<u8>> {
    let ber = ber(signed);
    let text = pem::encode("PKCS7", signed).into_bytes();
    let around = |before: &[u8], message: &[u8], after: &[u8]| [before, message, after].concat();
    vec![
        signed.to_vec(),
        ber.clone(),
        text.clone(),
        pem::encode("CMS", &ber).into_bytes(),
        around(b"\xEF\xBB\xBF", signed, b"\r\n"),
        around(b"\r\n\t ", &ber, b"\n\0"),
        around(b"", signed, b"\n--boundary--\n"),
        around(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", signed, b""),
        around(
            b"subject=CN = Signer\n\nissuer=CN = Root\n\n",
            &text,
            b"\nthe end",
        ),
        String::from_utf8_lossy(&text)
            .replace('\n', "\r\n")
            .into_bytes(),
    ]
}

/// The same message in BER: every length indefinite that can be, long strings in parts.
pub(crate) fn ber(der: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = der;
    while let [tag, first, ..] = *rest {
        let digits = match first {
            0x81.. => usize::from(first & 0x7F),
            _ => 0,
        };
        let length = match digits {
            0 => usize::from(first),
            _ => rest[2..2 + digits]
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit)),
        };
        let (header, end) = (2 + digits, 2 + digits + length);
        let value = &rest[header..end];
        match tag {
            _ if tag & 0x20 != 0 => out.extend([&[tag, 0x80], &ber(value)[..], &[0, 0]].concat()),
            // OCTET STRING, and the encrypted content of an envelope.
            4 | 0x80 if length > 100 => {
                out.extend([tag | 0x20, 0x80]);
                for part in value.chunks(100) {
                    out.extend([4, part.len() as u8]);
                    out.extend(part);
                }
                out.extend([0, 0]);
            }
            _ => out.extend(&rest[..end]),
        }
        rest = &rest[end..];
    }
    out
}

fn wifi() -> Profile {
    let keys = "<key>SSID_STR</key><string>Office</string>";
    profile(&[payload("com.apple.wifi.managed", "wifi", 1, keys)])
}

#[test]
fn a_signed_profile_is_read_in_whatever_it_comes() {
    let (root, identity) = signer();
    let roots = [root.clone()];
    let signed = sign(&wifi(), identity, now()).unwrap();
    for (number, bytes) in packings(&signed).into_iter().enumerate() {
        assert!(matches!(packing(&bytes), Some(Packing::Cms | Packing::Pem)));
        assert!(matches!(Profile::decode(&bytes), Err(Error::Packed)));
        let opened = open(&bytes, &Trust::new(&roots, now())).unwrap();
        let found = opened.accept(Require::default());
        assert_eq!(found.unwrap(), wifi(), "packing {number}");
    }
}

#[test]
fn a_plain_profile_is_read_past_what_stands_around_it() {
    let xml = wifi().to_xml().unwrap();
    let binary = mdm_plist::to_binary(&wifi().to_dictionary()).unwrap();
    let wide: Vec<u8> = String::from_utf8(xml.clone())
        .unwrap()
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let around = |before: &[u8], profile: &[u8], after: &[u8]| [before, profile, after].concat();
    for bytes in [
        around(b"\xEF\xBB\xBF\r\n", &xml, b"\r\n\0junk"),
        around(b"Content-Type: text/xml\n\n", &xml, b""),
        around(b"From: a@example.com\r\n\r\n", &xml, b"\0"),
        around(b"\xFF\xFE", &wide, b""),
        around(b"\n", &binary, b"\n"),
        around(b"header\n", &binary, b""),
    ] {
        assert_eq!(Profile::decode(&bytes).unwrap(), wifi());
        let opened = open(&bytes, &Trust::new(&[], now())).unwrap();
        assert!(opened.signers.is_empty());
    }
}

#[test]
fn openssl_verifies_what_we_sign_and_we_what_it_signs() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    let (root, identity) = signer();
    openssl.write("root.crt", root.to_pem());
    openssl.write_identity("signer", identity);
    openssl.write("plain", wifi().to_xml().unwrap());

    openssl.write("ours", sign(&wifi(), identity, now()).unwrap());
    openssl.run("cms -verify -binary -inform DER -in ours -CAfile root.crt -purpose any -out out");
    assert_eq!(openssl.read("out"), openssl.read("plain"));

    let roots = [root.clone()];
    for how in [
        "cms -sign -nodetach -md sha256 -outform DER",
        "cms -sign -nodetach -md sha384 -stream -indef -outform DER",
        "cms -sign -nodetach -keyid -outform PEM",
        "cms -sign -nodetach -noattr -outform DER",
        "smime -sign -nodetach -outform DER",
        "smime -sign -nodetach -md sha1 -outform PEM",
    ] {
        openssl.run(&format!(
            "{how} -binary -signer signer.crt -inkey signer.key -certfile signer.chain -in plain -out theirs"
        ));
        let opened = open(&openssl.read("theirs"), &Trust::new(&roots, now())).unwrap();
        assert_eq!(opened.content, openssl.read("plain"));
        assert_eq!(opened.accept(Require::default()).unwrap(), wifi(), "{how}");
    }
}
