//! One device: out of its box, through Setup Assistant, managed, and let go.

mod answers;
mod identity;
mod ways;

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use mdm_core::{Clock, PushMagic, PushToken};
use mdm_pki::{Certificate, DigestAlgorithm, Identity, cms, random};
use mdm_plist::{Dictionary, Value};
use mdm_transport::HttpTransport;

pub use self::ways::{AccountAnswer, FoundServer};
use crate::{
    Activation, Answer, Attester, Error, Hardware, Responder,
    checkin::{self, Name},
    command,
    settings::{BYOD, EnrollmentSettings, text},
    trust::SignedProfile,
};

const CHECK_IN: &str = "application/x-apple-aspen-mdm-checkin";
const COMMAND: &str = "application/x-apple-aspen-mdm";
const PROFILE: &str = "application/x-apple-aspen-config";

/// The most commands that a device takes in one [`Device::poll`].
pub const MAX_COMMANDS: usize = 1_000;

/// A simulated device with a key of its own.
///
/// The methods are the steps of its life, in the order of a real one; [`Device::enroll`] takes
/// those of an enrolment together. A step that fails leaves the device as it was.
#[derive(Debug)]
pub struct Device {
    hardware: Hardware,
    built_in: Identity,
    transport: Arc<dyn HttpTransport>,
    clock: Arc<dyn Clock>,
    responder: Option<Arc<dyn Responder>>,
    attester: Option<Attester>,
    settings: Option<EnrollmentSettings>,
    /// What the device is called in User Enrolment.
    enrollment_id: Option<String>,
    anchors: Vec<Certificate>,
    identity: Option<Identity>,
    push: Option<(PushToken, PushMagic)>,
    profiles: BTreeMap<String, Dictionary>,
}

