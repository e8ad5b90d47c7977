//! Who may enrol: asked when a device wants its profile, and again at `Authenticate`.
//!
//! The reason of a refusal goes to the log, to the events
//! ([`EventKind::Refused`](crate::EventKind::Refused)), and to the device as far as its way in can show one.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::{SerialNumber, Udid};
use mdm_pki::Certificate;
use mdm_protocol::{checkin::Authenticate, enroll::MachineInfo};

use crate::{Claim, Enrollment, Invitation, Unavailable};

mod denial;
mod update_first;

pub use denial::{Denial, DenialReason};
pub use update_first::UpdateFirst;

/// Decides who may enrol.
///
/// Asked twice for one device, since much may happen in between; only the second answer takes places. The
/// device must have proved what it tells: a certificate of Apple's when it asks for its profile (of any
/// device, so compare the serial number with those that are the organisation's), its identity at
/// `Authenticate`.
///
/// ```
/// use async_trait::async_trait;
/// use mdm_service::{
///     Admission, AdmissionPolicy, Applicant, Claim, Denial, DenialReason, Grant, Unavailable,
/// };
///
/// /// 500 licences; five devices for each person; nobody who is not ours.
/// #[derive(Debug)]
/// struct Ours;
///
/// #[async_trait]
/// impl AdmissionPolicy for Ours {
///     async fn admit(&self, applicant: &Applicant) -> Result<Admission, Unavailable> {
///         let Some(owner) = &applicant.owner else {
///             return Ok(Denial::new(DenialReason::NotAssigned)
///                 .with(|denial| denial.message = Some("Sign in with your work account.".into()))
///                 .into());
///         };
///         let claims = [Claim::new("licences", 500), Claim::new(format!("user:{owner}"), 5)];
///         Ok(Grant::of(applicant).with(|grant| grant.claims = claims.into()).into())
///     }
/// }
/// ```
#[async_trait]
pub trait AdmissionPolicy: fmt::Debug + Send + Sync {
    /// Whether the applicant may go on, and on what terms.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be told now; the device is answered 503.
    async fn admit(&self, applicant: &Applicant) -> Result<Admission, Unavailable>;
}

#[async_trait]
impl<P: AdmissionPolicy + ?Sized> AdmissionPolicy for std::sync::Arc<P> {
    async fn admit(&self, applicant: &Applicant) -> Result<Admission, Unavailable> {
        (**self).admit(applicant).await
    }
}

/// Admits everybody who gets as far as to ask: any device of Apple's to a profile, any certificate of a
/// trusted issuer to an enrolment, and who was disabled as far as there is a place.
#[derive(Debug, Clone, Copy, Default)]
pub struct AdmitAll;

#[async_trait]
impl AdmissionPolicy for AdmitAll {
    async fn admit(&self, applicant: &Applicant) -> Result<Admission, Unavailable> {
        Ok(Grant::of(applicant).into())
    }
}

/// What holds where nothing is chosen: a profile is for whoever was invited or signed in, and who has a
/// certificate of a trusted issuer may enrol with it. A device that checked out or that the vendor took back
/// has to enrol anew: its push token changes now and then, and that is no way back.
#[derive(Debug, Clone, Copy, Default)]
pub struct AdmitInvited;

#[async_trait]
impl AdmissionPolicy for AdmitInvited {
    async fn admit(&self, applicant: &Applicant) -> Result<Admission, Unavailable> {
        let is_invited = applicant.invitation.is_some() || applicant.account.is_some();
        Ok(match applicant.stage {
            Stage::Asking { .. } if !is_invited => Denial::new(DenialReason::NotAssigned).into(),
            Stage::Returning => Denial::new(DenialReason::Invitation)
                .with(|denial| denial.description = Some("disabled, and did not enrol anew".into()))
                .into(),
            _ => Grant::of(applicant).into(),
        })
    }
}

/// A device that wants to be admitted, with what is known of it and of whom it is for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Applicant {
    /// How far it has come.
    pub stage: Stage,
    /// When it asks.
    pub at: DateTime<Utc>,
    /// Its serial number; not in User Enrolment.
    pub serial_number: Option<SerialNumber>,
    /// Its `UDID`; not in User Enrolment.
    pub udid: Option<Udid>,
    /// Its product, such as `iPhone14,2`.
    pub product: Option<String>,
    /// Its system's version, such as `18.1`.
    pub os_version: Option<String>,
    /// Its system's build, such as `22B83`.
    pub build_version: Option<String>,
    /// The invitation that it names: one that exists, is for this device, and may be spent.
    pub invitation: Option<Invitation>,
    /// Who signed in on the way here.
    pub account: Option<Account>,
    /// The account whose device it will be: of who signed in, of the invitation, or as it was; not as it was where a
    /// device checked out or was taken back, and nothing shows that it is the same
    /// ([`Pinning::is_proven`](crate::identity::Pinning::is_proven)).
    pub owner: Option<String>,
    /// The enrolment as it is, if the device was ever seen.
    pub known: Option<Enrollment>,
}

impl Applicant {
    /// An applicant of whom nothing else is known.
    pub fn new(stage: Stage, at: DateTime<Utc>) -> Self {
        Self {
            stage,
            at,
            serial_number: None,
            udid: None,
            product: None,
            os_version: None,
            build_version: None,
            invitation: None,
            account: None,
            owner: None,
            known: None,
        }
    }

