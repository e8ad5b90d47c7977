//! A server in memory: a SCEP endpoint, and an MDM endpoint that keeps what it is sent and answers
//! from a list.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Request, Response};
use mdm_core::{ManualClock, Secret};
use mdm_fake_apple::authority::Authority;
use mdm_pki::{
    Certificate, DigestAlgorithm, Identity, KeySpec, Name, PrivateKey,
    cms::{Limits, SignedData, SignedDataBuilder, Verify},
};
use mdm_plist::{Dictionary, Value};
use mdm_scep::{Bound, EmbeddedCa, MemoryStore, OneTime, Responder, Server as Scep, ca};
use mdm_simulator::{Activation, Device, DeviceCa, Hardware};
use mdm_transport::{HttpTransport, transport_fn};

pub(crate) const URL: &str = "https://mdm.example";

/// What the MDM endpoint was sent: the content type and the message.
pub(crate) type Received = (String, Dictionary);

pub(crate) struct Server {
    pub(crate) now: DateTime<Utc>,
    pub(crate) factory: DeviceCa,
    pub(crate) web: Authority,
    pub(crate) signer: Identity,
    pub(crate) ca: Certificate,
    pub(crate) received: Arc<Mutex<Vec<Received>>>,
    pub(crate) answers: Arc<Mutex<VecDeque<Vec<u8>>>>,
    challenge: Secret<String>,
    challenges: OneTime,
    signers: Arc<Mutex<Vec<Certificate>>>,
    transport: Arc<dyn HttpTransport>,
}

impl Server {
    pub(crate) async fn new() -> Self {
        let now = Utc::now();
        let web = Authority::new("Web Root").unwrap();
        let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
        let name = Name::from_common_name("Identities");
        let year = Duration::from_secs(365 * 24 * 3600);
        let ca = ca::root(name, &key, ca::RootUse::Alone, year, now).unwrap();
        let store = Arc::new(MemoryStore::new());
        let issuing =
            EmbeddedCa::new(vec![ca.clone()], Arc::new(key.clone()), store.clone()).unwrap();
        let challenges = OneTime::new(store);
        let challenge = challenges
            .issue("mac", Bound::default(), now)
            .await
            .unwrap();
        let scep = Scep::builder(
            Arc::new(issuing),
            Responder::local(ca.clone(), key).unwrap(),
            Arc::new(challenges.clone()),
            Arc::new(ManualClock::new(now)),
        )
        .build()
        .unwrap();

        let scep = Arc::new(scep);
        let received = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(VecDeque::<Vec<u8>>::new()));
        let signers = Arc::new(Mutex::new(Vec::new()));
        let (seen, next, issuer) = (received.clone(), answers.clone(), ca.clone());
        let by = signers.clone();
        let transport = transport_fn(move |request: Request<Bytes>| {
            let (scep, seen, next, issuer, by) = (
                scep.clone(),
                seen.clone(),
                next.clone(),
                issuer.clone(),
                by.clone(),
            );
            async move {
                if request.uri().path() == "/scep" {
                    return Ok(scep.handle(request).await);
                }
                let message = verified(&request, &issuer, now);
                by.lock().unwrap().push(signer(&request));
                let kind = request.headers()["content-type"]
                    .to_str()
                    .unwrap()
                    .to_owned();
                seen.lock().unwrap().push((kind, message));
                let body = next.lock().unwrap().pop_front().unwrap_or_default();
                Ok(Response::new(body.into()))
            }
        });
        Self {
            now,
            factory: DeviceCa::new(now).unwrap(),
            signer: web.client_identity("Profile Signer").unwrap(),
            web,
            ca,
            received,
            answers,
            challenge,
            challenges,
            signers,
            transport: Arc::new(transport),
        }
    }

    /// Lets the profile have a challenge that nobody has used.
    pub(crate) async fn fresh_challenge(&mut self) {
        let issued = self.challenges.issue("mac", Bound::default(), self.now);
        self.challenge = issued.await.unwrap();
    }

    /// Whose signatures the messages had.
    pub(crate) fn signers(&self) -> Vec<Certificate> {
        self.signers.lock().unwrap().clone()
    }

    pub(crate) fn mac(&self) -> Device {
        self.device(Hardware::mac("C02SIM000001").unwrap())
    }

    fn device(&self, hardware: Hardware) -> Device {
        let built_in = self.factory.device_identity(&hardware).unwrap();
        let clock = Arc::new(ManualClock::new(self.now));
        Device::new(hardware, built_in, self.transport.clone(), clock)
    }

    pub(crate) fn activation(&self) -> Activation {
        activation(URL, &self.web)
    }

    /// The enrolment profile as a hand would write it.
    pub(crate) fn profile(&self) -> String {
        format!(
            r#"<plist version="1.0"><dict>
            <key>PayloadContent</key><array>
              <dict>
                <key>PayloadType</key><string>com.apple.security.scep</string>
                <key>PayloadUUID</key><string>1111</string>
                <key>PayloadContent</key><dict>
                  <key>URL</key><string>{URL}/scep</string>
                  <key>Challenge</key><string>{challenge}</string>
                  <key>Keysize</key><integer>2048</integer>
                  <key>CAFingerprint</key><data>{fingerprint}</data>
                  <key>Subject</key><array><array><array>
                    <string>CN</string><string>C02SIM000001</string>
                  </array></array></array>
                </dict>
              </dict>
              <dict>
                <key>PayloadType</key><string>com.apple.mdm</string>
                <key>PayloadUUID</key><string>2222</string>
                <key>IdentityCertificateUUID</key><string>1111</string>
                <key>AccessRights</key><integer>8191</integer>
                <key>CheckOutWhenRemoved</key><true/>
                <key>ServerURL</key><string>{URL}/mdm</string>
                <key>CheckInURL</key><string>{URL}/checkin</string>
                <key>SignMessage</key><true/>
                <key>Topic</key><string>com.apple.mgmt.External.t1</string>
              </dict>
            </array>
            <key>PayloadIdentifier</key><string>example.mdm</string>
            <key>PayloadType</key><string>Configuration</string>
            </dict></plist>"#,
            challenge = self.challenge.expose(),
            fingerprint = STANDARD.encode(self.ca.fingerprint(DigestAlgorithm::Sha256).unwrap()),
        )
    }

    /// A managed Mac, and nothing in the record of what it sent.
    pub(crate) async fn managed_mac(&self) -> Device {
        self.managed(Hardware::mac("C02SIM000001").unwrap()).await
    }

    pub(crate) async fn managed(&self, hardware: Hardware) -> Device {
        let mut mac = self.device(hardware);
        let profile = signed(&self.profile(), &self.signer);
        mac.install_enrollment_profile(&profile, &self.activation())
            .unwrap();
        mac.obtain_identity().await.unwrap();
        mac.authenticate().await.unwrap();
        mac.update_token().await.unwrap();
        self.received.lock().unwrap().clear();
        mac
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn answer(&self, plist: &str) {
        self.answers
            .lock()
            .unwrap()
            .push_back(plist.as_bytes().to_vec());
    }
}

