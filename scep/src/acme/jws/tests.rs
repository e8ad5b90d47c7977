use mdm_core::Secret;
use mdm_pki::{KeySpec, PrivateKey};

use super::*;
use crate::acme::base64url;

const URL: &str = "https://ca.example/acme/new-order";
const SPECS: [KeySpec; 5] = [
    KeySpec::P256,
    KeySpec::Ed25519,
    KeySpec::P384,
    KeySpec::P521,
    KeySpec::Rsa2048,
];
/// The payload of the examples of RFC 7515 appendix A.
const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn header(key: &PrivateKey) -> Header {
    let jwk = Jwk::new(key.public_key()).unwrap();
    let algorithm = Algorithm::for_key(key.public_key()).unwrap();
    Header::new(algorithm, KeyRef::Jwk(jwk), URL).with(|it| it.nonce = Some("n0-nce_".to_owned()))
}

fn signed_by(key: &PrivateKey) -> FlattenedJws {
    let unsigned = UnsignedJws::new(&header(key), b"{}").unwrap();
    unsigned.sign(key).unwrap()
}

fn parse(json: &[u8]) -> Result<Jws, JwsError> {
    Jws::parse(json, &JwsLimits::default())
}

/// A JWS whose protected header is this JSON.
fn with_header(header: &str) -> Result<Jws, JwsError> {
    parse(
        &FlattenedJws {
            protected: base64url::encode(header),
            payload: String::new(),
            signature: "AAAA".to_owned(),
        }
        .to_json(),
    )
}

#[test]
fn the_es256_example_of_rfc_7515_holds() {
    let jwk = Jwk::from_json(
        br#"{"kty":"EC","crv":"P-256",
            "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
    )
    .unwrap();
    let signature =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let fixed = base64url::decode(signature).unwrap();
    let der = Curve::P256.signature_from_fixed(&fixed).unwrap();
    let signed = read::signed("eyJhbGciOiJFUzI1NiJ9", JOE);
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    jwk.key().verify(algorithm, &signed, &der).unwrap();
    assert!(jwk.key().verify(algorithm, &signed[1..], &der).is_err());
}

