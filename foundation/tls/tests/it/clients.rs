//! What a server makes of a client's certificate.

use std::io;

use mdm_pki::Identity;
use mdm_tls::{Alert, ClientAuth, ClientConfig, Error, ErrorKind, Roots, ServerConfig};
use tokio::io::AsyncReadExt;

use crate::made::{Authority, TODAY, dns, handshake};

struct House {
    servers: Authority,
    clients: Authority,
}

impl House {
    fn new() -> Self {
        Self {
            servers: Authority::new("servers"),
            clients: Authority::new("clients"),
        }
    }

    fn server(&self, auth: impl FnOnce(Vec<mdm_pki::Certificate>) -> ClientAuth) -> ServerConfig {
        ServerConfig::builder(self.servers.server(&[dns("a.example")]))
            .client_auth(auth(vec![self.clients.root.clone()]))
            .build()
            .unwrap()
    }

    fn client(&self, identity: Option<Identity>) -> ClientConfig {
        let builder = ClientConfig::builder().roots(Roots::Only(vec![self.servers.root.clone()]));
        match identity {
            Some(identity) => builder.identity(identity),
            None => builder,
        }
        .build()
        .unwrap()
    }

    /// What the server says, and what the client reads after its handshake.
    async fn refused(&self, identity: Option<Identity>) -> (ErrorKind, io::Error) {
        let server = self.server(|roots| ClientAuth::Required { roots });
        let (near, far) = handshake(&self.client(identity), &server, "a.example").await;
        let read = near.unwrap().read(&mut [0; 1]).await;
        (far.unwrap_err().kind(), read.unwrap_err())
    }
}

fn required(roots: Vec<mdm_pki::Certificate>) -> ClientAuth {
    ClientAuth::Required { roots }
}

#[tokio::test]
async fn a_known_client_is_taken_whatever_its_certificate_is_for() {
    let house = House::new();
    let server = house.server(required);
    for usages in [
        &[][..],
        &[mdm_pki::oid::CLIENT_AUTH],
        &[mdm_pki::oid::SERVER_AUTH],
        &["1.2.840.113635.100.4.1".parse().unwrap()],
    ] {
        let identity = house.clients.issue("device", &[], usages, TODAY);
        let client = house.client(Some(identity.clone()));
        let (near, far) = handshake(&client, &server, "a.example").await;
        let shown = far.unwrap().peer_certificate().unwrap();
        assert_eq!(shown.to_der(), identity.certificate.to_der(), "{usages:?}");
        assert!(near.is_ok());
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused_where_one_is_required() {
    let (server, client) = House::new().refused(None).await;
    assert_eq!(server, ErrorKind::NoCertificate);
    assert_eq!(client.kind(), io::ErrorKind::PermissionDenied);
    let reason = Error::find(&client).unwrap();
    assert_eq!(reason.kind(), ErrorKind::Alert(Alert::CERTIFICATE_REQUIRED));
    assert!(reason.is_own_certificate_refused());
}

#[tokio::test]
async fn a_foreign_client_is_refused_and_learns_why() {
    let house = House::new();
    let foreign = Authority::new("clients").issue("device", &[], &[], TODAY);
    let (server, client) = house.refused(Some(foreign)).await;
    assert_eq!(server, ErrorKind::Untrusted);
    assert_eq!(client.kind(), io::ErrorKind::PermissionDenied);
    assert!(Error::find(&client).unwrap().is_own_certificate_refused());
}

#[tokio::test]
async fn an_expired_client_is_refused_and_learns_why() {
    let house = House::new();
    let expired = house.clients.issue("device", &[], &[], (-9, -2));
    let (server, client) = house.refused(Some(expired)).await;
    assert_eq!(server, ErrorKind::Expired);
    let reason = Error::find(&client).unwrap();
    assert_eq!(reason.kind(), ErrorKind::Alert(Alert::CERTIFICATE_EXPIRED));
}

#[tokio::test]
async fn where_it_is_optional_no_certificate_is_fine_and_a_foreign_one_is_not() {
    let house = House::new();
    let server = house.server(|roots| ClientAuth::Optional { roots });
    let (near, far) = handshake(&house.client(None), &server, "a.example").await;
    assert!(near.is_ok() && far.unwrap().peer_certificate().is_none());

    let known = house.clients.issue("device", &[], &[], TODAY);
    let (_, far) = handshake(&house.client(Some(known)), &server, "a.example").await;
    assert!(far.unwrap().peer_certificate().is_some());

    let foreign = house.servers.issue("device", &[], &[], TODAY);
    let (_, far) = handshake(&house.client(Some(foreign)), &server, "a.example").await;
    assert_eq!(far.unwrap_err().kind(), ErrorKind::Untrusted);
}

#[tokio::test]
async fn nobody_is_asked_unless_configured() {
    let house = House::new();
    let server = house.server(|_| ClientAuth::None);
    let foreign = Authority::new("x").issue("device", &[], &[], TODAY);
    let (near, far) = handshake(&house.client(Some(foreign)), &server, "a.example").await;
    assert!(near.is_ok() && far.unwrap().peer_certificate().is_none());
}

#[test]
fn to_ask_for_certificates_and_trust_nobody_is_a_mistake() {
    let identity = Authority::new("servers").server(&[dns("a.example")]);
    for auth in [
        ClientAuth::Optional { roots: Vec::new() },
        ClientAuth::Required { roots: Vec::new() },
    ] {
        let built = ServerConfig::builder(identity.clone())
            .client_auth(auth)
            .build();
        assert_eq!(built.unwrap_err().kind(), ErrorKind::Configuration);
    }
}

#[test]
fn a_key_of_another_certificate_is_a_mistake() {
    let authority = Authority::new("servers");
    let mut identity = authority.server(&[dns("a.example")]);
    identity.key = authority.server(&[dns("a.example")]).key;
    let server = ServerConfig::builder(identity.clone()).build();
    assert_eq!(server.unwrap_err().kind(), ErrorKind::Configuration);
    let client = ClientConfig::builder().identity(identity).build();
    assert_eq!(client.unwrap_err().kind(), ErrorKind::Configuration);
}
