//! Profiles put together from payloads.

use mdm_plist::{Dictionary, Value};
use mdm_profiles::{
    Error, Namespace, Profile, ProfileBuilder, Scope, Variables,
    builder::TargetDeviceType,
    payload::{CertificatePkcs1, CertificateRoot},
};

fn builder() -> ProfileBuilder {
    ProfileBuilder::new("com.example", Namespace::new("mdm.example.com"))
}

fn uuids(profile: &Profile) -> Vec<&str> {
    profile.payloads().map(|p| p.uuid().unwrap()).collect()
}

#[test]
fn a_payload_keeps_its_uuid_until_it_changes() {
    let build = |content: [&[u8]; 2]| {
        let [root, other] = content;
        let mut profile = builder();
        let first = profile.add("root", &CertificateRoot::new(root)).unwrap();
        let second = profile.add("other", &CertificatePkcs1::new(other)).unwrap();
        let profile = profile.build().unwrap();
        assert_eq!(uuids(&profile), [first.uuid(), second.uuid()]);
        assert_eq!(profile.validate(Some(&"ios:18.0".parse().unwrap())), []);
        profile
    };
    let before = build([b"1", b"2"]);
    assert_eq!(before, build([b"1", b"2"]));
    let after = build([b"1", b"3"]);
    assert_ne!(after.uuid(), before.uuid());
    assert_eq!(uuids(&after)[0], uuids(&before)[0]);
    assert_ne!(uuids(&after)[1], uuids(&before)[1]);
}

#[test]
fn payloads_of_any_type_and_keys_of_any_name_can_be_added() {
    let mut keys = Dictionary::new();
    keys.insert("PayloadDisplayName".to_owned(), "Agent".into());
    keys.insert("PayloadUUID".to_owned(), "mine".into());
    keys.insert("Level".to_owned(), 3.into());
    let mut profile = builder().with(|profile| {
        profile.scope = Some(Scope::User);
        let duration = Value::from(3600.0);
        profile
            .more
            .insert("DurationUntilRemoval".to_owned(), duration);
    });
    let uuid = profile
        .add_keys("agent", "com.example.agent", keys)
        .unwrap();
    let profile = profile.build().unwrap();
    let agent = profile.payload("com.example.agent").unwrap();
    assert_eq!(agent.uuid(), Some(uuid.uuid()));
    assert_eq!(agent.display_name(), Some("Agent"));
    assert_eq!(agent.identifier(), Some("com.example.agent"));
    assert_eq!(profile.scope(), Some(Scope::User));
    assert!(profile.keys().contains_key("DurationUntilRemoval"));
    assert_eq!(profile.validate(None), []);
}

#[test]
fn what_cannot_be_a_profile_is_refused() {
    let mut twice = builder();
    let root = CertificateRoot::new(*b"secret");
    twice.add("root", &root).unwrap();
    let error = twice.add("root", &root).unwrap_err();
    assert!(matches!(error, Error::Duplicate("PayloadIdentifier")));
    assert_eq!(twice.build().unwrap().payloads().count(), 1);
    assert!(!format!("{twice:?}").contains(&format!("{:?}", b"secret")));

    let nameless = builder().with(|profile| profile.identifier.clear());
    let error = nameless.build().unwrap_err();
    assert!(matches!(
        error,
        Error::Invalid {
            key: "PayloadIdentifier",
            ..
        }
    ));
}

#[test]
fn every_feature_of_the_top_level_has_its_field() {
    let built = builder().with(|profile| {
        profile.display_name = Some("N".into());
        profile.description = Some("D".into());
        profile.organization = Some("O".into());
        profile.scope = Some(Scope::System);
        profile
            .consent_text
            .insert("default".into(), "Agreed?".into());
        profile.consent_text.insert("de-AT".into(), "Passt?".into());
        profile.target_device_type = Some(TargetDeviceType::Mac);
        profile.removal_disallowed = Some(true);
        profile.removal_password = Some("hunter2".to_owned().into());
        profile.removal_date = Some("2027-01-02T03:04:05.678Z".parse().unwrap());
        profile.duration_until_removal = Some(std::time::Duration::from_secs(3600));
        profile.expiration_date = Some("2026-12-31T00:00:00Z".parse().unwrap());
    });
    assert!(!format!("{built:?}").contains("hunter2"));
    let built = built.build().unwrap();
    assert_eq!(built.validate(Some(&"macos:15.2".parse().unwrap())), []);
    let keys = built.keys();
    let mut known: Vec<_> = Profile::KEYS.to_vec();
    known.retain(|key| !["EncryptedPayloadContent", "IsEncrypted"].contains(key));
    known.retain(|key| !keys.contains_key(key));
    assert!(known.is_empty(), "{known:?}");
    assert_eq!(keys["TargetDeviceType"].as_signed_integer(), Some(5));
    assert_eq!(keys["DurationUntilRemoval"].as_real(), Some(3600.0));
    let consent = keys["ConsentText"].as_dictionary().unwrap();
    assert_eq!(consent["de-AT"].as_string(), Some("Passt?"));
    let removal = built.payload("com.apple.profileRemovalPassword").unwrap();
    assert_eq!(removal.identifier(), Some("com.example.removal-password"));
    assert_eq!(
        removal.keys()["RemovalPassword"].as_string(),
        Some("hunter2")
    );
    // Whole seconds, so that it reads back as it was built.
    assert_eq!(Profile::decode(&built.to_xml().unwrap()).unwrap(), built);
}

#[test]
fn payloads_refer_to_each_other_by_value() {
    let mut profile = builder();
    let root = profile.add("root", &CertificateRoot::new(*b"1")).unwrap();
    let mut keys = Dictionary::new();
    keys.insert("Root".to_owned(), root.clone().into());
    profile
        .add_keys("agent", "com.example.agent", keys)
        .unwrap();
    let profile = profile.build().unwrap();
    let agent = profile.payload("com.example.agent").unwrap();
    let found = profile
        .payload_by_uuid(agent.keys()["Root"].as_string().unwrap())
        .unwrap();
    assert_eq!(found.identifier(), Some("com.example.root"));
    assert_eq!(root.to_string(), found.uuid().unwrap());
}

#[test]
fn a_builder_fills_in_variables_once_and_makes_uuids_of_the_result() {
    let build = |user: &str| {
        let mut variables = Variables::new();
        variables.set("USER", user).unwrap();
        let mut profile = builder().with(|profile| {
            profile.identifier = "com.example.$USER".into();
            profile.display_name = Some("For $USER".into());
            profile.variables = Some(variables);
        });
        let mut keys = Dictionary::new();
        keys.insert("Owner".to_owned(), "$USER".into());
        profile
            .add_keys("agent", "com.example.agent", keys)
            .unwrap();
        profile.build().unwrap()
    };
    let anna = build("anna");
    assert_eq!(anna.identifier(), Some("com.example.anna"));
    assert_eq!(anna.display_name(), Some("For anna"));
    assert_ne!(uuids(&anna), uuids(&build("bert")));
    assert_eq!(anna, build("anna"));
    // What was filled in is text, even where it looks like a reference.
    let odd = build("$USER $NOBODY");
    let agent = odd.payload("com.example.agent").unwrap();
    assert_eq!(agent.keys()["Owner"].as_string(), Some("$USER $NOBODY"));
}
