//! How a device gets its identity, and another one later: by SCEP or by ACME, as its profile says.

use std::sync::Arc;

use mdm_pki::{CertificateRequestBuilder, Identity, KeySpec, KeyUsage, Name, PrivateKey, random};
use mdm_plist::Dictionary;
use mdm_scep::{
    acme::{
        self, AcmeUrl, Registration,
        client::{ChallengeResponse, Offer, solver_fn},
        identifier::Identifier,
        resource::{ChallengeType, NewOrder},
    },
    client::{CaTrust, Client, Enrolment, Polling},
};

use super::{Device, uuid};
use crate::{
    Error, IdentitySettings,
    settings::{AcmeSettings, EnrollmentSettings, ScepSettings, Wish, rsa},
    trust,
};

impl Device {
    /// Makes a key and lets the server of the profile certify it.
    ///
    /// By SCEP, a request that waits is asked about again as often as the profile says, on the device's clock. By ACME,
    /// a key that is to be attested gets Apple's word through the [`Attester`](crate::Attester); hardware that
    /// [cannot](crate::Hardware::attests) ignores that part of the profile and answers without.
    ///
    /// # Errors
    /// [`Error::Scep`] or [`Error::Acme`] when the server refuses, [`Error::NotReady`] where Apple is to vouch for the key and
    /// nobody has said which Apple.
    pub async fn obtain_identity(&mut self) -> Result<&Identity, Error> {
        let identity = self.identity_by(&self.settings()?.identity).await?;
        Ok(self.identity.insert(identity))
    }

    /// Takes a newer version of the enrolment profile in, and gets a new identity by it: how a server renews one. A device does
    /// this when a command brings the profile.
    ///
    /// By SCEP this is a PKCSReq with the new profile's challenge, as Apple's devices renew.
    ///
    /// # Errors
    /// [`Error::Profile`] for the profile of another enrolment; those of
    /// [`obtain_identity`](Self::obtain_identity). The old identity then stays.
    pub async fn update_enrollment_profile(&mut self, profile: &[u8]) -> Result<&Identity, Error> {
        let now = self.clock.now();
        let (_, profile) = trust::read_managed_profile(profile, &self.anchors, now)?;
        self.update(profile).await
    }

    pub(super) async fn update(&mut self, profile: Dictionary) -> Result<&Identity, Error> {
        let newer = EnrollmentSettings::read(&profile)?;
        let current = self.settings()?;
        for (key, same) in [
            ("PayloadIdentifier", newer.identifier == current.identifier),
            ("Topic", newer.mdm.topic == current.mdm.topic),
            ("ServerURL", newer.mdm.server_url == current.mdm.server_url),
            (
                "CheckInURL",
                newer.mdm.check_in_url == current.mdm.check_in_url,
            ),
            (
                "EnrollmentMode",
                newer.mdm.enrollment_mode == current.mdm.enrollment_mode,
            ),
            (
                "AssignedManagedAppleID",
                newer.mdm.assigned_managed_apple_id == current.mdm.assigned_managed_apple_id,
            ),
        ] {
            if !same {
                return Err(Error::Profile(key));
            }
        }
        let identity = self.identity_by(&newer.identity).await?;
        self.anchors.extend_from_slice(&newer.roots);
        self.profiles.insert(newer.identifier.clone(), profile);
        self.settings = Some(newer);
        Ok(self.identity.insert(identity))
    }

    async fn identity_by(&self, settings: &IdentitySettings) -> Result<Identity, Error> {
        match settings {
            IdentitySettings::Scep(settings) => self.by_scep(settings).await,
            IdentitySettings::Acme(settings) => self.by_acme(settings).await,
        }
    }

    async fn by_scep(&self, settings: &ScepSettings) -> Result<Identity, Error> {
        let spec = rsa(settings.key_size).ok_or(Error::Profile("Keysize"))?;
        let key = PrivateKey::generate(spec)?;
        let mut csr = request(&settings.wish)?;
        if let Some(challenge) = &settings.challenge {
            csr = csr.challenge_password(challenge.expose());
        }
        let trust = match &settings.ca_fingerprint {
            Some(fingerprint) => CaTrust::fingerprint(fingerprint.clone())?,
            None => CaTrust::Any,
        };
        let mut client = Client::new(
            &self.transport,
            settings.url.parse()?,
            trust,
            Arc::clone(&self.clock),
        );
        if let Some(name) = &settings.name {
            client = client.ca(name);
        }
        // What signs the message has a name of its own on Apple's devices.
        let signer = Name::from_common_name(&uuid(random()?));
        let enrolment =
            Enrolment::from_csr(key.clone(), csr.sign(&key)?)?.with_signer_subject(signer);
        let polling = Polling::new(settings.retries, settings.retry_delay);
        let certificate = client
            .enrol_patiently(&enrolment, polling)
            .await?
            .certificate;
        Ok(Identity::new(certificate, Vec::new(), key)?)
    }

    async fn by_acme(&self, settings: &AcmeSettings) -> Result<Identity, Error> {
        let attester = match settings.attest && self.hardware.attests {
            true => Some(self.attester.as_ref().ok_or(Error::NotReady("attester"))?),
            false => None,
        };
        let key = PrivateKey::generate(settings.key)?;
        let mut csr = request(&settings.wish)?;
        if !settings.extended_key_usages.is_empty() {
            csr = csr.extended_key_usage(&settings.extended_key_usages);
        }
        let csr = csr.sign(&key)?;
        let url = AcmeUrl::new(&settings.directory_url)?;
        let clock = Arc::clone(&self.clock);
        let client = acme::Client::new(Arc::clone(&self.transport), url, clock);
        let account = Arc::new(PrivateKey::generate(KeySpec::P256)?);
        let registered = client.register(account, &Registration::new()).await?;
        let solver = solver_fn(|offer: Offer| {
            let answer = match attester {
                Some(apple) => apple
                    .statement(&self.hardware, key.public_key(), &offer.token)
                    .map(ChallengeResponse::Attestation),
                None => Ok(ChallengeResponse::Ready),
            };
            async move {
                let attests = offer.kind == ChallengeType::DeviceAttest01;
                Ok(attests.then_some(answer?))
            }
        });
        let identifier = settings.client_identifier.expose().as_str();
        let order = NewOrder::new([Identifier::permanent_identifier(identifier)]);
        let chain = registered.session.obtain(&order, &csr, &solver).await?;
        Ok(Identity::new(chain.leaf, chain.issuers, key)?)
    }
}

fn request(wish: &Wish) -> Result<CertificateRequestBuilder, Error> {
    let mut csr = CertificateRequestBuilder::new(wish.name()?);
    if wish.usage != KeyUsage::default() {
        csr = csr.key_usage(wish.usage);
    }
    let names = wish.names.iter().cloned();
    Ok(names.fold(csr, CertificateRequestBuilder::san))
}
