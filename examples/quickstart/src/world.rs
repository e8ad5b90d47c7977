//! The scene: a fake Apple, the vendor's server and one Mac, each behind real sockets, and the
//! sabotage that `--break` asks for.

use std::{path::Path, sync::Arc};

use chrono::{TimeDelta, Utc};
use mdm_fake_apple::{
    ade::{Config, FakeAde, Fault},
    apns::{self, FakeApns, PushAuthority},
    authority::Authority,
    http::Server,
};
use mdm_sdk::{
    ade::TokenKeyPair,
    apns::PushCertificate,
    core::SystemClock,
    pki::{
        Certificate, CertificateBuilder, DigestAlgorithm, Identity, KeySpec, Name, PrivateKey,
        cms::{Limits, SignedData, SignedDataBuilder},
    },
    plist::Dictionary,
    tls::Roots,
    transport::HttpTransport,
    transport_reqwest::ReqwestTransport,
};
use mdm_simulator::{Answer, Device, DeviceCa, Hardware, Responder};
use serde_json::json;

use crate::{
    step::{Reason, Step},
    vendor::{Setup, Vendor},
};

/// The Mac that the story is about.
pub(crate) const SERIAL: &str = "C02QS0000001";

/// Everything on the scene.
pub(crate) struct World {
    pub(crate) apple: FakeAde,
    pub(crate) apns: FakeApns,
    pub(crate) keys: TokenKeyPair,
    /// The file that Apple's portal hands out for the uploaded certificate.
    pub(crate) token_file: Vec<u8>,
    pub(crate) vendor: Arc<Vendor>,
    pub(crate) web: Authority,
    pub(crate) mac: Device,
    /// The enrolment profile on its way to the Mac.
    pub(crate) offered: Vec<u8>,
    /// The signer of profiles.
    pub(crate) profile_signer: Identity,
    _server: Server,
}

impl World {
    pub(crate) async fn new(state: &Path) -> Result<Self, Reason> {
        let now = Utc::now();
        let apple = FakeAde::start(Config::default()).await?;
        apple.add_device(json!({
            "serial_number": SERIAL, "model": "MacBook Pro", "device_family": "Mac", "os": "OSX",
        }));
        let push_authority = PushAuthority::new()?;
        let apns = FakeApns::start(apns::Config::new(vec![push_authority.root().clone()])).await?;
        let factory = DeviceCa::new(now)?;

        let web = Authority::new("Example Web Root")?;
        let profile_signer = web.client_identity("Example Profile Signer")?;
        let (vendor, connections) = Vendor::new(Setup {
            state,
            device_ca: factory.certificate().clone(),
            web_root: web.root().clone(),
            profile_signer: profile_signer.clone(),
            push: PushCertificate::new(push_authority.issue_new()?)?,
            push_service: mdm_sdk::apns::Config::new(apns.host(), apns.port())
                .roots(Roots::Only(vec![apns.root_certificate().clone()])),
        })
        .await?;
        tokio::spawn(connections.run());
        let vendor = Arc::new(vendor);
        let shared = Arc::clone(&vendor);
        let server = Server::start(Some(web.server_identity()?), move |request| {
            let vendor = Arc::clone(&shared);
            async move { vendor.answer(request).await }
        })
        .await?;
        vendor.opened_at(server.url());

        let keys = TokenKeyPair::generate("quickstart", now)?;
        let token_file = apple.new_server_token(keys.certificate_pem().as_bytes())?;
        let mac = mac(&factory, web.root())?;
        Ok(Self {
            apple,
            apns,
            keys,
            token_file,
            vendor,
            web,
            mac,
            offered: Vec::new(),
            profile_signer,
            _server: server,
        })
    }

