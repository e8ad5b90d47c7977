//! Recipes: a lint finds nothing in any of them.

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{Certificate, CertificateBuilder, Identity, KeySpec, Name, PrivateKey};
use mdm_plist::{Dictionary, Value};
use mdm_profiles::{
    EnrollmentMode, EnrollmentProfile, Error, MdmSettings, Namespace, Profile, ProfileBuilder,
    lint::{LintOptions, lint},
    payload::{AcmeCertificate, CertificatePkcs12, CertificateRoot, Payload, scep::ScepContent},
    recipe::{self, FileVault, ProfileService},
};

fn now() -> DateTime<Utc> {
    "2026-11-05T09:00:00Z".parse().unwrap()
}

fn builder() -> ProfileBuilder {
    ProfileBuilder::new("com.example", Namespace::new("mdm.example.com"))
}

/// Nothing but secrets in clear, which no recipe can help.
fn assert_clean(profile: &Profile, targets: &[&str]) {
    let options = LintOptions::new(now()).with(|options| {
        options.encrypted = true;
        options.targets = targets
            .iter()
            .map(|target| target.parse().unwrap())
            .collect();
    });
    let report = lint(profile, &options);
    assert!(report.is_clean(), "{:#?}", report.findings);
    // And it is the same when it was written and read.
    assert_eq!(
        Profile::decode(&profile.to_xml().unwrap()).unwrap(),
        *profile
    );
}

fn with<P: Payload>(payload: &P) -> Profile {
    let mut profile = builder();
    profile.add("one", payload).unwrap();
    profile.build().unwrap()
}

struct Pki {
    root: Certificate,
    middle: Certificate,
    file: Vec<u8>,
}

fn pki() -> Pki {
    let keys = [0; 3].map(|_| PrivateKey::generate(KeySpec::P256).unwrap());
    let certificate = |name: &str, key: &PrivateKey| {
        CertificateBuilder::new(Name::from_common_name(name), key.public_key())
            .validity(now() - TimeDelta::days(1), now() + TimeDelta::days(365))
    };
    let root = certificate("Root", &keys[0])
        .ca(None)
        .self_signed(&keys[0])
        .unwrap();
    let middle = certificate("Middle", &keys[1])
        .ca(Some(0))
        .sign(&root, &keys[0])
        .unwrap();
    let leaf = certificate("Device", &keys[2])
        .sign(&middle, &keys[1])
        .unwrap();
    let [_, _, key] = keys;
    let identity = Identity::new(leaf, vec![middle.clone()], key).unwrap();
    let file = identity.to_pkcs12("hunter2").unwrap().to_vec();
    Pki { root, middle, file }
}

const EVERYWHERE: &[&str] = &["ios:18.2", "macos:15.2", "tvos:18.2", "visionos:2.2"];
const PHONES: &[&str] = &["ios:18.2", "ios:26.4"];
const MACS: &[&str] = &["macos:15.2", "macos:26.4"];

fn settings() -> MdmSettings {
    let topic = "com.apple.mgmt.External.a1".parse().unwrap();
    MdmSettings::new("https://mdm.example.com/mdm", topic)
}

fn attested() -> AcmeCertificate {
    AcmeCertificate::attested("https://mdm.example.com/acme/directory", "once")
        .common_name("%SerialNumber%")
}

#[test]
fn an_enrolment_gets_its_identity_in_any_of_three_ways() {
    let pki = pki();
    let namespace = Namespace::new("mdm.example.com");
    let file = CertificatePkcs12::new(pki.file)
        .with(|file| file.password = Some("hunter2".to_owned().into()));
    let scep = ScepContent::rsa_2048("https://mdm.example.com/scep").common_name("%SerialNumber%");
    let scep = EnrollmentProfile::new("com.example", namespace, settings(), scep);
    let acme = EnrollmentProfile::new("com.example", namespace, settings(), attested());
    let file = EnrollmentProfile::new("com.example", namespace, settings(), file);
    for (enrolment, identity) in [
        (scep, "com.apple.security.scep"),
        (acme, "com.apple.security.acme"),
        (file, "com.apple.security.pkcs12"),
    ] {
        let profile = enrolment.root(&pki.root).build().unwrap();
        assert_clean(&profile, EVERYWHERE);
        let mdm = profile.payload("com.apple.mdm").unwrap();
        let uuid = mdm.keys()["IdentityCertificateUUID"].as_string().unwrap();
        let found = profile.payload_by_uuid(uuid).unwrap();
        assert_eq!(found.payload_type(), Some(identity));
    }
    let plain = AcmeCertificate::attested("http://mdm.example.com/acme", "once");
    let error = EnrollmentProfile::new("com.example", namespace, settings(), plain).build();
    assert!(matches!(
        error,
        Err(Error::Invalid {
            key: "DirectoryURL",
            ..
        })
    ));
}

