//! mdmcert.download: what is asked, what is answered, what is mailed.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::StatusCode;
use mdm_apns::certificate::mdmcert::{
    BASE_URL, BODY_LIMIT, Error, MailPolicy, SignRequest, decrypt, reply_identity,
};
use mdm_core::Secret;
use mdm_pki::{Identity, cms::EnvelopedDataBuilder};
use mdm_transport::{ApiRequest, BaseUrl, Replay};

use super::{House, Peer, days, now};

const KEY: &str = "hunter2-api-key";

fn reply() -> &'static Identity {
    static REPLY: std::sync::OnceLock<Identity> = std::sync::OnceLock::new();
    REPLY.get_or_init(|| reply_identity(now()).unwrap())
}

fn request(email: &str, key: &str) -> SignRequest {
    let key = Secret::new(key.to_owned());
    SignRequest::new(
        House::get().csr.clone(),
        email,
        key,
        reply().certificate.clone(),
    )
}

fn sent(request: &SignRequest) -> Result<http::Request<Bytes>, mdm_transport::BuildError> {
    request.to_http(&BaseUrl::new(BASE_URL).unwrap())
}

#[test]
fn the_request_is_the_one_that_the_service_takes() {
    let request = request("admin@example.com", KEY);
    let http = sent(&request).unwrap();
    assert_eq!(http.method(), "POST");
    assert_eq!(http.uri(), "https://mdmcert.download/api/v1/signrequest");
    assert_eq!(http.headers()["content-type"], "application/json");
    let body: serde_json::Value = serde_json::from_slice(http.body()).unwrap();
    let expected = serde_json::json!({
        "csr": STANDARD.encode(House::get().csr.to_pem()),
        "email": "admin@example.com",
        "key": KEY,
        "encrypt": STANDARD.encode(reply().certificate.to_pem()),
    });
    assert_eq!(body, expected);
    assert_eq!(SignRequest::META.replay, Replay::Never);
    assert!(!format!("{request:?}").contains("hunter2"));
}

#[test]
fn without_address_or_api_key_nothing_is_asked() {
    for (email, key, field) in [("", KEY, "email"), ("a@b.c", "", "key")] {
        match sent(&request(email, key)) {
            Err(mdm_transport::BuildError::Invalid { field: found, .. }) => {
                assert_eq!(found, field);
            }
            other => panic!("{other:?}"),
        }
    }
}

fn answered(status: u16, body: impl Into<Bytes>) -> Result<(), Error> {
    let response = http::Response::builder().status(status).body(body.into());
    request("a@b.c", KEY).from_http(response.unwrap())
}

