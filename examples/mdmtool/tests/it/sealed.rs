//! Signed and encrypted documents.

use mdm_pki::{CertificateRequestBuilder, DigestAlgorithm, Name, cms::SignedDataBuilder};
use mdm_scep::{FailInfo, MessageType, Nonce, PkiMessage, TransactionId};
use serde_json::{Value, json};

use crate::{
    decode, findings,
    fixtures::{PROFILE, TOKEN, identity, indefinite, plist, sealed, signed, token_file},
    found, kind_and_type, refusal,
};

#[test]
fn a_signed_profile_is_a_profile_in_every_packing() {
    let der = signed(&plist(PROFILE));
    let plain = decode(&[], &plist(PROFILE));
    let pem = mdm_pki::pem::encode("PKCS7", &der);
    let base64: Vec<&str> = pem.lines().filter(|line| !line.contains('-')).collect();
    for packed in [
        der.clone(),
        indefinite(&der),
        pem.clone().into_bytes(),
        base64.join("\r\n").into_bytes(),
        [b"\r\n ".to_vec(), der].concat(),
    ] {
        let told = decode(&[], &packed);
        assert_eq!(kind_and_type(&told), ("profile", "Configuration"));
        assert_eq!(told["body"], plain["body"]);
        assert_eq!(findings(&told), []);
        let signer = &told["signed"]["signers"][0];
        assert_eq!(signer["certificate"]["subject"], "CN=signer");
        assert_eq!(signer["signature"], "valid");
        assert_eq!(signer["signingTime"], "2026-11-05T09:00:00Z");
    }
    assert!(plain.get("signed").is_none());
}

#[test]
fn a_signature_that_does_not_hold_is_found() {
    let mut der = signed(&plist(PROFILE));
    let at = der
        .windows(11)
        .position(|window| window == b"com.example")
        .unwrap();
    der[at] = b'C';
    let told = decode(&[], &der);
    assert_eq!(told["body"]["PayloadIdentifier"], "Com.example");
    assert_eq!(findings(&told), [found("", "conflict")]);
}

#[test]
fn other_signed_documents_are_told_by_what_is_inside() {
    let info = signed(&plist(
        "<key>PRODUCT</key><string>Mac14,2</string><key>SERIAL</key><string>S</string>",
    ));
    let told = decode(&[], &info);
    assert_eq!(kind_and_type(&told), ("cms", "MachineInfo"));
    assert_eq!(told["body"]["SERIAL"], "S");

    let text = decode(&[], &signed(b"hello"));
    assert_eq!(kind_and_type(&text), ("cms", "SignedData"));
    assert_eq!(text["body"]["content"], "hello");
    let bytes = decode(&[], &signed(&[0, 1, 2]));
    assert_eq!(bytes["body"]["content"], "AAEC");
    let forced = decode(&["--as", "cms"], &signed(&plist(PROFILE)));
    assert_eq!(kind_and_type(&forced), ("cms", "SignedData"));

    let (key, certificate) = identity("signer");
    let detached = SignedDataBuilder::new(b"body")
        .detached()
        .signer(&certificate, DigestAlgorithm::Sha256)
        .sign(&key)
        .unwrap();
    let told = decode(&[], &detached);
    assert_eq!(kind_and_type(&told), ("cms", "SignedData"));
    assert_eq!(told["signed"]["detached"], true);
    assert_eq!(told["signed"]["signers"][0]["signature"], "detached");
    assert_eq!(findings(&told), []);

    let certificates = mdm_pki::cms::certs_only(std::slice::from_ref(&certificate)).unwrap();
    let told = decode(&[], &certificates);
    assert_eq!(kind_and_type(&told), ("cms", "Certificates"));
    assert_eq!(told["signed"]["certificates"][0]["subject"], "CN=signer");
    refusal(&["decode", "-", "--as", "profile"], &certificates);
}

#[test]
fn q01_a_server_token_is_told_without_its_key_and_opened_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = identity("token");
    let key_file = folder.path().join("key.pem");
    let pem = key.to_pkcs8_pem().unwrap();
    std::fs::write(&key_file, pem.as_bytes()).unwrap();
    let key_file = key_file.to_str().unwrap();

    let file = token_file(&certificate);
    let text = String::from_utf8(file.clone()).unwrap();
    let bare = text.split("\r\n\r\n").nth(1).unwrap().as_bytes().to_vec();
    let ber = mdm_pki::pem::decode_base64(&bare).unwrap();
    let unix = text.replace('\r', "").into_bytes();
    for file in [file, unix, bare, ber] {
        let closed = decode(&[], &file);
        assert_eq!(kind_and_type(&closed), ("ade-token", "Encrypted"));
        assert_eq!(findings(&closed), [found("", "unreadable")]);
        let open = decode(&["--key", key_file], &file);
        assert_eq!(kind_and_type(&open), ("ade-token", "ServerToken"));
        assert_eq!(open["body"]["consumer_key"], "CK_1");
        assert!(!open.to_string().contains("PRIVATE KEY"));
    }
    let json: Value = serde_json::from_str(TOKEN).unwrap();
    let told = decode(&[], TOKEN.as_bytes());
    assert_eq!(kind_and_type(&told), ("ade-token", "ServerToken"));
    assert_eq!(told["body"], json);
}

