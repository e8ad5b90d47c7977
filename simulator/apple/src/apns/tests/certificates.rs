//! Who may push, and to where.

use super::{
    raw::{Raw, go_away},
    *,
};
use crate::apns::frame::{PREFACE, kind};

#[tokio::test]
async fn a_revoked_certificate_is_told_so_on_open_connections_and_on_new_ones() {
    let house = House::new().await;
    let revoked = house.authority.issue(TOPIC).unwrap();
    let client = house.client_as(revoked.clone()).await;
    send(&client, good(b"token"), BODY).await;
    let other = house.client().await;
    house.fake.revoke(revoked.certificate.serial());
    house.fake.until(|counters| counters.go_aways == 1).await;
    let serial = revoked.certificate.serial().to_vec();
    assert_eq!(house.fake.refusals(), [Refusal::Revoked { serial }]);
    assert_eq!(send(&other, good(b"token"), BODY).await.0, StatusCode::OK);

    let tcp = TcpStream::connect(house.fake.addr()).await.unwrap();
    let tls = house.tls(Some(revoked), &["h2"]);
    let mut raw = Raw::over(tls.connect("localhost", tcp).await.unwrap());
    let expected = go_away(0, 0, br#"{"reason":"BadCertificate"}"#);
    assert_eq!(raw.until(kind::GOAWAY).await, expected);
    raw.write(PREFACE).await;
    raw.rest().await;
}

#[tokio::test]
async fn each_service_takes_the_certificates_made_for_it() {
    let (production, sandbox) = (Environment::Production, Environment::Sandbox);
    for service in [production, sandbox] {
        let house = House::with(|config| config.environment = service).await;
        for (made_for, taken) in [
            (&[][..], service == production),
            (&[production], service == production),
            (&[sandbox], service == sandbox),
            (&[production, sandbox], true),
        ] {
            let identity = house.authority.issue_for(TOPIC, made_for).unwrap();
            let client = house.client_as(identity).await;
            let (status, _, body) = send(&client, good(b"token"), BODY).await;
            let expected = match taken {
                true => (200, ""),
                false => (403, r#"{"reason":"BadCertificateEnvironment"}"#),
            };
            assert_eq!(
                (status.as_u16(), &*body),
                expected,
                "{service:?} {made_for:?}"
            );
        }
    }
}