#[test]
fn every_answer_has_one_meaning() {
    assert!(answered(200, r#"{"result": "success"}"#).is_ok());
    assert!(answered(201, r#"{"result": "success", "new": [1]}"#).is_ok());
    let words = "Invalid email address. Have you registered yet at https://mdmcert.download/?";
    let failure = format!(r#"{{"result": "failure", "reason": "{words}"}}"#);
    for (status, body, expected) in [
        (200, &*failure, words),
        (400, &failure, words),
        (500, r#"{"result": "success"}"#, ""),
        (200, r#"{"result": "later", "reason": "a\u001bb"}"#, "a b"),
    ] {
        match answered(status, body.to_owned()).unwrap_err() {
            Error::Refused {
                status: found,
                reason,
            } => {
                assert_eq!((found.as_u16(), &*reason), (status, expected));
            }
            other => panic!("{other:?}"),
        }
    }
    let long = format!(
        r#"{{"result": "failure", "reason": "{}"}}"#,
        "ü".repeat(9999)
    );
    match answered(200, long).unwrap_err() {
        Error::Refused { reason, .. } => assert_eq!(reason.chars().count(), 300),
        other => panic!("{other:?}"),
    }
    let huge = format!(
        r#"{{"result": "success", "x": "{}"}}"#,
        "x".repeat(BODY_LIMIT)
    );
    for (status, body) in [
        (500, "<html>500 INTERNAL SERVER ERROR</html>"),
        (200, ""),
        (200, "[]"),
        (200, "{}"),
        (200, r#"{"result": 1}"#),
        (302, ""),
        (200, &huge),
    ] {
        match answered(status, body.to_owned()).unwrap_err() {
            Error::Unreadable { status: found } => {
                assert_eq!(found, StatusCode::from_u16(status).unwrap());
            }
            other => panic!("{other:?}"),
        }
    }
}

fn opened(mail: &[u8]) -> Result<Vec<u8>, Error> {
    decrypt(mail, reply(), &MailPolicy::default())
}

fn hexed(der: &[u8]) -> String {
    der.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_openssl_encrypts_is_opened() {
    let Some(openssl) = Peer::openssl("what_openssl_encrypts_is_opened") else {
        return;
    };
    openssl.write("to.pem", reply().certificate.to_pem());
    openssl.write("content", "the file\r\nfor Apple");
    for command in [
        "smime -encrypt -binary -des3",
        "smime -encrypt -binary -aes128",
        "cms -encrypt -binary -aes256",
        "cms -encrypt -binary -aes-256-cbc -keyid",
        "cms -encrypt -binary -aes256 -stream",
    ] {
        let der = openssl.ok(&format!("{command} -in content -outform DER to.pem"));
        let hex = hexed(&der);
        let lines: Vec<&str> = hex
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        let pem = openssl.ok(&format!("{command} -in content -outform PEM to.pem"));
        for mail in [
            hex.clone().into_bytes(),
            hex.to_uppercase().into_bytes(),
            format!("\r\n {} \n", lines.join("\r\n")).into_bytes(),
            der.clone(),
            pem,
            STANDARD.encode(&der).into_bytes(),
        ] {
            assert_eq!(
                opened(&mail).unwrap(),
                b"the file\r\nfor Apple",
                "{command}"
            );
        }
    }
}

fn mail(content: &[u8], to: &Identity) -> Vec<u8> {
    let envelope = EnvelopedDataBuilder::new(content).recipient(&to.certificate);
    envelope.encrypt().unwrap()
}

#[test]
fn a_mail_that_does_not_open_says_why_and_no_secret() {
    let whole = mail(b"content", reply());
    assert_eq!(opened(&whole).unwrap(), b"content");
    assert_eq!(opened(hexed(&whole).as_bytes()).unwrap(), b"content");

    let stranger = reply_identity(now() - days(1)).unwrap();
    let error = decrypt(&whole, &stranger, &MailPolicy::default()).unwrap_err();
    assert!(matches!(error, Error::Envelope(_)), "{error:?}");

    assert!(matches!(opened(b"").unwrap_err(), Error::Empty));
    assert!(matches!(opened(b" \r\n").unwrap_err(), Error::Empty));
    let hex = hexed(&whole);
    assert!(matches!(
        opened(&hex.as_bytes()[..hex.len() - 1]).unwrap_err(),
        Error::CutOff
    ));
    let huge = vec![b'a'; MailPolicy::default().max_bytes + 1];
    assert!(matches!(
        opened(&huge).unwrap_err(),
        Error::TooLong { limit: 1_048_576 }
    ));
    let tight = MailPolicy::default().with(|policy| policy.max_bytes = 64);
    let error = decrypt(&whole, reply(), &tight).unwrap_err();
    assert!(matches!(error, Error::TooLong { limit: 64 }));
    for mail in [
        &b"hello"[..],
        b"00",
        b"3000",
        b"<html>",
        &hex.as_bytes()[..200],
        &whole[..200],
    ] {
        assert!(matches!(opened(mail).unwrap_err(), Error::Envelope(_)));
    }
}

#[test]
fn what_is_mailed_is_the_file_that_a_vendor_signed() {
    let house = House::get();
    let request = house.vendor().sign(&house.csr, &house.vendor.key, now());
    let upload = request.unwrap().to_upload().unwrap();
    let file = opened(hexed(&mail(upload.as_bytes(), reply())).as_bytes()).unwrap();
    assert_eq!(file, upload.as_bytes());
    let read = mdm_apns::certificate::PushCertificateRequest::read(&file).unwrap();
    read.verify(now()).unwrap();
    assert!(read.is_for(house.customer.public_key()));
}
