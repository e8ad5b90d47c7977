//! Payloads as their own types: read, edited, checked against the tables.

use mdm_plist::{Dictionary, Value};
use mdm_profiles::{
    Error, Profile,
    payload::{
        AnyPayload, COMMON_KEYS, CertificatePkcs1, CertificateRoot, Mdm, Payload, Scep, TopLevel,
    },
};
use mdm_schema::{Item, Rule, Severity, Target};

const FRAME: &str = "<key>PayloadIdentifier</key><string>com.example</string>
    <key>PayloadType</key><string>Configuration</string>
    <key>PayloadUUID</key><string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D3E</string>
    <key>PayloadVersion</key><integer>1</integer>";

fn payload(payload_type: &str, number: u8, more: &str) -> String {
    format!(
        "<dict><key>PayloadIdentifier</key><string>com.example.{number}</string>
         <key>PayloadType</key><string>{payload_type}</string>
         <key>PayloadUUID</key><string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D{number:02X}</string>
         <key>PayloadVersion</key><integer>1</integer>{more}</dict>"
    )
}

fn plist(keys: &str) -> Vec<u8> {
    format!("<plist version=\"1.0\"><dict>{keys}</dict></plist>").into_bytes()
}

fn profile(payloads: &[String]) -> Profile {
    let payloads = payloads.concat();
    let keys = format!("{FRAME}<key>PayloadContent</key><array>{payloads}</array>");
    Profile::decode(&plist(&keys)).unwrap()
}

fn found(profile: &Profile, target: Option<&str>) -> Vec<(String, Rule)> {
    let target = target.map(|target| target.parse::<Target>().unwrap());
    let findings = profile.validate(target.as_ref());
    findings.into_iter().map(|f| (f.path, f.rule)).collect()
}

fn at(path: &str) -> String {
    format!("PayloadContent[0]{path}")
}

const SCEP: &str = "<key>PayloadContent</key><dict>
    <key>Novel</key><string>kept</string>
    <key>Retries</key><string>wrong</string>
    <key>URL</key><string>https://example.com/scep</string>
    <key>Keysize</key><integer>1024</integer></dict>
    <key>PayloadDisplayName</key><string>Identity</string>";

#[test]
fn an_edit_changes_what_it_sets_and_nothing_else() {
    let mut edited = profile(&[
        payload("com.example.other", 1, ""),
        payload(Scep::PAYLOAD_TYPE, 2, SCEP),
    ]);
    let before = edited.to_xml().unwrap();
    edited
        .edit("com.example.2", |scep: &mut Scep| {
            scep.payload_content.url = "https://example.org/scep".into();
            scep.payload_content.name = Some("Example".into());
        })
        .unwrap();
    let wanted = String::from_utf8(before).unwrap();
    let wanted = wanted
        .replace("example.com/scep", "example.org/scep")
        .replace(
            "<integer>1024</integer>\n",
            "<integer>1024</integer>\n\t\t\t\t<key>Name</key>\n\t\t\t\t<string>Example</string>\n",
        );
    assert_eq!(String::from_utf8(edited.to_xml().unwrap()).unwrap(), wanted);
}

#[test]
fn an_edit_that_changes_nothing_leaves_a_payload_that_does_not_even_decode() {
    let mut broken = profile(&[payload(Scep::PAYLOAD_TYPE, 1, "<key>Novel</key><true/>")]);
    let before = broken.clone();
    broken.edit("com.example.1", |_: &mut Scep| ()).unwrap();
    assert_eq!(broken, before);
    let none = broken.edit("com.example.9", |_: &mut Scep| ());
    assert!(matches!(none, Err(Error::NoSuchPayload)));
    let other = broken.edit("com.example.1", |_: &mut Mdm| ());
    assert!(matches!(other, Err(Error::OtherType { .. })));
    assert_eq!(broken, before);
}

#[test]
fn a_payload_is_read_strictly_leniently_or_as_whatever_it_is() {
    let profile = profile(&[
        payload(Scep::PAYLOAD_TYPE, 1, SCEP),
        payload("com.example.novel", 2, "<key>a</key><true/>"),
    ]);
    let scep = profile.payload(Scep::PAYLOAD_TYPE).unwrap();
    let error = scep.decode::<Scep>().unwrap_err();
    let Error::Decode(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.findings[0].path, "PayloadContent.Retries");
    let (typed, findings) = scep.decode_leniently::<Scep>().unwrap();
    assert_eq!(typed.payload_content.retries, None);
    assert_eq!(findings, error.findings);
    assert_eq!(scep.any(), (typed.into(), findings));
    assert_eq!(scep.schema().unwrap().file, Scep::SCHEMA.file);
    assert!(scep.unknown_keys().eq(["PayloadContent.Novel"]));
    assert!(scep.decode_leniently::<Mdm>().is_err());

    let novel = profile.payload("com.example.novel").unwrap();
    let (AnyPayload::Other(other), findings) = novel.any() else {
        panic!("is not known");
    };
    assert_eq!((&other.keys, findings.len()), (novel.keys(), 0));
    assert!(novel.schema().is_none() && novel.validate(None).is_empty());
    assert_eq!(novel.unknown_keys().count(), 0);
}

