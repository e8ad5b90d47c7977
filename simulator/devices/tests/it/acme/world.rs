//! A server of ACME behind TLS that expects devices, with an Apple that vouches for them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Request, Response};
use mdm_core::ManualClock;
use mdm_fake_apple::{
    attestation::AttestationAuthority, authority::Authority, http::Server as Web,
};
use mdm_pki::{
    Certificate, Identity, KeySpec, Name, PrivateKey,
    attestation::{Posture, Verdict, Verifier},
};
use mdm_plist::Dictionary;
use mdm_scep::{
    EmbeddedCa, MemoryStore,
    acme::{
        DeviceAuthorizer, DeviceIdentity, DeviceQuery, ExpectedDevice, MemoryAcmeStore, Server,
        attest::posture_fn,
    },
    ca::{RootUse, root},
    store::StoreError,
};
use mdm_simulator::{Activation, Attester, Device, DeviceCa, Hardware};
use mdm_transport::HttpTransport;
use mdm_transport_reqwest::ReqwestTransport;

use crate::server::{activation, signed, verified};

pub(crate) const CLIENT: &str = "7b9c1f0e";
pub(crate) const SERIAL: &str = "C02SIM000001";

/// The devices that are expected, by identifier.
#[derive(Debug, Default)]
struct Expected(Mutex<HashMap<String, ExpectedDevice>>);

#[async_trait]
impl DeviceAuthorizer for Expected {
    async fn expect(&self, query: &DeviceQuery<'_>) -> Result<Option<ExpectedDevice>, StoreError> {
        Ok(self.0.lock().unwrap().get(&query.identifier.value).cloned())
    }
}

pub(crate) struct World {
    pub(crate) now: DateTime<Utc>,
    pub(crate) apple: Arc<AttestationAuthority>,
    factory: DeviceCa,
    web: Authority,
    signer: Identity,
    /// What issues.
    pub(crate) ca: Certificate,
    pub(crate) store: Arc<MemoryStore>,
    expected: Arc<Expected>,
    pub(crate) received: Arc<Mutex<Vec<Dictionary>>>,
    transport: Arc<dyn HttpTransport>,
    pub(crate) socket: Web,
}

impl World {
    pub(crate) async fn new() -> Self {
        let now = Utc::now();
        let clock = Arc::new(ManualClock::new(now));
        let web = Authority::new("Web Root").unwrap();
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let year = Duration::from_secs(365 * 24 * 3600);
        let name = Name::from_common_name("Identities");
        let ca = root(name, &key, RootUse::BehindRa, year, now).unwrap();
        let store = Arc::new(MemoryStore::new());
        let issuing = EmbeddedCa::new(vec![ca.clone()], Arc::new(key), store.clone()).unwrap();
        let apple = Arc::new(AttestationAuthority::new(now).unwrap());
        let apple_root = Certificate::from_der(apple.root()).unwrap();
        let expected = Arc::new(Expected::default());

        // The server has to know its own port.
        let server = Arc::new(OnceLock::<Server>::new());
        let received = Arc::new(Mutex::new(Vec::new()));
        let (serving, seen, issuer) = (server.clone(), received.clone(), ca.clone());
        let handler = move |request: Request<Bytes>| {
            let (server, seen, issuer) = (serving.clone(), seen.clone(), issuer.clone());
            async move {
                if request.uri().path().starts_with("/acme/") {
                    return server.get().unwrap().handle(request).await;
                }
                let message = verified(&request, &issuer, now);
                seen.lock().unwrap().push(message);
                Response::new(Bytes::new())
            }
        };
        let identity = web.server_identity().unwrap();
        let socket = Web::start(Some(identity), handler).await.unwrap();
        let base = format!("{}/acme", socket.url());
        let built = Server::builder(
            Arc::new(issuing),
            store.clone(),
            Arc::new(MemoryAcmeStore::new()),
            clock,
            base.parse().unwrap(),
        )
        .devices(expected.clone(), Verifier::new(&[apple_root]).unwrap())
        .posture(Arc::new(posture_fn(judge)))
        .build()
        .unwrap();
        server.set(built).unwrap();
        let transport = ReqwestTransport::builder()
            .root(web.root().to_pem().as_bytes())
            .only_roots(true)
            .no_proxy()
            .build()
            .unwrap();
        Self {
            now,
            apple,
            factory: DeviceCa::new(now).unwrap(),
            signer: web.client_identity("Profile Signer").unwrap(),
            web,
            ca,
            store,
            expected,
            received,
            transport: Arc::new(transport),
            socket,
        }
    }

