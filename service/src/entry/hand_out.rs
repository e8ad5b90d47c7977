//! From an applicant to a profile: the policy is asked, an invitation made, the vendor's profile fetched.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderValue, Response, header};
use mdm_protocol::enroll::MachineInfo;
use serde_json::{Value, json};

use super::{Inner, PROFILE_CONTENT_TYPE, ProfileRequest, page};
use crate::{
    Account, Admission, Applicant, Claim, Denial, DenialReason, EnrollmentId, Grant, Invitation,
    Unavailable, Way,
    service::{
        admit::Invited,
        answer::{self, Refused},
    },
};

/// Who asks for a profile.
pub(super) struct Asking<'a> {
    pub(super) way: Way,
    pub(super) machine_info: Option<MachineInfo>,
    pub(super) account: Option<Account>,
    /// The name of the invitation that they have.
    pub(super) invitation: Option<&'a str>,
    /// The name of the one that is made if they have none; a random one unless given.
    pub(super) name: Option<String>,
}

impl<'a> Asking<'a> {
    pub(super) fn new(way: Way) -> Self {
        Self {
            way,
            machine_info: None,
            account: None,
            invitation: None,
            name: None,
        }
    }

    pub(super) fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }
}

/// Somebody who was asked about, and the verdict.
pub(super) struct Heard {
    pub(super) applicant: Applicant,
    pub(super) verdict: Result<Grant, Denial>,
}

impl Inner {
    /// Asks the policy, and tells of a refusal.
    pub(super) async fn hear(&self, asking: &Asking<'_>) -> Result<Heard, Refused> {
        let service = &*self.service.0;
        let now = self.now();
        let info = asking.machine_info.clone();
        let udid = info.as_ref().and_then(|info| info.udid.as_ref());
        let id = udid.and_then(|udid| EnrollmentId::device(udid.as_str()).ok());
        let known = match &id {
            Some(id) => service.store.enrollment(id).await?,
            None => None,
        };
        let applicant = Applicant::asking(asking.way, info, now)
            .with(|applicant| applicant.account.clone_from(&asking.account));
        let invited = service.invited(asking.invitation, id.as_ref(), &applicant, known.as_ref());
        let invited = invited.await?;
        let is_invited = !matches!(invited, Invited::Not);
        let applicant = applicant
            .with(|applicant| {
                if let Invited::By(invitation) = invited {
                    applicant.invitation = Some(*invitation);
                }
            })
            .knowing(known.as_ref());
        let admission = match is_invited {
            true => service.ask(&applicant).await?,
            false => Denial::new(DenialReason::Invitation).into(),
        };
        let verdict = match admission {
            Admission::Admit(grant) => Ok(grant),
            Admission::Refuse(denial) => {
                // Whoever opens a link is nobody: their attempts are not worth a row each.
                let is_somebody = asking.machine_info.is_some() || asking.account.is_some();
                let id = match id {
                    None if is_somebody => Some(unnamed()?),
                    id => id,
                };
                service.tell_denied(id, &applicant, &denial).await?;
                Err(denial)
            }
        };
        Ok(Heard { applicant, verdict })
    }

    /// The profile, or why there is none.
    pub(super) async fn hand_out(&self, asking: Asking<'_>) -> Result<Response<Bytes>, Refused> {
        let Heard { applicant, verdict } = self.hear(&asking).await?;
        let grant = match verdict {
            Ok(grant) => grant,
            Err(denial) => return Ok(self.refused(&asking, &denial).await),
        };
        let invitation = match &applicant.invitation {
            Some(invitation) => invitation.clone(),
            None => {
                let name = match &asking.name {
                    Some(name) => name.clone(),
                    None => self.name_for(asking.way, &applicant, &grant)?,
                };
                let invitation = made(name, asking.way, &applicant, &grant);
                self.service.0.store.invite(invitation.clone()).await?;
                invitation
            }
        };
        let request = ProfileRequest {
            applicant: &applicant,
            grant: &grant,
            check_in_url: self.urls.check_in(&invitation.id),
            server_url: self.urls.server(&invitation.id),
            invitation: &invitation,
        };
        let profile = self.profiles.enrollment_profile(&request).await?;
        tracing::info!(
            way = asking.way.as_str(),
            serial_number = applicant.serial_number.as_ref().map(AsRef::<str>::as_ref),
            owner = grant.owner.as_deref(),
            "profile handed out"
        );
        Ok(profile_response(profile))
    }