#[test]
fn an_account_driven_enrolment_of_a_users_own_device_has_no_access_rights() {
    let profile = |mode| {
        let topic = "com.apple.mgmt.External.a1".parse().unwrap();
        let mdm = MdmSettings::account_driven("https://mdm.example.com/mdm", topic, mode)
            .with(|mdm| mdm.assigned_managed_apple_id = Some("anna@example.com".into()));
        let namespace = Namespace::new("mdm.example.com");
        EnrollmentProfile::new("com.example", namespace, mdm, attested())
            .build()
            .unwrap()
    };
    let rights = |profile: &Profile| {
        let mdm = profile.payload("com.apple.mdm").unwrap();
        mdm.keys().contains_key("AccessRights")
    };
    let own = profile(EnrollmentMode::Byod);
    assert_clean(&own, &["ios:18.2,user-enrollment"]);
    assert!(!rights(&own));
    let company = profile(EnrollmentMode::Adde);
    assert_clean(&company, &["ios:18.2", "macos:15.2"]);
    assert!(rights(&company));
}

#[test]
fn an_enrolment_can_have_more_in_it() {
    let namespace = Namespace::new("mdm.example.com");
    let mut profile = EnrollmentProfile::new("com.example", namespace, settings(), attested())
        .to_builder()
        .unwrap()
        .with(|profile| {
            profile
                .consent_text
                .insert("default".into(), "Agreed?".into());
        });
    profile.add("passcode", &recipe::passcode()).unwrap();
    let profile = profile.build().unwrap();
    assert_clean(&profile, &["ios:18.2"]);
    assert_eq!(profile.payloads().count(), 3);
}

#[test]
fn over_the_air_enrolment_asks_for_what_it_is_told_to() {
    let service = ProfileService::new("https://mdm.example.com/ota").with(|service| {
        service.attributes.push("IMEI".into());
        service.challenge = Some("once".to_owned().into());
    });
    assert!(!format!("{service:?}").contains("once"));
    let profile = service.build(&builder()).unwrap();
    assert_clean(&profile, PHONES);
    let content = profile.keys()["PayloadContent"].as_dictionary().unwrap();
    assert_eq!(content["Challenge"].as_string(), Some("once"));
    assert_eq!(content["DeviceAttributes"].as_array().unwrap().len(), 5);
    let plain = ProfileService::new("http://mdm.example.com/ota").build(&builder());
    assert!(matches!(plain, Err(Error::Invalid { key: "URL", .. })));
    let nameless = builder().with(|profile| profile.identifier.clear());
    assert!(service.build(&nameless).is_err());
}

#[test]
fn a_chain_is_trusted_by_its_root() {
    let pki = pki();
    let mut profile = builder();
    let chain = [pki.middle, pki.root];
    let added = recipe::certificate_chain(&mut profile, &chain).unwrap();
    let twice = recipe::certificate_chain(&mut profile, &chain[..1]);
    assert!(matches!(twice, Err(Error::Duplicate("certificate"))));
    let profile = profile.build().unwrap();
    assert_clean(&profile, EVERYWHERE);
    let types: Vec<_> = added
        .iter()
        .map(|added| {
            profile
                .payload_by_uuid(added.uuid())
                .unwrap()
                .payload_type()
                .unwrap()
        })
        .collect();
    assert_eq!(
        types,
        ["com.apple.security.pkcs1", "com.apple.security.root"]
    );
}

#[test]
fn networks_are_joined_by_certificate_and_prove_themselves() {
    let pki = pki();
    let mut profile = builder();
    let chain = recipe::certificate_chain(&mut profile, &[pki.root]).unwrap();
    let identity = profile.add("identity", &attested()).unwrap();
    let wifi = recipe::wifi_certificate("Office", &identity, &chain, &["radius.example.com"]);
    profile.add("wifi", &wifi).unwrap();
    let vpn = recipe::vpn_certificate("Office", "vpn.example.com", "anna", &identity);
    profile.add("vpn", &vpn).unwrap();
    assert_clean(
        &profile.build().unwrap(),
        &["ios:18.2", "macos:15.2", "visionos:2.2"],
    );

    let guests = recipe::wifi_password("Guests", "correct horse".to_owned());
    assert_clean(&with(&guests), EVERYWHERE);
}

#[test]
fn networks_are_joined_by_name_and_password_of_the_user() {
    for user in [None, Some("anna")] {
        let wifi = recipe::wifi_login("Office", user, &[], &["radius.example.com"]);
        assert_clean(&with(&wifi), EVERYWHERE);
        let eap = wifi.eap_client_configuration.unwrap();
        assert_eq!((eap.user_name.as_deref(), eap.user_password), (user, None));
        let vpn = recipe::vpn_login("Office", "vpn.example.com", "anna", user);
        assert_clean(&with(&vpn), &["ios:18.2", "macos:15.2", "visionos:2.2"]);
    }
}

