use mdm_pki::{KeySpec, PrivateKey};

use super::*;

/// The key of RFC 7638 section 3.1.
const RFC_7638: &str = concat!(
    r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB"#,
    "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6",
    "qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    r#"","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#
);

fn ec() -> Jwk {
    Jwk::new(PrivateKey::generate(KeySpec::P256).unwrap().public_key()).unwrap()
}

fn read(json: &serde_json::Value) -> Result<Jwk, JwkError> {
    Jwk::from_json(json.to_string().as_bytes())
}

#[test]
fn the_example_of_rfc_7638_has_its_thumbprint() {
    let jwk = Jwk::from_json(RFC_7638.as_bytes()).unwrap();
    let expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    assert_eq!(jwk.thumbprint().to_string(), expected);
    assert!(jwk.thumbprint().is(expected) && !jwk.thumbprint().is(&expected[1..]));
    assert_eq!(jwk.key_authorization("token"), format!("token.{expected}"));
}

#[test]
fn the_example_of_rfc_8037_has_its_thumbprint() {
    // Appendices A.2 and A.3; the secret half of A.1 is refused.
    let public =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let jwk = Jwk::from_json(public.as_bytes()).unwrap();
    let expected = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    assert_eq!(jwk.thumbprint().to_string(), expected);
    let secret = r#"{"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","#;
    let private = public.replacen('{', secret, 1);
    assert!(matches!(
        Jwk::from_json(private.as_bytes()),
        Err(JwkError::Private)
    ));
    for x in ["", "AA", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUQ"] {
        let json = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": x});
        assert!(
            matches!(read(&json), Err(JwkError::Pki(_) | JwkError::Malformed(_))),
            "{x}"
        );
    }
    for member in ["crv", "x"] {
        let mut json: serde_json::Value = serde_json::from_str(public).unwrap();
        drop(json.as_object_mut().unwrap().remove(member));
        assert!(read(&json).is_err(), "{json}");
    }
}

#[test]
fn a_key_is_the_same_after_a_way_through_json() {
    for spec in [
        KeySpec::Rsa2048,
        KeySpec::P256,
        KeySpec::P384,
        KeySpec::P521,
        KeySpec::Ed25519,
    ] {
        let key = PrivateKey::generate(spec).unwrap();
        let jwk = Jwk::new(key.public_key()).unwrap();
        let json = serde_json::to_string(&jwk).unwrap();
        let again: Jwk = serde_json::from_str(&json).unwrap();
        assert_eq!(again, jwk);
        assert_eq!(again.key(), key.public_key());
        assert_eq!(again.thumbprint(), jwk.thumbprint());
    }
}

#[test]
fn zeros_in_front_of_an_rsa_number_change_nothing() {
    let jwk = Jwk::from_json(RFC_7638.as_bytes()).unwrap();
    let mut json = serde_json::to_value(&jwk).unwrap();
    let n = base64url::decode(json["n"].as_str().unwrap()).unwrap();
    json["n"] = base64url::encode([&[0], &n[..]].concat()).into();
    assert_eq!(read(&json).unwrap(), jwk);
    assert_eq!(read(&json).unwrap().thumbprint(), jwk.thumbprint());
}

#[test]
fn a_secret_is_refused_by_name() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        for secret in [serde_json::Value::Null, "AQAB".into()] {
            let mut json = serde_json::to_value(ec()).unwrap();
            json[member] = secret;
            assert!(matches!(read(&json), Err(JwkError::Private)), "{member}");
        }
    }
    assert!(matches!(
        Jwk::from_json(br#"{"kty":"oct","k":"AAAA"}"#),
        Err(JwkError::Private)
    ));
}

#[test]
fn other_kinds_and_sizes_are_not_taken() {
    for json in [
        r#"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        r#"{"kty":"OKP","crv":"Ed448","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        r#"{"kty":"EC","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","y":"AA"}"#,
        r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#,
        r#"{"kty":"rsa","n":"AQAB","e":"AQAB"}"#,
        r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
    ] {
        let outcome = Jwk::from_json(json.as_bytes());
        assert!(matches!(outcome, Err(JwkError::Unsupported)), "{json}");
    }
    let rsa = |bytes: usize| {
        let n = base64url::encode(vec![0xff; bytes]);
        read(&serde_json::json!({"kty": "RSA", "n": n, "e": "AQAB"}))
    };
    assert!(matches!(rsa(255), Err(JwkError::Unsupported)));
    assert!(rsa(256).is_ok());
    assert!(rsa(1024).is_ok());
    assert!(matches!(rsa(1025), Err(JwkError::Unsupported)));
    assert!(matches!(rsa(4096), Err(JwkError::Unsupported)));
    let small = PrivateKey::generate(KeySpec::Rsa1024).unwrap();
    assert!(matches!(
        Jwk::new(small.public_key()),
        Err(JwkError::Unsupported)
    ));
}

#[test]
fn what_is_malformed_is_refused() {
    let whole = serde_json::to_value(ec()).unwrap();
    for member in ["kty", "crv", "x", "y"] {
        for wrong in [
            None,
            Some(serde_json::Value::Null),
            Some(7.into()),
            Some("".into()),
        ] {
            let mut json = whole.clone();
            match wrong {
                Some(wrong) => json[member] = wrong,
                None => drop(json.as_object_mut().unwrap().remove(member)),
            }
            assert!(read(&json).is_err(), "{json}");
        }
    }
    let text = whole.to_string();
    for twice in [r#""kty":"EC""#, r#""d":null,"d":null"#] {
        let json = text.replacen('{', &format!("{{{twice},"), 1);
        assert!(Jwk::from_json(json.as_bytes()).is_err(), "{json}");
    }
    for x in [
        format!("{}=", whole["x"].as_str().unwrap()),
        base64url::encode([&[0][..], &[7; 32]].concat()),
        base64url::encode([7; 31]),
        base64url::encode([0; 32]),
    ] {
        let mut json = whole.clone();
        json["x"] = x.into();
        assert!(read(&json).is_err(), "{json}");
    }
    for e in ["", "AA", "AQ", "AQAA", "________________"] {
        let n = base64url::encode([0xff; 256]);
        let json = serde_json::json!({"kty": "RSA", "n": n, "e": e});
        assert!(read(&json).is_err(), "{json}");
    }
    for json in ["", "[]", "{}", "null", "7", r#"["EC","P-256","AA","AA"]"#] {
        assert!(Jwk::from_json(json.as_bytes()).is_err(), "{json}");
    }
}
