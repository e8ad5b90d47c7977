//! Signed and encrypted documents.

use std::process::Command;

use mdm_pki::{CertificateRequestBuilder, DigestAlgorithm, Name, cms::SignedDataBuilder};
use mdm_scep::{FailInfo, MessageType, Nonce, PkiMessage, TransactionId};
use serde_json::{Value, json};

use crate::{
    decode, findings,
    fixtures::{
        PROFILE, TOKEN, identity, indefinite, plist, replaced, sealed, signed, token_file,
        without_certificates,
    },
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
fn a_signature_that_nobody_can_check_is_told_apart_from_one_that_does_not_hold() {
    const SHA256: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x01";
    const UNHEARD_OF: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x63";
    let der = signed(&plist(PROFILE));
    for (message, why) in [
        (without_certificates(&der), "certificate is missing"),
        (replaced(&der, SHA256, UNHEARD_OF), "not supported"),
    ] {
        let told = decode(&[], &message);
        assert_eq!(kind_and_type(&told), ("profile", "Configuration"));
        assert_eq!(findings(&told), [found("", "unreadable")]);
        let finding = &told["findings"][0];
        assert_eq!(finding["severity"], "warning");
        let message = finding["message"].as_str().unwrap();
        assert!(message.starts_with("its signature cannot be checked: "));
        assert!(message.contains(why), "{message}");
    }
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
    let blank_line_lost = text.replace("\r\n\r\n", "\r\n").into_bytes();
    for file in [file, unix, bare, ber, blank_line_lost] {
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
fn a_server_token_that_was_decrypted_elsewhere_is_told() {
    let json = TOKEN.replace("\n    ", "");
    let message = format!("-----BEGIN MESSAGE-----\n{json}\n-----END MESSAGE-----\n");
    let header = "Content-Type: text/plain;charset=UTF-8\nContent-Transfer-Encoding: 7bit\n\n";
    for file in [
        message.clone(),
        format!("{header}{message}"),
        format!("{header}{message}").replace('\n', "\r\n"),
        format!("{header}{json}"),
        // Wrapped inside of its strings, as mail does.
        message.replace("CS_1", "CS\r\n_1"),
    ] {
        let told = decode(&[], file.as_bytes());
        assert_eq!(kind_and_type(&told), ("ade-token", "ServerToken"), "{file}");
        assert_eq!(told["body"]["consumer_secret"], "CS_1");
        assert_eq!(decode(&["--as", "ade-token"], file.as_bytes()), told);
        refusal(&["decode", "-", "--as", "profile"], file.as_bytes());
    }
    let line = refusal(
        &["decode", "-"],
        b"-----BEGIN MESSAGE-----\n{\"a\":1}\n-----END MESSAGE-----",
    );
    assert!(line.contains("credentials"), "{line}");
}

#[test]
fn text_in_front_of_a_message_is_passed_over() {
    let pem = mdm_pki::pem::encode("PKCS7", &signed(&plist(PROFILE)));
    for front in [
        "Bag Attributes\n    friendlyName: x\n",
        "subject=/CN=x\r\n\r\n",
        "From: a@example.com\nContent-Type: text/plain\n\nSee below.\n",
        "Content-Type: application/pkcs7-mime\n\n",
    ] {
        let told = decode(&[], format!("{front}{pem}").as_bytes());
        assert_eq!(
            kind_and_type(&told),
            ("profile", "Configuration"),
            "{front}"
        );
        assert_eq!(findings(&told), []);
    }
}

#[test]
fn a_multipart_message_is_refused_as_one() {
    let line = refusal(
        &["decode", "-"],
        b"MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=\"b\"\n\n--b\n\nx\n--b--\n",
    );
    assert!(line.contains("multipart"), "{line}");
}

#[test]
fn a_key_does_not_make_a_message_in_an_unknown_cipher_unreadable() {
    const AES_256_CBC: &[u8] = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2A";
    const AES_256_GCM: &[u8] = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2E";
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = identity("device");
    let key_file = folder.path().join("key.pem");
    std::fs::write(&key_file, key.to_pkcs8_pem().unwrap().as_bytes()).unwrap();
    let sealed = replaced(&sealed(b"hello", &certificate), AES_256_CBC, AES_256_GCM);
    for arguments in [&[][..], &["--key", key_file.to_str().unwrap()]] {
        let told = decode(arguments, &sealed);
        assert_eq!(kind_and_type(&told), ("cms", "EnvelopedData"));
        assert_eq!(findings(&told), [found("", "unreadable")]);
    }
}

#[test]
fn single_des_is_opened_where_openssl_still_can_and_named_in_any_case() {
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = identity("device");
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(file("key"), key.to_pkcs8_pem().unwrap().as_bytes()).unwrap();
    std::fs::write(file("certificate"), certificate.to_pem()).unwrap();
    std::fs::write(file("plain"), "hello").unwrap();
    let made = Command::new("openssl")
        .args("cms -encrypt -binary -des -provider legacy -provider default".split(' '))
        .args(["-in", &file("plain"), "-outform", "DER", "-out"])
        .args([file("sealed"), file("certificate")])
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        eprintln!("skipped: single DES: no openssl program with the legacy provider");
        assert!(std::env::var_os("REQUIRE_PEERS").is_none_or(|value| value != "1"));
        return;
    }
    let sealed = std::fs::read(file("sealed")).unwrap();
    let told = decode(&[], &sealed);
    assert_eq!(
        findings(&told),
        [found("", "unreadable"), found("", "deprecated")]
    );
    let told = decode(&["--key", &file("key")], &sealed);
    assert_eq!(told["body"]["content"], "hello");
    assert_eq!(findings(&told), [found("", "deprecated")]);
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
    // As the common Go servers write it; RFC 8894, section 3.3.2, leaves the content out.
    let empty = message(MessageType::CertRep, Some(Vec::new()));
    assert_eq!(findings(&decode(&[], &empty)), []);
    let bare = without_certificates(&asking);
    let told = decode(&[], &bare);
    assert_eq!(kind_and_type(&told), ("scep-message", "PKCSReq"));
    assert_eq!(
        findings(&told),
        [found("", "unreadable"), found("content", "unreadable")]
    );
    let line = refusal(
        &["decode", "-", "--as", "scep-message"],
        &signed(&plist(PROFILE)),
    );
    assert!(line.contains("no scep-message"), "{line}");
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
