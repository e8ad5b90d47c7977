//! The ways in: from a device's first request to its `Authenticate`.

use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;
use http::{Request, Response, StatusCode};
use mdm_core::{ManualClock, Secret};
use mdm_pki::{
    Certificate, CertificateBuilder, DigestAlgorithm, KeySpec, Name, PrivateKey,
    cms::SignedDataBuilder,
};
use mdm_protocol::enroll::{DeviceAuthorities, DiscoveryQuery, DiscoveryVersion, MachineInfo};
use mdm_service::{
    Account, Admission, AdmissionPolicy, Applicant, Denial, DenialReason, Grant, MdmSignature,
    Service, Unavailable,
    entry::{
        AccountDriven, Discovered, IdentityProfileRequest, Portal, PortalBuilder, ProfileRequest,
        ProfileServiceRequest, ProfileSource, SignIn, TicketKeys, Urls, Visit,
    },
};

use crate::device::*;

mod account;
mod automated;
mod link;
mod ota;

/// Apple's authority for devices, as it is: RSA-1024, SHA-1, expired long ago (Q2).
static APPLE: LazyLock<(Certificate, PrivateKey)> = LazyLock::new(|| {
    let key = PrivateKey::generate(KeySpec::Rsa1024).unwrap();
    let past = now() - TimeDelta::days(5000);
    let certificate =
        CertificateBuilder::new(Name::from_common_name("iPhone Device CA"), key.public_key())
            .validity(past, past + TimeDelta::days(365))
            .ca(Some(0))
            .signature_algorithm(sha1(&key))
            .self_signed(&key)
            .unwrap();
    (certificate, key)
});

fn sha1(key: &PrivateKey) -> mdm_pki::SignatureAlgorithm {
    let mut all = key.algorithms().iter();
    *all.find(|algorithm| algorithm.digest() == DigestAlgorithm::Sha1)
        .unwrap()
}

/// A device as it leaves the factory: with a certificate of Apple's.
struct Genuine {
    certificate: Certificate,
    key: PrivateKey,
}

static GENUINE: LazyLock<Genuine> = LazyLock::new(|| {
    let (authority, authority_key) = &*APPLE;
    let key = PrivateKey::generate(KeySpec::Rsa1024).unwrap();
    let past = now() - TimeDelta::days(4000);
    let certificate = CertificateBuilder::new(Name::from_common_name("device"), key.public_key())
        .validity(past, past + TimeDelta::days(30))
        .signature_algorithm(sha1(authority_key))
        .sign(authority, authority_key)
        .unwrap();
    Genuine { certificate, key }
});

fn info(serial: &str) -> MachineInfo {
    MachineInfo::default().with(|info| {
        info.serial = serial.parse().ok();
        info.udid = format!("UDID-{serial}").parse().ok();
        info.product = Some("iPhone14,2".into());
        info.os_version = Some("18.1".into());
    })
}

/// What such a device signs.
fn signed(info: &MachineInfo) -> Vec<u8> {
    SignedDataBuilder::new(&info.to_xml().unwrap())
        .signer(&GENUINE.certificate, DigestAlgorithm::Sha1)
        .without_signed_attributes()
        .sign(&GENUINE.key)
        .unwrap()
}

fn post(url: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post(url).body(body.into()).unwrap()
}

fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

/// Makes profiles that tell what they were made for.
#[derive(Debug)]
struct Profiles;

#[async_trait]
impl ProfileSource for Profiles {
    async fn enrollment_profile(&self, request: &ProfileRequest<'_>) -> Result<Bytes, Unavailable> {
        let variables = request.variables();
        let body = serde_json::json!({
            "check_in": request.check_in_url,
            "server": request.server_url,
            "variables": variables,
        });
        Ok(body.to_string().into())
    }

    async fn profile_service(
        &self,
        request: &ProfileServiceRequest,
    ) -> Result<Option<Bytes>, Unavailable> {
        let body = serde_json::json!({
            "URL": request.url,
            "Challenge": request.challenge.expose(),
        });
        Ok(Some(body.to_string().into()))
    }

    async fn identity_profile(
        &self,
        request: &IdentityProfileRequest<'_>,
    ) -> Result<Option<Bytes>, Unavailable> {
        let name = request.common_name().unwrap();
        Ok(Some(format!("identity for {name}").into()))
    }
}

/// The vendor's page and directory.
#[derive(Debug, Default, Clone)]
struct Pages {
    visits: Arc<Mutex<Vec<Visit>>>,
}

