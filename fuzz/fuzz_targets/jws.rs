//! Any bytes as a signed request of ACME: as the whole body, as its protected header, as a key, as what was signed with a
//! byte changed. Nothing but what was signed is ever believed.
#![no_main]

use std::sync::OnceLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;
use mdm_pki::{KeySpec, PrivateKey};
use mdm_scep::acme::{
    jwk::Jwk,
    jws::{
        Algorithm, ExternalAccountBinding, FlattenedJws, Header, Jws, JwsLimits, KeyRef,
        UnsignedJws, VerifiedJws,
    },
    problem::Problem,
};

const PAYLOAD: &[u8] =
    br#"{"identifiers":[{"type":"permanent-identifier","value":"C02XK0AAJGH5"}]}"#;

/// Something signed, and what it says.
struct Signed {
    json: Vec<u8>,
    verified: VerifiedJws,
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    match mode % 4 {
        0 => body(data),
        1 => header(data),
        2 => key(data),
        _ => altered(data),
    }
});

fn body(data: &[u8]) {
    let limits = JwsLimits::default();
    let signed = signed();
    for read in [Jws::parse(data, &limits), Jws::parse_inner(data, &limits)] {
        match read.and_then(|jws| jws.verify(&signed.verified.key)) {
            Ok(verified) => assert!(verified == signed.verified, "a signature was forged"),
            Err(error) => drop(error.problem().to_json()),
        }
    }
    if let Ok(jws) = FlattenedJws::from_json(data, &limits) {
        let again =
            FlattenedJws::from_json(&jws.to_json(), &limits).expect("what is written is readable");
        assert!(again == jws, "a second round changed the request");
        let _ = ExternalAccountBinding::parse(&jws, &limits);
    }
    if let Some(problem) = Problem::from_json(data) {
        assert!(!problem.to_string().contains(char::is_control));
    }
}

fn header(data: &[u8]) {
    let header = URL_SAFE_NO_PAD.encode(data);
    let json = format!(r#"{{"protected":"{header}","payload":"","signature":"AAAA"}}"#);
    let limits = JwsLimits::default();
    if let Ok(jws) = Jws::parse(json.as_bytes(), &limits) {
        let header = jws.header().clone();
        assert!(header.nonce.is_some());
        // Written again, the header says the same.
        let again =
            UnsignedJws::new(&header, b"").and_then(|it| it.finish(&[0x30, 6, 2, 1, 1, 2, 1, 1]));
        if let Ok(again) = again {
            let again = Jws::parse(&again.to_json(), &limits).expect("what is written is readable");
            assert!(
                *again.header() == header,
                "a second round changed the header"
            );
        }
    }
    if let Ok(jws) = FlattenedJws::from_json(json.as_bytes(), &limits) {
        let _ = ExternalAccountBinding::parse(&jws, &limits);
    }
}

fn key(data: &[u8]) {
    let Ok(jwk) = Jwk::from_json(data) else {
        return;
    };
    let again = Jwk::new(jwk.key()).expect("a key that was taken is taken again");
    assert!(again == jwk && again.thumbprint() == jwk.thumbprint());
}

/// Bytes of something signed are replaced: two of the input say where, a third one by what.
fn altered(data: &[u8]) {
    let signed = signed();
    let mut json = signed.json.clone();
    for change in data.chunks_exact(3) {
        let [high, low, value] = change else { continue };
        let at = usize::from(u16::from_be_bytes([*high, *low])) % json.len();
        json[at] = *value;
    }
    let read = Jws::parse(&json, &JwsLimits::default());
    if let Ok(verified) = read.and_then(Jws::verify_own_key) {
        assert!(verified == signed.verified, "a signature was forged");
    }
}

fn signed() -> &'static Signed {
    static SIGNED: OnceLock<Signed> = OnceLock::new();
    SIGNED.get_or_init(|| {
        let key = PrivateKey::generate(KeySpec::P256).expect("a key");
        let jwk = Jwk::new(key.public_key()).expect("a key of ACME");
        let header = Header::new(
            Algorithm::Es256,
            KeyRef::Jwk(jwk),
            "https://ca.example/new-order",
        )
        .with(|header| header.nonce = Some("nonce".to_owned()));
        let jws = UnsignedJws::new(&header, PAYLOAD).and_then(|jws| jws.sign(&key));
        let json = jws.expect("a signature").to_json();
        let verified = Jws::parse(&json, &JwsLimits::default()).and_then(Jws::verify_own_key);
        Signed {
            json,
            verified: verified.expect("what was signed holds"),
        }
    })
}
