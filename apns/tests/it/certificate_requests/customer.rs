//! The customer's request.

use mdm_apns::certificate::{UnfitKey, customer::CustomerRequestError};
use mdm_pki::{KeySpec, PrivateKey, oid};

use super::{House, Peer, customer_request};

#[test]
fn openssl_takes_a_customers_request() {
    let test = "openssl_takes_a_customers_request";
    let Some(openssl) = Peer::openssl(test) else {
        return;
    };
    let house = House::get();
    openssl.write("csr.pem", house.csr.to_pem());
    let told = openssl.ok("req -in csr.pem -verify -noout -text -nameopt RFC2253,utf8");
    let told = String::from_utf8(told).unwrap();
    assert!(
        told.contains("emailAddress=admin@example.com,CN=Example MDM push,C=DE"),
        "{told}"
    );
    assert!(told.contains("Public-Key: (2048 bit)"), "{told}");
    assert!(told.contains("sha256WithRSAEncryption"), "{told}");
    openssl.write("key.pem", house.customer.to_pkcs8_pem().unwrap());
    let of_key = openssl.ok("pkey -in key.pem -pubout");
    assert_eq!(openssl.ok("req -in csr.pem -pubkey -noout"), of_key);
}

#[tokio::test]
async fn a_key_that_lives_elsewhere_signs_the_same_request() {
    let key = PrivateKey::generate(KeySpec::Rsa3072).unwrap();
    let request = customer_request().with(|request| request.organization = Some("Ünion".into()));
    let signed = request.sign(&key).unwrap();
    assert_eq!(request.sign_with(&key).await.unwrap(), signed);
    signed.verify().unwrap();
    let subject = signed.subject();
    assert_eq!(subject.get(oid::ORGANIZATION).as_deref(), Some("Ünion"));
    assert_eq!(subject.get(oid::COUNTRY).as_deref(), Some("DE"));
}

#[test]
fn names_that_cannot_be_in_a_request_are_refused_by_field() {
    let long = "x".repeat(65);
    let long_email = format!("{}@example.com", "x".repeat(255));
    let cases: [(&str, &[&str]); 4] = [
        ("common name", &["", " ", &long, "a\nb"]),
        (
            "e-mail address",
            &[
                "",
                "admin",
                "@example.com",
                "admin@",
                "a b@c",
                "ä@example.com",
                &long_email,
            ],
        ),
        ("country", &["", "D", "DEU", "D1", "Ü"]),
        ("organization", &["", &long, "a\0b"]),
    ];
    for (field, texts) in cases {
        for text in texts {
            let request = customer_request().with(|request| match field {
                "common name" => request.common_name = (*text).to_owned(),
                "e-mail address" => request.email = (*text).to_owned(),
                "country" => request.country = (*text).to_owned(),
                _ => request.organization = Some((*text).to_owned()),
            });
            match request.sign(&House::get().customer) {
                Err(CustomerRequestError::Invalid { field: found, .. }) => assert_eq!(found, field),
                other => panic!("{field} {text:?}: {other:?}"),
            }
            assert!(request.generate().is_err());
        }
    }
    let widest = customer_request().with(|request| request.common_name = "ü".repeat(64));
    assert!(widest.sign(&House::get().customer).is_ok());
}

#[test]
fn a_key_that_apples_portal_does_not_take_makes_no_request() {
    for (spec, expected) in [
        (KeySpec::Rsa1024, UnfitKey::Short { bits: 1024 }),
        (KeySpec::P256, UnfitKey::NotRsa),
    ] {
        let key = PrivateKey::generate(spec).unwrap();
        match customer_request().sign(&key) {
            Err(CustomerRequestError::Key(found)) => assert_eq!(found, expected),
            other => panic!("{other:?}"),
        }
    }
}
