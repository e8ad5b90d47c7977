//! Devices that get their identity by ACME at our server, over TLS on real sockets: every kind of device, every state,
//! every defect of what Apple says.

mod world;

use mdm_core::{SerialNumber, Udid};
use mdm_fake_apple::attestation::{Defect, Form, Kind};
use mdm_pki::{
    Certificate,
    attestation::{Answer, Freshness, Limits, Verifier},
};
use mdm_plist::Value;
use mdm_scep::acme::{
    DeviceIdentity, ExpectedDevice, client::Error as AcmeError, problem::ErrorType,
};
use mdm_simulator::{Attester, Error, Hardware};

use self::world::{CLIENT, SERIAL, World, expected, mac, serial};
use crate::server::text;

#[tokio::test]
async fn a_mac_enrols_with_an_attested_key_and_signs_its_check_in_with_it() {
    let world = World::new().await;
    let hardware = mac();
    world.expect(expected("mac", serial(&hardware)));
    let mut mac = world.enrolling(hardware, &world.profile(&[]));
    mac.set_attester(world.attester());
    let certificate = mac.obtain_identity().await.unwrap().certificate.clone();
    let issuer = world.ca.public_key().unwrap();
    certificate.verify_signed_by(&issuer).unwrap();
    assert_eq!(certificate.subject().common_name().as_deref(), Some(CLIENT));
    assert_eq!(certificate.subject_alt_names().len(), 3);
    mac.authenticate().await.unwrap();
    mac.update_token().await.unwrap();
    // What arrives was verified on arrival, as of the authority's certificate.
    let received = world.received.lock().unwrap();
    let kinds: Vec<_> = received.iter().map(|it| text(it, "MessageType")).collect();
    assert_eq!(kinds, ["Authenticate", "TokenUpdate"]);
}

/// A device as the server expects it, and what Apple says of it.
type Row = (String, Hardware, ExpectedDevice, Attester);

fn good(world: &World) -> Vec<Row> {
    let (mac, phone) = (mac(), Hardware::iphone("F2LSIM000001").unwrap());
    let old = Hardware::t2_mac("C02SIM000002").unwrap();
    let apple = world.attester();
    let row = |name: &str, hardware: &Hardware, expected, attester: &Attester| {
        (
            name.to_owned(),
            hardware.clone(),
            expected,
            attester.clone(),
        )
    };
    let both = DeviceIdentity::Both {
        serial_number: mac.serial_number.clone(),
        udid: mac.udid.clone(),
    };
    let user = DeviceIdentity::UserEnrollment;
    let unattested = expected("old", serial(&old)).with(|device| device.unattested = true);
    let mut rows = vec![
        row("a Mac", &mac, expected("mac", serial(&mac)), &apple),
        row("by both", &mac, expected("mac", both), &apple),
        row(
            "by UDID",
            &phone,
            expected("phone", DeviceIdentity::Udid(phone.udid.clone())),
            &apple,
        ),
        row(
            "an iPhone",
            &phone,
            expected("phone", serial(&phone)),
            &apple,
        ),
        row(
            "User Enrollment",
            &phone,
            expected("user", user),
            &apple.clone().user_enrollment(),
        ),
        row("known not to attest", &old, unattested, &apple),
    ];
    for form in [Form::Raw, Form::Utf8, Form::Printable, Form::Ia5] {
        let apple = apple.clone().property(Kind::SerialNumber, form, SERIAL);
        let expected = expected("mac", serial(&mac));
        rows.push(row(&format!("{form:?}"), &mac, expected, &apple));
    }
    rows
}

