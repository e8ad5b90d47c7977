//! A device with an identity of its own, and a service for it to speak to.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, Response, StatusCode};
use mdm_core::ManualClock;
use mdm_pki::{
    Certificate, CertificateBuilder, DigestAlgorithm, GeneralName, KeySpec, Name, PrivateKey,
    cms::SignedDataBuilder,
};
use mdm_protocol::{
    Command, EnrollmentId,
    command::{DeviceInformation, Query},
    signature::encode_header,
};
use mdm_service::{
    Builder, Enrollment, Event, Invitation, MdmSignature, MemoryStore, Service,
    store::{EnrollmentStore, InvitationStore, Outbox},
};

pub(crate) const CHECK_IN: &str = "application/x-apple-aspen-mdm-checkin";
pub(crate) const REPORT: &str = "application/x-apple-aspen-mdm; charset=UTF-8";

/// One store that a test can look into while the service uses it.
pub(crate) type Shared = Arc<MemoryStore>;

pub(crate) fn now() -> DateTime<Utc> {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    pub(crate) key: PrivateKey,
}

/// The authority that the service trusts.
pub(crate) static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::new("Device CA"));

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let certificate = CertificateBuilder::new(Name::from_common_name(name), key.public_key())
            .validity(now() - TimeDelta::days(1), now() + TimeDelta::days(365))
            .ca(Some(1))
            .self_signed(&key)
            .unwrap();
        Self { certificate, key }
    }

    /// An authority that this one certifies.
    pub(crate) fn below(&self, name: &str) -> Self {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let certificate = CertificateBuilder::new(Name::from_common_name(name), key.public_key())
            .validity(now() - TimeDelta::days(1), now() + TimeDelta::days(365))
            .ca(Some(0))
            .sign(&self.certificate, &self.key)
            .unwrap();
        Self { certificate, key }
    }

    fn issue(&self, subject: Name, key: &PrivateKey, san: Option<GeneralName>) -> Certificate {
        let mut builder = CertificateBuilder::new(subject, key.public_key())
            .validity(now() - TimeDelta::hours(1), now() + TimeDelta::days(30));
        if let Some(san) = san {
            builder = builder.san(san);
        }
        builder.sign(&self.certificate, &self.key).unwrap()
    }
}

pub(crate) struct Device {
    pub(crate) udid: String,
    pub(crate) certificate: Certificate,
    pub(crate) key: PrivateKey,
}

impl Device {
    pub(crate) fn new(udid: &str) -> Self {
        Self::issued_by(&AUTHORITY, udid)
    }

    pub(crate) fn issued_by(authority: &Authority, udid: &str) -> Self {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        Self {
            udid: udid.to_owned(),
            certificate: authority.issue(Name::from_common_name(udid), &key, None),
            key,
        }
    }

    /// The same device with another identity of the same authority.
    pub(crate) fn renewed(&self, name: &str, san: Option<GeneralName>) -> Self {
        self.renewed_as(Name::from_common_name(name), san)
    }

    pub(crate) fn renewed_as(&self, subject: Name, san: Option<GeneralName>) -> Self {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        Self {
            udid: self.udid.clone(),
            certificate: AUTHORITY.issue(subject, &key, san),
            key,
        }
    }

    pub(crate) fn id(&self) -> EnrollmentId {
        EnrollmentId::device(&self.udid).unwrap()
    }

    pub(crate) fn user(&self, user: &str) -> EnrollmentId {
        format!("user:{}:{user}", self.udid).parse().unwrap()
    }

    pub(crate) fn signature(&self, body: &[u8]) -> String {
        let cms = SignedDataBuilder::new(body)
            .detached()
            .signer(&self.certificate, DigestAlgorithm::Sha256)
            .sign(&self.key)
            .unwrap();
        encode_header(&cms)
    }

    /// A request with these bytes, signed.
    pub(crate) fn request(&self, content_type: &str, body: impl Into<Vec<u8>>) -> Request<Bytes> {
        let body = body.into();
        Request::put("/mdm")
            .header("Content-Type", content_type)
            .header("Mdm-Signature", self.signature(&body))
            .body(Bytes::from(body))
            .unwrap()
    }

