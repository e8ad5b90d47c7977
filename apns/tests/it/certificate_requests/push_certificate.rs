//! Topic, validity, environment, renewal; and loading from files.

use chrono::TimeDelta;
use mdm_apns::certificate::{
    CertificateError, Environment, LoadError, PushCertificate, Renewal, RenewalPolicy,
    TopicCertificate,
    environment::{DEVELOPMENT_EXTENSION, PRODUCTION_EXTENSION},
};
use mdm_core::{Secret, Topic};
use mdm_pki::{CertificateBuilder, Error, Identity, KeySpec, Name, Oid, PrivateKey};

use super::{House, days, now};
use crate::house::TOPIC;

const OTHER: &str = "com.apple.mgmt.External.00000000-5e0f-4d3a-9f43-0c1d2e3f4a5b";

fn builder(topic: &str, key: &PrivateKey) -> CertificateBuilder {
    let subject = Name::builder()
        .user_id(topic)
        .common_name("APSP:aaaaaaaa-0000-4d3a-9f43-0c1d2e3f4a5b")
        .country("US")
        .build();
    CertificateBuilder::new(subject, key.public_key()).validity(now() - days(1), now() + days(364))
}

fn identity(topic: &str) -> Identity {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let certificate = builder(topic, &key).self_signed(&key).unwrap();
    Identity::new(certificate, Vec::new(), key).unwrap()
}

/// Valid until so many days from now.
fn until(topic: &str, end: i64) -> TopicCertificate {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let builder = builder(topic, &key).validity(now() - days(99), now() + days(end));
    TopicCertificate::new(builder.self_signed(&key).unwrap()).unwrap()
}

#[test]
fn a_certificate_for_another_topic_than_the_configured_is_refused_with_both() {
    let configured: Topic = TOPIC.parse().unwrap();
    let taken = PushCertificate::with_topic(identity(TOPIC), &configured).unwrap();
    assert_eq!(taken.topic(), &configured);
    assert_eq!(taken.public().topic(), &configured);

    let error = PushCertificate::with_topic(identity(OTHER), &configured).unwrap_err();
    let expected = CertificateError::OtherTopic {
        found: OTHER.parse().unwrap(),
        expected: configured.clone(),
    };
    assert_eq!(error, expected);
    let shown = error.to_string();
    assert!(shown.contains(TOPIC) && shown.contains(OTHER), "{shown}");

    let app = PushCertificate::with_topic(identity("com.example.app"), &configured);
    assert!(matches!(app, Err(CertificateError::ForeignTopic { .. })));
}

#[test]
fn a_certificate_warns_thirty_seven_and_one_day_before_its_end() {
    let certificate = until(TOPIC, 0);
    let end = certificate.not_after();
    let second = TimeDelta::seconds(1);
    let policy = RenewalPolicy::default();
    for (left, word, said) in [
        (days(31), "fine", "valid for 31 days more"),
        (days(30) + second, "fine", "valid for 30 days more"),
        (days(30), "due", "ends in 30 days: renew it"),
        (days(7) + second, "due", "ends in 7 days: renew it"),
        (days(7), "urgent", "ends in 7 days: renew it this week"),
        (
            days(1) + second,
            "urgent",
            "ends in 24 hours: renew it this week",
        ),
        (days(1), "critical", "ends in 24 hours: renew it now"),
        (
            TimeDelta::hours(1),
            "critical",
            "ends in 1 hour: renew it now",
        ),
        (
            TimeDelta::zero(),
            "critical",
            "ends in 0 hours: renew it now",
        ),
    ] {
        let renewal = certificate.renewal(end - left, &policy);
        assert_eq!(renewal.as_str(), word, "{left}");
        assert_eq!(renewal.to_string(), said);
        assert_eq!(renewal.left(), Some(left));
        assert_eq!(renewal.is_warning(), word != "fine");
    }
    let gone = certificate.renewal(end + second, &policy);
    assert_eq!(gone, Renewal::Expired { since: end });
    assert!(gone.is_warning() && gone.left().is_none());
    assert!(gone.to_string().starts_with("ended on "), "{gone}");
    let early = certificate.renewal(certificate.not_before() - second, &policy);
    let from = certificate.not_before();
    assert_eq!(early, Renewal::NotYetValid { from });
    assert_eq!(early.as_str(), "not_yet_valid");

    let patient = RenewalPolicy::default().with(|policy| {
        policy.due = days(3);
        policy.urgent = days(2);
    });
    let renewal = certificate.renewal(end - days(7), &patient);
    assert_eq!(renewal, Renewal::Fine { left: days(7) });
}