fn bad(world: &World) -> Vec<Row> {
    let mac = mac();
    let apple = world.attester();
    let row = |name: String, hardware: &Hardware, attester: Attester| {
        let expected = expected("mac", serial(hardware));
        (name, hardware.clone(), expected, attester)
    };
    let mut rows = Vec::new();
    for defect in Defect::ALL {
        let name = format!("{defect:?}");
        rows.push(row(name, &mac, apple.clone().defect(defect)));
    }
    for (kind, form, value) in [
        (Kind::SerialNumber, Form::Raw, "C02SIM000009"),
        (Kind::Sip, Form::Integer, "1"),
        (Kind::SecureBoot, Form::Raw, "Reduced Security"),
        (Kind::SecureBoot, Form::Raw, "Permissive Security"),
        (Kind::ThirdPartyKexts, Form::Integer, "1"),
    ] {
        let name = format!("{kind:?} {value}");
        let apple = apple.clone().property(kind, form, value);
        rows.push(row(name, &mac, apple));
    }
    for kind in [
        Kind::SerialNumber,
        Kind::Sip,
        Kind::SecureBoot,
        Kind::ThirdPartyKexts,
    ] {
        let without = apple.clone().without(kind);
        rows.push(row(format!("no {kind:?}"), &mac, without));
        for form in [Form::Blank, Form::Spaces] {
            let apple = apple.clone().property(kind, form, "");
            rows.push(row(format!("{form:?} {kind:?}"), &mac, apple));
        }
    }
    let old = Hardware::t2_mac("C02SIM000002").unwrap();
    rows.push(row("does not attest".to_owned(), &old, apple.clone()));
    rows.push(row("withholds".to_owned(), &mac, apple.user_enrollment()));
    rows
}

#[tokio::test]
async fn every_good_device_enrols_and_every_defect_is_refused() {
    let world = World::new().await;
    let profile = world.profile(&[]);
    for (name, hardware, expected, attester) in good(&world) {
        world.expect(expected);
        let mut device = world.enrolling(hardware, &profile);
        device.set_attester(attester);
        let before = world.store.issued();
        let enrolled = device.obtain_identity().await.map(drop);
        assert!(enrolled.is_ok(), "{name}: {enrolled:?}");
        assert_eq!(world.store.issued(), before + 1, "{name}");
    }
    let before = world.store.issued();
    for (name, hardware, expected, attester) in bad(&world) {
        world.expect(expected);
        let mut device = world.enrolling(hardware, &profile);
        device.set_attester(attester);
        let refused = device.obtain_identity().await.map(drop);
        let Err(Error::Acme(refused)) = refused else {
            panic!("{name}: {refused:?}");
        };
        // The chain for another key is good in itself, until the CSR comes.
        let kind = match name.as_str() {
            "OtherKey" => ErrorType::BadCsr,
            _ => ErrorType::BadAttestationStatement,
        };
        assert!(refused.is(&kind), "{name}: {refused:?}");
        assert!(device.identity().is_none(), "{name}");
    }
    assert_eq!(world.store.issued(), before);
}

#[tokio::test]
async fn an_identifier_that_nobody_knows_gets_no_order() {
    let world = World::new().await;
    let mut mac = world.enrolling(mac(), &world.profile(&[]));
    mac.set_attester(world.attester());
    let refused = mac.obtain_identity().await.map(drop);
    let refused = match refused {
        Err(Error::Acme(refused @ AcmeError::Refused { .. })) => refused,
        other => panic!("{other:?}"),
    };
    assert!(refused.is(&ErrorType::RejectedIdentifier), "{refused:?}");
}