    /// Makes `step` fail, for the reason that it fails for most in the field.
    pub(crate) async fn sabotage(&mut self, step: Step) -> Result<(), Reason> {
        let now = Utc::now();
        match step {
            // The token was made for a certificate whose key is lost.
            Step::Token => self.keys = TokenKeyPair::generate("another", now)?,
            // Who downloaded the token has left the organization.
            Step::Session => drop(self.apple.fault(Fault::RevokeToken)),
            // New terms wait for a signature in the portal.
            Step::Sync => drop(self.apple.fault(Fault::TermsNotSigned)),
            // The device was released meanwhile.
            Step::Assign => drop(self.apple.remove_device(SERIAL)),
            // No factory of Apple's made this device.
            Step::Ask => self.mac = mac(&DeviceCa::new(now)?, self.web.root())?,
            // Somebody on the way signs in the vendor's stead.
            Step::Profile => {
                let profile = SignedData::parse(&self.offered, &Limits::default())?.into_content();
                let other = Authority::new("Another Root")?.client_identity("Another Signer")?;
                self.offered = signed(&profile.unwrap_or_default(), &other)?;
            }
            // The user took days between profile and identity.
            Step::Scep => {
                self.vendor
                    .challenges
                    .forget_expired(now + TimeDelta::days(3))
                    .await?;
            }
            // A certificate of the same name from another authority.
            Step::Authenticate => {
                let root = PrivateKey::generate(KeySpec::Rsa2048)?;
                let name = self.vendor.ca.certificate.subject();
                let root_certificate = CertificateBuilder::new(name, root.public_key())
                    .validity(now - TimeDelta::days(1), now + TimeDelta::days(1))
                    .ca(None)
                    .self_signed(&root)?;
                let foreign = Identity::new(root_certificate, Vec::new(), root)?;
                self.mac
                    .set_identity(identity(&foreign, now + TimeDelta::days(1))?);
            }
            // The right authority, but not the certificate that is pinned to the enrolment.
            Step::TokenUpdate => {
                self.mac
                    .set_identity(identity(&self.vendor.ca, now + TimeDelta::days(1))?);
            }
            // Apple has retired the token.
            Step::Push => {
                if let Some(token) = self.mac.push_token() {
                    self.apns.kill_token(token.expose(), now);
                }
            }
            Step::DeviceInformation => self.mac.set_responder(Arc::new(OutOfOrder)),
            // Signed by somebody whom the Mac does not trust.
            Step::InstallProfile => {
                self.profile_signer =
                    Authority::new("Another Root")?.client_identity("Another Signer")?;
            }
            // The identity ran out and was never renewed.
            Step::CheckOut => {
                self.mac
                    .set_identity(identity(&self.vendor.ca, now - TimeDelta::hours(1))?);
            }
        }
        Ok(())
    }
}

/// A Mac out of its box. Its own TLS roots stand for Apple's.
fn mac(factory: &DeviceCa, web_root: &Certificate) -> Result<Device, Reason> {
    let hardware = Hardware::mac(SERIAL)?;
    let built_in = factory.device_identity(&hardware)?;
    Ok(Device::new(
        hardware,
        built_in,
        transport(web_root)?,
        Arc::new(SystemClock),
    ))
}

/// HTTPS that trusts this root alone.
pub(crate) fn transport(root: &Certificate) -> Result<Arc<dyn HttpTransport>, Reason> {
    let transport = ReqwestTransport::builder()
        .root(root.to_der())
        .only_roots(true)
        .build()?;
    Ok(Arc::new(transport))
}

/// A signed document, as `profiles::sign` makes it of a profile.
pub(crate) fn signed(content: &[u8], signer: &Identity) -> Result<Vec<u8>, Reason> {
    Ok(SignedDataBuilder::new(content)
        .signer(&signer.certificate, DigestAlgorithm::Sha256)
        .sign(&signer.key)?)
}

/// An identity that `issuer` gave, valid until `not_after`.
fn identity(issuer: &Identity, not_after: chrono::DateTime<Utc>) -> Result<Identity, Reason> {
    let key = PrivateKey::generate(KeySpec::Rsa2048)?;
    let certificate = CertificateBuilder::new(Name::from_common_name(SERIAL), key.public_key())
        .validity(not_after - TimeDelta::days(2), not_after)
        .sign(&issuer.certificate, &issuer.key)?;
    Ok(Identity::new(certificate, Vec::new(), key)?)
}

/// A Mac that can answer nothing.
#[derive(Debug)]
struct OutOfOrder;

impl Responder for OutOfOrder {
    fn answer(&self, _request_type: &str, _command: &Dictionary) -> Option<Answer> {
        let text = "The device is out of order.".to_owned();
        Some(Answer::Error("MCMDMErrorDomain", 12000, text))
    }
}
