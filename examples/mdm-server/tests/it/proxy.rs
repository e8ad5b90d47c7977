//! TLS that ends in a proxy in front, which tells the certificate that a device showed.
#![cfg(target_os = "linux")]

use std::{
    convert::Infallible,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use axum::body::Body;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use mdm_sdk::{
    pki::{Certificate, DigestAlgorithm, Identity},
    tls::{ClientAuth, ServerConfig},
    transport::{HttpTransport, transport_fn},
    transport_reqwest::ReqwestTransport,
};
use mdm_simulator::Hardware;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};

use crate::world::{World, id};

/// From where the proxy asks the server.
const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// From where everybody else does.
const ANYBODY: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A kind of proxy: its name in the settings, and how it tells a certificate.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    header: &'static str,
    tells: fn(&Certificate) -> String,
}

const KINDS: [Kind; 3] = [
    Kind {
        name: "client-cert",
        header: "client-cert",
        tells: |certificate| format!(":{}:", STANDARD.encode(certificate.to_der())),
    },
    Kind {
        name: "pem",
        header: "x-client-cert",
        tells: escaped,
    },
    Kind {
        name: "envoy",
        header: "x-forwarded-client-cert",
        tells: |certificate| {
            let hash = certificate.fingerprint(DigestAlgorithm::Sha256).unwrap();
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            let certificate = escaped(certificate);
            format!("Hash={hash};Cert=\"{certificate}\";Subject=\"\"")
        },
    },
];

/// PEM as nginx and Envoy escape it.
fn escaped(certificate: &Certificate) -> String {
    let pem = certificate.to_pem();
    let escaped = url::form_urlencoded::byte_serialize(pem.as_bytes());
    escaped.collect::<String>().replace('+', "%20")
}

/// Sends a request to the server's own port.
async fn send(from: Ipv4Addr, port: u16, request: Request<Body>) -> Response<Body> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let stream = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await;
    let io = TokioIo::new(stream.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap().map(Body::new)
}

/// Accepts TLS, asks for the device's certificate, and hands requests on without TLS.
async fn proxy(listener: TcpListener, tls: ServerConfig, kind: Kind, port: u16) {
    while let Ok((stream, _)) = listener.accept().await {
        let tls = tls.clone();
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else {
                return;
            };
            let shown = stream.peer_certificate().as_ref().map(kind.tells);
            let hand_on = service_fn(move |request: Request<hyper::body::Incoming>| {
                let shown = shown.clone();
                async move {
                    let mut request = request.map(Body::new);
                    request.headers_mut().remove(kind.header);
                    if let Some(shown) = shown {
                        request
                            .headers_mut()
                            .insert(kind.header, shown.parse().unwrap());
                    }
                    Ok::<_, Infallible>(send(PROXY, port, request).await)
                }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), hand_on);
            let _ = connection.await;
        });
    }
}

/// A device's way to the proxy.
#[derive(Default)]
struct Way {
    /// What it shows in TLS, once it has it.
    shows: Option<Identity>,
    /// Whether its signatures are left out.
    is_unsigned: bool,
    /// The last message of MDM.
    last: Option<Request<Bytes>>,
}

