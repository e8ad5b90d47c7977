use mdm_fake_apple::authority::Authority;
use mdm_simulator::Error;

use crate::server::{Server, signed, text};

#[tokio::test]
async fn a_mac_enrols_with_a_scep_identity_and_tells_where_to_push_it() {
    let server = Server::new().await;
    let mut mac = server.mac();
    let profile = signed(&server.profile(), &server.signer);
    mac.install_enrollment_profile(&profile, &server.activation())
        .unwrap();
    let identity = mac.obtain_identity().await.unwrap();
    assert_eq!(
        identity.certificate.subject().common_name().as_deref(),
        Some("C02SIM000001")
    );
    mac.authenticate().await.unwrap();
    mac.update_token().await.unwrap();

    let received = server.received();
    let [(first_kind, first), (_, second)] = received.as_slice() else {
        panic!("{received:?}")
    };
    assert_eq!(first_kind, "application/x-apple-aspen-mdm-checkin");
    assert_eq!(text(first, "MessageType"), "Authenticate");
    assert_eq!(text(first, "SerialNumber"), "C02SIM000001");
    assert_eq!(text(second, "MessageType"), "TokenUpdate");
    let token = second.get("Token").unwrap().as_data().unwrap();
    assert_eq!(mac.push_token().unwrap().expose(), token);
    mac.wake(text(second, "PushMagic")).unwrap();
    assert!(matches!(mac.wake("another"), Err(Error::WrongMagic)));
}

#[test]
fn a_profile_is_installed_only_if_a_trusted_signer_signed_it_as_it_is() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let server = runtime.block_on(Server::new());
    let activation = server.activation();
    let mut mac = server.mac();
    let profile = server.profile();

    let unsigned = mac.install_enrollment_profile(profile.as_bytes(), &activation);
    assert!(matches!(unsigned, Err(Error::Unsigned)), "{unsigned:?}");

    let stranger = Authority::new("Web Root")
        .unwrap()
        .client_identity("Profile Signer")
        .unwrap();
    let foreign = mac.install_enrollment_profile(&signed(&profile, &stranger), &activation);
    assert!(
        matches!(foreign, Err(Error::ForeignSigner(_))),
        "{foreign:?}"
    );

    let mut altered = signed(&profile, &server.signer);
    let at = altered.windows(4).position(|four| four == b"8191").unwrap();
    altered[at] = b'4';
    let altered = mac.install_enrollment_profile(&altered, &activation);
    assert!(
        matches!(altered, Err(Error::ForeignSigner(_))),
        "{altered:?}"
    );

    assert_eq!(
        mac.profile_identifiers().count(),
        0,
        "a refused profile leaves no trace"
    );
    mac.install_enrollment_profile(&signed(&profile, &server.signer), &activation)
        .unwrap();
    assert_eq!(
        mac.profile_identifiers().collect::<Vec<_>>(),
        ["example.mdm"]
    );
}

#[tokio::test]
async fn a_profile_without_a_key_that_a_device_needs_is_refused_by_the_keys_name() {
    let server = Server::new().await;
    for (key, without) in [
        (
            "Topic",
            "<key>Topic</key><string>com.apple.mgmt.External.t1</string>",
        ),
        (
            "ServerURL",
            "<key>ServerURL</key><string>https://mdm.example/mdm</string>",
        ),
        (
            "AccessRights",
            "<key>AccessRights</key><integer>8191</integer>",
        ),
        (
            "IdentityCertificateUUID",
            "<key>IdentityCertificateUUID</key><string>1111</string>",
        ),
    ] {
        let whole = server.profile();
        let profile = whole.replace(without, "");
        assert_ne!(whole, profile);
        let refused = server
            .mac()
            .install_enrollment_profile(&signed(&profile, &server.signer), &server.activation())
            .map(drop);
        assert!(
            matches!(refused, Err(Error::Profile(named)) if named == key),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_device_that_checks_out_forgets_its_management() {
    let server = Server::new().await;
    let mut mac = server.managed_mac().await;
    mac.check_out().await.unwrap();
    assert_eq!(text(&server.received()[0].1, "MessageType"), "CheckOut");
    assert!(mac.identity().is_none() && mac.push_token().is_none());
    assert_eq!(mac.profile_identifiers().count(), 0);
    assert!(matches!(mac.poll().await, Err(Error::NotReady(_))));
}