#[test]
fn the_eddsa_example_of_rfc_8037_is_made_and_holds() {
    // Appendix A.4 with the key of A.1, here behind the header of PKCS #8 (RFC 8410 section 7).
    let secret = base64url::decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let header = [
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    let key = PrivateKey::from_der(&[&header[..], &secret].concat()).unwrap();
    let signed = read::signed(
        "eyJhbGciOiJFZERTQSJ9",
        "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
    );
    let algorithm = Algorithm::for_key(key.public_key()).unwrap();
    assert_eq!(algorithm.as_str(), "EdDSA");
    let signature = key.sign_message(algorithm.signature(), &signed).unwrap();
    assert_eq!(
        base64url::encode(&signature),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
    let jwk = Jwk::new(key.public_key()).unwrap();
    assert!(
        jwk.key()
            .verify(algorithm.signature(), &signed, &signature)
            .is_ok()
    );
}

#[test]
fn the_hs256_example_of_rfc_7515_has_its_mac() {
    let key =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let key = ExternalAccountKey::from_base64url("k", key).unwrap();
    let signed = read::signed("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", JOE);
    let mac = base64url::encode(key.mac(&signed).unwrap());
    assert_eq!(mac, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

#[test]
fn what_is_signed_is_read_and_holds() {
    for spec in SPECS {
        let key = PrivateKey::generate(spec).unwrap();
        let verified = parse(&signed_by(&key).to_json()).unwrap().verify_own_key();
        let verified = verified.unwrap();
        assert_eq!(verified.header, header(&key), "{spec:?}");
        assert_eq!(verified.payload, b"{}");
        assert_eq!(verified.key.key(), key.public_key());

        let kid = header(&key).with(|it| it.key = KeyRef::Kid("https://ca.example/1".to_owned()));
        let jws = UnsignedJws::new(&kid, b"").unwrap().sign(&key).unwrap();
        let parsed = parse(&jws.to_json()).unwrap();
        assert!(parsed.clone().verify_own_key().is_err());
        let verified = parsed.verify(&Jwk::new(key.public_key()).unwrap()).unwrap();
        assert!(verified.is_post_as_get());
        assert_eq!(verified.header, kid);
    }
}

#[tokio::test]
async fn a_key_that_lives_elsewhere_signs_the_same_form() {
    for spec in SPECS {
        let key = PrivateKey::generate(spec).unwrap();
        let unsigned = UnsignedJws::new(&header(&key), b"{}").unwrap();
        let jws = unsigned.sign_with(&key).await.unwrap();
        parse(&jws.to_json()).unwrap().verify_own_key().unwrap();
    }
    let (one, other) = (
        PrivateKey::generate(KeySpec::P256).unwrap(),
        PrivateKey::generate(KeySpec::P384).unwrap(),
    );
    let unsigned = UnsignedJws::new(&header(&one), b"{}").unwrap();
    let outcome = unsigned.sign_with(&other).await;
    assert!(matches!(outcome, Err(JwsError::Configuration(_))));
}

#[test]
fn a_signature_of_another_key_or_algorithm_does_not_hold() {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let jws = parse(&signed_by(&key).to_json()).unwrap();
    for (spec, algorithm) in [
        (KeySpec::P256, false),
        (KeySpec::P384, true),
        (KeySpec::Ed25519, true),
        (KeySpec::Rsa2048, true),
    ] {
        let other = PrivateKey::generate(spec).unwrap();
        let other = Jwk::new(other.public_key()).unwrap();
        match jws.clone().verify(&other) {
            Err(JwsError::Algorithm) => assert!(algorithm),
            Err(JwsError::Signature) => assert!(!algorithm),
            outcome => panic!("{outcome:?}"),
        }
    }
}

#[test]
fn no_byte_of_a_jws_can_be_changed() {
    for spec in [KeySpec::P256, KeySpec::Ed25519, KeySpec::Rsa2048] {
        let key = PrivateKey::generate(spec).unwrap();
        let jws = signed_by(&key);
        let original = parse(&jws.to_json()).unwrap().verify_own_key().unwrap();
        let parts: [fn(&mut FlattenedJws) -> &mut String; 3] = [
            |jws| &mut jws.protected,
            |jws| &mut jws.payload,
            |jws| &mut jws.signature,
        ];
        for part in parts {
            let length = part(&mut jws.clone()).len();
            for at in 0..length {
                let mut changed = jws.clone();
                let text = part(&mut changed);
                let old = text.as_bytes()[at];
                let new = if old == b'A' { "B" } else { "A" };
                text.replace_range(at..=at, new);
                let outcome = parse(&changed.to_json()).and_then(Jws::verify_own_key);
                assert!(outcome.is_err(), "{spec:?}, {at} of {part:?}: {outcome:?}");
                let outcome = parse(&changed.to_json()).and_then(|it| it.verify(&original.key));
                assert!(outcome.is_err());
            }
        }
    }
}

#[test]
fn only_signatures_that_are_known_are_taken() {
    for alg in [
        "none", "None", "HS256", "HS384", "PS256", "Ed448", "RS1", "es256", "eddsa", "",
    ] {
        let header = format!(r#"{{"alg":"{alg}","nonce":"a","url":"{URL}","kid":"k"}}"#);
        let error = with_header(&header).unwrap_err();
        assert!(matches!(error, JwsError::Algorithm), "{alg}: {error}");
        let problem = error.problem();
        assert_eq!(problem.kind, ErrorType::BadSignatureAlgorithm);
        let taken = ["ES256", "EdDSA", "ES384", "ES512", "RS256"];
        assert_eq!(problem.algorithms, taken);
    }
}

#[test]
fn headers_that_rfc_8555_forbids_are_refused() {
    let jwk = Jwk::new(PrivateKey::generate(KeySpec::P256).unwrap().public_key()).unwrap();
    let jwk = serde_json::to_string(&jwk).unwrap();
    let good = format!(r#""alg":"ES256","nonce":"a","url":"{URL}""#);
    assert!(with_header(&format!(r#"{{{good},"kid":"k","typ":"JOSE","x":{{}}}}"#)).is_ok());
    for more in [
        "".to_owned(),
        format!(r#","kid":"k","jwk":{jwk}"#),
        r#","kid":null"#.to_owned(),
        r#","jwk":null"#.to_owned(),
        r#","kid":"k","jwk":null"#.to_owned(),
        r#","kid":"k","kid":"k""#.to_owned(),
        r#","kid":"k","url":"b""#.to_owned(),
        r#","kid":"k","crit":[]"#.to_owned(),
        r#","kid":"k","crit":["b64"],"b64":false"#.to_owned(),
        r#","kid":"k","b64":true"#.to_owned(),
        r#","kid":"k","b64":null"#.to_owned(),
        format!(r#","kid":"{}""#, "k".repeat(1025)),
        format!(r#","kid":"k","x":"{}""#, "x".repeat(8192)),
    ] {
        let header = format!("{{{good}{more}}}");
        let error = with_header(&header).unwrap_err();
        assert_eq!(error.problem().kind, ErrorType::Malformed, "{header}");
    }
    for header in [
        r#"{"alg":"ES256","url":"u","kid":"k"}"#,
        r#"{"alg":"ES256","nonce":"a","kid":"k"}"#,
        r#"{"nonce":"a","url":"u","kid":"k"}"#,
        r#"{"alg":"ES256","nonce":"","url":"u","kid":"k"}"#,
        r#"{"alg":"ES256","nonce":"a b","url":"u","kid":"k"}"#,
        r#"{"alg":"ES256","nonce":"YQ==","url":"u","kid":"k"}"#,
        r#"["ES256","u","a",null,"k"]"#,
        "[]",
        "",
    ] {
        let error = with_header(header).unwrap_err();
        assert_eq!(error.problem().kind, ErrorType::Malformed, "{header}");
    }
    let okp = r#"{"alg":"ES256","nonce":"a","url":"u","jwk":{"kty":"OKP","crv":"Ed448","x":"AA"}}"#;
    let error = with_header(okp).unwrap_err();
    assert_eq!(error.problem().kind, ErrorType::BadPublicKey);
}

#[test]
fn forms_other_than_the_flattened_one_are_refused() {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let jws = signed_by(&key);
    let json = String::from_utf8(jws.to_json()).unwrap();
    let more = |text: &str| json.replacen('{', &format!("{{{text},"), 1);
    assert!(parse(more(r#""x":1"#).as_bytes()).is_ok());
    for wrong in [
        more(r#""header":{}"#),
        more(r#""header":null"#),
        more(r#""signatures":[]"#),
        more(r#""payload":"""#),
        format!("[{json}]"),
        format!(
            "[\"{}\",\"{}\",\"{}\"]",
            jws.protected, jws.payload, jws.signature
        ),
        format!("{json}{json}"),
        format!("{}.{}.{}", jws.protected, jws.payload, jws.signature),
        json.replace("\"payload\"", "\"Payload\""),
        json.replace("\"payload\":\"e30\"", "\"payload\":{}"),
        json.replace("\"payload\":\"e30\"", "\"payload\":\"e30=\""),
        json.replace("\"payload\":\"e30\"", "\"payload\":\"e31\""),
        String::new(),
    ] {
        assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
    let limits = JwsLimits::default().with(|limits| limits.bytes = json.len() - 1);
    let outcome = Jws::parse(json.as_bytes(), &limits);
    assert!(matches!(outcome, Err(JwsError::TooLarge { .. })));
}

#[test]
fn an_inner_jws_has_a_key_and_no_nonce() {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let inner = |change: &dyn Fn(&mut Header)| {
        let header = header(&key).with(|header| {
            header.nonce = None;
            change(header);
        });
        let jws = UnsignedJws::new(&header, b"{}")
            .unwrap()
            .sign(&key)
            .unwrap();
        Jws::parse_inner(&jws.to_json(), &JwsLimits::default())
    };
    inner(&|_| {}).unwrap().verify_own_key().unwrap();
    assert!(inner(&|header| header.nonce = Some("a".to_owned())).is_err());
    assert!(inner(&|header| header.key = KeyRef::Kid("k".to_owned())).is_err());
}

#[test]
fn a_binding_holds_for_its_key_account_and_url() {
    let eab = ExternalAccountKey::new("kid-1", Secret::new(vec![7; 32])).unwrap();
    let account = |spec| Jwk::new(PrivateKey::generate(spec).unwrap().public_key()).unwrap();
    let (mine, other) = (account(KeySpec::P256), account(KeySpec::P256));
    let jws = eab.bind(&mine, URL).unwrap();
    let limits = JwsLimits::default();
    let binding = ExternalAccountBinding::parse(&jws, &limits).unwrap();
    assert_eq!(binding.kid(), "kid-1");
    binding.verify(&eab, &mine, URL).unwrap();
    assert!(binding.verify(&eab, &other, URL).is_err());
    assert!(binding.verify(&eab, &mine, "https://ca.example/x").is_err());
    for (kid, key) in [("kid-1", vec![8; 32]), ("kid-2", vec![7; 32])] {
        let wrong = ExternalAccountKey::new(kid, Secret::new(key)).unwrap();
        let outcome = binding.verify(&wrong, &mine, URL);
        assert!(matches!(outcome, Err(JwsError::Signature)));
    }

    for header in [
        r#"{"alg":"none","kid":"kid-1","url":"u"}"#,
        r#"{"alg":"ES256","kid":"kid-1","url":"u"}"#,
        r#"{"alg":"HS256","url":"u"}"#,
        r#"{"alg":"HS256","kid":"kid-1","nonce":"a","url":"u"}"#,
        r#"{"alg":"HS256","kid":"kid-1","url":"u","crit":[]}"#,
    ] {
        let mut wrong = jws.clone();
        wrong.protected = base64url::encode(header);
        assert!(
            ExternalAccountBinding::parse(&wrong, &limits).is_err(),
            "{header}"
        );
    }
}

#[test]
fn a_mac_key_is_long_enough_and_never_shown() {
    assert!(ExternalAccountKey::new("k", Secret::new(vec![7; 31])).is_err());
    assert!(ExternalAccountKey::new("", Secret::new(vec![7; 32])).is_err());
    assert!(ExternalAccountKey::from_base64url("k", "*").is_err());
    let text = base64url::encode([7; 32]);
    let key = ExternalAccountKey::from_base64url("k", &format!(" {text}=\n")).unwrap();
    assert_eq!(
        key,
        ExternalAccountKey::new("k", Secret::new(vec![7; 32])).unwrap()
    );
    assert_eq!(format!("{key:?}"), r#"ExternalAccountKey { kid: "k", .. }"#);
}
