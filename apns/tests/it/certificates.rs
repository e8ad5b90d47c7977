//! Who is let in, and who is believed.

use chrono::{TimeDelta, Utc};
use mdm_apns::{CertificateError, Config, Error, PushCertificate};
use mdm_fake_apple::apns::{PushAuthority, Refusal};
use mdm_tls::{ErrorKind, Roots};
use tokio::net::TcpListener;

use crate::house::{House, TOPIC, TestClock, is_delivered, push, run};

async fn refused(config: Config, certificate: PushCertificate) -> Error {
    let (client, _running) = run(config, certificate);
    client.connect().await.unwrap_err()
}

#[tokio::test]
async fn a_push_certificate_of_a_foreign_authority_is_refused_at_once() {
    let house = House::new().await;
    let foreign = PushAuthority::new().unwrap().issue(TOPIC).unwrap();
    let error = refused(house.config(), PushCertificate::new(foreign).unwrap()).await;
    assert!(error.is_certificate_refused(), "{error:?}");
    assert!(!error.is_retryable());
    let kind = ErrorKind::Untrusted;
    assert_eq!(house.fake.refusals(), [Refusal::Handshake { kind }]);
}

#[tokio::test]
async fn an_expired_push_certificate_is_not_even_tried() {
    let house = House::new().await;
    let now = Utc::now();
    let day = TimeDelta::days(1);
    let old = house.authority.issue_valid(TOPIC, now - day * 9, now - day);
    let old = PushCertificate::new(old.unwrap()).unwrap();
    match refused(house.config(), old.clone()).await {
        Error::Certificate(CertificateError::Expired { since }) => {
            assert_eq!(since, old.not_after());
        }
        other => panic!("{other:?}"),
    }
    let early = house.authority.issue_valid(TOPIC, now + day, now + day * 9);
    let early = PushCertificate::new(early.unwrap()).unwrap();
    let error = refused(house.config(), early.clone()).await;
    let expected = CertificateError::NotYetValid {
        from: early.not_before(),
    };
    assert!(matches!(error, Error::Certificate(error) if error == expected));
    assert_eq!(house.fake.refusals(), []);

    // Where our clock is wrong the server's decides.
    let config = house.config().clock(TestClock::at(now - day * 5));
    let error = refused(config, old).await;
    assert!(error.is_certificate_refused(), "{error:?}");
    let kind = ErrorKind::Expired;
    assert_eq!(house.fake.refusals(), [Refusal::Handshake { kind }]);
}

#[tokio::test]
async fn the_time_left_is_told() {
    let house = House::new().await;
    let certificate = house.certificate();
    let end = certificate.not_after();
    assert_eq!(
        certificate.check(end - TimeDelta::days(30)),
        Ok(TimeDelta::days(30))
    );
    assert_eq!(certificate.check(end), Ok(TimeDelta::zero()));
    assert!(certificate.check(end + TimeDelta::seconds(1)).is_err());
    assert!(certificate.check(certificate.not_before()).is_ok());
}

#[tokio::test]
async fn a_certificate_without_an_mdm_topic_is_no_push_certificate() {
    let house = House::new().await;
    let app = house.authority.issue("com.example.app").unwrap();
    let topic = "com.example.app".parse().unwrap();
    let error = PushCertificate::new(app).unwrap_err();
    assert_eq!(error, CertificateError::ForeignTopic { topic });

    // The common name alone names no topic, whatever stands in it.
    let mut bare = house.authority.issue(TOPIC).unwrap();
    bare.certificate = house.authority.root().clone();
    assert_eq!(
        PushCertificate::new(bare).unwrap_err(),
        CertificateError::NoTopic
    );
}

#[tokio::test]
async fn a_server_with_the_certificate_of_another_host_is_refused() {
    let house = House::with(|config| config.server_names(&["api.example.com"])).await;
    match refused(house.config(), house.certificate()).await {
        Error::Tls(error) => assert_eq!(error.kind(), ErrorKind::HostMismatch),
        other => panic!("{other:?}"),
    }
    assert!(house.fake.pushes().is_empty());
}

#[tokio::test]
async fn a_server_under_an_unknown_root_is_refused() {
    let house = House::new().await;
    for roots in [
        Roots::System,
        Roots::Only(vec![house.authority.root().clone()]),
    ] {
        let error = refused(house.config().roots(roots), house.certificate()).await;
        assert!(!error.is_retryable() && !error.is_certificate_refused());
        match error {
            Error::Tls(error) => assert_eq!(error.kind(), ErrorKind::Untrusted),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn where_nobody_listens_there_is_no_connection() {
    let house = House::new().await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let config = house.config().with(|config| {
        config.host = "127.0.0.1".to_owned();
        config.port = port;
    });
    let error = refused(config, house.certificate()).await;
    assert!(
        matches!(error, Error::Connect(_)) && error.is_retryable(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_certificate_that_is_refused_stops_the_topic_until_it_is_renewed() {
    let house = House::new().await;
    let foreign = PushAuthority::new().unwrap().issue(TOPIC).unwrap();
    let foreign = PushCertificate::new(foreign).unwrap();
    let (client, _running) = run(house.config(), foreign);
    for _ in 0..3 {
        match client.push(&push("M")).await {
            Err(error @ Error::Paused { .. }) => assert!(!error.is_retryable()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(house.fake.refusals().len(), 1, "it is shown once");

    client.renew(house.certificate()).unwrap();
    let outcome = house.clock.pass(client.push(&push("M"))).await;
    assert!(is_delivered(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_on_a_new_connection_and_the_old_one_ends() {
    let house = House::new().await;
    let (client, _running) = house.client();
    assert!(is_delivered(&client.push(&push("old")).await));
    client.renew(house.certificate()).unwrap();
    assert!(is_delivered(&client.push(&push("new")).await));
    let connections: Vec<_> = house
        .fake
        .pushes()
        .iter()
        .map(|push| push.connection)
        .collect();
    assert_eq!(connections, [1, 2]);

    let other = house
        .authority
        .issue("com.apple.mgmt.External.other")
        .unwrap();
    let error = client
        .renew(PushCertificate::new(other).unwrap())
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Certificate(CertificateError::NotRenewed { .. })
        ),
        "{error:?}"
    );
    assert!(is_delivered(&client.push(&push("still")).await));
}