    pub(crate) fn activation(&self) -> Activation {
        activation(&self.socket.url(), &self.web)
    }

    pub(crate) fn expect(&self, device: ExpectedDevice) {
        let expected = &mut *self.expected.0.lock().unwrap();
        expected.insert(CLIENT.to_owned(), device);
    }

    pub(crate) fn attester(&self) -> Attester {
        Attester::new(self.apple.clone())
    }

    /// The enrolment profile as a hand would write it, with these lines changed.
    pub(crate) fn profile(&self, changes: &[(&str, &str)]) -> Vec<u8> {
        let url = self.socket.url();
        let mut profile = format!(
            r#"<plist version="1.0"><dict>
            <key>PayloadContent</key><array>
              <dict>
                <key>PayloadType</key><string>com.apple.security.acme</string>
                <key>PayloadUUID</key><string>1111</string>
                <key>DirectoryURL</key><string>{url}/acme/directory</string>
                <key>ClientIdentifier</key><string>{CLIENT}</string>
                <key>KeySize</key><integer>384</integer>
                <key>KeyType</key><string>ECSECPrimeRandom</string>
                <key>HardwareBound</key><true/>
                <key>Attest</key><true/>
                <key>Subject</key><array><array><array>
                  <string>CN</string><string>{CLIENT}</string>
                </array></array></array>
                <key>SubjectAltName</key><dict>
                  <key>rfc822Name</key><string>ada@example.com</string>
                  <key>dNSName</key><array><string>ada.example.com</string></array>
                </dict>
                <key>UsageFlags</key><integer>1</integer>
                <key>ExtendedKeyUsage</key><array><string>1.3.6.1.5.5.7.3.2</string></array>
              </dict>
              <dict>
                <key>PayloadType</key><string>com.apple.mdm</string>
                <key>PayloadUUID</key><string>2222</string>
                <key>IdentityCertificateUUID</key><string>1111</string>
                <key>AccessRights</key><integer>8191</integer>
                <key>ServerURL</key><string>{url}/mdm</string>
                <key>SignMessage</key><true/>
                <key>Topic</key><string>com.apple.mgmt.External.t1</string>
              </dict>
            </array>
            <key>PayloadIdentifier</key><string>example.mdm</string>
            <key>PayloadType</key><string>Configuration</string>
            </dict></plist>"#
        );
        for (old, new) in changes {
            assert!(profile.contains(old), "{old}");
            profile = profile.replace(old, new);
        }
        signed(&profile, &self.signer)
    }

    pub(crate) fn device(&self, hardware: Hardware) -> Device {
        let built_in = self.factory.device_identity(&hardware).unwrap();
        let clock = Arc::new(ManualClock::new(self.now));
        Device::new(hardware, built_in, self.transport.clone(), clock)
    }

    pub(crate) fn enrolling(&self, hardware: Hardware, profile: &[u8]) -> Device {
        let mut device = self.device(hardware);
        let installed = device.install_enrollment_profile(profile, &self.activation());
        installed.unwrap();
        device
    }
}

/// A Mac has to be as it should be; nothing is asked of others.
fn judge(device: &ExpectedDevice, posture: &Posture) -> Verdict {
    if device.label != "mac" {
        return Verdict::Good;
    }
    let parts = [
        posture.sip_enabled(),
        posture.full_security(),
        posture.no_third_party_kexts(),
    ];
    let worst = parts.into_iter().find(|verdict| !verdict.is_good());
    worst.unwrap_or(Verdict::Good)
}

pub(crate) fn mac() -> Hardware {
    Hardware::mac(SERIAL).unwrap()
}

pub(crate) fn serial(hardware: &Hardware) -> DeviceIdentity {
    DeviceIdentity::SerialNumber(hardware.serial_number.clone())
}

pub(crate) fn expected(label: &str, identity: DeviceIdentity) -> ExpectedDevice {
    use mdm_pki::GeneralName::{Dns, Email};
    ExpectedDevice::new(label, identity).with(|device| {
        device.names = vec![
            Email("ada@example.com".to_owned()),
            Dns("ada.example.com".to_owned()),
        ];
    })
}