#[test]
fn the_table_finds_what_is_wrong_inside_of_a_payload() {
    let profile = profile(&[payload(Scep::PAYLOAD_TYPE, 1, SCEP)]);
    let wanted = [
        (at(".PayloadContent.Retries"), Rule::Type),
        (at(".PayloadContent.Novel"), Rule::UnknownKey),
    ];
    assert_eq!(found(&profile, None), wanted);
    assert_eq!(profile.findings(), []);
}

#[test]
fn each_mistake_is_found_once() {
    // The table would complain of the first two as well: no UUID, no boolean.
    let mdm = "<key>IdentityCertificateUUID</key><string>nobody</string>
        <key>SignMessage</key><string>yes</string>
        <key>Topic</key><string>com.apple.mgmt.x</string>
        <key>ServerURL</key><string>https://example.com</string>";
    let one = profile(&[payload(Mdm::PAYLOAD_TYPE, 1, mdm)]);
    let wanted = [
        (at(".IdentityCertificateUUID"), Rule::Reference),
        (at(".SignMessage"), Rule::Type),
    ];
    assert_eq!(found(&one, None), wanted);

    let odd = "<key>PayloadIdentifier</key><integer>1</integer>
        <key>PayloadUUID</key><integer>1</integer><key>PayloadVersion</key><integer>2</integer>
        <key>PayloadType</key><string>com.apple.dock</string><key>Novel</key><true/>
        <key>PayloadScope</key><string>Everybody</string>
        <key>PayloadContent</key><array><true/><dict/></array>";
    let odd = Profile::decode(&plist(odd)).unwrap();
    let mut paths: Vec<_> = odd.validate(None).into_iter().map(|f| f.path).collect();
    let all = paths.len();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), all, "{paths:?}");
    assert!(paths.contains(&"PayloadScope".to_owned()), "by the table");
    assert!(paths.contains(&at("")) && paths.contains(&"Novel".to_owned()));
}

#[test]
fn over_the_air_enrolment_is_no_mistake() {
    let service = FRAME.replace("Configuration", "Profile Service");
    let content = "<key>PayloadContent</key><dict><key>URL</key><string>x</string></dict>";
    let profile = Profile::decode(&plist(&format!("{service}{content}"))).unwrap();
    assert_eq!(found(&profile, Some("ios:18.0")), []);
}

#[test]
fn a_payload_that_may_be_there_once_is_found_the_second_time() {
    let mdm = |number| {
        payload(
            Mdm::PAYLOAD_TYPE,
            number,
            "<key>IdentityCertificateUUID</key>
             <string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D01</string>
             <key>Topic</key><string>com.apple.mgmt.x</string>
             <key>ServerURL</key><string>https://example.com</string>",
        )
    };
    let unknown = payload("com.example.unknown", 1, "");
    let twice = profile(&[unknown, mdm(2), mdm(3)]);
    let wanted = [("PayloadContent[2]".to_owned(), Rule::SingleInstance)];
    assert_eq!(found(&twice, None), wanted);
}

#[test]
fn a_target_decides_what_it_takes() {
    let certificate = |name: &str| payload(name, 1, "<key>PayloadContent</key><data>MAA=</data>");
    let root = profile(&[certificate(CertificateRoot::PAYLOAD_TYPE)]);
    assert_eq!(found(&root, Some("watchos:3.0")), []);
    let early = found(&root, Some("watchos:2.0"));
    assert_eq!(early, [(at(""), Rule::NotAvailable)]);

    let keys = format!(
        "{FRAME}<key>PayloadRemovalDisallowed</key><true/><key>PayloadContent</key><array/>"
    );
    let locked = Profile::decode(&plist(&keys)).unwrap();
    let path = || "PayloadRemovalDisallowed".to_owned();
    let wanted = [(path(), Rule::Supervision)];
    assert_eq!(found(&locked, Some("ios:18.0")), wanted);
    assert_eq!(found(&locked, Some("ios:18.0,supervised")), []);
    let wanted = [(path(), Rule::NotAvailable)];
    assert_eq!(found(&locked, Some("visionos:2.0,supervised")), wanted);
}

