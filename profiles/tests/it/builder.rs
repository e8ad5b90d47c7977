//! Profiles put together from payloads.

use mdm_plist::{Dictionary, Value};
use mdm_profiles::{
    Error, Namespace, Profile, ProfileBuilder, Scope,
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
        assert_eq!(uuids(&profile), [first, second]);
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
    assert_eq!(agent.uuid(), Some(uuid.as_str()));
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