#[tokio::test]
async fn a_payload_that_a_device_does_not_take_is_refused_by_the_keys_name() {
    let world = World::new().await;
    let url = world.socket.url();
    let insecure = url.replace("https", "http");
    const SIZE: &str = "<integer>384</integer>";
    const KIND: &str = "<string>ECSECPrimeRandom</string>";
    const BOUND: &str = "<key>HardwareBound</key><true/>";
    const ATTEST: &str = "<key>Attest</key><true/>";
    const RSA: (&str, &str) = (KIND, "<string>RSA</string>");
    const UNBOUND: (&str, &str) = (BOUND, "<key>HardwareBound</key><false/>");
    let rows: &[(&str, &[(&str, &str)])] = &[
        ("DirectoryURL", &[(url.as_str(), insecure.as_str())]),
        ("ClientIdentifier", &[("ClientIdentifier", "Other")]),
        ("KeySize", &[(SIZE, "<integer>224</integer>")]),
        ("KeySize", &[("KeySize", "Other")]),
        ("KeyType", &[(KIND, "<string>Ed25519</string>")]),
        ("HardwareBound", &[(BOUND, "")]),
        ("HardwareBound", &[(SIZE, "<integer>521</integer>")]),
        ("HardwareBound", &[RSA, (SIZE, "<integer>2048</integer>")]),
        ("Attest", &[UNBOUND]),
        ("Subject", &[("<key>Subject</key>", "<key>Other</key>")]),
        (
            "SubjectAltName",
            &[("<string>ada@example.com</string>", "<true/>")],
        ),
        ("ExtendedKeyUsage", &[("1.3.6.1.5.5.7.3.2", "clientAuth")]),
        (
            "UsageFlags",
            &[("<integer>1</integer>", "<integer>2</integer>")],
        ),
    ];
    let mut device = world.device(mac());
    for (key, changes) in rows {
        let profile = world.profile(changes);
        let refused = device
            .install_enrollment_profile(&profile, &world.activation())
            .map(drop);
        assert!(
            matches!(refused, Err(Error::Profile(named)) if named == *key),
            "{key}: {refused:?}"
        );
    }
    // Without hardware any key will do, and nobody vouches for it.
    let profile = world.profile(&[
        RSA,
        UNBOUND,
        (ATTEST, ""),
        (SIZE, "<integer>2048</integer>"),
    ]);
    let expected = expected("mac", serial(device.hardware()));
    world.expect(expected.with(|device| device.unattested = true));
    device
        .install_enrollment_profile(&profile, &world.activation())
        .unwrap();
    device.obtain_identity().await.unwrap();
}

#[tokio::test]
async fn a_key_can_only_be_attested_where_somebody_plays_apple() {
    let world = World::new().await;
    world.expect(expected("mac", serial(&mac())));
    let mut mac = world.enrolling(mac(), &world.profile(&[]));
    let refused = mac.obtain_identity().await.map(drop);
    assert!(
        matches!(refused, Err(Error::NotReady("attester"))),
        "{refused:?}"
    );
}

/// A device behind a server that has one command for it.
async fn asked(hardware: Hardware, attester: Attester) -> Option<Vec<Vec<u8>>> {
    let server = crate::server::Server::new().await;
    let mut device = server.managed(hardware).await;
    device.set_attester(attester);
    server.answer(&crate::commands::command(
        "c1",
        "<key>RequestType</key><string>DeviceInformation</string>
         <key>DeviceAttestationNonce</key><data>bm9uY2U=</data>
         <key>Queries</key><array><string>DevicePropertiesAttestation</string></array>",
    ));
    device.poll().await.unwrap();
    let received = server.received();
    let responses = received[1].1.get("QueryResponses").unwrap();
    let responses = responses.as_dictionary().unwrap();
    let chain = responses.get("DevicePropertiesAttestation")?.as_array();
    let der = |value: &Value| value.as_data().unwrap().to_vec();
    Some(chain.unwrap().iter().map(der).collect())
}

#[tokio::test]
async fn device_information_is_attested_for_its_nonce_by_hardware_that_can() {
    let world = World::new().await;
    let apple_root = Certificate::from_der(world.apple.root()).unwrap();
    let verifier = Verifier::new(&[apple_root]).unwrap();
    let chain = asked(mac(), world.attester()).await.unwrap();
    let Answer::Attested(statement) = Answer::from_chain(&chain, &Limits::default()).unwrap()
    else {
        panic!("no attestation");
    };
    let now = world.now;
    let attested = verifier.verify(&statement, &Freshness::nonce(*b"nonce"), now);
    let attested = attested.unwrap();
    let posture = attested.posture();
    let (serial, udid) = (posture.serial_number.known(), posture.udid.known());
    assert_eq!(serial, Some(&SerialNumber::new(SERIAL).unwrap()));
    assert_eq!(udid.map(Udid::as_str), Some(mac().udid.as_str()));
    let other = verifier.verify(&statement, &Freshness::nonce(*b"other"), now);
    assert!(other.is_err());
    let old = Hardware::t2_mac("C02SIM000002").unwrap();
    assert!(asked(old, world.attester()).await.is_none());
}