#[async_trait]
impl SignIn for Pages {
    async fn page(&self, visit: &Visit) -> Result<Response<Bytes>, Unavailable> {
        self.visits.lock().unwrap().push(visit.clone());
        Ok(Response::new("sign in".into()))
    }

    async fn account(&self, token: &Secret<String>) -> Result<Option<Account>, Unavailable> {
        Ok((token.expose() == "token of anna").then(anna))
    }

    async fn discover(&self, query: &DiscoveryQuery) -> Result<Discovered, Unavailable> {
        Ok(match query.user_identifier.as_deref() {
            Some("boss@example.com") => Discovered::Here(DiscoveryVersion::Adde),
            Some("gone@example.com") => {
                let denial = Denial::new(DenialReason::NotAssigned);
                let denial = denial.with(|denial| denial.message = Some("You have left.".into()));
                Discovered::Refused(denial)
            }
            _ => Discovered::Default,
        })
    }
}

impl Pages {
    fn last(&self) -> Visit {
        self.visits.lock().unwrap().last().unwrap().clone()
    }
}

fn anna() -> Account {
    Account::new("anna").with(|account| {
        account.managed_apple_account = Some("anna@example.com".into());
        account.data = serde_json::json!({ "DEPARTMENT": "sales", "floor": 3 });
    })
}

/// What a test wants to have refused.
struct Refusing(fn(&Applicant) -> Option<Denial>);

impl std::fmt::Debug for Refusing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Refusing")
    }
}

#[async_trait]
impl AdmissionPolicy for Refusing {
    async fn admit(&self, applicant: &Applicant) -> Result<Admission, Unavailable> {
        Ok(match (self.0)(applicant) {
            Some(denial) => denial.into(),
            None => Grant::of(applicant).into(),
        })
    }
}

struct World {
    store: Shared,
    clock: Arc<ManualClock>,
    service: Service,
    portal: Portal,
    pages: Pages,
}

const PORTAL: &str = "https://mdm.example.com/enroll";

fn world_of(
    policy: impl AdmissionPolicy + 'static,
    edit: impl FnOnce(PortalBuilder) -> PortalBuilder,
) -> World {
    let store = Shared::default();
    let clock = Arc::new(ManualClock::new(now()));
    let identity = MdmSignature::new(vec![AUTHORITY.certificate.clone()]).unwrap();
    let service = Service::builder(Arc::clone(&store), Arc::clone(&clock), identity)
        .admission(policy)
        .build();
    let urls = Urls::new(PORTAL, "https://mdm.example.com/mdm").unwrap();
    let keys = TicketKeys::new(Secret::new(vec![1; 32]));
    let devices = DeviceAuthorities::new(vec![APPLE.0.clone()]).unwrap();
    let portal = Portal::builder(&service, Profiles, urls, keys).devices(devices);
    World {
        store,
        clock,
        service,
        portal: edit(portal).build(),
        pages: Pages::default(),
    }
}

/// Nobody is refused and nobody signs in.
fn world() -> World {
    world_of(Refusing(|_| None), |portal| portal)
}

/// Everybody signs in.
fn world_with_pages(policy: impl AdmissionPolicy + 'static) -> World {
    let pages = Pages::default();
    let world = world_of(policy, |portal| {
        portal
            .sign_in(pages.clone())
            .account_driven(AccountDriven::new(DiscoveryVersion::Byod))
    });
    World { pages, ..world }
}

/// The profile in a response.
fn profile(response: &Response<Bytes>) -> serde_json::Value {
    assert_eq!(response.status(), StatusCode::OK, "{:?}", response.body());
    assert_eq!(
        response.headers()["content-type"],
        "application/x-apple-aspen-config"
    );
    assert_eq!(response.headers()["cache-control"], "no-store");
    serde_json::from_slice(response.body()).unwrap()
}

/// The JSON of an error.
fn error(response: &Response<Bytes>) -> serde_json::Value {
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.headers()["content-type"], "application/json");
    serde_json::from_slice(response.body()).unwrap()
}

/// `Authenticate` as a device with this profile sends it.
async fn authenticate_with(
    world: &World,
    profile: &serde_json::Value,
    device: &Device,
) -> StatusCode {
    let mut request = device.request(CHECK_IN, device.plist(&authenticate()));
    *request.uri_mut() = profile["check_in"].as_str().unwrap().parse().unwrap();
    world.service.handle(request).await.status()
}