fn transport(world: &World, way: &Arc<Mutex<Way>>) -> Arc<dyn HttpTransport> {
    let (root, way) = (world.web.root().to_der().to_vec(), Arc::clone(way));
    Arc::new(transport_fn(move |mut request: Request<Bytes>| {
        let mut builder = ReqwestTransport::builder().root(&root).only_roots(true);
        {
            let mut way = way.lock().unwrap();
            if let Some(identity) = &way.shows {
                let key = identity.key.to_pkcs8_pem().unwrap();
                builder = builder.identity(key.as_bytes(), identity.chain_pem().as_bytes());
            }
            if request.method() == Method::PUT {
                way.last = Some(request.clone());
                if way.is_unsigned {
                    request.headers_mut().remove("mdm-signature");
                }
            }
        }
        let transport = builder.build().unwrap();
        async move { transport.send(request).await }
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_counts_that_a_trusted_proxy_tells_and_nobody_else() {
    for kind in KINDS {
        let mut world = World::new().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        world.proxy = Some(listener.local_addr().unwrap().port());
        world.more = format!(
            "proxy = {{ trusted = [\"{PROXY}\"], client_certificate = \"{}\" }}",
            kind.name
        );
        let server = world.start("data");
        let root = Request::get("/scep?operation=GetCACert").body(Body::empty());
        let root = send(ANYBODY, world.port(), root.unwrap()).await.into_body();
        let root = axum::body::to_bytes(root, 1 << 20).await.unwrap();
        let roots = vec![Certificate::from_der(&root).unwrap()];
        let tls = ServerConfig::builder(world.web.server_identity().unwrap())
            .client_auth(ClientAuth::Optional { roots })
            .build();
        tokio::spawn(proxy(listener, tls.unwrap(), kind, world.port()));

        // Who does not sign is known by what TLS has shown to the proxy.
        let mut devices = Vec::new();
        for serial in ["C02MS0000001", "C02MS0000002"] {
            let way = Arc::new(Mutex::new(Way::default()));
            let hardware = Hardware::mac(serial).unwrap();
            let mut device = world.device_of(hardware, transport(&world, &way));
            let link = json!({ "serial_number": serial });
            let link = server.post("/v1/invitations", &link).await;
            let (status, profile) = world.get(link["url"].as_str().unwrap()).await;
            assert_eq!(status, StatusCode::OK);
            let activation = world.activation("").await;
            let installed = device.install_enrollment_profile(&profile, &activation);
            installed.unwrap();
            let identity = device.obtain_identity().await.unwrap().clone();
            // Neither shown nor signed.
            way.lock().unwrap().is_unsigned = true;
            let refused = device.authenticate().await.unwrap_err();
            assert!(refused.to_string().contains("400"), "{refused}");
            way.lock().unwrap().shows = Some(identity);
            device.authenticate().await.unwrap();
            device.update_token().await.unwrap();
            assert_eq!(world.call(&mut device).await, ["DeviceInformation"]);
            // Both, too.
            way.lock().unwrap().is_unsigned = false;
            device.poll().await.unwrap();
            let shown = server
                .get(&format!("/v1/enrollments/{}", id(&device)))
                .await;
            assert_eq!(shown["status"], "enrolled", "{}", kind.name);
            devices.push((device, way));
        }

        let [(first, way), (second, _)] = &devices[..] else {
            panic!("two devices");
        };
        let last = way.lock().unwrap().last.take().unwrap();
        let told =
            |device: &mdm_simulator::Device| (kind.tells)(&device.identity().unwrap().certificate);
        let port = world.port();
        let ask = |from, certificate: Option<String>, is_signed: bool| {
            let mut request = last.clone().map(Body::from);
            *request.uri_mut() = last
                .uri()
                .path_and_query()
                .unwrap()
                .as_str()
                .parse()
                .unwrap();
            if let Some(certificate) = certificate {
                request
                    .headers_mut()
                    .insert(kind.header, certificate.parse().unwrap());
            }
            if !is_signed {
                request.headers_mut().remove("mdm-signature");
            }
            async move { send(from, port, request).await.status() }
        };
        let name = kind.name;
        // A header that the proxy wrote counts; the same from elsewhere is none.
        assert_eq!(
            ask(PROXY, Some(told(first)), false).await,
            StatusCode::OK,
            "{name}"
        );
        for certificate in [Some(told(first)), None] {
            let status = ask(ANYBODY, certificate, false).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{name}");
        }
        // It changes nothing of who has signed, and does not stand beside another signature.
        assert_eq!(
            ask(ANYBODY, Some(told(second)), true).await,
            StatusCode::OK,
            "{name}"
        );
        let status = ask(PROXY, Some(told(second)), true).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name}");
        // Another device's certificate speaks for that device alone.
        let status = ask(PROXY, Some(told(second)), false).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{name}");
        // Whom nobody of ours certified is nobody.
        let foreign = world.web.client_identity("C02MS0000001").unwrap();
        let status = ask(PROXY, Some((kind.tells)(&foreign.certificate)), false).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name}");
    }
}
