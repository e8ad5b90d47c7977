use std::convert::Infallible;

use http::{Response, Version};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mdm_fake_apple::{
    authority::Authority,
    http::{PeerCertificate, Server},
};
use mdm_tls::{ClientAuth, ServerConfig};
use mdm_transport_reqwest::BuildError;

use super::*;

/// Answers with the common name of the client's certificate.
async fn who(request: Request<Bytes>) -> Response<Bytes> {
    let name = request
        .extensions()
        .get::<PeerCertificate>()
        .and_then(|peer| peer.0.subject().common_name());
    Response::new(Bytes::from(name.unwrap_or_default()))
}

#[tokio::test]
async fn a_root_of_ones_own_is_trusted_in_der_and_in_pem_and_another_is_not() {
    let authority = Authority::new("Test Root").unwrap();
    let other = Authority::new("Other Root").unwrap();
    let server = Server::start(Some(authority.server_identity().unwrap()), who)
        .await
        .unwrap();
    let pem = authority.root().to_pem();
    let two = format!("{}{pem}", other.root().to_pem());
    for (root, only) in [
        (authority.root().to_der(), true),
        (authority.root().to_der(), false),
        (pem.as_bytes(), true),
        (two.as_bytes(), true),
    ] {
        let transport = ReqwestTransport::builder()
            .no_proxy()
            .root(root)
            .only_roots(only)
            .build()
            .unwrap();
        assert_eq!(
            transport.send(get(&server.url())).await.unwrap().status(),
            200
        );
    }
    let stranger = ReqwestTransport::builder()
        .no_proxy()
        .root(other.root().to_der())
        .only_roots(true)
        .build()
        .unwrap();
    for transport in [stranger, plain()] {
        let kind = failure(&transport, get(&server.url())).await;
        assert_eq!(kind, TransportErrorKind::Connect);
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_no_connection() {
    let authority = Authority::new("Test Root").unwrap();
    let identity = authority.client_identity("somebody else").unwrap();
    let server = Server::start(Some(identity), who).await.unwrap();
    let transport = ReqwestTransport::builder()
        .no_proxy()
        .root(authority.root().to_der())
        .build()
        .unwrap();
    let kind = failure(&transport, get(&server.url())).await;
    assert_eq!(kind, TransportErrorKind::Connect);
}

#[tokio::test]
async fn the_client_shows_its_identity_where_it_is_asked() {
    let authority = Authority::new("Test Root").unwrap();
    let server = Server::builder()
        .identity(authority.server_identity().unwrap())
        .client_auth(ClientAuth::Required {
            roots: vec![authority.root().clone()],
        })
        .start(who)
        .await
        .unwrap();
    let client = authority.client_identity("push client").unwrap();
    let with_identity = ReqwestTransport::builder()
        .no_proxy()
        .root(authority.root().to_der())
        .identity(
            client.key.to_pkcs8_pem().unwrap().as_bytes(),
            client.certificate.to_pem().as_bytes(),
        )
        .build()
        .unwrap();
    let answer = with_identity.send(get(&server.url())).await.unwrap();
    assert_eq!(answer.body(), "push client");
    let without = ReqwestTransport::builder()
        .no_proxy()
        .root(authority.root().to_der())
        .build()
        .unwrap();
    // With TLS 1.3 the server's refusal arrives after the handshake, in the answer's stead.
    let kind = failure(&without, get(&server.url())).await;
    assert!(
        matches!(
            kind,
            TransportErrorKind::Connect | TransportErrorKind::Interrupted
        ),
        "{kind:?}"
    );
}

#[tokio::test]
async fn http_2_is_agreed_on_by_alpn() {
    let authority = Authority::new("Test Root").unwrap();
    let tls = ServerConfig::builder(authority.server_identity().unwrap())
        .alpn(&["h2", "http/1.1"])
        .build()
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}/",
        listener.local_addr().unwrap().port()
    );
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve_h2(tls.accept(stream).await.unwrap()).await;
    });
    let transport = ReqwestTransport::builder()
        .no_proxy()
        .root(authority.root().to_der())
        .build()
        .unwrap();
    let answer = transport.send(get(&url)).await.unwrap();
    assert_eq!(
        (answer.version(), answer.body().as_ref()),
        (Version::HTTP_2, &b"h2"[..])
    );
}

#[tokio::test]
async fn http_2_is_spoken_at_once_with_prior_knowledge() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve_h2(stream).await;
    });
    let transport = ReqwestTransport::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let answer = transport.send(get(&url)).await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
}

async fn serve_h2<S>(stream: S)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|_| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"h2"))))
    });
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

#[test]
fn unusable_settings_are_told_when_building() {
    let build = |builder: mdm_transport_reqwest::ReqwestTransportBuilder| builder.build();
    let builder = ReqwestTransport::builder;
    for root in [
        &b""[..],
        b"not a certificate",
        b"-----BEGIN NONSENSE-----\n-----END NONSENSE-----\n",
    ] {
        let error = build(builder().root(root)).unwrap_err();
        assert!(matches!(error, BuildError::Root(_)), "{error:?}");
    }
    let error = build(builder().only_roots(true)).unwrap_err();
    assert!(matches!(error, BuildError::NobodyTrusted));
    let error = build(builder().identity(b"key", b"chain")).unwrap_err();
    assert!(matches!(error, BuildError::Identity(_)));
    let error = build(builder().user_agent("a\nb")).unwrap_err();
    assert!(matches!(error, BuildError::Client(_)));
}