impl Device {
    /// A device as it leaves the factory; it speaks HTTP through `transport`, whose TLS roots are
    /// the device's.
    pub fn new(
        hardware: Hardware,
        built_in: Identity,
        transport: Arc<dyn HttpTransport>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            hardware,
            built_in,
            transport,
            clock,
            responder: None,
            attester: None,
            settings: None,
            enrollment_id: None,
            anchors: Vec::new(),
            identity: None,
            push: None,
            profiles: BTreeMap::new(),
        }
    }

    /// Lets `responder` answer commands first.
    pub fn set_responder(&mut self, responder: Arc<dyn Responder>) {
        self.responder = Some(responder);
    }

    /// Lets Apple vouch for the keys of the device, as `attester` says.
    pub fn set_attester(&mut self, attester: Attester) {
        self.attester = Some(attester);
    }

    /// What the device is.
    pub fn hardware(&self) -> &Hardware {
        &self.hardware
    }

    /// Where the device can be pushed, once it has said so to the server.
    pub fn push_token(&self) -> Option<&PushToken> {
        self.push.as_ref().map(|(token, _)| token)
    }

    /// `EnrollmentID`: what the server knows the device by in User Enrolment, and only there.
    pub fn enrollment_id(&self) -> Option<&str> {
        self.enrollment_id.as_deref()
    }

    /// The identifiers of the profiles that the server installed, the enrolment profile included.
    pub fn profile_identifiers(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// The identity that the SCEP or ACME server gave.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Takes another identity than it was given, as a thief of nothing but a name would.
    pub fn set_identity(&mut self, identity: Identity) {
        self.identity = Some(identity);
    }

    /// Asks the server for the enrolment profile with a signed `MachineInfo`.
    ///
    /// # Errors
    /// [`Error::Refused`] when the server answers anything but 200, [`Error::NotAProfile`] when
    /// it answers with another content type.
    pub async fn ask_for_profile(&self, activation: &Activation) -> Result<Bytes, Error> {
        let signed = self.signed_machine_info()?;
        self.post_signed("MachineInfo", &activation.url, signed)
            .await
    }

    /// Verifies an enrolment profile against what Apple said the device should trust, and takes it in.
    ///
    /// # Errors
    /// [`Error::Unsigned`], [`Error::ForeignSigner`], or [`Error::Profile`] naming the key.
    pub fn install_enrollment_profile(
        &mut self,
        profile: &[u8],
        activation: &Activation,
    ) -> Result<&EnrollmentSettings, Error> {
        if self.settings.is_some() {
            return Err(Error::Profile("com.apple.mdm"));
        }
        let signed = SignedProfile::verify(profile, &activation.anchors, self.clock.now())?;
        let settings = EnrollmentSettings::read(&signed.profile)?;
        self.anchors = activation
            .anchors
            .iter()
            .chain(&settings.roots)
            .cloned()
            .collect();
        self.profiles
            .insert(settings.identifier.clone(), signed.profile);
        let is_own = settings.mdm.enrollment_mode.as_deref() == Some(BYOD);
        self.enrollment_id = is_own.then(|| random().map(uuid)).transpose()?;
        Ok(self.settings.insert(settings))
    }

    /// Sends `Authenticate`.
    ///
    /// # Errors
    /// [`Error::Refused`] when the server does not take the device.
    pub async fn authenticate(&self) -> Result<(), Error> {
        let message =
            checkin::authenticate(&self.hardware, self.name(), &self.settings()?.mdm.topic);
        self.check_in("Authenticate", &message).await
    }

    /// Makes a push token and magic and sends them with `TokenUpdate`.
    ///
    /// # Errors
    /// [`Error::Refused`] when the server does not take them.
    pub async fn update_token(&mut self) -> Result<(), Error> {
        let token = PushToken::new(random::<32>()?);
        let magic = PushMagic::new(uuid(random()?));
        let topic = &self.settings()?.mdm.topic;
        let message = checkin::token_update(self.name(), topic, &token, &magic, false);
        self.check_in("TokenUpdate", &message).await?;
        self.push = Some((token, magic));
        Ok(())
    }

    /// Takes a push: only one with this enrolment's magic wakes the device.
    ///
    /// # Errors
    /// [`Error::WrongMagic`] for any other, [`Error::NotReady`] before the first `TokenUpdate`.
    pub fn wake(&self, magic: &str) -> Result<(), Error> {
        let (_, expected) = self.push.as_ref().ok_or(Error::NotReady("push token"))?;
        if expected.expose() == magic {
            Ok(())
        } else {
            Err(Error::WrongMagic)
        }
    }

    /// Says `Idle`, answers each command that the server has, and returns their request types in
    /// order; ends when the server has no more.
    ///
    /// # Errors
    /// [`Error::Endless`] when the server has more than [`MAX_COMMANDS`], [`Error::Refused`] when the server does not take a message, [`Error::Plist`] when a
    /// command cannot be read.
    pub async fn poll(&mut self) -> Result<Vec<String>, Error> {
        let mut answered = Vec::new();
        let mut offered = 0;
        let mut message = command::idle(self.name());
        loop {
            let url = self.settings()?.mdm.server_url.clone();
            let body = self
                .send_message("command report", "PUT", &url, COMMAND, &message)
                .await?;
            if body.is_empty() {
                return Ok(answered);
            }
            if offered == MAX_COMMANDS {
                return Err(Error::Endless);
            }
            offered += 1;
            let envelope: Dictionary = mdm_plist::from_slice(&body)?;
            let uuid = text(&envelope, "CommandUUID")
                .unwrap_or_default()
                .to_owned();
            let request = envelope.get("Command").and_then(Value::as_dictionary);
            let answer =
                match request.and_then(|request| Some((request, text(request, "RequestType")?))) {
                    Some((request, kind)) => {
                        answered.push(kind.to_owned());
                        self.answer(kind, request).await
                    }
                    None => Answer::CommandFormatError,
                };
            message = answer.into_message(self.name(), &uuid);
        }
    }

    /// Tells the server that management is removed, and removes it.
    ///
    /// # Errors
    /// [`Error::Refused`] when the server does not take the message; management is removed all the same,
    /// as on a real device.
    pub async fn check_out(&mut self) -> Result<(), Error> {
        let settings = self.settings()?;
        let told = if settings.mdm.check_out_when_removed {
            let message = checkin::check_out(self.name(), &settings.mdm.topic);
            self.check_in("CheckOut", &message).await
        } else {
            Ok(())
        };
        self.settings = None;
        self.enrollment_id = None;
        self.identity = None;
        self.push = None;
        self.anchors.clear();
        self.profiles.clear();
        told
    }

    /// From the activation record to a managed device: profile, identity, `Authenticate`, `TokenUpdate`.
    ///
    /// # Errors
    /// Those of the steps.
    pub async fn enroll(&mut self, activation: &Activation) -> Result<(), Error> {
        let profile = self.ask_for_profile(activation).await?;
        self.install_enrollment_profile(&profile, activation)?;
        self.obtain_identity().await?;
        self.authenticate().await?;
        self.update_token().await
    }

    fn name(&self) -> Name<'_> {
        match &self.enrollment_id {
            Some(id) => Name::Enrollment(id),
            None => Name::Udid(self.hardware.udid.as_str()),
        }
    }

    fn settings(&self) -> Result<&EnrollmentSettings, Error> {
        self.settings
            .as_ref()
            .ok_or(Error::NotReady("enrolment profile"))
    }

    async fn check_in(&self, name: &'static str, message: &Dictionary) -> Result<(), Error> {
        let url = self.settings()?.mdm.check_in_url.clone();
        self.send_message(name, "PUT", &url, CHECK_IN, message)
            .await
            .map(drop)
    }

    async fn send_message(
        &self,
        name: &'static str,
        method: &str,
        url: &str,
        content_type: &str,
        message: &Dictionary,
    ) -> Result<Bytes, Error> {
        let body = mdm_plist::to_xml(message)?;
        let mut request = request(method, url, content_type, "ServerURL")?;
        if self.settings()?.mdm.sign_message {
            request = request.header("Mdm-Signature", self.sign(&body)?);
        }
        let request = request
            .body(body.into())
            .map_err(|_| Error::Url("ServerURL"))?;
        Ok(self.send(name, request).await?.into_body())
    }

    fn sign(&self, body: &[u8]) -> Result<String, Error> {
        let identity = self.identity.as_ref().ok_or(Error::NotReady("identity"))?;
        let signature = cms::SignedDataBuilder::new(body)
            .detached()
            .signer(&identity.certificate, DigestAlgorithm::Sha256)
            .signing_time(self.clock.now())
            .sign(&identity.key)?;
        Ok(STANDARD.encode(signature))
    }

    async fn send(
        &self,
        message: &'static str,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, Error> {
        let response = self.transport.send(request).await?;
        if response.status() == http::StatusCode::OK {
            Ok(response)
        } else {
            Err(Error::Refused {
                message,
                status: response.status().as_u16(),
            })
        }
    }
}

fn request(
    method: &str,
    url: &str,
    content_type: &str,
    key: &'static str,
) -> Result<http::request::Builder, Error> {
    let url = url::Url::parse(url).map_err(|_| Error::Url(key))?;
    Ok(http::Request::builder()
        .method(method)
        .uri(url.as_str())
        .header(http::header::CONTENT_TYPE, content_type)
        .header(http::header::USER_AGENT, "MDM/1.0"))
}

/// A random UUID in the upper-case form that devices use.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    )
}
