//! Every form in which an attestation lies about, and what is told of it.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use mdm_fake_apple::attestation::{Defect, Form, Kind};
use mdm_pki::pem;

use super::{NONCE, TOKEN, World, payload, response};

#[test]
fn an_attestation_is_told_in_every_form() {
    let world = World::new();
    let att_obj = world.mac().cbor().unwrap();
    let chain = world.mac().chain().unwrap();
    let pem: String = chain
        .iter()
        .map(|der| pem::encode("CERTIFICATE", der))
        .collect();
    let list: Vec<_> = chain.iter().map(|der| STANDARD.encode(der)).collect();
    for (form, file) in [
        ("CBOR", att_obj.clone()),
        ("CBOR", STANDARD.encode(&att_obj).into_bytes()),
        (
            "CBOR",
            format!(" {}\n", URL_SAFE_NO_PAD.encode(&att_obj)).into_bytes(),
        ),
        ("JSON", payload(&att_obj)),
        ("JSON", serde_json::to_vec(&list).unwrap()),
        ("PEM", pem.into_bytes()),
        ("DER", chain.concat()),
        ("DER", STANDARD.encode(chain.concat()).into_bytes()),
        ("DeviceInformation", response(&chain)),
    ] {
        let told = world.decode(&file, &["--json", "--root", "ROOT", "--token", TOKEN]);
        assert_eq!(told.code, Some(0), "{form}: {told:?}");
        assert!(told.stderr.is_empty(), "{told:?}");
        let document = told.json();
        assert_eq!(document["form"], form);
        assert_eq!(document["attested"], true);
        assert_eq!(document["verified"], true);
        assert_eq!(document["key"]["key"], "EC P-384");
        assert_eq!(document["posture"]["serial_number"], "C02AAAAAAAAA");
        assert_eq!(document["posture"]["secure_boot"], "full");
        assert_eq!(document["posture"]["third_party_kexts_verdict"], "good");
        assert_eq!(document["freshness"].as_str().unwrap().len(), 64);
        assert_eq!(document["chain"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn a_person_reads_names_and_values() {
    let world = World::new();
    let leaf = world.mac().property(Kind::Sip, Form::Blank, "").property(
        Kind::Undescribed,
        Form::Raw,
        "x",
    );
    let told = world.decode(&leaf.cbor().unwrap(), &[]);
    assert_eq!(told.code, Some(0), "{told:?}");
    for line in [
        "serial_number",
        "C02AAAAAAAAA",
        "{\"unknown\":\"\"}",
        "CN=Apple Enterprise Attestation Root CA",
        "1.2.840.113635.100.8.9.3",
        "certificate 1",
    ] {
        assert!(told.stdout.contains(line), "no {line:?} in {}", told.stdout);
    }
    // Nothing was asked, so nothing is claimed.
    assert!(!told.stdout.contains("verified"), "{}", told.stdout);
}

#[test]
fn a_nonce_is_taken_in_hex_and_in_base64() {
    let world = World::new();
    let leaf = world.apple.leaf(world.key.public_key()).nonce(&NONCE);
    let file = response(&leaf.chain().unwrap());
    for nonce in [
        ["--nonce", "abababababababababababababababab"],
        ["--nonce", "ab:ab:AB:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab:ab"],
        ["--nonce-base64", &STANDARD.encode(NONCE)],
    ] {
        let told = world.decode(&file, &[&["--json", "--root", "ROOT"], &nonce[..]].concat());
        assert_eq!(told.code, Some(0), "{told:?}");
        assert_eq!(told.json()["verified"], true);
        assert_eq!(told.json()["withholds_identity"], true);
    }
    let told = world.decode(&file, &["--root", "ROOT", "--nonce", "abac"]);
    told.failed(1, "another token or nonce");
}

#[test]
fn what_is_not_believed_is_told_all_the_same_with_the_reason() {
    let world = World::new();
    for (defect, words) in [
        (Defect::Expired, "expired"),
        (Defect::NoFreshness, "no freshness"),
        (Defect::OtherFreshness, "another token"),
        (Defect::UnknownRoot, "not trusted"),
        (Defect::SignedByLeaf, "not trusted"),
        (Defect::Sha1, "too weakly"),
    ] {
        let att_obj = world.mac().defect(defect).cbor().unwrap();
        let told = world.decode(&att_obj, &["--json", "--root", "ROOT", "--token", TOKEN]);
        assert_eq!(told.code, Some(1), "{told:?}");
        assert_eq!(told.json()["verified"], false);
        assert_eq!(told.json()["posture"]["serial_number"], "C02AAAAAAAAA");
        let error: serde_json::Value = serde_json::from_str(&told.stderr).unwrap();
        assert_eq!(error["error"]["kind"], "attestation");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{defect:?}: {message}");
        // Without a root nothing is verified, and it can be looked at.
        assert_eq!(world.decode(&att_obj, &[]).code, Some(0));
    }
    let past = [
        "--root",
        "ROOT",
        "--token",
        TOKEN,
        "--at",
        "2001-01-01T00:00:00Z",
    ];
    let told = world.decode(&world.mac().cbor().unwrap(), &past);
    told.failed(1, "valid only from");
}

#[test]
fn a_device_that_does_not_attest_is_told_and_fails_where_one_was_wanted() {
    let world = World::new();
    for nothing in [
        &b"{}"[..],
        b"\xa0",
        b"{\"attObj\": \"\"}",
        b"{\"attObj\": \"e30\"}",
        b"e30=",
        &response(&[]),
        b"<plist version=\"1.0\"><dict><key>QueryResponses</key><dict/></dict></plist>",
    ] {
        let told = world.decode(nothing, &["--json"]);
        assert_eq!(told.code, Some(0), "{told:?}");
        assert_eq!(told.json()["attested"], false);
        let told = world.decode(nothing, &["--root", "ROOT", "--token", TOKEN]);
        told.failed(1, "without attestation");
    }
}
