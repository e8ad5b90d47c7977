//! What a client makes of a server.

use mdm_pki::GeneralName;
use mdm_tls::{Alert, ClientConfig, ErrorKind, Roots, ServerConfig};

use crate::made::{Authority, TODAY, dns, handshake};

fn trusting(authority: &Authority) -> ClientConfig {
    ClientConfig::builder()
        .roots(Roots::Only(vec![authority.root.clone()]))
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_trusted_server_of_this_name_is_taken() {
    let authority = Authority::new("root");
    let identity = authority.server(&[
        dns("push.example.com"),
        dns("*.mdm.example.com"),
        GeneralName::Ip([127, 0, 0, 1].into()),
        GeneralName::Ip("::1".parse().unwrap()),
    ]);
    let server = ServerConfig::builder(identity.clone()).build().unwrap();
    let client = trusting(&authority);
    for name in [
        "push.example.com",
        "push.example.com.",
        "PUSH.example.com",
        "a.mdm.example.com",
        "127.0.0.1",
        "::1",
        "[::1]",
    ] {
        let (near, far) = handshake(&client, &server, name).await;
        let (near, far) = (near.unwrap(), far.unwrap());
        let shown = near.peer_certificate().unwrap();
        assert_eq!(shown.to_der(), identity.certificate.to_der());
        assert!(far.peer_certificate().is_none());
        assert_eq!(near.version(), "TLSv1.3");
        let is_address = name.contains(':') || name.starts_with("127");
        assert_eq!(far.server_name().is_none(), is_address, "{name}");
    }
}

#[tokio::test]
async fn a_server_of_another_name_is_refused() {
    let authority = Authority::new("root");
    let names = [
        dns("push.example.com"),
        dns("*.mdm.example.com"),
        GeneralName::Ip([127, 0, 0, 1].into()),
    ];
    let server = ServerConfig::builder(authority.server(&names))
        .build()
        .unwrap();
    let client = trusting(&authority);
    for name in [
        "other.example.com",
        "example.com",
        "a.b.mdm.example.com",
        "127.0.0.2",
        "::1",
        "server",
    ] {
        let (near, far) = handshake(&client, &server, name).await;
        assert_eq!(near.unwrap_err().kind(), ErrorKind::HostMismatch, "{name}");
        assert!(
            matches!(far.unwrap_err().kind(), ErrorKind::Alert(_)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_name_in_the_subject_alone_does_not_count() {
    let authority = Authority::new("root");
    let identity = authority.issue("a.example", &[], &[], TODAY);
    let server = ServerConfig::builder(identity).build().unwrap();
    let (near, _) = handshake(&trusting(&authority), &server, "a.example").await;
    assert_eq!(near.unwrap_err().kind(), ErrorKind::HostMismatch);
}

#[tokio::test]
async fn a_server_under_an_unknown_root_is_refused() {
    let names = [dns("push.example.com")];
    let identity = Authority::new("root").server(&names);
    let server = ServerConfig::builder(identity).build().unwrap();
    // The same name on another key: trust goes by key.
    for roots in [
        Roots::Only(vec![Authority::new("root").root]),
        Roots::Only(Vec::new()),
        Roots::System,
    ] {
        let client = ClientConfig::builder().roots(roots).build().unwrap();
        let (near, far) = handshake(&client, &server, "push.example.com").await;
        let error = near.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Untrusted, "{error}");
        let alert = far.unwrap_err().kind();
        assert!(
            [Alert::UNKNOWN_CA, Alert::BAD_CERTIFICATE]
                .map(ErrorKind::Alert)
                .contains(&alert),
            "{alert}"
        );
    }
}

#[tokio::test]
async fn a_given_root_is_trusted_beside_the_systems() {
    let authority = Authority::new("root");
    let server = ServerConfig::builder(authority.server(&[dns("a.example")]))
        .build()
        .unwrap();
    let client = ClientConfig::builder()
        .roots(Roots::SystemAnd(vec![authority.root.clone()]))
        .build()
        .unwrap();
    let (near, far) = handshake(&client, &server, "a.example").await;
    assert!(near.is_ok() && far.is_ok());
}

#[tokio::test]
async fn a_server_out_of_its_validity_is_refused_with_that_reason() {
    let authority = Authority::new("root");
    let client = trusting(&authority);
    for (days, expected) in [
        ((-9, -2), ErrorKind::Expired),
        ((2, 9), ErrorKind::NotYetValid),
    ] {
        let identity = authority.issue("server", &[dns("a.example")], &[], days);
        let server = ServerConfig::builder(identity).build().unwrap();
        let (near, _) = handshake(&client, &server, "a.example").await;
        assert_eq!(near.unwrap_err().kind(), expected);
    }
}

#[tokio::test]
async fn a_certificate_for_clients_makes_no_server() {
    let authority = Authority::new("root");
    let usages = [mdm_pki::oid::CLIENT_AUTH];
    let identity = authority.issue("server", &[dns("a.example")], &usages, TODAY);
    let server = ServerConfig::builder(identity).build().unwrap();
    let (near, _) = handshake(&trusting(&authority), &server, "a.example").await;
    assert_eq!(near.unwrap_err().kind(), ErrorKind::Untrusted);
}

#[tokio::test]
async fn a_chain_is_sent_and_an_intermediate_may_be_the_root_of_trust() {
    let root = Authority::new("root");
    let issuing = root.below("issuing");
    let mut identity = issuing.server(&[dns("a.example")]);

    let bare = ServerConfig::builder(identity.clone()).build().unwrap();
    let (near, _) = handshake(&trusting(&root), &bare, "a.example").await;
    assert_eq!(near.unwrap_err().kind(), ErrorKind::Untrusted);
    let (near, _) = handshake(&trusting(&issuing), &bare, "a.example").await;
    assert!(near.is_ok());

    identity.chain.push(issuing.root.clone());
    let whole = ServerConfig::builder(identity).build().unwrap();
    let (near, _) = handshake(&trusting(&root), &whole, "a.example").await;
    assert!(near.is_ok());
}

#[tokio::test]
async fn a_name_that_is_none_is_refused_before_a_byte_is_sent() {
    let client = ClientConfig::builder().build().unwrap();
    for name in [
        "",
        ".",
        ".example",
        "a..example",
        "a b",
        "a\0.example",
        "b\u{fc}cher.example",
        &"a".repeat(254),
    ] {
        let (near, _far) = tokio::io::duplex(64);
        let error = client.connect(name, near).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{name:?}");
    }
}
