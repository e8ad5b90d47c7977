//! Ways in: who may enrol, and the profile with which a device does.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use mdm_sdk::{
    ade::AdeStore,
    core::{Clock, SerialNumber, Topic},
    pki::{Certificate, Identity},
    plist::Value,
    profiles::{
        EnrollmentProfile, MdmSettings, Namespace, Profile, ProfileBuilder, Variables,
        payload::{Scep, mdm::EnrollmentMode, scep::ScepContent},
        recipe::ProfileService,
        sign,
    },
    scep::{OneTime, store::ChallengeId},
    service::{
        Admission, AdmissionPolicy, Applicant, Claim, Denial, DenialReason, Enrollment,
        EnrollmentStatus, Grant, Invitation, Stage, Unavailable, Way,
        entry::{ProfileRequest, ProfileServiceRequest, ProfileSource, Urls},
    },
};

use crate::{
    books::{Books, Entry},
    config::Accounts,
    handed::{self, Handed},
    issued::IssuedFor,
    sign_in::POOL,
};

/// Makes enrolment profiles: an identity by SCEP, with a challenge that is good for this device once; management;
/// the roots to trust. All of them signed.
#[derive(Clone)]
pub(crate) struct Profiles {
    pub(crate) identifier: String,
    pub(crate) organization: String,
    pub(crate) topic: Topic,
    /// Where SCEP is spoken.
    pub(crate) scep_url: String,
    pub(crate) roots: Vec<Certificate>,
    pub(crate) signer: Identity,
    pub(crate) challenges: OneTime,
    /// How long these live.
    pub(crate) lifetime: Duration,
    pub(crate) handed: Arc<Handed>,
    /// What a profile says of itself that is for somebody, with variables.
    pub(crate) description: Option<String>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Profiles {
    fn signed(&self, profile: &Profile) -> Result<Bytes, Unavailable> {
        let signed = sign::sign(profile, &self.signer, self.clock.now());
        Ok(signed.map_err(Unavailable::new)?.into())
    }

    /// How the server will manage who came by this way.
    fn mdm(&self, request: &ProfileRequest<'_>) -> MdmSettings {
        let mode = match &request.applicant.stage {
            Stage::Asking { way, .. } => match way {
                Way::AccountDrivenUser => Some(EnrollmentMode::Byod),
                Way::AccountDrivenDevice => Some(EnrollmentMode::Adde),
                _ => None,
            },
            _ => None,
        };
        let account = request.applicant.account.as_ref();
        let account = account.and_then(|account| account.managed_apple_account.clone());
        self.management(
            &request.server_url,
            &request.check_in_url,
            mode.map(|mode| (mode, account)),
        )
    }

    fn management(
        &self,
        server_url: &str,
        check_in_url: &str,
        account_driven: Option<(EnrollmentMode, Option<String>)>,
    ) -> MdmSettings {
        let topic = self.topic.clone();
        let mdm = match account_driven {
            Some((mode, account)) => MdmSettings::account_driven(server_url, topic, mode)
                .with(|mdm| mdm.assigned_managed_apple_id = account),
            None => MdmSettings::new(server_url, topic),
        };
        mdm.with(|mdm| mdm.check_in_url = Some(check_in_url.to_owned()))
    }

    /// The description, with what is known of the user and the device filled in; none where nobody signed in.
    fn described(&self, request: &ProfileRequest<'_>) -> Result<Option<String>, Unavailable> {
        let template = self.description.as_ref();
        let Some(template) = template.filter(|_| request.applicant.account.is_some()) else {
            return Ok(None);
        };
        let mut variables = Variables::new();
        for (name, value) in request.variables() {
            variables.set(&name, value).map_err(Unavailable::new)?;
        }
        // Alone, so that everything else in the profile means what it says.
        let alone = ProfileBuilder::new(&self.identifier, self.namespace()).with(|alone| {
            alone.description = Some(template.clone());
            alone.variables = Some(variables);
        });
        let filled = alone.build().map_err(Unavailable::new)?;
        let description = filled.keys().get("PayloadDescription");
        Ok(description.and_then(Value::as_string).map(str::to_owned))
    }

    fn namespace(&self) -> Namespace {
        Namespace::new(&self.identifier)
    }

    /// The enrolment profile with a challenge for an identity of that name. What is issued anew each time is filled in last,
    /// so that the payloads keep their UUIDs, and a device takes a later profile for an update.
    async fn enrolling(
        &self,
        mdm: MdmSettings,
        description: Option<String>,
        holder: &IssuedFor,
        label: &str,
        challenges: &OneTime,
    ) -> Result<(Bytes, ChallengeId), Unavailable> {
        let challenge = challenges
            .issue(label, holder.bound(), self.clock.now())
            .await
            .map_err(Unavailable::new)?;
        let id = ChallengeId::of(challenge.expose()).map_err(Unavailable::new)?;
        let scep = ScepContent::rsa_2048(&self.scep_url);
        let profile =
            EnrollmentProfile::new(&self.identifier, self.namespace(), mdm, scep).with(|profile| {
                profile.display_name = Some(format!("{} Management", self.organization));
                profile.organization = Some(self.organization.clone());
                profile.description = description;
                profile.roots.clone_from(&self.roots);
            });
        let mut profile = profile.build().map_err(Unavailable::new)?;
        let payload = format!("{}.scep", self.identifier);
        let filled = profile.edit::<Scep>(&payload, |scep| {
            let content = scep.payload_content.clone().common_name(holder.as_str());
            scep.payload_content = content.with(|content| content.challenge = Some(challenge));
        });
        filled.map_err(Unavailable::new)?;
        Ok((self.signed(&profile)?, id))
    }

    /// The profile that the device enrolled with, but with a challenge for an identity in the place of the one that it has.
    pub(crate) async fn renewal(
        &self,
        known: &Enrollment,
        urls: &Urls,
        invitation: &Invitation,
        lifetime: Duration,
    ) -> Result<Bytes, Unavailable> {
        let holder = IssuedFor::renewal(known)?;
        let text = |key: &str| invitation.data.get(key)?.as_str();
        let mode = match text("ENROLLMENT_MODE") {
            Some("BYOD") => Some(EnrollmentMode::Byod),
            Some("ADDE") => Some(EnrollmentMode::Adde),
            _ => None,
        };
        let account = text("ASSIGNED_MANAGED_APPLE_ID").map(str::to_owned);
        let (server, check_in) = (urls.server(&invitation.id), urls.check_in(&invitation.id));
        let mdm = self.management(&server, &check_in, mode.map(|mode| (mode, account)));
        let challenges = self.challenges.clone().lifetime(lifetime);
        let label = format!("renewal of {}", known.id);
        let (profile, _) = self
            .enrolling(mdm, None, &holder, &label, &challenges)
            .await?;
        Ok(profile)
    }
}

#[async_trait]
impl ProfileSource for Profiles {
    async fn enrollment_profile(&self, request: &ProfileRequest<'_>) -> Result<Bytes, Unavailable> {
        let invitation = request.invitation;
        let serial_number = request.applicant.serial_number.as_ref();
        let serial_number = serial_number.or(invitation.serial_number.as_ref());
        // What a device or an operator says it is; else whoever has the link.
        let holder = match serial_number {
            Some(serial_number) => IssuedFor::device(serial_number)?,
            None => IssuedFor::link(&invitation.id)?,
        };
        let (name, url) = (holder.as_str(), &request.check_in_url);
        let now = self.clock.now();
        if let Some(profile) = self.handed.again(name, url, now).await? {
            return Ok(profile);
        }
        let (mdm, description) = (self.mdm(request), self.described(request)?);
        let made = self.enrolling(mdm, description, &holder, name, &self.challenges);
        let (signed, challenge) = made.await?;
        let profile = handed::Profile {
            url: url.clone(),
            signed: signed.clone(),
            challenge,
            until: now + self.lifetime / 2,
        };
        self.handed.keep(name, profile);
        Ok(signed)
    }