#[test]
fn a_profile_knows_every_key_of_the_top_level_and_of_payloads() {
    let names = |schema: &'static mdm_schema::Schema| schema.keys.iter().map(|key| key.name);
    let mut known: Vec<_> = names(TopLevel::SCHEMA).collect();
    known.sort_unstable();
    assert_eq!(known, Profile::KEYS);

    let common = mdm_schema::find(mdm_schema::Kind::Payload, "CommonPayloadKeys").unwrap();
    let mut known: Vec<_> = names(common).collect();
    known.sort_unstable();
    assert_eq!(known, COMMON_KEYS);

    // One finding for each required key, none of them twice.
    let empty = format!("{FRAME}<key>PayloadContent</key><array><dict/></array>");
    let empty = Profile::decode(&plist(&empty)).unwrap();
    let mut missing = found(&empty, None);
    missing.sort_by(|a, b| a.0.cmp(&b.0));
    let required = common.keys.iter().filter(|key| key.required);
    let mut wanted: Vec<_> = required
        .map(|key| (at(&format!(".{}", key.name)), Rule::Required))
        .collect();
    wanted.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(missing, wanted);

    // Every common key is known in a payload, and its type looked at.
    for key in common.keys {
        let more = match key.name {
            "PayloadType" => continue,
            "PayloadVersion" => "<string>1</string>",
            _ => "<integer>1</integer>",
        };
        let certificate = payload(
            CertificatePkcs1::PAYLOAD_TYPE,
            1,
            "<key>PayloadContent</key><data>MAA=</data>",
        );
        let mut wrong = profile(&[certificate]);
        let Some(Value::Array(payloads)) = wrong.keys_mut().get_mut("PayloadContent") else {
            panic!("is there");
        };
        let value: Dictionary =
            mdm_plist::from_slice(&plist(&format!("<key>v</key>{more}"))).unwrap();
        let keys = payloads[0].as_dictionary_mut().unwrap();
        keys.insert(key.name.to_owned(), value.get("v").unwrap().clone());
        assert_eq!(
            found(&wrong, None),
            [(at(&format!(".{}", key.name)), Rule::Type)]
        );
    }
}

#[test]
fn an_mdm_payload_that_does_not_decode_is_found_with_the_key() {
    let mdm = "<key>IdentityCertificateUUID</key>
        <string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D02</string>
        <key>ServerURL</key><string>https://mdm.example.com</string>
        <key>Topic</key><string>com.apple.mgmt.x</string>
        <key>AccessRights</key><string>8191</string>";
    let identity = payload("com.example.identity", 2, "");
    let profile = profile(&[payload(Mdm::PAYLOAD_TYPE, 1, mdm), identity]);
    let findings = profile.validate(None);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].severity, Severity::Error);
    assert_eq!(found(&profile, None), [(at(".AccessRights"), Rule::Type)]);
}

#[test]
fn findings_of_a_profile_under_another_key_lie_there_too() {
    let mdm = payload(Mdm::PAYLOAD_TYPE, 1, "");
    let keys = format!(
        "<key>Outer</key><dict>{FRAME}<key>PayloadContent</key><array>{mdm}</array></dict>"
    );
    let (profile, _) =
        Profile::from_dictionary(mdm_plist::from_slice(&plist(&keys)).unwrap()).unwrap();
    for (path, rule) in found(&profile, None) {
        assert_eq!(rule, Rule::Required);
        assert!(path.starts_with("Outer.PayloadContent[0]."), "{path}");
    }
}

#[cfg(feature = "network")]
#[test]
fn a_vpn_of_apps_has_the_keys_of_any_vpn_and_those_of_its_vendor() {
    use mdm_profiles::payload::{
        AppLayerVpn,
        vpn::{VendorConfig, VpnType},
    };

    let mut vendor = VendorConfig::new().with(|vendor| vendor.realm = Some("EXAMPLE".into()));
    vendor.more.insert("Own".into(), "one".into());
    vendor.more.insert("Realm".into(), "passed over".into());
    let vpn = AppLayerVpn::new("U-1", VpnType::Vpn, "Office")
        .with(|vpn| vpn.vendor_config = Some(vendor));
    assert_eq!(mdm_schema::validate_item(&vpn, None), []);
    let written = vpn.to_dictionary();
    let config = written.get("VendorConfig").and_then(Value::as_dictionary);
    let config = config.unwrap();
    assert!(config.keys().eq(["Realm", "Own"]));
    assert_eq!(config["Realm"].as_string(), Some("EXAMPLE"));

    let mut read = AppLayerVpn::from_dictionary(&written).unwrap();
    let vendor = read.vendor_config.as_mut().unwrap();
    assert!(vendor.more.keys().eq(["Own"]));
    vendor.more.clear();
    vendor.more.insert("Other".into(), "two".into());
    let edited = read.write_over(written);
    let config = edited.get("VendorConfig").and_then(Value::as_dictionary);
    assert!(config.unwrap().keys().eq(["Realm", "Other"]));
}

#[cfg(feature = "system")]
#[test]
fn a_payload_whose_file_has_another_name_goes_by_either() {
    use mdm_profiles::payload::UserPreferences;

    for name in ["com.apple.preference.users", "com.apple.preferences.users"] {
        let profile = profile(&[payload(name, 1, "")]);
        let payload = profile.payload(name).unwrap();
        assert!(payload.decode::<UserPreferences>().is_ok());
        assert!(matches!(payload.any().0, AnyPayload::UserPreferences(_)));
    }
}
