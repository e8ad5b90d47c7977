use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{Certificate, CertificateBuilder, KeySpec, Name, PrivateKey};
use mdm_profiles::{
    AccessRights, EnrollmentIdentity, EnrollmentMode, EnrollmentProfile, Error, MdmSettings,
    Namespace, Profile, Scope, ServerCapability,
    mdm::InvalidAccessRights,
    payload::{
        CertificateRoot, Mdm, Scep,
        scep::{Keysize, ScepContent},
    },
};

fn root(name: &str) -> Certificate {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let start = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(start, start + TimeDelta::days(3650))
        .ca(None)
        .self_signed(&key)
        .unwrap()
}

fn enrollment() -> EnrollmentProfile {
    let mdm = MdmSettings::new(
        "https://mdm.example.com/mdm?t=1",
        "com.apple.mgmt.External.a1".parse().unwrap(),
    )
    .with(|m| m.check_in_url = Some("https://mdm.example.com/checkin".into()));
    let scep = ScepContent::new("http://mdm.example.com/scep")
        .common_name("%SerialNumber%")
        .with(|s| s.challenge = Some("once".to_owned().into()));
    EnrollmentProfile::new(
        "com.example.mdm",
        Namespace::new("mdm.example.com"),
        mdm,
        scep,
    )
}

fn scep(profile: &mut EnrollmentProfile) -> &mut ScepContent {
    match &mut profile.identity {
        EnrollmentIdentity::Scep(scep) => scep,
        other => panic!("{other:?}"),
    }
}

fn mdm(profile: &Profile) -> Mdm {
    profile.payload("com.apple.mdm").unwrap().decode().unwrap()
}

#[test]
fn an_enrolment_profile_has_everything_a_device_needs() {
    let ca = root("Root");
    let profile = enrollment()
        .root(&ca)
        .with(|p| {
            p.display_name = Some("Enrolment".into());
            p.description = Some("D".into());
            p.organization = Some("Example".into());
            p.scope = Some(Scope::System);
            p.removal_disallowed = Some(true);
        })
        .build()
        .unwrap();
    assert!(profile.findings().is_empty(), "{:?}", profile.findings());
    assert_eq!(profile.identifier(), Some("com.example.mdm"));
    assert_eq!(profile.display_name(), Some("Enrolment"));
    assert_eq!(profile.scope(), Some(Scope::System));
    assert!(profile.removal_disallowed());

    let mdm = mdm(&profile);
    assert_eq!(mdm.server_url, "https://mdm.example.com/mdm?t=1");
    assert_eq!(
        mdm.check_in_url.as_deref(),
        Some("https://mdm.example.com/checkin")
    );
    assert_eq!(mdm.access_rights, Some(AccessRights::ALL.into()));
    assert_eq!(mdm.sign_message, Some(true));
    assert_eq!(mdm.check_out_when_removed, Some(true));
    let capabilities = mdm.server_capabilities.unwrap();
    assert!(capabilities.contains(&ServerCapability::BootstrapToken));
    let identity = profile
        .payload_by_uuid(&mdm.identity_certificate_uuid)
        .unwrap();
    let scep: Scep = identity.decode().unwrap();
    assert_eq!(scep.payload_content.url, "http://mdm.example.com/scep");
    let trusted: CertificateRoot = profile
        .payload("com.apple.security.root")
        .unwrap()
        .decode()
        .unwrap();
    assert_eq!(trusted.payload_content, ca.to_der());

    let back = Profile::decode(&profile.to_xml().unwrap()).unwrap();
    assert_eq!(back, profile);
}

#[test]
fn the_same_input_gives_the_same_bytes_and_other_input_other_uuids() {
    let ca = root("Root");
    let build =
        |change: fn(&mut EnrollmentProfile)| enrollment().root(&ca).with(change).build().unwrap();
    let first = build(|_| ());
    assert_eq!(first.to_xml().unwrap(), build(|_| ()).to_xml().unwrap());

    let renamed = build(|p| p.display_name = Some("Other".into()));
    assert_ne!(renamed.uuid(), first.uuid());
    assert_eq!(
        mdm(&renamed).identity_certificate_uuid,
        mdm(&first).identity_certificate_uuid,
        "a payload that did not change keeps its UUID"
    );
    let other = build(|p| p.namespace = Namespace::new("mdm.example.org"));
    assert_ne!(other.uuid(), first.uuid());
    let challenged = build(|p| scep(p).challenge = Some("twice".to_owned().into()));
    assert_ne!(
        mdm(&challenged).identity_certificate_uuid,
        mdm(&first).identity_certificate_uuid
    );
}

