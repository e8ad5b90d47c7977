//! `new`: every recipe, the same bytes for the same options, and nothing that a lint finds.

use serde_json::Value;

use super::Folder;

const MDM: &str = "new enrollment --identifier com.example.mdm --server-url https://mdm.example.com/mdm \
                   --topic com.apple.mgmt.External.a1";
const SCEP: &str = "--scep-url https://mdm.example.com/scep --challenge-file challenge";
const ACME: &str =
    "--acme-url https://mdm.example.com/acme/directory --client-identifier-file client";
const EVERYWHERE: &[&str] = &["ios:18.2", "macos:15.2", "tvos:18.2", "visionos:2.2"];
const NETWORKS: &[&str] = &["ios:18.2", "macos:15.2", "visionos:2.2"];
const PHONES: &[&str] = &["ios:18.2", "ios:26.4"];
const MACS: &[&str] = &["macos:15.2", "macos:26.4"];

fn folder() -> Folder {
    let folder = Folder::new();
    folder.identity("root", None);
    for (file, text) in [
        ("challenge", "once"),
        ("client", "ada"),
        ("secret", "correct horse"),
        ("settings.json", r#"{"Level": 3, "Servers": ["a", "b"]}"#),
    ] {
        folder.0.write(file, text);
    }
    folder
}

/// Makes the profile twice and looks it over for its devices.
fn clean(folder: &Folder, words: &str, targets: &[&str]) -> Value {
    let targets: Vec<_> = targets.iter().map(|it| format!("--target {it}")).collect();
    let targets = targets.join(" ");
    for file in ["one", "two"] {
        let _ = std::fs::remove_file(folder.0.path(file));
        let told = folder.run(&format!("{words} {targets} --out {file}"));
        told.succeeded();
        assert!(told.stdout.is_empty());
    }
    let bytes = folder.0.read("one");
    assert_eq!(bytes, folder.0.read("two"), "{words}");
    assert!(bytes.starts_with(b"<?xml"));
    let told = folder.run(&format!("lint one --encrypted --fail-on info {targets}"));
    told.succeeded();
    assert!(told.stdout.contains("nothing found"), "{told:?}");
    folder.json("show one --secrets")["profile"].clone()
}

fn types(profile: &Value) -> Vec<&str> {
    let payloads = profile["PayloadContent"].as_array().unwrap();
    let types = payloads
        .iter()
        .map(|payload| payload["PayloadType"].as_str());
    types.map(Option::unwrap).collect()
}

#[test]
fn an_enrolment_has_its_identity_by_scep_acme_or_pkcs12() {
    let folder = folder();
    let root = "--root root.pem --pin-roots";
    let p12 = "--pkcs12 root.p12 --pkcs12-password-file password";
    for (identity, payload_type) in [
        (SCEP, "com.apple.security.scep"),
        (ACME, "com.apple.security.acme"),
        (p12, "com.apple.security.pkcs12"),
    ] {
        let profile = clean(&folder, &format!("{MDM} {identity} {root}"), EVERYWHERE);
        let root = "com.apple.security.root";
        assert_eq!(types(&profile), [root, payload_type, "com.apple.mdm"]);
        let mdm = &profile["PayloadContent"][2];
        assert_eq!(mdm["AccessRights"], 8191);
        assert_eq!(
            mdm["ServerURLPinningCertificateUUIDs"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        let uuid = &profile["PayloadContent"][1]["PayloadUUID"];
        assert_eq!(&mdm["IdentityCertificateUUID"], uuid);
    }
    let told = folder.run(MDM);
    told.failed(2, &["no identity", "--scep-url"]);
    let told = folder.run(&format!("{MDM} {SCEP} {ACME}"));
    told.failed_usage();
}

#[test]
fn rights_and_capabilities_are_told_by_name() {
    let folder = folder();
    let words = format!(
        "{MDM} {SCEP} --right inspect-profiles,install-profiles --right erase --capability token \
         --checkin-url https://mdm.example.com/checkin --no-sign-message"
    );
    let profile = clean(&folder, &words, EVERYWHERE);
    let mdm = &profile["PayloadContent"][1];
    assert_eq!(mdm["AccessRights"], 1 + 2 + 8);
    assert_eq!(
        mdm["ServerCapabilities"],
        serde_json::json!(["com.apple.mdm.token"])
    );
    assert_eq!(mdm["SignMessage"], false);
    assert_eq!(mdm["CheckInURL"], "https://mdm.example.com/checkin");
    let told = folder.run(&format!("{MDM} {SCEP} --right install-profiles"));
    told.failed(2, &["2 needs 1"]);
    folder
        .run(&format!("{MDM} {SCEP} --right drive"))
        .failed_usage();
    let plain = MDM.replace("https://", "http://");
    let told = folder.run(&format!("{plain} {SCEP}"));
    told.failed(2, &["ServerURL", "https"]);
}

#[test]
fn an_account_driven_enrolment_knows_whose_device_it_is() {
    let folder = folder();
    let account = "--managed-apple-account anna@example.com --account-driven";
    let own = format!("{MDM} {ACME} {account} user");
    let profile = clean(&folder, &own, &["ios:18.2,user-enrollment"]);
    let mdm = &profile["PayloadContent"][1];
    assert_eq!(mdm["EnrollmentMode"], "BYOD");
    assert_eq!(mdm["AssignedManagedAppleID"], "anna@example.com");
    assert!(mdm.get("AccessRights").is_none());
    let company = format!("{MDM} {ACME} {account} device");
    let profile = clean(&folder, &company, &["ios:18.2", "macos:15.2"]);
    assert_eq!(profile["PayloadContent"][1]["EnrollmentMode"], "ADDE");
}

#[test]
fn the_topic_is_that_of_the_push_certificate() {
    let folder = folder();
    let topic = "com.apple.mgmt.External.b2";
    let push = crate::push::world::push_certificate(topic, 99);
    folder.0.write("push.pem", push.certificate.to_pem());
    let words = MDM.replace("--topic com.apple.mgmt.External.a1", "--push-cert push.pem");
    let profile = clean(&folder, &format!("{words} {SCEP}"), EVERYWHERE);
    assert_eq!(profile["PayloadContent"][1]["Topic"], topic);
    let words = words.replace("push.pem", "root.pem");
    folder
        .run(&format!("{words} {SCEP}"))
        .failed(2, &["root.pem", "no push certificate"]);
}

#[test]
fn over_the_air_enrolment_has_both_its_steps() {
    let folder = folder();
    let ota = "new ota --identifier com.example.ota --url https://mdm.example.com/ota \
               --attribute UDID,IMEI --challenge-file challenge";
    let profile = clean(&folder, ota, PHONES);
    assert_eq!(profile["PayloadType"], "Profile Service");
    assert_eq!(profile["PayloadContent"]["Challenge"], "once");
    let shown = folder.run("show one");
    shown.succeeded();
    shown.holds_none_of(&["once"]);
    let identity = format!("new identity --identifier com.example.ota {SCEP}");
    let profile = clean(&folder, &identity, EVERYWHERE);
    assert_eq!(types(&profile), ["com.apple.security.scep"]);
}

#[test]
fn networks_prove_themselves() {
    let folder = folder();
    let wifi = "new wifi --identifier com.example.wifi --ssid Office";
    let server = "--root root.pem --server radius.example.com";
    clean(
        &folder,
        &format!("{wifi} --password-file secret --hidden"),
        EVERYWHERE,
    );
    let profile = clean(&folder, &format!("{wifi} {ACME} {server}"), NETWORKS);
    assert_eq!(types(&profile).last(), Some(&"com.apple.wifi.managed"));
    clean(&folder, &format!("{wifi} {server} --user anna"), NETWORKS);
    folder.run(wifi).failed(2, &["any access point"]);

    let vpn = "new vpn --identifier com.example.vpn --connection Office --server vpn.example.com";
    clean(&folder, &format!("{vpn} {SCEP} --root root.pem"), NETWORKS);
    clean(&folder, &format!("{vpn} --user anna"), NETWORKS);
    let set =
        format!("{wifi} --password-file secret --set AutoJoin=false --set EncryptionType=WPA3");
    let profile = clean(&folder, &set, EVERYWHERE);
    assert_eq!(profile["PayloadContent"][0]["AutoJoin"], false);
    assert_eq!(profile["PayloadContent"][0]["EncryptionType"], "WPA3");
}

#[test]
fn settings_of_the_device_are_clean() {
    let folder = folder();
    let frame = "--identifier com.example.settings";
    clean(
        &folder,
        &format!("new certificates root.pem {frame}"),
        EVERYWHERE,
    );
    clean(
        &folder,
        &format!("new passcode {frame} --set minLength=8"),
        NETWORKS,
    );
    clean(&folder, &format!("new restrictions {frame}"), PHONES);
    let supervised = format!("new restrictions {frame} --set allowAirDrop=false");
    clean(&folder, &supervised, &["ios:18.2,supervised"]);
    let vault =
        format!("new filevault {frame} --escrow-cert root.pem --location IT --bypass-attempts 3");
    clean(&folder, &vault, MACS);
    let screen = format!(
        "new home-screen {frame} --page com.apple.mobilesafari,Tools=com.apple.calculator+com.apple.mobilenotes \
         --page https://intranet.example.com/ --dock com.apple.mobilephone"
    );
    let profile = clean(&folder, &screen, &["ios:18.2,supervised"]);
    assert_eq!(
        profile["PayloadContent"][0]["Pages"][0][1]["DisplayName"],
        "Tools"
    );
    let settings = format!("new settings {frame} --domain com.example.agent --from settings.json");
    let profile = clean(&folder, &settings, MACS);
    assert_eq!(types(&profile), ["com.example.agent"]);
    clean(&folder, &format!("{settings} --managed-preferences"), MACS);

    let told = folder.run(&format!("new passcode {frame} --set minLength=99"));
    told.failed(2, &["would refuse", "minLength"]);
    let restrict = format!("new restrictions {frame} --target");
    let told = folder.run(&format!("{restrict} ios:18.2 --set allowAirDrop=false"));
    told.failed(2, &["would refuse", "allowAirDrop", "supervision"]);
    // What is worn out or unwise is told and written all the same.
    let worn = "ios:26.4,supervised --set allowAutoCorrection=false";
    let told = folder.run(&format!("{restrict} {worn}"));
    assert_eq!(told.code, Some(0));
    assert!(
        told.stderr.contains("use-declaration") && told.stdout.starts_with("<?xml"),
        "{told:?}"
    );
}

#[test]
fn privacy_is_a_matter_of_services_and_requirements() {
    let folder = folder();
    let made = |rules: &[&str]| {
        let requirement = "com.example.agent=identifier \"com.example.agent\" and anchor apple";
        let _ = std::fs::remove_file(folder.0.path("one"));
        let words = [
            "new",
            "privacy",
            "--identifier",
            "com.example.pppc",
            "--out",
            "one",
        ];
        let rules = rules.iter().flat_map(|rule| ["--allow", rule]);
        let words: Vec<_> = words
            .into_iter()
            .chain(["--requirement", requirement])
            .chain(rules)
            .collect();
        folder.run_words(&words)
    };
    made(&[
        "SystemPolicyAllFiles=com.example.agent",
        "ScreenCapture=com.example.agent",
        "AppleEvents=com.example.agent>com.example.agent",
    ])
    .succeeded();
    let told = folder.run("lint one --fail-on info --target macos:15.2 --target macos:26.4");
    told.succeeded();
    let profile = folder.json("show one")["profile"].clone();
    let services = &profile["PayloadContent"][0]["Services"];
    assert_eq!(services["SystemPolicyAllFiles"][0]["Allowed"], true);
    let standard = "AllowStandardUserToSetSystemService";
    assert_eq!(services["ScreenCapture"][0]["Authorization"], standard);
    let receiver = &services["AppleEvents"][0]["AEReceiverIdentifier"];
    assert_eq!(receiver, "com.example.agent");
    made(&["Camera=com.example.agent"]).failed(2, &["none that a profile can allow"]);
    made(&["Photos=com.example.other"]).failed(2, &["com.example.other", "--requirement"]);
}

#[test]
fn the_top_of_a_profile_is_whatever_is_asked_for() {
    let folder = folder();
    folder.0.write("removal", "let me\n");
    let told = folder.run_words(&[
        "new",
        "passcode",
        "--identifier",
        "com.example.top",
        "--name",
        "Office $SITE",
        "--description",
        "Passcodes",
        "--organization",
        "Example",
        "--scope",
        "system",
        "--consent",
        "default=Agreed?",
        "--consent",
        "de=Einverstanden?",
        "--device",
        "mac",
        "--no-removal",
        "--removal-password-file",
        "removal",
        "--removal-date",
        "2099-01-01T00:00:00Z",
        "--remove-after",
        "30d",
        "--expires",
        "2098-01-01T00:00:00Z",
        "--var",
        "SITE=<Köln> & ]]>",
        "--namespace",
        "mdm.example.com",
        "--out",
        "one",
    ]);
    told.succeeded();
    let shown = folder.run("show one");
    shown.holds_none_of(&["let me"]);
    let profile = folder.json("show one --secrets")["profile"].clone();
    for (key, value) in [
        ("PayloadDisplayName", "Office <Köln> & ]]>".into()),
        ("PayloadScope", "System".into()),
        ("TargetDeviceType", 5.into()),
        ("PayloadRemovalDisallowed", true.into()),
        ("HasRemovalPasscode", true.into()),
        ("RemovalDate", "2099-01-01T00:00:00Z".into()),
        ("DurationUntilRemoval", Value::from(2_592_000.0)),
        ("PayloadExpirationDate", "2098-01-01T00:00:00Z".into()),
    ] {
        assert_eq!(profile[key], value, "{key}");
    }
    assert_eq!(profile["ConsentText"]["de"], "Einverstanden?");
    let password = &profile["PayloadContent"][1]["RemovalPassword"];
    assert_eq!(password, "let me");

    let told = folder.run("new passcode --identifier a --name $SITE --var OTHER=1");
    told.failed(2, &["SITE", "not known", "--var"]);
    // Without variables a dollar is a dollar.
    folder
        .run("new passcode --identifier a --name $SITE --out dollar")
        .succeeded();
}

#[test]
fn answers_are_a_profile_or_a_document_about_one() {
    let folder = folder();
    let told = folder.run("new passcode --identifier com.example");
    told.succeeded();
    assert!(told.stdout.starts_with("<?xml"));
    let document = folder.json("new passcode --identifier com.example");
    assert_eq!(document["out"], Value::Null);
    assert_eq!(document["packing"], "xml");
    let payload = &document["payloads"][0];
    assert_eq!(payload["identifier"], "com.example.passcode");
    let base64 = document["profile"].as_str().unwrap();
    let profile = mdm_pki::pem::decode_base64(base64.as_bytes()).unwrap();
    assert_eq!(profile, told.stdout.as_bytes());
    let other = folder.run("new passcode --identifier com.example --namespace other");
    assert_ne!(other.stdout, told.stdout);
    folder
        .run("new passcode --identifier com.example --out one")
        .succeeded();
    let again = folder.run("new passcode --identifier com.example --out one");
    again.failed(2, &["cannot write one"]);
    let again = folder.run("new passcode --identifier com.example --out one --json");
    again.error(2, "input");
    folder.run("new passcode --json").error(2, "usage");
}