    async fn profile_service(
        &self,
        request: &ProfileServiceRequest,
    ) -> Result<Option<Bytes>, Unavailable> {
        let service = ProfileService::new(&request.url)
            .with(|service| service.challenge = Some(request.challenge.clone()));
        let frame = ProfileBuilder::new(format!("{}.ota", self.identifier), self.namespace()).with(
            |profile| {
                profile.display_name = Some(format!("{} Enrolment", self.organization));
                profile.organization = Some(self.organization.clone());
            },
        );
        let profile = service.build(&frame).map_err(Unavailable::new)?;
        self.signed(&profile).map(Some)
    }
}

impl fmt::Debug for Profiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profiles")
            .field("identifier", &self.identifier)
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

/// Admits whom somebody invited, who signs in, and by automated enrolment what Apple assigned to one of our accounts.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) assigned: Arc<dyn AdeStore>,
    /// Automated enrolment is open to any device of Apple's.
    pub(crate) any_device: bool,
    pub(crate) accounts: Option<Accounts>,
    pub(crate) books: Books,
}

impl Door {
    async fn is_assigned(&self, serial_number: &SerialNumber) -> Result<bool, Unavailable> {
        for account in self.assigned.accounts_of(serial_number).await? {
            let device = self.assigned.device(&account, serial_number).await?;
            if device.is_some_and(|device| device.is_present()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Why who asks for a profile gets none.
    async fn asking(&self, way: Way, applicant: &Applicant) -> Result<Option<Denial>, Unavailable> {
        let account = applicant.account.as_ref();
        Ok(match way {
            Way::Automated | Way::AutomatedWithPage => {
                let is_ours = self.any_device
                    || match &applicant.serial_number {
                        Some(serial_number) => self.is_assigned(serial_number).await?,
                        None => false,
                    };
                let needs_somebody = self.accounts.as_ref().is_some_and(|it| !it.optional);
                match is_ours {
                    false => Some(Denial::new(DenialReason::NotAssigned)),
                    true if needs_somebody && account.is_none() => Some(nobody()),
                    true => None,
                }
            }
            Way::AccountDrivenDevice | Way::AccountDrivenUser => {
                let apple = account.map(|account| account.managed_apple_account.is_some());
                match apple {
                    None => Some(nobody()),
                    Some(false) => Some(no_apple_account()),
                    Some(true) => None,
                }
            }
            _ => {
                let is_somebody = applicant.invitation.is_some() || account.is_some();
                (!is_somebody).then(|| Denial::new(DenialReason::Invitation))
            }
        })
    }

    /// Why who sends `Authenticate` with this certificate is not let in. By it a device shows for whom the challenge was made
    /// that it got one with, or which serial number Apple attested.
    async fn authenticating(
        &self,
        certificate: &Certificate,
        applicant: &Applicant,
    ) -> Result<Option<Denial>, Unavailable> {
        let invitation = applicant.invitation.as_ref();
        let known = applicant.known.as_ref();
        let entry = self.books.find(certificate).await?;
        if let Some(reason) = entry.as_ref().and_then(Entry::revoked) {
            let why = format!("the certificate is revoked: {reason:?}");
            let denial = Denial::new(DenialReason::Other("revoked".into()));
            return Ok(Some(denial.with(|denial| denial.description = Some(why))));
        }
        let links = [
            invitation.map(|invitation| invitation.id.as_str()),
            known.and_then(|known| known.invitation.as_deref()),
        ];
        let mut names = Vec::new();
        for link in links.into_iter().flatten() {
            names.push(IssuedFor::link(link)?);
        }
        let mut is_attested = false;
        if let Some(serial_number) = &applicant.serial_number {
            names.push(IssuedFor::device(serial_number)?);
            is_attested = entry.is_some_and(|entry| entry.attests(serial_number));
        }
        if let Some(known) = known {
            names.push(IssuedFor::renewal(known)?);
        }
        let is_named = is_attested || names.iter().any(|name| name.is_in(certificate));
        // An enrolment that is over brings nobody back, nor does what it came by.
        let is_here = known.is_some_and(|known| known.status != EnrollmentStatus::Disabled);
        let is_anew = invitation.is_some_and(|invitation| invitation.spent_by.is_none());
        let is_right = is_named && (is_here || is_anew);
        Ok((!is_right).then(|| Denial::new(DenialReason::Invitation)))
    }

    /// The places of an invitation, and for who signs in one of their own.
    fn grant(&self, applicant: &Applicant) -> Grant {
        let each = self.accounts.as_ref().and_then(|it| it.devices_each);
        let place = applicant.account.as_ref().zip(each);
        Grant::of(applicant).with(|grant| {
            if let Some((account, each)) = place {
                let pool = format!("{POOL}{}", account.owner);
                grant.claims = vec![Claim::new(pool, each)];
            }
        })
    }
}

fn nobody() -> Denial {
    Denial::new(DenialReason::Other("sign-in".into()))
        .with(|denial| denial.message = Some("Somebody has to sign in for this device.".into()))
}

fn no_apple_account() -> Denial {
    Denial::new(DenialReason::Other("managed-apple-account".into())).with(|denial| {
        denial.message = Some("There is no Managed Apple Account for you here.".into());
    })
}

#[async_trait]
impl AdmissionPolicy for Door {
    async fn admit(&self, applicant: &Applicant) -> Result<Admission, Unavailable> {
        let denied = match &applicant.stage {
            Stage::Asking { way, .. } => self.asking(*way, applicant).await?,
            Stage::Authenticating { certificate, .. } => {
                self.authenticating(certificate, applicant).await?
            }
            // A push token changes now and then: that is no way back.
            Stage::Returning => Some(
                Denial::new(DenialReason::Invitation)
                    .with(|it| it.description = Some("disabled, and did not enrol anew".into())),
            ),
            _ => None,
        };
        Ok(match denied {
            Some(denial) => denial.into(),
            None => self.grant(applicant).into(),
        })
    }
}