#[test]
fn the_environment_is_what_apples_extensions_say_and_never_a_guess() {
    let null: &[u8] = &[5, 0];
    let other = Oid::constant("1.2.840.113635.100.6.3.6");
    for (extensions, expected, production, sandbox) in [
        (&[][..], Environment::Unknown, None, None),
        (&[other], Environment::Unknown, None, None),
        (
            &[PRODUCTION_EXTENSION],
            Environment::Production,
            Some(true),
            Some(false),
        ),
        (
            &[DEVELOPMENT_EXTENSION],
            Environment::Sandbox,
            Some(false),
            Some(true),
        ),
        (
            &[DEVELOPMENT_EXTENSION, PRODUCTION_EXTENSION],
            Environment::Both,
            Some(true),
            Some(true),
        ),
    ] {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let mut builder = builder(TOPIC, &key);
        for kind in extensions {
            builder = builder.extension(*kind, false, null);
        }
        let certificate = builder.self_signed(&key).unwrap();
        let identity = Identity::new(certificate, Vec::new(), key).unwrap();
        let environment = PushCertificate::new(identity).unwrap().environment();
        assert_eq!(environment, expected);
        assert_eq!(environment.is_production(), production);
        assert_eq!(environment.is_sandbox(), sandbox);
        assert_eq!(environment.to_string(), environment.as_str());
    }
}

#[test]
fn only_a_later_certificate_for_the_same_topic_renews() {
    let (old, renewed) = (until(TOPIC, 10), until(TOPIC, 375));
    assert_eq!(renewed.renews(&old), Ok(()));
    let error = until(OTHER, 375).renews(&old).unwrap_err();
    let expected = CertificateError::NotRenewed {
        old: TOPIC.parse().unwrap(),
        new: OTHER.parse().unwrap(),
    };
    assert_eq!(error, expected);
    assert!(error.to_string().contains("strand every device"), "{error}");
    for (new, old) in [(&old, &renewed), (&old, &old)] {
        let error = new.renews(old).unwrap_err();
        let expected = CertificateError::NotLater {
            old: old.not_after(),
            new: new.not_after(),
        };
        assert_eq!(error, expected);
    }

    let certificate = PushCertificate::new(identity(TOPIC)).unwrap();
    assert!(certificate.renews(&certificate).is_err());
}

#[test]
fn a_certificate_is_loaded_from_pem_in_one_file_or_two() {
    let identity = identity(TOPIC);
    let certificate = identity.certificate.to_pem();
    let plain = identity.key.to_pkcs8_pem().unwrap().to_string();
    let sealed = identity.key.to_encrypted_pkcs8_pem("hunter2").unwrap();
    let passphrase = Secret::new("hunter2".to_owned());
    let load = |certificate: &str, key: &str, passphrase: Option<&Secret<String>>| {
        PushCertificate::from_pem(certificate.as_bytes(), key.as_bytes(), passphrase)
    };
    let both = format!("{certificate}{plain}");
    let backwards = format!("{sealed}{certificate}");
    for (certificate, key, passphrase) in [
        (&certificate, &plain, None),
        (&certificate, &plain, Some(&passphrase)),
        (&certificate, &sealed, Some(&passphrase)),
        (&both, &both, None),
        (&backwards, &backwards, Some(&passphrase)),
    ] {
        let loaded = load(certificate, key, passphrase).unwrap();
        assert_eq!(loaded.topic().as_str(), TOPIC);
    }

    let wrong = Secret::new("hunter3".to_owned());
    for passphrase in [None, Some(&wrong)] {
        let error = load(&certificate, &sealed, passphrase).unwrap_err();
        assert!(
            matches!(&error, LoadError::Files(Error::Password)),
            "{error:?}"
        );
        assert!(!format!("{error:?} {error}").contains("hunter"));
    }
    let stranger = House::get();
    let key = stranger.customer.to_pkcs8_pem().unwrap().to_string();
    let error = load(&certificate, &key, None).unwrap_err();
    assert!(matches!(error, LoadError::Files(Error::KeyMismatch)));
    for (certificate, key) in [("", &*plain), (&*certificate, ""), ("hello", "hello")] {
        let error = load(certificate, key, None).unwrap_err();
        assert!(matches!(error, LoadError::Files(_)), "{error:?}");
    }
}

#[test]
fn a_certificate_is_loaded_from_pkcs_12() {
    let identity = identity(TOPIC);
    let file = identity.to_pkcs12("hunter2").unwrap();
    let load = |passphrase: &str| {
        let passphrase = Secret::new(passphrase.to_owned());
        PushCertificate::from_pkcs12(&file, &passphrase)
    };
    let loaded = load("hunter2").unwrap();
    assert_eq!(loaded.topic().as_str(), TOPIC);
    assert!(!format!("{loaded:?}").contains("hunter2"));
    let error = load("hunter3").unwrap_err();
    assert!(matches!(error, LoadError::Files(Error::Password)));

    let app = self::identity("com.example.app");
    let file = app.to_pkcs12("x").unwrap();
    let error = PushCertificate::from_pkcs12(&file, &Secret::new("x".to_owned())).unwrap_err();
    assert!(matches!(
        error,
        LoadError::Certificate(CertificateError::ForeignTopic { .. })
    ));
}