    /// The applicant after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// A device that asks for its profile by `way`, with what it signed, if anything.
    pub(crate) fn asking(way: Way, machine_info: Option<MachineInfo>, at: DateTime<Utc>) -> Self {
        let info = machine_info.unwrap_or_default();
        let said = info.clone();
        let stage = Stage::Asking {
            way,
            machine_info: Box::new(info),
        };
        Self::new(stage, at).with(|applicant| {
            applicant.serial_number = said.serial;
            applicant.udid = said.udid;
            applicant.product = said.product;
            applicant.os_version = said.os_version;
            applicant.build_version = said.version;
        })
    }

    /// A device that sent `Authenticate`.
    pub(crate) fn authenticating(
        message: &Authenticate,
        certificate: &Certificate,
        at: DateTime<Utc>,
    ) -> Self {
        let stage = Stage::Authenticating {
            message: Box::new(message.clone()),
            certificate: Box::new(certificate.clone()),
        };
        Self::new(stage, at).with(|applicant| {
            applicant.serial_number.clone_from(&message.serial_number);
            applicant.udid.clone_from(&message.udid);
            applicant.product = message.product_name.clone().or(message.model.clone());
            applicant.os_version.clone_from(&message.os_version);
            applicant.build_version.clone_from(&message.build_version);
        })
    }

    /// What is known already fills in what the device did not say, and whose it is.
    pub(crate) fn knowing(mut self, known: Option<&Enrollment>) -> Self {
        self.owner = self
            .account
            .as_ref()
            .map(|account| account.owner.clone())
            .or_else(|| self.invitation.as_ref()?.owner.clone())
            .or_else(|| known?.owner.clone());
        self.known = known.cloned();
        self
    }
}

/// How far an applicant has come.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Stage {
    /// It asks for its enrolment profile.
    #[non_exhaustive]
    Asking {
        /// By which way.
        way: Way,
        /// What the device signed; empty where the way is without.
        machine_info: Box<MachineInfo>,
    },
    /// It sent `Authenticate`.
    #[non_exhaustive]
    Authenticating {
        /// The message.
        message: Box<Authenticate>,
        /// The certificate that it came with.
        certificate: Box<Certificate>,
    },
    /// It was disabled and comes back without `Authenticate`, by a `TokenUpdate`: it still has its
    /// profile. Its places went when it was disabled; [`Applicant::invitation`] is that of its profile, so
    /// that [`Grant::of`] claims them again.
    Returning,
}

/// By which way a device asks for its enrolment profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Way {
    /// Automated Device Enrollment without a page: the device POSTs its signed MachineInfo.
    Automated,
    /// Automated Device Enrollment with a page on which a person signs in.
    AutomatedWithPage,
    /// A link that a person opens.
    Link,
    /// Over-the-air enrolment by a `Profile Service` profile.
    OverTheAir,
    /// Account-driven device enrolment: the device is the organisation's.
    AccountDrivenDevice,
    /// Account-driven User Enrolment: the device is the person's own.
    AccountDrivenUser,
}

impl Way {
    /// A name for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automated => "automated",
            Self::AutomatedWithPage => "automated-with-page",
            Self::Link => "link",
            Self::OverTheAir => "over-the-air",
            Self::AccountDrivenDevice => "account-driven-device",
            Self::AccountDrivenUser => "account-driven-user",
        }
    }
}

/// Who signed in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Account {
    /// The vendor's name of the account: what the enrolment belongs to from now on.
    pub owner: String,
    /// The Managed Apple Account, where the profile has to name one (`AssignedManagedAppleID`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_apple_account: Option<String>,
    /// What else the vendor wants in the profile or wants to find again, no secret: it passes through the
    /// person's browser, signed and legible.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub data: serde_json::Value,
}

impl Account {
    /// An account of which nothing but the name is known.
    pub fn new(owner: impl Into<String>) -> Self {
        Self {
            owner: owner.into(),
            managed_apple_account: None,
            data: serde_json::Value::Null,
        }
    }

    /// The account after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }
}

/// What a policy decides.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Admission {
    /// The device may go on.
    Admit(Grant),
    /// It may not, and why.
    Refuse(Denial),
}

impl From<Grant> for Admission {
    fn from(grant: Grant) -> Self {
        Self::Admit(grant)
    }
}

impl From<Denial> for Admission {
    fn from(denial: Denial) -> Self {
        Self::Refuse(denial)
    }
}

/// On what terms a device is admitted.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Grant {
    /// The account whose device it is.
    pub owner: Option<String>,
    /// The places that it takes, in these pools and no others. Counted at `Authenticate`, as one step: of
    /// two devices for one place one gets it. Free again when the enrolment is disabled.
    pub claims: Vec<Claim>,
    /// How long the profile may wait for its `Authenticate`, from now on; a day unless set. Looked at when
    /// a profile is handed out.
    pub lifetime: TimeDelta,
}

impl Grant {
    /// What the applicant brings along: its owner, and the places that its invitation promises, or those
    /// that it has already where it promises none.
    pub fn of(applicant: &Applicant) -> Self {
        let promised = applicant.invitation.as_ref();
        let promised = promised.filter(|invitation| !invitation.licences.is_empty());
        let claims = match (promised, &applicant.known) {
            (Some(invitation), _) => invitation.licences.clone(),
            // It keeps a place that it has, whatever the limit.
            (None, Some(known)) => known
                .licences
                .iter()
                .map(|pool| Claim::new(pool, 0))
                .collect(),
            (None, None) => Vec::new(),
        };
        Self {
            owner: applicant.owner.clone(),
            claims,
            lifetime: TimeDelta::days(1),
        }
    }

    /// The grant after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }
}
