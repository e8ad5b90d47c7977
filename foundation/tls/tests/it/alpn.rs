//! Which protocol is agreed on, and which TLS version.

use std::pin::Pin;

use mdm_tls::{Alert, ClientConfig, ErrorKind, Roots, ServerConfig};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVersion};

use crate::made::{Authority, Ends, dns, handshake, wire};

/// A handshake between a client that offers and a server that speaks these protocols; both insist
/// where `require` says so.
async fn agree(offered: &[&str], spoken: &[&str], require: (bool, bool)) -> Ends {
    let authority = Authority::new("root");
    let client = ClientConfig::builder()
        .roots(Roots::Only(vec![authority.root.clone()]))
        .alpn(offered)
        .require_alpn(require.0)
        .build()
        .unwrap();
    let server = ServerConfig::builder(authority.server(&[dns("a.example")]))
        .alpn(spoken)
        .require_alpn(require.1)
        .build()
        .unwrap();
    handshake(&client, &server, "a.example").await
}

#[tokio::test]
async fn both_sides_see_the_protocol_that_the_server_prefers() {
    let (near, far) = agree(&["http/1.1", "h2"], &["h2", "http/1.1"], (true, true)).await;
    assert_eq!(near.unwrap().alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(far.unwrap().alpn_protocol(), Some(&b"h2"[..]));
}

#[tokio::test]
async fn a_server_that_insists_refuses_a_client_that_speaks_otherwise() {
    let (near, far) = agree(&["http/1.1"], &["h2"], (false, true)).await;
    let near = near.unwrap_err();
    assert_eq!(
        near.kind(),
        ErrorKind::Alert(Alert::NO_APPLICATION_PROTOCOL)
    );
    assert!(!near.is_own_certificate_refused());
    assert_eq!(far.unwrap_err().kind(), ErrorKind::NoAlpn);

    let (_, far) = agree(&[], &["h2"], (false, true)).await;
    assert_eq!(far.unwrap_err().kind(), ErrorKind::NoAlpn);
}

#[tokio::test]
async fn a_client_that_insists_refuses_a_server_that_speaks_otherwise() {
    for spoken in [&["http/1.1"][..], &[]] {
        let (near, _) = agree(&["h2"], spoken, (true, false)).await;
        assert_eq!(near.unwrap_err().kind(), ErrorKind::NoAlpn);
    }
}

#[tokio::test]
async fn without_a_common_protocol_both_go_on_where_nobody_insists() {
    let (near, far) = agree(&["h2"], &["http/1.1"], (false, false)).await;
    assert_eq!(near.unwrap().alpn_protocol(), None);
    assert_eq!(far.unwrap().alpn_protocol(), None);
}

#[test]
fn a_protocol_that_cannot_be_written_is_a_mistake() {
    for protocol in ["", &"x".repeat(256)] {
        let client = ClientConfig::builder().alpn(&[protocol]).build();
        assert_eq!(client.unwrap_err().kind(), ErrorKind::Configuration);
        let identity = Authority::new("root").server(&[dns("a.example")]);
        let server = ServerConfig::builder(identity).alpn(&[protocol]).build();
        assert_eq!(server.unwrap_err().kind(), ErrorKind::Configuration);
    }
}

#[tokio::test]
async fn a_client_of_tls_1_1_is_refused_and_one_of_1_2_is_taken() {
    let authority = Authority::new("root");
    let server = ServerConfig::builder(authority.server(&[dns("a.example")]))
        .build()
        .unwrap();
    for (version, taken) in [(SslVersion::TLS1_1, false), (SslVersion::TLS1_2, true)] {
        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
        // Level 0, or OpenSSL itself would not speak 1.1.
        context.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
        context.set_min_proto_version(Some(version)).unwrap();
        context.set_max_proto_version(Some(version)).unwrap();
        let (near, far) = wire().await;
        let ssl = Ssl::new(&context.build()).unwrap();
        let mut old = tokio_openssl::SslStream::new(ssl, near).unwrap();
        let (near, far) = tokio::join!(Pin::new(&mut old).connect(), server.accept(far));
        assert_eq!(near.is_ok(), taken);
        match far {
            Ok(far) => assert!(taken && far.version() == "TLSv1.2"),
            Err(error) => assert!(
                !taken && error.kind() == ErrorKind::NoCommonVersion,
                "{error}"
            ),
        }
    }
}

#[tokio::test]
async fn a_server_of_tls_1_1_is_refused() {
    let authority = Authority::new("root");
    let identity = authority.server(&[dns("a.example")]);
    let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
    context.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
    context
        .set_min_proto_version(Some(SslVersion::TLS1_1))
        .unwrap();
    context
        .set_max_proto_version(Some(SslVersion::TLS1_1))
        .unwrap();
    let der = identity.certificate.to_der();
    context
        .set_certificate(&openssl::x509::X509::from_der(der).unwrap())
        .unwrap();
    let key = identity.key.to_pkcs8_der().unwrap();
    let key = openssl::pkey::PKey::private_key_from_pkcs8(&key).unwrap();
    context.set_private_key(&key).unwrap();
    let client = ClientConfig::builder()
        .roots(Roots::Only(vec![authority.root.clone()]))
        .build()
        .unwrap();
    let (near, far) = wire().await;
    let ssl = Ssl::new(&context.build()).unwrap();
    let mut old = tokio_openssl::SslStream::new(ssl, far).unwrap();
    let (near, far) = tokio::join!(
        client.connect("a.example", near),
        Pin::new(&mut old).accept()
    );
    let kind = near.unwrap_err().kind();
    assert_eq!(kind, ErrorKind::Alert(Alert::PROTOCOL_VERSION));
    assert!(far.is_err());
}
