//! Ways in: who may enrol, and the profile with which a device does.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use mdm_sdk::{
    ade::AdeStore,
    core::{Clock, SerialNumber, Topic},
    pki::{Certificate, Identity},
    profiles::{
        EnrollmentProfile, MdmSettings, Namespace, Profile, ProfileBuilder,
        payload::scep::ScepContent, recipe::ProfileService, sign,
    },
    scep::{Bound, OneTime},
    service::{
        Admission, AdmissionPolicy, Applicant, Denial, DenialReason, Grant, Stage, Unavailable,
        Way,
        entry::{ProfileRequest, ProfileServiceRequest, ProfileSource},
    },
};

/// Makes enrolment profiles: an identity by SCEP, with a challenge that is good for this device once; management;
/// the roots to trust. All of them signed.
pub(crate) struct Profiles {
    pub(crate) identifier: String,
    pub(crate) organization: String,
    pub(crate) topic: Topic,
    /// Where SCEP is spoken.
    pub(crate) scep_url: String,
    pub(crate) roots: Vec<Certificate>,
    pub(crate) signer: Identity,
    pub(crate) challenges: OneTime,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The name that a device's certificate has: its serial number, or else the invitation that it came by. So a
/// certificate belongs to one device from the moment its challenge is made.
fn name_of<'a>(serial_number: Option<&'a SerialNumber>, invitation: &'a str) -> &'a str {
    serial_number.map_or(invitation, SerialNumber::as_str)
}

impl Profiles {
    fn signed(&self, profile: &Profile) -> Result<Bytes, Unavailable> {
        let signed = sign::sign(profile, &self.signer, self.clock.now());
        Ok(signed.map_err(Unavailable::new)?.into())
    }

    fn namespace(&self) -> Namespace {
        Namespace::new(&self.identifier)
    }
}

#[async_trait]
impl ProfileSource for Profiles {
    async fn enrollment_profile(&self, request: &ProfileRequest<'_>) -> Result<Bytes, Unavailable> {
        let invitation = request.invitation;
        let serial_number = request.applicant.serial_number.as_ref();
        let serial_number = serial_number.or(invitation.serial_number.as_ref());
        let name = name_of(serial_number, &invitation.id);
        let challenge = self
            .challenges
            .issue(name, Bound::common_name(name), self.clock.now())
            .await
            .map_err(Unavailable::new)?;
        let scep = ScepContent::rsa_2048(&self.scep_url)
            .common_name(name)
            .with(|scep| scep.challenge = Some(challenge));
        let mdm = MdmSettings::new(&request.server_url, self.topic.clone())
            .with(|mdm| mdm.check_in_url = Some(request.check_in_url.clone()));
        let profile =
            EnrollmentProfile::new(&self.identifier, self.namespace(), mdm, scep).with(|profile| {
                profile.display_name = Some(format!("{} Management", self.organization));
                profile.organization = Some(self.organization.clone());
                profile.roots.clone_from(&self.roots);
            });
        self.signed(&profile.build().map_err(Unavailable::new)?)
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

/// Admits whom somebody invited, and by automated enrolment what Apple assigned to one of our accounts.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) assigned: Arc<dyn AdeStore>,
    /// Automated enrolment is open to any device of Apple's.
    pub(crate) any_device: bool,
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
}

#[async_trait]
impl AdmissionPolicy for Door {
    async fn admit(&self, applicant: &Applicant) -> Result<Admission, Unavailable> {
        let invitation = applicant.invitation.as_ref();
        let denied = match &applicant.stage {
            Stage::Asking {
                way: Way::Automated | Way::AutomatedWithPage,
                ..
            } => {
                let is_ours = self.any_device
                    || match &applicant.serial_number {
                        Some(serial_number) => self.is_assigned(serial_number).await?,
                        None => false,
                    };
                (!is_ours).then_some(DenialReason::NotAssigned)
            }
            Stage::Asking { .. } => invitation.is_none().then_some(DenialReason::Invitation),
            // By its certificate a device shows for whom the challenge was made that it got one with.
            Stage::Authenticating { certificate, .. } => {
                let named = certificate.subject().common_name();
                let known = applicant.known.as_ref();
                let invitations = [
                    invitation.map(|invitation| invitation.id.as_str()),
                    known.and_then(|known| known.invitation.as_deref()),
                ];
                let serial_number = applicant.serial_number.as_ref().map(SerialNumber::as_str);
                let mut names = invitations.into_iter().chain([serial_number]).flatten();
                let is_named = named.is_some_and(|named| names.any(|name| name == named));
                let came_by_us = invitation.is_some() || known.is_some();
                (!(is_named && came_by_us)).then_some(DenialReason::Invitation)
            }
            _ => None,
        };
        Ok(match denied {
            Some(reason) => Denial::new(reason).into(),
            None => Grant::of(applicant).into(),
        })
    }
}