#[test]
fn apps_use_what_privacy_protects_service_by_service() {
    let agent = || {
        recipe::allow_app(
            "com.example.agent",
            "identifier \"com.example.agent\" and anchor apple generic",
        )
    };
    let helper = recipe::allow_program(
        "/usr/local/bin/helper",
        "identifier helper and anchor apple generic",
    );
    let events = recipe::apple_events(agent(), &helper);
    let mut rules = vec![("AppleEvents", events)];
    let denied = ["AppleEvents", "Camera", "Microphone"];
    // What an old system does not have, and a new one no longer wants.
    let worn = ["Accessibility", "BluetoothAlways", "SpeechRecognition"];
    let services = recipe::PRIVACY_SERVICES.iter().copied();
    let others = services.filter(|name| !denied.contains(name) && !worn.contains(name));
    rules.extend(others.map(|name| (name, agent())));
    assert_clean(&with(&recipe::privacy(rules).unwrap()), MACS);
    let worn = worn.map(|name| (name, agent()));
    assert_clean(&with(&recipe::privacy(worn).unwrap()), MACS);
    for name in denied.into_iter().chain(["Novel"]) {
        let refused = recipe::privacy([(name, agent())]);
        assert!(
            matches!(
                refused,
                Err(Error::Invalid {
                    key: "Services",
                    ..
                })
            ),
            "{name}"
        );
    }
}

#[test]
fn an_enrolment_is_added_to_a_profile_with_names_of_its_own() {
    let namespace = Namespace::new("mdm.example.com");
    let enrolment = EnrollmentProfile::new("com.example.unused", namespace, settings(), attested());
    let mut profile = builder().with(|profile| profile.display_name = Some("Both".into()));
    profile.add("passcode", &recipe::passcode()).unwrap();
    enrolment.add_to(&mut profile).unwrap();
    let profile = profile.build().unwrap();
    assert_clean(&profile, &["ios:18.2"]);
    let mdm = profile.payload("com.apple.mdm").unwrap();
    assert_eq!(mdm.identifier(), Some("com.example.mdm"));
}

#[test]
fn a_recovery_key_is_escrowed_to_a_certificate() {
    let pki = pki();
    let mut profile = builder();
    let certificate = profile
        .add("escrow", &CertificateRoot::new(pki.root.to_der()))
        .unwrap();
    let settings =
        FileVault::new("IT keeps the key.").with(|settings| settings.bypass_attempts = 3);
    recipe::file_vault(&mut profile, &certificate, &settings).unwrap();
    let profile = profile.build().unwrap();
    assert_clean(&profile, MACS);
    let escrow = profile
        .payload("com.apple.security.FDERecoveryKeyEscrow")
        .unwrap();
    let uuid = escrow.keys()["EncryptCertPayloadUUID"].as_string();
    assert_eq!(uuid, Some(certificate.uuid()));
}

#[test]
fn settings_of_one_payload_are_clean() {
    assert_clean(
        &with(&recipe::passcode()),
        &["ios:18.2", "macos:15.2", "watchos:11.2"],
    );
    assert_clean(&with(&recipe::restrictions()), PHONES);
    let agent = recipe::allow_app(
        "com.example.agent",
        "identifier \"com.example.agent\" and anchor apple generic",
    );
    assert_clean(&with(&recipe::full_disk_access([agent])), MACS);
    let folder = recipe::folder("Tools", [recipe::app("com.apple.calculator")]);
    let page = vec![folder, recipe::web_clip("https://intranet.example.com/")];
    let layout = recipe::home_screen([page], [recipe::app("com.apple.mobilesafari")]);
    assert_clean(&with(&layout), &["ios:18.2,supervised"]);
    let empty = recipe::home_screen([Vec::new()], []);
    assert_eq!(empty.dock, None);
}

#[test]
fn settings_of_other_vendors_are_forced_on_a_domain() {
    let settings: Dictionary = [("Level", Value::from(3))].into_iter().collect();
    let preferences = recipe::managed_preferences("com.example.agent", settings);
    let profile = with(&preferences);
    assert_clean(&profile, MACS);
    let payload = profile
        .payload("com.apple.ManagedClient.preferences")
        .unwrap();
    let xml = String::from_utf8(mdm_plist::to_xml(payload.keys()).unwrap()).unwrap();
    let path = [
        "com.example.agent",
        "Forced",
        "mcx_preference_settings",
        "Level",
    ];
    let places: Vec<_> = path
        .iter()
        .map(|key| xml.find(&format!("<key>{key}</key>")))
        .collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{xml}"
    );
}

#[test]
fn settings_are_held_against_the_schema_of_who_wrote_them() {
    let set = |key: &str| -> Dictionary { [(key, Value::from(3))].into_iter().collect() };
    let dock = &mdm_schema::payload::DOCK;
    assert!(
        recipe::settings(dock, set("tilesize")).is_err(),
        "out of its range"
    );
    assert!(recipe::settings(dock, set("tileSize")).is_err(), "misspelt");
    let mut wrong = set("tileSize");
    wrong.insert("tilesize".into(), "40".into());
    let error = recipe::settings(dock, wrong).unwrap_err().to_string();
    for words in [
        "not as their schema wants them",
        "tilesize: is not an integer",
        "1 more",
    ] {
        assert!(error.contains(words), "{error}");
    }
    let fits: Dictionary = [("tilesize", Value::from(40))].into_iter().collect();
    assert_eq!(recipe::settings(dock, fits.clone()).unwrap(), fits);
}
