use mdm_plist::{Dictionary, Limits};
use mdm_profiles::{
    Error, Profile, Scope,
    payload::{
        CertificateRoot, Mdm, Payload, Scep,
        scep::{Keysize, ScepContent, SubjectAltName},
    },
};
use mdm_schema::{Item, Log, Place, Record, Rule, Severity};

const FRAME: &str = "<key>PayloadIdentifier</key><string>com.example</string>
    <key>PayloadType</key><string>Configuration</string>
    <key>PayloadUUID</key><string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D3E</string>
    <key>PayloadVersion</key><integer>1</integer>";

fn payload(name: &str, uuid: u8, more: &str) -> String {
    format!(
        "<dict><key>PayloadIdentifier</key><string>com.example.{name}</string>
         <key>PayloadType</key><string>com.example.type.{name}</string>
         <key>PayloadUUID</key><string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D{uuid:02x}</string>
         <key>PayloadVersion</key><integer>1</integer>{more}</dict>"
    )
}

fn plist(keys: &str) -> Vec<u8> {
    format!("<plist version=\"1.0\"><dict>{keys}</dict></plist>").into_bytes()
}

fn profile(keys: &str) -> Profile {
    Profile::decode(&plist(keys)).unwrap()
}

fn found(keys: &str) -> Vec<(String, Rule)> {
    profile(keys)
        .findings()
        .into_iter()
        .map(|f| (f.path, f.rule))
        .collect()
}

#[test]
fn nothing_is_lost_on_a_round_trip() {
    let keys = format!(
        "<key>Zebra</key><array><real>1.5</real><integer>18446744073709551615</integer></array>
         <key>PayloadContent</key><array>{}</array>{FRAME}
         <key>RemovalDate</key><date>2026-11-05T09:00:00Z</date>
         <key>Apple</key><data>AAEC</data>",
        payload("a", 1, "<key>Novel</key><dict><key>b</key><false/></dict>")
    );
    let before: Dictionary = mdm_plist::from_slice(&plist(&keys)).unwrap();
    let profile = profile(&keys);
    let after: Dictionary = mdm_plist::from_slice(&profile.to_xml().unwrap()).unwrap();
    assert_eq!(after, before);
    assert!(after.keys().eq(before.keys()), "the order of keys is kept");
    let binary = mdm_plist::to_binary(&profile.to_dictionary()).unwrap();
    assert_eq!(Profile::decode(&binary).unwrap(), profile);
    assert_eq!(
        profile.removal_date().unwrap().to_rfc3339(),
        "2026-11-05T09:00:00+00:00"
    );
}

#[test]
fn the_top_level_has_its_types() {
    let profile = profile(&format!(
        "{FRAME}<key>PayloadContent</key><array/>
         <key>PayloadDisplayName</key><string>N</string><key>PayloadDescription</key><string>D</string>
         <key>PayloadOrganization</key><string>O</string><key>PayloadScope</key><string>System</string>
         <key>PayloadRemovalDisallowed</key><true/>"
    ));
    assert_eq!(profile.identifier(), Some("com.example"));
    assert_eq!(profile.payload_type(), Some("Configuration"));
    assert_eq!(profile.version(), Some(1));
    assert_eq!(profile.display_name(), Some("N"));
    assert_eq!(profile.description(), Some("D"));
    assert_eq!(profile.organization(), Some("O"));
    assert_eq!(profile.scope(), Some(Scope::System));
    assert!(profile.removal_disallowed() && !profile.is_encrypted());
    assert!(profile.findings().is_empty());
}

#[test]
fn payloads_are_found_by_type_and_by_uuid_in_either_case() {
    let profile = profile(&format!(
        "{FRAME}<key>PayloadContent</key><array>{}{}</array>",
        payload("a", 0xAA, ""),
        payload("b", 0xBB, "")
    ));
    assert_eq!(profile.payloads().count(), 2);
    let b = profile.payload("com.example.type.b").unwrap();
    assert_eq!(b.identifier(), Some("com.example.b"));
    let uuid = b.uuid().unwrap();
    assert_eq!(profile.payload_by_uuid(&uuid.to_uppercase()), Some(b));
    assert_eq!(profile.payload_by_uuid(&uuid.to_lowercase()), Some(b));
    assert!(matches!(
        b.decode::<Mdm>(),
        Err(Error::OtherType {
            wanted: "com.apple.mdm",
            ..
        })
    ));
}