    /// A dictionary with these keys and the device's UDID.
    pub(crate) fn plist(&self, keys: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><plist version=\"1.0\"><dict>\
             <key>UDID</key><string>{}</string>{keys}</dict></plist>",
            self.udid
        )
    }

    pub(crate) async fn check_in(&self, service: &Service, keys: &str) -> Response<Bytes> {
        let request = self.request(CHECK_IN, self.plist(keys));
        service.handle(request).await
    }

    pub(crate) async fn report(&self, service: &Service, keys: &str) -> Response<Bytes> {
        let request = self.request(REPORT, self.plist(keys));
        service.handle(request).await
    }

    /// `Authenticate` and `TokenUpdate`.
    pub(crate) async fn enroll(&self, service: &Service) {
        for keys in [authenticate(), token_update("")] {
            let response = self.check_in(service, &keys).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert!(response.body().is_empty());
        }
    }

    /// A user's `TokenUpdate`.
    pub(crate) async fn log_in(&self, service: &Service, user: &str) {
        let response = self.check_in(service, &token_update(&user_id(user))).await;
        assert_eq!(response.status(), StatusCode::OK);
    }

    /// Which command is offered after an `Idle`.
    pub(crate) async fn idle(&self, service: &Service) -> Option<String> {
        offered(&self.report(service, IDLE).await)
    }

    /// Which command is offered after an answer with this status.
    pub(crate) async fn answer(
        &self,
        service: &Service,
        uuid: &str,
        status: &str,
    ) -> Option<String> {
        offered(&self.report(service, &result(uuid, status)).await)
    }
}

/// `Authenticate` with this serial number, by a profile with this invitation; none if it is empty.
pub(crate) async fn authenticate_as(
    device: &Device,
    service: &Service,
    serial_number: &str,
    invitation: &str,
) -> Response<Bytes> {
    let keys = authenticate().replace("C02SERVICE", serial_number);
    let mut request = device.request(CHECK_IN, device.plist(&keys));
    *request.uri_mut() = format!("/mdm?invitation={invitation}").parse().unwrap();
    service.handle(request).await
}

/// Has whoever names it enrol within an hour.
pub(crate) async fn invite(store: &Shared, name: &str, edit: impl FnOnce(&mut Invitation)) {
    let invitation = Invitation::new(name, now(), now() + TimeDelta::hours(1)).with(edit);
    store.invite(invitation).await.unwrap();
}

pub(crate) const IDLE: &str = "<key>Status</key><string>Idle</string>";

const TOPIC: &str = "<key>Topic</key><string>com.apple.mgmt.External.acme</string>";

pub(crate) fn user_id(user: &str) -> String {
    format!("<key>UserID</key><string>{user}</string>")
}

pub(crate) fn authenticate() -> String {
    format!(
        "<key>MessageType</key><string>Authenticate</string>{TOPIC}\
         <key>SerialNumber</key><string>C02SERVICE</string>"
    )
}

pub(crate) fn token_update(more: &str) -> String {
    format!(
        "<key>MessageType</key><string>TokenUpdate</string>{TOPIC}\
         <key>Token</key><data>aHVudGVyMg==</data>\
         <key>PushMagic</key><string>hunter2</string>{more}"
    )
}

pub(crate) fn check_out(more: &str) -> String {
    format!("<key>MessageType</key><string>CheckOut</string>{TOPIC}{more}")
}

pub(crate) fn message(message_type: &str, more: &str) -> String {
    format!("<key>MessageType</key><string>{message_type}</string>{more}")
}

pub(crate) fn result(uuid: &str, status: &str) -> String {
    format!(
        "<key>CommandUUID</key><string>{uuid}</string><key>Status</key><string>{status}</string>"
    )
}

pub(crate) fn offered(response: &Response<Bytes>) -> Option<String> {
    assert_eq!(response.status(), StatusCode::OK);
    if response.body().is_empty() {
        return None;
    }
    let command = Command::decode(response.body()).unwrap();
    Some(command.command_uuid().to_owned())
}

pub(crate) fn builder(store: &Shared) -> Builder {
    let identity = MdmSignature::new(vec![AUTHORITY.certificate.clone()]).unwrap();
    Service::builder(Arc::clone(store), ManualClock::new(now()), identity)
}

/// A service on an empty store, and the store.
pub(crate) fn service() -> (Service, Shared) {
    let store = Shared::default();
    (builder(&store).build(), store)
}

pub(crate) async fn state(store: &Shared, id: &EnrollmentId) -> Enrollment {
    store.enrollment(id).await.unwrap().unwrap()
}

pub(crate) async fn enqueue(service: &Service, id: &EnrollmentId, uuid: &str) {
    let command = Command::new(uuid, &DeviceInformation::new([Query::OsVersion]));
    let answer = service.enqueue(id, &command).await.unwrap();
    assert!(matches!(answer, mdm_service::queue::Enqueued::Queued(_)));
}

/// Has the store keep what happens from now on.
pub(crate) async fn listen(store: &Shared) {
    assert!(store.subscribe("test").await.unwrap());
}

/// What happened since.
pub(crate) async fn told(store: &Shared) -> Vec<Event> {
    let events = store.events("test", 100).await.unwrap();
    events.into_iter().map(|(_, event)| event).collect()
}
