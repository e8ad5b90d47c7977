//! Mutual TLS, in this program or in a proxy: which certificate is believed, and from whom.

use std::net::SocketAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::TimeDelta;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use mdm_core::ManualClock;
use mdm_pki::Certificate;
use mdm_service::{
    IdentityError, IdentitySource, MdmSignature, Service,
    identity::{
        Both, CertificateError, ClockSkew, Either, MutualTls, Network, Peer, PeerCertificate,
        ProxyHeader,
    },
};

use crate::device::*;

mod remembered;

fn issuers() -> Vec<Certificate> {
    vec![AUTHORITY.certificate.clone()]
}

fn networks() -> [Network; 1] {
    ["10.0.0.0/8".parse().unwrap()]
}

fn request() -> Request<Bytes> {
    Request::put("/mdm").body(Bytes::new()).unwrap()
}

/// A request that came over this peer with these headers.
fn through(peer: &str, headers: &[(&str, &str)]) -> Request<Bytes> {
    let mut request = request();
    let peer: SocketAddr = format!("{peer}:443").parse().unwrap();
    request.extensions_mut().insert(Peer(peer));
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().append(name, value);
    }
    request
}

fn item(certificate: &Certificate) -> String {
    format!(":{}:", STANDARD.encode(certificate.to_der()))
}

/// As nginx escapes a text.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

fn xfcc(device: &Device) -> String {
    xfcc_of(device, "urn:a")
}

/// As Envoy tells of a device whose certificate has this URI: it is not quoted.
fn xfcc_of(device: &Device, uri: &str) -> String {
    format!(
        "By=spiffe://x/y;Hash={};Cert=\"{}\";Subject=\"CN=a, O=\\\"b;c\\\"\";URI={uri}",
        hash(&device.certificate),
        escaped(&device.certificate.to_pem())
    )
}