#[test]
fn a_profile_under_another_key_is_read_and_written_back_there() {
    let keys = format!("<key>New item</key><dict>{FRAME}<key>PayloadContent</key><array/></dict>");
    let tree: Dictionary = mdm_plist::from_slice(&plist(&keys)).unwrap();
    let (profile, findings) = Profile::from_dictionary(tree.clone()).unwrap();
    assert_eq!(
        (findings[0].path.as_str(), findings[0].rule),
        ("New item", Rule::Misplaced)
    );
    assert_eq!(profile.identifier(), Some("com.example"));
    let back: Dictionary = mdm_plist::from_slice(&profile.to_xml().unwrap()).unwrap();
    assert_eq!(back, tree);
}

#[test]
fn what_is_no_plain_profile_is_refused() {
    for keys in [
        "",
        "<key>Command</key><dict/>",
        "<key>a</key><dict/><key>b</key><dict/>",
        "<key>a</key><dict><key>b</key><dict/></dict>",
        "<key>PayloadContent</key><array/>",
    ] {
        assert!(
            matches!(Profile::decode(&plist(keys)), Err(Error::NotAProfile)),
            "{keys}"
        );
    }
    let cms = b"\x30\x80\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02";
    assert!(matches!(Profile::decode(cms), Err(Error::Packed)));
    assert!(matches!(Profile::decode(b"{}"), Err(Error::Plist(_))));
    let bytes = plist(FRAME);
    let limits = Limits::default().with(|l| l.bytes = bytes.len() - 1);
    assert!(matches!(
        Profile::decode_with(&bytes, &limits),
        Err(Error::Plist(_))
    ));
}

