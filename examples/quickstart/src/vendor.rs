//! The vendor's server: three routes over the crates of the family, and the state behind them.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use mdm_sdk::{
    apns,
    core::{SystemClock, Topic},
    pki::{Certificate, Identity, KeySpec, Name, PrivateKey},
    profiles::{EnrollmentProfile, MdmSettings, Namespace, payload::scep::ScepContent, sign},
    protocol::enroll::DeviceAuthorities,
    push::{ApnsConnections, ApnsPusher},
    scep::{self, EmbeddedCa, OneTime, Responder},
    service::{MdmSignature, Service},
    storage::sqlite::SqliteStore,
};

use crate::step::Reason;

/// How long the certificate authority lasts.
const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What the server needs from outside.
pub(crate) struct Setup<'a> {
    pub(crate) state: &'a Path,
    pub(crate) device_ca: Certificate,
    pub(crate) web_root: Certificate,
    pub(crate) profile_signer: Identity,
    pub(crate) push: apns::PushCertificate,
    pub(crate) push_service: apns::Config,
}

/// The server.
pub(crate) struct Vendor {
    pub(crate) service: Service,
    pub(crate) challenges: OneTime,
    pub(crate) ca: Identity,
    scep: scep::Server,
    device_authorities: DeviceAuthorities,
    web_root: Certificate,
    profile_signer: Identity,
    topic: Topic,
    url: OnceLock<String>,
}

impl Vendor {
    /// Opens the state, makes the certificate authority for device identities, and puts the parts
    /// together. The connections have to be run for pushes to move.
    pub(crate) async fn new(setup: Setup<'_>) -> Result<(Self, ApnsConnections), Reason> {
        let clock = Arc::new(SystemClock);
        let key = PrivateKey::generate(KeySpec::Rsa2048)?;
        let root = scep::ca::root(
            Name::from_common_name("Example Device Identities"),
            &key,
            scep::ca::RootUse::Alone,
            TEN_YEARS,
            chrono::Utc::now(),
        )?;
        let issued = Arc::new(scep::MemoryStore::new());
        let authority = EmbeddedCa::new(vec![root.clone()], Arc::new(key.clone()), issued.clone())?;
        let challenges = OneTime::new(issued);
        let scep = scep::Server::builder(
            Arc::new(authority),
            Responder::local(root.clone(), key.clone())?,
            Arc::new(challenges.clone()),
            clock.clone(),
        )
        .build()?;

        let topic = setup.push.topic().clone();
        let (pusher, connections) = ApnsPusher::new(&setup.push_service, [setup.push])?;
        let store = SqliteStore::open(setup.state).await?;
        let service = Service::builder(store, clock, MdmSignature::new(vec![root.clone()])?)
            .pusher(pusher)
            .build();

        let vendor = Self {
            service,
            challenges,
            ca: Identity::new(root, Vec::new(), key)?,
            scep,
            device_authorities: DeviceAuthorities::new(vec![setup.device_ca])?,
            web_root: setup.web_root,
            profile_signer: setup.profile_signer,
            topic,
            url: OnceLock::new(),
        };
        Ok((vendor, connections))
    }

    /// Says where the server can be reached, once it is known.
    pub(crate) fn opened_at(&self, url: String) {
        self.url.get_or_init(|| url);
    }

    /// Where a device asks for its enrolment profile.
    pub(crate) fn enrollment_url(&self) -> String {
        format!("{}/enroll", self.base())
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        match (request.method(), request.uri().path()) {
            (&Method::POST, "/enroll") => self.enroll(request.body()).await,
            (_, "/scep") => self.scep.handle(request).await,
            (_, "/mdm") => self.service.handle(request).await,
            _ => status(StatusCode::NOT_FOUND),
        }
    }

    /// The enrolment profile for a device that proves to be one.
    async fn enroll(&self, machine_info: &[u8]) -> Response<Bytes> {
        let now = chrono::Utc::now();
        let Ok(device) = self.device_authorities.verify(machine_info, now) else {
            return status(StatusCode::FORBIDDEN);
        };
        let Some(serial) = device.info.serial else {
            return status(StatusCode::BAD_REQUEST);
        };
        match self.profile(serial.as_str()).await {
            Ok(profile) => {
                let mut response = Response::new(profile.into());
                let kind = header::HeaderValue::from_static("application/x-apple-aspen-config");
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                response
            }
            Err(_) => status(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    async fn profile(&self, serial: &str) -> Result<Vec<u8>, Reason> {
        let now = chrono::Utc::now();
        let bound = scep::Bound::common_name(serial);
        let challenge = self.challenges.issue(serial, bound, now).await?;
        let scep = ScepContent::rsa_2048(format!("{}/scep", self.base()))
            .common_name(serial)
            .with(|scep| scep.challenge = Some(challenge));
        let mdm = MdmSettings::new(format!("{}/mdm", self.base()), self.topic.clone());
        let namespace = Namespace::new("quickstart.example");
        let profile = EnrollmentProfile::new("example.quickstart.mdm", namespace, mdm, scep)
            .with(|profile| profile.display_name = Some("Example Enrolment".to_owned()))
            .root(&self.web_root)
            .build()?;
        Ok(sign::sign(&profile, &self.profile_signer, now)?)
    }

    fn base(&self) -> &str {
        self.url.get().map_or("", String::as_str)
    }
}

fn status(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}
