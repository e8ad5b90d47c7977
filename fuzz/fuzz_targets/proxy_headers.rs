//! Any bytes as what a trusted proxy says of the certificate that a device showed: RFC 9440, nginx, Envoy; from the
//! start, and as what such a proxy wrote with parts exchanged. Whatever is written there names the device or nobody.
#![no_main]

use std::sync::OnceLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use mdm_fuzz::spliced;
use mdm_pki::{Certificate, CertificateBuilder, DigestAlgorithm, KeySpec, Name, PrivateKey};
use mdm_service::{
    IdentitySource as _,
    identity::{Network, Peer, ProxyHeader},
};

const CLIENT_CERT: &str = "client-cert";
const CHAIN: &str = "client-cert-chain";
const NGINX: &str = "x-client-cert";
const ENVOY: &str = "x-forwarded-client-cert";

/// A source, the header that it reads first, and what a proxy writes there.
type Form = (ProxyHeader, &'static str, String);

struct World {
    now: DateTime<Utc>,
    device: Certificate,
    authority: Certificate,
    forms: Vec<Form>,
}

fuzz_target!(|data: &[u8]| {
    let world = world();
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    let (source, name, genuine) = &world.forms[usize::from(mode >> 4) % world.forms.len()];
    let mut headers = Vec::new();
    match mode % 4 {
        0 => headers.push((*name, data.to_vec())),
        1 => headers.push((*name, spliced(genuine.as_bytes(), data))),
        // Several of one name, and what stands beside it.
        2 => {
            let values = data.split(|byte| *byte == 0xff);
            headers.extend(values.map(|value| (*name, value.to_vec())));
        }
        _ => {
            let chain = world.forms[0].2.as_bytes();
            headers.push((*name, genuine.as_bytes().to_vec()));
            headers.push((CHAIN, spliced(chain, data)));
        }
    }
    if let Some(found) = world.identify(source, headers) {
        let is_known = found == world.device || found == world.authority;
        assert!(is_known, "a certificate of nobody's");
    }
});

impl World {
    fn new() -> Self {
        let now: DateTime<Utc> = DateTime::from_timestamp(1_780_000_000, 0).expect("a time");
        let key = || PrivateKey::generate(KeySpec::P256).expect("a key");
        let (authority_key, key) = (key(), key());
        let begin = |name, key: &PrivateKey| {
            CertificateBuilder::new(Name::from_common_name(name), key.public_key())
                .validity(now, now + TimeDelta::days(1))
        };
        let authority = begin("Authority", &authority_key).ca(None);
        let authority = authority.self_signed(&authority_key).expect("an authority");
        let device = begin("Device", &key).sign(&authority, &authority_key);
        let device = device.expect("a certificate");

        let issuers = [authority.clone()];
        let trusted = || [Network::from(std::net::IpAddr::from([127, 0, 0, 1]))];
        let pem = |certificate: &Certificate| {
            let pem = certificate.to_pem();
            let escape = |byte: u8| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                other => format!("%{other:02X}"),
            };
            pem.bytes().map(escape).collect::<String>()
        };
        let nginx = pem(&device);
        let hash = device.fingerprint(DigestAlgorithm::Sha256).expect("a hash");
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let envoy = format!("By=spiffe://x/y;Hash={hash};Cert=\"{nginx}\";Subject=\"CN=a\\\"b;c\"");
        let chain = format!("{envoy};Chain=\"{nginx}{}\"", pem(&authority));
        let base64 = STANDARD.encode(device.to_der());
        let source = |source: Result<ProxyHeader, mdm_pki::Error>| source.expect("a source");
        let header = HeaderName::from_static(NGINX);
        let forms = vec![
            (
                source(ProxyHeader::client_cert(&issuers, trusted())),
                CLIENT_CERT,
                format!(":{base64}:"),
            ),
            (
                source(ProxyHeader::pem(header.clone(), &issuers, trusted())),
                NGINX,
                nginx,
            ),
            (
                source(ProxyHeader::pem(header, &issuers, trusted())),
                NGINX,
                base64,
            ),
            (
                source(ProxyHeader::envoy(&issuers, trusted())),
                ENVOY,
                chain.clone(),
            ),
            (
                source(ProxyHeader::envoy(&issuers, trusted())).proxies(2),
                ENVOY,
                format!("{chain},{envoy}"),
            ),
        ];
        let world = Self {
            now,
            device,
            authority,
            forms,
        };
        for (source, name, genuine) in &world.forms {
            let found = world.identify(source, vec![(*name, genuine.clone().into_bytes())]);
            assert!(found == Some(world.device.clone()), "{name}");
        }
        world
    }

    /// Whom these headers name.
    fn identify(
        &self,
        source: &ProxyHeader,
        headers: Vec<(&'static str, Vec<u8>)>,
    ) -> Option<Certificate> {
        let mut request = Request::new(Bytes::new());
        let peer = Peer(([127, 0, 0, 1], 443).into());
        request.extensions_mut().insert(peer);
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(&value).ok()?;
            let name = HeaderName::from_static(name);
            request.headers_mut().append(name, value);
        }
        let found = source.identify(&request, self.now).now_or_never();
        found.expect("nothing is waited for").ok()
    }
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::new)
}