#[test]
fn missing_and_wrong_keys_are_found_where_they_are() {
    let path = |text: &str| text.to_owned();
    assert_eq!(
        found("<key>PayloadType</key><string>Configuration</string><key>PayloadContent</key><array>
            <string>x</string><dict><key>PayloadType</key><integer>1</integer>
            <key>PayloadVersion</key><string>1</string><key>PayloadUUID</key><string></string></dict></array>"),
        [
            (path("PayloadIdentifier"), Rule::Required),
            (path("PayloadUUID"), Rule::Required),
            (path("PayloadVersion"), Rule::Required),
            (path("PayloadContent[0]"), Rule::Type),
            (path("PayloadContent[1].PayloadIdentifier"), Rule::Required),
            (path("PayloadContent[1].PayloadUUID"), Rule::Format),
            (path("PayloadContent[1].PayloadType"), Rule::Type),
            (path("PayloadContent[1].PayloadVersion"), Rule::Type),
        ]
    );
    let wrong = FRAME.replace("Configuration", "com.apple.dock");
    assert_eq!(
        found(&format!(
            "{wrong}<key>PayloadContent</key><dict/><key>Novel</key><true/>"
        )),
        [
            (path("PayloadType"), Rule::Enum),
            (path("PayloadContent"), Rule::Type),
            (path("Novel"), Rule::UnknownKey),
        ]
    );
    assert_eq!(found(FRAME), [(path("PayloadContent"), Rule::Required)]);
    let uuid = FRAME.replace("0F5A4D4E-", "").replace(">1<", ">2<");
    assert_eq!(
        found(&format!("{uuid}<key>PayloadContent</key><array/>")),
        [
            (path("PayloadUUID"), Rule::Format),
            (path("PayloadVersion"), Rule::Enum)
        ]
    );
}

#[test]
fn an_encrypted_profile_needs_no_content_and_may_have_none() {
    let encrypted = format!("{FRAME}<key>EncryptedPayloadContent</key><data>AA==</data>");
    assert!(profile(&encrypted).is_encrypted());
    assert_eq!(found(&encrypted), []);
    let both = format!("{encrypted}<key>PayloadContent</key><array/>");
    assert_eq!(
        found(&both),
        [("PayloadContent".to_owned(), Rule::Conflict)]
    );
}

#[test]
fn an_over_the_air_profile_has_a_dictionary_as_content() {
    let service = FRAME.replace("Configuration", "Profile Service");
    let keys =
        format!("{service}<key>PayloadContent</key><dict><key>URL</key><string>x</string></dict>");
    assert_eq!(found(&keys), []);
    assert_eq!(profile(&keys).payloads().count(), 0);
    let array = format!("{service}<key>PayloadContent</key><array/>");
    assert_eq!(found(&array), [("PayloadContent".to_owned(), Rule::Type)]);
}

#[test]
fn payloads_that_share_an_identifier_or_a_uuid_are_found() {
    let twice = |first: String, second: String| {
        found(&format!(
            "{FRAME}<key>PayloadContent</key><array>{first}{second}</array>"
        ))
    };
    assert_eq!(
        twice(payload("a", 1, ""), payload("a", 2, "")),
        [(
            "PayloadContent[1].PayloadIdentifier".to_owned(),
            Rule::Duplicate
        )]
    );
    assert_eq!(
        twice(
            payload("a", 0xAB, ""),
            payload("b", 0xAB, "").replace("2dab", "2DAB")
        ),
        [("PayloadContent[1].PayloadUUID".to_owned(), Rule::Duplicate)]
    );
}

#[test]
fn references_of_the_management_payload_that_lead_nowhere_are_found() {
    let mdm = payload(
        "mdm",
        1,
        "<key>IdentityCertificateUUID</key><string>nobody</string>
         <key>Topic</key><string>com.apple.mgmt.x</string>
         <key>ServerURL</key><string>https://example.com</string>
         <key>AccessRights</key><integer>2</integer>
         <key>ServerURLPinningCertificateUUIDs</key><array><string>nobody</string></array>
         <key>CheckInURLPinningCertificateUUIDs</key><array><string>nobody</string></array>",
    )
    .replace("com.example.type.mdm", Mdm::PAYLOAD_TYPE);
    let at = |key: &str| format!("PayloadContent[0].{key}");
    assert_eq!(
        found(&format!(
            "{FRAME}<key>PayloadContent</key><array>{mdm}</array>"
        )),
        [
            (at("AccessRights"), Rule::Range),
            (at("IdentityCertificateUUID"), Rule::Reference),
            (at("ServerURLPinningCertificateUUIDs[0]"), Rule::Reference),
            (at("CheckInURLPinningCertificateUUIDs[0]"), Rule::Reference),
        ]
    );
}

#[test]
fn q07_names_of_a_scep_payload_are_one_text_or_many() {
    let read = |value: &str| {
        let keys = plist(&format!("<key>dNSName</key>{value}"));
        let keys: Dictionary = mdm_plist::from_slice(&keys).unwrap();
        SubjectAltName::read(&keys, &Place::root(&Log::default()))
    };
    let names = |value: &str| {
        let names = read(value);
        names.dns_names().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names("<string>a</string>"), ["a"]);
    assert_eq!(names("<array><string>a</string></array>"), ["a"]);
    let two = "<array><string>a</string><string>b</string></array>";
    assert_eq!(names(two), ["a", "b"]);

    let none: [&str; 0] = [];
    assert_eq!(
        SubjectAltName::new().with_dns_names(["a"]),
        read("<string>a</string>")
    );
    assert_eq!(SubjectAltName::new().with_dns_names(["a", "b"]), read(two));
    assert_eq!(
        read(two)
            .with_dns_names(none)
            .with_uris(none)
            .with_rfc822_names(none),
        SubjectAltName::new()
    );
    assert_eq!(names("<integer>1</integer>"), none);
}

#[test]
fn q07_a_scep_payload_asks_for_2048_bits() {
    let content = ScepContent::rsa_2048("https://example.com/scep").common_name("%SerialNumber%");
    let keys = Scep::new(content.clone()).to_dictionary();
    let back = Scep::from_dictionary(&keys).unwrap();
    assert_eq!(back.payload_content, content);
    let keys = keys.get("PayloadContent").unwrap().as_dictionary().unwrap();
    assert_eq!(content.keysize, Some(Keysize::Bits2048));
    assert_eq!(keys.get("Keysize").unwrap().as_signed_integer(), Some(2048));
    assert_eq!(keys.get("Key Type").unwrap().as_string(), Some("RSA"));
    assert_eq!(keys.get("Key Usage").unwrap().as_signed_integer(), Some(5));
    assert_eq!(content.subject.unwrap()[0][0], ["CN", "%SerialNumber%"]);
}

#[test]
fn contents_never_reach_debug_output() {
    let keys = format!(
        "{FRAME}<key>PayloadContent</key><array>{}</array>",
        payload("wifi", 1, "<key>Password</key><string>hunter2</string>")
    );
    let shown = format!("{:?}", profile(&keys));
    assert!(
        shown.contains("com.example.wifi") && !shown.contains("hunter2"),
        "{shown}"
    );
    let content = ScepContent::new("u").with(|c| c.challenge = Some("hunter2".to_owned().into()));
    assert!(!format!("{content:?}").contains("hunter2"));
    assert_eq!(CertificateRoot::PAYLOAD_TYPE, "com.apple.security.root");
}

#[test]
fn a_version_that_is_a_whole_real_is_a_warning() {
    let version = |value: &str| {
        let frame = FRAME.replace("<integer>1</integer>", value);
        let profile = profile(&format!("<key>PayloadContent</key><array/>{frame}"));
        let finding = profile.findings().into_iter().next().unwrap();
        (finding.path, finding.rule, finding.severity)
    };
    let at = || "PayloadVersion".to_owned();
    assert_eq!(
        version("<real>1</real>"),
        (at(), Rule::Type, Severity::Warning)
    );
    assert_eq!(
        version("<real>1.5</real>"),
        (at(), Rule::Type, Severity::Error)
    );
}

#[test]
fn a_reference_leads_to_a_payload_that_holds_what_is_asked_for() {
    let refers = |payload_type: &str, keys: &str| {
        payload("refers", 9, keys).replace("com.example.type.refers", payload_type)
    };
    let held =
        |payload_type: &str| payload("held", 1, "").replace("com.example.type.held", payload_type);
    let uuid = "<string>0f5a4d4e-3c5e-4c63-8f5e-0e6a9c1b2d01</string>";
    let identity = format!("<key>PayloadCertificateUUID</key>{uuid}");
    let anchor = format!(
        "<key>EAPClientConfiguration</key><dict>
         <key>PayloadCertificateAnchorUUID</key><array>{uuid}</array></dict>"
    );
    let wifi = "com.apple.wifi.managed";
    let key = "PayloadContent[1].PayloadCertificateUUID";
    let deep = "PayloadContent[1].EAPClientConfiguration.PayloadCertificateAnchorUUID[0]";
    for (own_type, keys, held_type, expected) in [
        (wifi, &identity, "com.apple.security.acme", None),
        (wifi, &identity, "com.apple.security.root", Some(key)),
        (wifi, &identity, "com.apple.dock", Some(key)),
        (
            "com.apple.security.certificatepreference",
            &identity,
            "com.apple.security.root",
            None,
        ),
        (wifi, &anchor, "com.apple.security.pem", None),
        (wifi, &anchor, "com.apple.security.scep", None),
        (wifi, &anchor, "com.apple.dock", Some(deep)),
        ("com.example.agent", &identity, "com.apple.dock", None),
    ] {
        let payloads = [held(held_type), refers(own_type, keys)].concat();
        let found = found(&format!(
            "{FRAME}<key>PayloadContent</key><array>{payloads}</array>"
        ));
        let expected = expected.map(|path| (path.to_owned(), Rule::Reference));
        assert_eq!(found, Vec::from_iter(expected), "{own_type} {held_type}");
    }
}