#[test]
fn several_roots_have_identifiers_of_their_own_and_can_be_pinned() {
    let (one, two) = (root("One"), root("Two"));
    let profile = enrollment()
        .root(&one)
        .root(&two)
        .with(|p| p.mdm.pin_roots = true)
        .build()
        .unwrap();
    assert!(profile.findings().is_empty(), "{:?}", profile.findings());
    let mdm = mdm(&profile);
    assert_eq!(
        mdm.server_url_pinning_certificate_uuids
            .as_ref()
            .map(Vec::len),
        Some(2)
    );
    assert_eq!(
        mdm.check_in_url_pinning_certificate_uuids,
        mdm.server_url_pinning_certificate_uuids
    );
    let twice = enrollment().root(&one).root(&one).build();
    assert!(matches!(twice, Err(Error::Duplicate("root certificate"))));
}

#[test]
fn what_a_device_would_refuse_is_refused_here() {
    let build = |change: fn(&mut EnrollmentProfile)| enrollment().with(change).build().unwrap_err();
    for (error, wanted) in [
        (build(|p| p.identifier.clear()), "PayloadIdentifier"),
        (
            build(|p| p.mdm.server_url = "http://example.com".into()),
            "ServerURL",
        ),
        (build(|p| p.mdm.server_url = "https://".into()), "ServerURL"),
        (
            build(|p| p.mdm.check_in_url = Some(String::new())),
            "CheckInURL",
        ),
        (
            build(|p| p.mdm.topic = "com.example".parse().unwrap()),
            "Topic",
        ),
        (build(|p| scep(p).url = "ftp://example.com".into()), "URL"),
    ] {
        assert!(
            matches!(&error, Error::Invalid { key, .. } if *key == wanted),
            "{error:?}"
        );
    }
    let rights = build(|p| p.mdm.access_rights = Some(AccessRights::INSTALL_PROFILES));
    assert!(matches!(
        rights,
        Error::AccessRights(InvalidAccessRights::InstallWithoutInspect)
    ));
}

#[test]
fn an_account_driven_enrolment_names_its_mode_and_account() {
    let profile = enrollment()
        .with(|p| {
            p.mdm.access_rights = None;
            p.mdm.check_in_url = None;
            p.mdm.enrollment_mode = Some(EnrollmentMode::Byod);
            p.mdm.assigned_managed_apple_id = Some("anna@example.com".into());
        })
        .build()
        .unwrap();
    let mdm = mdm(&profile);
    assert_eq!(mdm.enrollment_mode, Some(EnrollmentMode::Byod));
    assert_eq!(mdm.access_rights, None);
    assert_eq!(mdm.check_in_url_pinning_certificate_uuids, None);
}

#[test]
fn a_profile_keeps_its_uuid_from_one_version_of_this_crate_to_the_next() {
    let profile = enrollment()
        .with(|p| {
            p.mdm.required_app_id_for_mdm = Some(361_309_726);
            scep(p).retries = Some(5);
            p.display_name = Some("Enrolment".into());
            p.scope = Some(Scope::System);
            p.removal_disallowed = Some(true);
        })
        .build()
        .unwrap();
    // The UUID is that of every byte but its own.
    assert_eq!(profile.uuid(), Some("199A691B-F434-5E7A-A18E-C9DBB0124D36"));
}

#[test]
fn q07_an_enrolment_asks_for_2048_bits_unless_told_otherwise() {
    let keysize = |set: fn(&mut ScepContent)| {
        let profile = enrollment().with(|p| set(scep(p))).build().unwrap();
        let payload = profile.payload("com.apple.security.scep").unwrap();
        payload.decode::<Scep>().unwrap().payload_content.keysize
    };
    assert_eq!(keysize(|_| ()), Some(Keysize::Bits2048));
    let larger = keysize(|scep| scep.keysize = Some(Keysize::Bits4096));
    assert_eq!(larger, Some(Keysize::Bits4096));
}

#[test]
fn now_is_not_part_of_the_bytes() {
    let before = enrollment().build().unwrap().to_xml().unwrap();
    let year = Utc::now().format("%Y-").to_string();
    assert!(!String::from_utf8(before).unwrap().contains(&year));
}