fn hash(certificate: &Certificate) -> String {
    let digest = certificate
        .fingerprint(mdm_pki::DigestAlgorithm::Sha256)
        .unwrap();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A source that says what a proxy told, and how the proxy tells of a device.
type Source = (ProxyHeader, fn(&Device) -> (&'static str, String));

fn sources() -> Vec<Source> {
    vec![
        (
            ProxyHeader::client_cert(&issuers(), networks()).unwrap(),
            |device| ("client-cert", item(&device.certificate)),
        ),
        (
            ProxyHeader::pem("x-client-cert".parse().unwrap(), &issuers(), networks()).unwrap(),
            |device| ("x-client-cert", escaped(&device.certificate.to_pem())),
        ),
        // HAProxy: base64 of DER; plus signs are digits.
        (
            ProxyHeader::pem("x-client-cert".parse().unwrap(), &issuers(), networks()).unwrap(),
            |device| {
                (
                    "x-client-cert",
                    STANDARD.encode(device.certificate.to_der()),
                )
            },
        ),
        (
            ProxyHeader::envoy(&issuers(), networks()).unwrap(),
            |device| ("x-forwarded-client-cert", xfcc(device)),
        ),
    ]
}

#[tokio::test]
async fn what_a_trusted_proxy_tells_is_believed_and_what_anybody_else_tells_is_not() {
    let device = Device::new("D1");
    for (source, header) in sources() {
        let (name, value) = header(&device);
        for peer in ["10.1.2.3", "[::ffff:10.1.2.3]"] {
            let told = through(peer, &[(name, &value)]);
            let found = source.identify(&told, now()).await.unwrap();
            assert_eq!(found, device.certificate, "{name} {peer}");
        }
        // From outside, and where nobody knows from where.
        let mut unknown = through("10.1.2.3", &[(name, &value)]);
        unknown.extensions_mut().remove::<Peer>();
        for stranger in [through("192.0.2.1", &[(name, &value)]), unknown] {
            let refused = source.identify(&stranger, now()).await;
            assert!(
                matches!(refused, Err(IdentityError::Missing)),
                "{refused:?}"
            );
        }
        // The proxy saw no certificate.
        for headers in [&[][..], &[(name, "")], &[(name, " ")]] {
            let refused = source.identify(&through("10.1.2.3", headers), now()).await;
            assert!(
                matches!(refused, Err(IdentityError::Missing)),
                "{refused:?}"
            );
        }
    }
}

#[tokio::test]
async fn q04_a_proxys_certificate_of_another_issuer_or_out_of_its_time_does_not_count() {
    let foreign = Device::issued_by(&Authority::new("Device CA"), "D1");
    let device = Device::new("D1");
    for (source, header) in sources() {
        let (name, value) = header(&foreign);
        let refused = source
            .identify(&through("10.1.2.3", &[(name, &value)]), now())
            .await;
        assert!(matches!(cause(refused), CertificateError::NotTrusted(_)));

        let (name, value) = header(&device);
        let told = through("10.1.2.3", &[(name, &value)]);
        let begins = device.certificate.not_before();
        let strict = source
            .clone()
            .clock_skew(ClockSkew::default().with(|skew| skew.not_before = TimeDelta::zero()));
        for (at, counts) in [
            (begins - TimeDelta::minutes(9), true),
            (begins - TimeDelta::minutes(11), false),
            (now() + TimeDelta::days(31), false),
        ] {
            assert_eq!(source.identify(&told, at).await.is_ok(), counts, "{at}");
            assert!(strict.identify(&told, at).await.is_err());
        }
    }
}

fn cause(refused: Result<Certificate, IdentityError>) -> CertificateError {
    match refused {
        Err(IdentityError::Invalid(cause)) => *cause.downcast().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_malformed_header_of_a_proxy_is_a_typed_error() {
    let device = Device::new("D1");
    let good = item(&device.certificate);
    let long = "A".repeat((64 << 10) + 1);
    let source = ProxyHeader::client_cert(&issuers(), networks()).unwrap();
    let read = async |headers: &[(&str, &str)]| {
        cause(source.identify(&through("10.0.0.1", headers), now()).await)
    };
    for value in [
        good.trim_matches(':'),
        "::",
        ":",
        ":*:",
        "\"text\"",
        &format!("{good};a=1"),
        &format!("{good}, {good}"),
    ] {
        let error = read(&[("client-cert", value)]).await;
        assert!(
            matches!(error, CertificateError::Syntax(_)),
            "{value}: {error}"
        );
    }
    let error = read(&[("client-cert", ":AAAA:")]).await;
    assert!(matches!(error, CertificateError::Unreadable(_)), "{error}");
    let error = read(&[("client-cert", &long)]).await;
    assert!(matches!(error, CertificateError::TooLong { .. }), "{error}");
    // Somebody wrote one before the proxy did.
    let error = read(&[("client-cert", &good), ("client-cert", &good)]).await;
    assert!(matches!(error, CertificateError::Repeated(_)), "{error}");
    let chain = [good.as_str(); 9].join(", ");
    let error = read(&[("client-cert", &good), ("client-cert-chain", &chain)]).await;
    assert!(
        matches!(error, CertificateError::TooManyCertificates { .. }),
        "{error}"
    );

    let source = ProxyHeader::pem("x-client-cert".parse().unwrap(), &issuers(), networks());
    let source = source.unwrap();
    for value in [
        "%2D",
        "-----BEGIN%20CERTIFICATE-----",
        "AAAA",
        "%FF%FE",
        ",",
    ] {
        let told = through("10.0.0.1", &[("x-client-cert", value)]);
        let error = cause(source.identify(&told, now()).await);
        assert!(
            matches!(error, CertificateError::Unreadable(_)),
            "{value}: {error}"
        );
    }

    let source = ProxyHeader::envoy(&issuers(), networks()).unwrap();
    for value in ["Cert=\"abc", "Cert=a;Cert=b"] {
        let told = through("10.0.0.1", &[("x-forwarded-client-cert", value)]);
        let error = cause(source.identify(&told, now()).await);
        assert!(
            matches!(error, CertificateError::Syntax(_)),
            "{value}: {error}"
        );
    }
    let told = through(
        "10.0.0.1",
        &[("x-forwarded-client-cert", "Hash=abc;Subject=\"\"")],
    );
    let none = source.identify(&told, now()).await;
    assert!(matches!(none, Err(IdentityError::Missing)), "{none:?}");
}

#[tokio::test]
async fn a_chain_leads_to_the_issuer_in_every_form() {
    let root = Authority::new("Root");
    let sub = root.below("Issuing CA");
    let device = Device::issued_by(&sub, "D1");
    let (leaf, between) = (&device.certificate, &sub.certificate);
    let issuers = [root.certificate.clone()];
    let pem = escaped(&format!("{}{}", leaf.to_pem(), between.to_pem()));
    let chain = format!(
        "By=x;Hash={};Cert=\"{}\";Chain=\"{pem}\"",
        hash(leaf),
        escaped(&leaf.to_pem())
    );
    let commas = [leaf, between].map(|found| STANDARD.encode(found.to_der()));
    let header = |name: &str| name.parse::<HeaderName>().unwrap();
    for (source, headers) in [
        (
            ProxyHeader::client_cert(&issuers, networks()),
            vec![
                ("client-cert", item(leaf)),
                ("client-cert-chain", item(between)),
            ],
        ),
        (
            ProxyHeader::pem(header("x-pem"), &issuers, networks()),
            vec![("x-pem", pem)],
        ),
        (
            ProxyHeader::pem(header("x-pem"), &issuers, networks()),
            vec![("x-pem", commas.join(","))],
        ),
        (
            ProxyHeader::envoy(&issuers, networks()),
            vec![("x-forwarded-client-cert", chain)],
        ),
    ] {
        let source = source.unwrap();
        let all: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let found = source
            .identify(&through("10.0.0.1", &all), now())
            .await
            .unwrap();
        assert_eq!(&found, leaf);
    }
    // Without what stands between.
    let source = ProxyHeader::client_cert(&issuers, networks()).unwrap();
    let told = through("10.0.0.1", &[("client-cert", &item(leaf))]);
    assert!(source.identify(&told, now()).await.is_err());
    let mut shown = request();
    let chain = vec![between.clone()];
    shown
        .extensions_mut()
        .insert(PeerCertificate::with_chain(leaf.clone(), chain));
    let tls = MutualTls::new(&issuers).unwrap();
    assert_eq!(&tls.identify(&shown, now()).await.unwrap(), leaf);
}

#[tokio::test]
async fn of_envoys_elements_that_of_our_outermost_proxy_counts() {
    let (device, edge, forged) = (Device::new("D1"), Device::new("edge"), Device::new("D9"));
    let told = async |proxies: usize, parts: &[String]| {
        let source = ProxyHeader::envoy(&issuers(), networks())
            .unwrap()
            .proxies(proxies);
        let value = parts.join(",");
        let one = through("10.0.0.1", &[("x-forwarded-client-cert", &value)]);
        let parts = parts
            .iter()
            .map(|part| ("x-forwarded-client-cert", &**part));
        let several = through("10.0.0.1", &parts.collect::<Vec<_>>());
        let found = source.identify(&one, now()).await;
        let again = source.identify(&several, now()).await;
        assert_eq!(found.as_ref().ok(), again.as_ref().ok());
        found
    };
    // What the edge saw, and what the inner proxy saw of the edge.
    let both = [xfcc(&device), xfcc(&edge)];
    assert_eq!(told(2, &both).await.unwrap(), device.certificate);
    for proxies in [0, 1] {
        let found = told(proxies, &both[..1]).await;
        assert_eq!(found.unwrap(), device.certificate);
    }
    // One too few or too many: a proxy did not write what it should, or a client wrote too.
    let appended = [xfcc(&forged), xfcc(&device), xfcc(&edge)];
    for (proxies, parts) in [(2, &both[..1]), (1, &both), (2, &appended), (0, &both)] {
        let error = cause(told(proxies, parts).await);
        assert!(matches!(error, CertificateError::Syntax(_)), "{error}");
    }
}

/// A client's certificate has a URI that Envoy writes as it stands.
#[tokio::test]
async fn a_certificate_that_brings_elements_and_pairs_of_envoys_header_is_refused() {
    let (victim, attacker) = (Device::new("D1"), Device::new("D2"));
    let source = ProxyHeader::envoy(&issuers(), networks()).unwrap();
    let cert = escaped(&victim.certificate.to_pem());
    let whole = xfcc_of(&attacker, &format!("urn:x,{}", xfcc(&victim)));
    let pairs = xfcc_of(&attacker, &format!("urn:x;Cert=\"{cert}\""));
    let with_hash = |uri: &str| format!("By=y;Hash={};URI={uri}", hash(&attacker.certificate));
    for value in [
        whole,
        pairs,
        // Envoy is not set to write `Cert`.
        with_hash(&format!("urn:x;Cert=\"{cert}\"")),
        with_hash(&format!("urn:x;Chain=\"{cert}\"")),
        with_hash(&format!(
            "urn:x;Hash={};Cert=\"{cert}\"",
            hash(&victim.certificate)
        )),
        format!("By=y;Cert=\"{cert}\""),
    ] {
        let told = through("10.0.0.1", &[("x-forwarded-client-cert", &value)]);
        let error = cause(source.identify(&told, now()).await);
        assert!(
            matches!(error, CertificateError::Syntax(_)),
            "{value}: {error}"
        );
    }
}

/// As `url.QueryEscape` of Go writes it, and proxies and load balancers built with it.
#[tokio::test]
async fn pem_that_was_escaped_as_for_a_query_is_read_and_other_plus_signs_stay_digits() {
    let source = ProxyHeader::pem("x-client-cert".parse().unwrap(), &issuers(), networks());
    let source = source.unwrap();
    // Certificates until some have each digit that differs.
    for n in 0..8 {
        let device = Device::new(&format!("D{n}"));
        let pem = device.certificate.to_pem();
        let query = escaped(&pem).replace("%20", "+");
        assert!(query.starts_with("-----BEGIN+CERTIFICATE-----%0A"));
        // AWS escapes all but these.
        let literal = escaped(&pem)
            .replace("%2B", "+")
            .replace("%2F", "/")
            .replace("%3D", "=");
        for value in [query, literal] {
            let request = through("10.0.0.1", &[("x-client-cert", &value)]);
            let found = source.identify(&request, now()).await.unwrap();
            assert_eq!(found, device.certificate, "{value}");
        }
    }
}

#[tokio::test]
async fn what_stands_for_no_value_is_no_proof() {
    let device = Device::new("D1");
    let pem = || ProxyHeader::pem("x-client-cert".parse().unwrap(), &issuers(), networks());
    let signature = || MdmSignature::new(issuers()).unwrap();
    let source = Either(pem().unwrap(), signature());
    for nothing in ["(null)", "-", "", " "] {
        let mut unsigned = through("10.0.0.1", &[("x-client-cert", nothing)]);
        let mut signed = device.request(CHECK_IN, "body");
        signed
            .extensions_mut()
            .extend(unsigned.extensions().clone());
        let value = HeaderValue::from_static(nothing);
        signed.headers_mut().insert("x-client-cert", value.clone());
        let found = source.identify(&signed, now()).await.unwrap();
        assert_eq!(found, device.certificate, "{nothing:?}");
        unsigned.headers_mut().insert("mdm-signature", value);
        let missing = source.identify(&unsigned, now()).await;
        assert!(
            matches!(missing, Err(IdentityError::Missing)),
            "{nothing:?} {missing:?}"
        );
        // A proxy that tells the certificate, and an empty signature beside it.
        let pem = escaped(&device.certificate.to_pem());
        unsigned
            .headers_mut()
            .insert("x-client-cert", pem.parse().unwrap());
        let found = source.identify(&unsigned, now()).await.unwrap();
        assert_eq!(found, device.certificate, "{nothing:?}");
    }
}

#[tokio::test]
async fn two_proofs_have_to_be_of_one_certificate() {
    let (device, other) = (Device::new("D1"), Device::new("D2"));
    let foreign = Device::issued_by(&Authority::new("Device CA"), "D1");
    let shown = |signer: Option<&Device>, tls: Option<&Device>| {
        let mut request = match signer {
            Some(signer) => signer.request(CHECK_IN, "body"),
            None => Request::put("/mdm").body(Bytes::from("body")).unwrap(),
        };
        if let Some(tls) = tls {
            let shown = PeerCertificate::new(tls.certificate.clone());
            request.extensions_mut().insert(shown);
        }
        request
    };
    let signature = || MdmSignature::new(issuers()).unwrap();
    let tls = || MutualTls::new(&issuers()).unwrap();
    let both = Both(signature(), tls());
    let either = Either(signature(), tls());
    for (signer, peer, both_hold, one_holds) in [
        (Some(&device), Some(&device), true, true),
        (Some(&device), None, false, true),
        (None, Some(&device), false, true),
        (None, None, false, false),
        (Some(&device), Some(&other), false, false),
        // A proof that fails is not made good by the other.
        (Some(&foreign), Some(&device), false, false),
        (Some(&device), Some(&foreign), false, false),
    ] {
        let request = shown(signer, peer);
        let found = both.identify(&request, now()).await;
        assert_eq!(found.is_ok(), both_hold);
        let found = either.identify(&request, now()).await;
        assert_eq!(found.is_ok(), one_holds);
    }
    let disagreement = both
        .identify(&shown(Some(&device), Some(&other)), now())
        .await;
    assert!(matches!(disagreement, Err(IdentityError::Disagreement)));
    let missing = either.identify(&shown(None, None), now()).await;
    assert!(matches!(missing, Err(IdentityError::Missing)));
}

#[tokio::test]
async fn a_device_enrols_and_reports_behind_a_proxy_without_signing_anything() {
    let source = ProxyHeader::client_cert(&issuers(), networks()).unwrap();
    let service = Service::builder(Shared::default(), ManualClock::new(now()), source).build();
    let (device, other) = (Device::new("D1"), Device::new("D2"));
    let send = async |certificate: &Certificate, kind: &'static str, keys: &str| {
        let mut request = through("10.0.0.1", &[("client-cert", &item(certificate))]);
        let kind = HeaderValue::from_static(kind);
        request.headers_mut().insert("content-type", kind);
        *request.body_mut() = device.plist(keys).into();
        service.handle(request).await
    };
    for keys in [authenticate(), token_update("")] {
        let answer = send(&device.certificate, CHECK_IN, &keys).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
    enqueue(&service, &device.id(), "c-1").await;
    let answer = send(&device.certificate, REPORT, IDLE).await;
    assert_eq!(offered(&answer).as_deref(), Some("c-1"));
    let stolen = send(&other.certificate, REPORT, IDLE).await;
    assert_eq!(stolen.status(), StatusCode::FORBIDDEN);
    let direct = device.report(&service, IDLE).await;
    assert_eq!(direct.status(), StatusCode::BAD_REQUEST);
}

/// Whatever is done to a header, it names the device or nobody.
#[tokio::test]
async fn a_damaged_header_names_nobody_else() {
    let device = Device::new("D1");
    for (source, header) in sources() {
        let (name, value) = header(&device);
        for step in 0..200 {
            let mut bytes = value.clone().into_bytes();
            let at = step * 7919 % bytes.len();
            match step % 4 {
                0 => bytes[at] = b"%\",;:= A"[step / 4 % 8],
                1 => bytes.truncate(at),
                2 => drop(bytes.remove(at)),
                _ => bytes.extend_from_within(at..),
            }
            let mut request = through("10.0.0.1", &[]);
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                request.headers_mut().insert(name, value);
            }
            if let Ok(found) = source.identify(&request, now()).await {
                assert_eq!(found, device.certificate, "{name} {step}");
            }
        }
    }
}