    /// The name of the invitation that is made for somebody who has none. A device that asks again gets the one that it was
    /// given, for half of the time that it lives, so that whoever repeats what a device signed fills no store. Who showed no
    /// device gets one of their own each time.
    fn name_for(
        &self,
        way: Way,
        applicant: &Applicant,
        grant: &Grant,
    ) -> Result<String, Unavailable> {
        let (serial_number, udid) = (&applicant.serial_number, &applicant.udid);
        if serial_number.is_none() && udid.is_none() {
            return random_name();
        }
        let half = (grant.lifetime / 2).num_seconds().max(1);
        let claims = grant.claims.iter();
        let claims: Vec<_> = claims.map(|claim| (&claim.pool, claim.limit)).collect();
        self.tickets.name(&(
            way.as_str(),
            serial_number,
            udid,
            &grant.owner,
            claims,
            &applicant.account,
            (half, applicant.at.timestamp().div_euclid(half)),
        ))
    }

    /// A refusal as the way in can show it.
    pub(super) async fn refused(&self, asking: &Asking<'_>, denial: &Denial) -> Response<Bytes> {
        let nothing = MachineInfo::default();
        let info = asking.machine_info.as_ref().unwrap_or(&nothing);
        let is_acted_on = denial.is_acted_on(info);
        let has_page = matches!(
            asking.way,
            Way::AutomatedWithPage | Way::Link | Way::OverTheAir
        );
        match &self.sign_in {
            _ if is_acted_on || !has_page => answer::denied(denial, is_acted_on),
            Some(sign_in) => sign_in.refused(denial).await,
            None => page::refused(denial),
        }
    }
}

/// The invitation that a profile carries.
fn made(name: String, way: Way, applicant: &Applicant, grant: &Grant) -> Invitation {
    let end = applicant.at.checked_add_signed(grant.lifetime);
    Invitation::new(name, applicant.at, end.unwrap_or(applicant.at)).with(|invitation| {
        invitation.owner.clone_from(&grant.owner);
        invitation
            .serial_number
            .clone_from(&applicant.serial_number);
        invitation.udid.clone_from(&applicant.udid);
        // A place that it only keeps is none that it is promised: it may lose it until it comes.
        let known = applicant.known.as_ref();
        let is_kept = |claim: &&Claim| {
            claim.limit == 0 && known.is_some_and(|known| known.licences.contains(&claim.pool))
        };
        let promised = grant.claims.iter().filter(|claim| !is_kept(claim));
        invitation.licences = promised.cloned().collect();
        if let Some(account) = &applicant.account {
            invitation.data = account.data.clone();
            remember(&mut invitation.data, way, account);
        }
    })
}

/// Keeps what the profile of an account-driven enrolment says of the account, for an update has to repeat it.
fn remember(data: &mut Value, way: Way, account: &Account) {
    let mode = match way {
        Way::AccountDrivenUser => "BYOD",
        Way::AccountDrivenDevice => "ADDE",
        _ => return,
    };
    if data.is_null() {
        *data = json!({});
    }
    if let Some(data) = data.as_object_mut() {
        let account = account.managed_apple_account.clone();
        data.insert("ENROLLMENT_MODE".to_owned(), mode.into());
        data.insert("ASSIGNED_MANAGED_APPLE_ID".to_owned(), account.into());
    }
}

/// 128 random bits.
pub(super) fn random_name() -> Result<String, Unavailable> {
    let bytes = mdm_pki::random::<16>().map_err(Unavailable::new)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Stands for a device that has not said who it is, in the event of its refusal.
fn unnamed() -> Result<EnrollmentId, Refused> {
    Ok("enrollment:unnamed".parse()?)
}

pub(super) fn profile_response(profile: Bytes) -> Response<Bytes> {
    let mut response = Response::new(profile);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(PROFILE_CONTENT_TYPE),
    );
    response
}
