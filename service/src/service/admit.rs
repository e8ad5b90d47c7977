//! Asking the policy whether a device may enrol, and telling of it where it may not.

use http::Uri;

use super::{Inner, answer::Refused};
use crate::{
    Admission, Applicant, Denial, DenialReason, Enrollment, EnrollmentId, Event, EventKind, Grant,
    Invitation, RefusedAt, Stage, StoreError,
    enrollment::{Spend, decide::Step},
};

/// The query's key that names an invitation.
pub(crate) const INVITATION: &str = "invitation";

/// Longest name of an invitation that is looked up, in bytes.
const MAX_INVITATION_BYTES: usize = 128;

/// The invitation that a URL names.
pub(crate) fn named(uri: &Uri) -> Option<&str> {
    let mut pairs = uri
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    let (_, name) = pairs.find(|(key, _)| *key == INVITATION)?;
    Some(name).filter(|name| !name.is_empty())
}

/// What became of an invitation's name.
pub(crate) enum Invited {
    /// None was named, or one that the device spent before and that is forgotten by now.
    No,
    /// This one, and this device may spend it.
    By(Box<Invitation>),
    /// It is no invitation for this device.
    Not,
}

impl Inner {
    /// Looks the named invitation up. `device` is who may have spent it before.
    pub(crate) async fn invited(
        &self,
        name: Option<&str>,
        device: Option<&EnrollmentId>,
        applicant: &Applicant,
        known: Option<&Enrollment>,
    ) -> Result<Invited, StoreError> {
        let Some(name) = name else {
            return Ok(Invited::No);
        };
        let is_known = known.and_then(|known| known.invitation.as_deref()) == Some(name);
        let found = match name.len() <= MAX_INVITATION_BYTES {
            true => self.store.invitation(name).await?,
            false => None,
        };
        let Some(invitation) = found else {
            return Ok(if is_known { Invited::No } else { Invited::Not });
        };
        let may_spend = match device {
            Some(device) => invitation.may_be_spent(device, applicant.at),
            // Who asks for a profile without a name of its own: anybody's, as long as nobody used it.
            None => invitation.spent_by.is_none() && applicant.at < invitation.expires_at,
        };
        let (serial_number, udid) = (applicant.serial_number.as_ref(), applicant.udid.as_ref());
        // Who opens a link says nothing of a device yet; who enrols says what it is for.
        let says_who = device.is_some() || serial_number.is_some() || udid.is_some();
        let is_for = !says_who || invitation.is_for(serial_number, udid);
        Ok(match may_spend && is_for {
            true => Invited::By(Box::new(invitation)),
            false => Invited::Not,
        })
    }

    /// What the policy says. A place that is surely gone is refused here already, where the device can
    /// still say so.
    pub(crate) async fn ask(&self, applicant: &Applicant) -> Result<Admission, Refused> {
        let admission = self.admission.admit(applicant).await?;
        if let (Admission::Admit(grant), Stage::Asking { .. }) = (&admission, &applicant.stage) {
            for claim in &grant.claims {
                let known = applicant.known.as_ref();
                let has = known.is_some_and(|known| known.licences.contains(&claim.pool));
                if !has && self.store.places_taken(&claim.pool).await? >= claim.limit {
                    return Ok(Denial::new(DenialReason::no_licence(&claim.pool)).into());
                }
            }
        }
        Ok(admission)
    }

    /// Tells the log of a refusal; and the vendor, if it is of somebody who has shown who they are, and the same was
    /// not told a moment ago: whoever has seen what a device signed can send it again as often as they like.
    pub(crate) async fn tell_denied(
        &self,
        enrollment: Option<EnrollmentId>,
        applicant: &Applicant,
        denial: &Denial,
    ) -> Result<(), StoreError> {
        let stage = match applicant.stage {
            Stage::Asking { .. } => RefusedAt::Profile,
            _ => RefusedAt::Authenticate,
        };
        tracing::warn!(
            enrollment = enrollment.as_ref().map(tracing::field::display),
            reason = denial.reason.as_str(),
            description = denial.description.as_deref(),
            serial_number = applicant.serial_number.as_ref().map(AsRef::<str>::as_ref),
            owner = applicant.owner.as_deref(),
            ?stage,
            "not admitted"
        );
        let Some(enrollment) = enrollment else {
            return Ok(());
        };
        let refusal = format!(
            "{enrollment} {stage:?} {} {:?} {:?}",
            denial.reason.as_str(),
            applicant.serial_number,
            applicant.owner
        );
        if !self.refusals.is_news(&refusal, applicant.at) {
            return Ok(());
        }
        let kind = EventKind::Refused {
            stage,
            reason: denial.reason.as_str().to_owned(),
            description: denial.description.clone(),
            serial_number: applicant.serial_number.clone(),
            owner: applicant.owner.clone(),
        };
        let event = Event::new(enrollment, applicant.at, kind);
        let told = self.store.tell(vec![event]).await;
        if told.is_err() {
            self.refusals.forget(&refusal);
        }
        told
    }
}

/// Adds to a step what the device was granted.
pub(super) fn grant(step: &mut Step, grant: Grant, invitation: Option<&Invitation>) {
    let at = step.at;
    if let Some(device) = &mut step.device {
        device.owner = grant.owner;
        if let Some(invitation) = invitation {
            device.invitation = Some(invitation.id.clone());
            step.invitation = Some(Spend::new(&invitation.id, at));
        }
    }
    step.claim(grant.claims);
}