#[test]
fn an_envelope_of_something_else_is_told_as_cms_or_by_what_is_inside() {
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = identity("device");
    let key_file = folder.path().join("key.der");
    let der = key.to_pkcs8_der().unwrap();
    std::fs::write(&key_file, &*der).unwrap();
    let key_file = key_file.to_str().unwrap();

    let told = decode(&[], &sealed(b"recovery key", &certificate));
    assert_eq!(kind_and_type(&told), ("cms", "EnvelopedData"));
    assert!(told["body"].get("content").is_none());
    let told = decode(&["--key", key_file], &sealed(b"recovery key", &certificate));
    assert_eq!(told["body"]["content"], "recovery key");
    let told = decode(&["--key", key_file], &sealed(&plist(PROFILE), &certificate));
    assert_eq!(kind_and_type(&told), ("profile", "Configuration"));
}

#[test]
fn scep_messages_are_told_by_their_attributes_and_opened_with_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let (ca_key, ca) = identity("ca");
    let key_file = folder.path().join("ca.pem");
    let pem = ca_key.to_pkcs8_pem().unwrap();
    std::fs::write(&key_file, pem.as_bytes()).unwrap();
    let key_file = key_file.to_str().unwrap();

    let (key, certificate) = identity("device");
    let request = CertificateRequestBuilder::new(Name::from_common_name("device"))
        .challenge_password("once")
        .sign(&key)
        .unwrap();
    let message = |message_type, envelope: Option<Vec<u8>>| {
        let nonce = Nonce::new([1; 16]).unwrap();
        let builder = PkiMessage::build(message_type, TransactionId::new("T1").unwrap(), nonce);
        match envelope {
            Some(envelope) => builder.envelope(envelope),
            None => builder.failure(FailInfo::BadRequest, None),
        }
        .sign(&certificate, DigestAlgorithm::Sha256, &key)
        .unwrap()
    };
    let asking = message(MessageType::PkcsReq, Some(sealed(request.to_der(), &ca)));
    let told = decode(&[], &asking);
    assert_eq!(kind_and_type(&told), ("scep-message", "PKCSReq"));
    assert_eq!(told["body"]["transactionID"], "T1");
    assert_eq!(told["body"]["senderNonce"], "AQEBAQEBAQEBAQEBAQEBAQ==");
    assert_eq!(findings(&told), [found("content", "unreadable")]);
    assert_eq!(
        told["signed"]["signers"][0]["certificate"]["subject"],
        "CN=device"
    );

    let open = decode(&["--key", key_file], &asking);
    let content = &open["body"]["content"];
    assert_eq!(
        (&content["subject"], &content["challengePassword"]),
        (&json!("CN=device"), &json!("once"))
    );
    assert_eq!(content["proofOfPossession"], true);

    let granted = mdm_pki::cms::certs_only(std::slice::from_ref(&ca)).unwrap();
    let granted = message(MessageType::CertRep, Some(sealed(&granted, &ca)));
    let open = decode(&["--key", key_file], &granted);
    assert_eq!(kind_and_type(&open), ("scep-message", "CertRep"));
    assert_eq!(
        open["body"]["content"]["certificates"][0]["subject"],
        "CN=ca"
    );

    let refused = decode(&[], &message(MessageType::CertRep, None));
    assert_eq!(refused["body"]["pkiStatus"], "Failure");
    assert_eq!(refused["body"]["failInfo"], "badRequest");
    let forced = decode(&["--as", "scep-message"], &asking);
    assert_eq!(kind_and_type(&forced).0, "scep-message");
    refusal(&["decode", "-", "--as", "scep-message"], &sealed(b"x", &ca));
}

#[test]
fn a_wrong_key_is_refused_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (_, certificate) = identity("token");
    let (wrong, _) = identity("other");
    let key_file = folder.path().join("key.pem");
    let pem = wrong.to_pkcs8_pem().unwrap();
    std::fs::write(&key_file, pem.as_bytes()).unwrap();
    let key_file = key_file.to_str().unwrap();
    for file in [token_file(&certificate), sealed(b"x", &certificate)] {
        let line = refusal(&["decode", "-", "--key", key_file], &file);
        assert!(!line.contains("PRIVATE"), "{line}");
    }
    let missing = folder.path().join("missing");
    refusal(
        &["decode", "-", "--key", missing.to_str().unwrap()],
        &plist(PROFILE),
    );
    std::fs::write(&missing, b"garbage").unwrap();
    refusal(
        &["decode", "-", "--key", missing.to_str().unwrap()],
        &plist(PROFILE),
    );
    let line = refusal(&["decode", "-"], pem.as_bytes());
    assert!(!line.contains("MII"), "{line}");
}