/// What Apple tells about the server there.
pub(crate) fn activation(url: &str, web: &Authority) -> Activation {
    let anchor = STANDARD.encode(web.root().to_der());
    let json = serde_json::json!({ "url": format!("{url}/enroll"), "anchor_certs": [anchor] });
    Activation::from_json(&json).unwrap()
}

pub(crate) fn signed(content: &str, signer: &Identity) -> Vec<u8> {
    SignedDataBuilder::new(content.as_bytes())
        .signer(&signer.certificate, DigestAlgorithm::Sha256)
        .sign(&signer.key)
        .unwrap()
}

pub(crate) fn text<'a>(message: &'a Dictionary, key: &str) -> &'a str {
    message
        .get(key)
        .and_then(Value::as_string)
        .unwrap_or_default()
}

fn signer(request: &Request<Bytes>) -> Certificate {
    let cms = STANDARD
        .decode(&request.headers()["mdm-signature"])
        .unwrap();
    let signature = SignedData::parse(&cms, &Limits::default()).unwrap();
    signature.signers()[0].certificate().unwrap().clone()
}

/// The message of a request whose `Mdm-Signature` an issued identity made.
pub(crate) fn verified(
    request: &Request<Bytes>,
    issuer: &Certificate,
    now: DateTime<Utc>,
) -> Dictionary {
    let header = request.headers()["mdm-signature"].as_bytes();
    let cms = STANDARD.decode(header).unwrap();
    let signature = SignedData::parse(&cms, &Limits::default()).unwrap();
    let roots = [issuer.clone()];
    let verify = Verify::new(&roots, now).with(|verify| verify.detached = Some(request.body()));
    for signer in signature.verify(&verify).unwrap() {
        signer.trusted().unwrap();
    }
    mdm_plist::from_slice(request.body()).unwrap()
}
