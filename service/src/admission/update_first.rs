//! A system that has to be updated before the device gets its profile.

use async_trait::async_trait;
use mdm_protocol::enroll::software_update_required::SoftwareUpdateRequiredDetails;
use mdm_schema::{OsVersion, Platform};

use super::{Admission, AdmissionPolicy, Applicant, Denial, DenialReason, Stage};
use crate::{Reported, Unavailable};

/// Has devices with an older system update before they get their profile; of the rest, `P` decides.
///
/// Only a device that `P` admits is told so, and only one that says that it can do it
/// (`MDM_CAN_REQUEST_SOFTWARE_UPDATE` in its signed MachineInfo: iOS 17, iPadOS 17 and macOS 14 or later, in Automated
/// Device Enrollment): it gets `com.apple.softwareupdate.required` with the version, updates, and asks again. Every
/// other one goes on, and can be updated by commands once it is enrolled.
///
/// ```
/// use mdm_schema::{OsVersion, Platform};
/// use mdm_service::{AdmitInvited, UpdateFirst};
///
/// let policy = UpdateFirst::new(AdmitInvited)
///     .at_least(Platform::Ios, OsVersion::new(18, 2, 0)) // iPadOS too
///     .at_least(Platform::MacOs, OsVersion::new(15, 2, 0));
/// # drop(policy);
/// ```
#[derive(Debug, Clone)]
pub struct UpdateFirst<P> {
    policy: P,
    least: Vec<(Platform, OsVersion)>,
}

impl<P> UpdateFirst<P> {
    /// Asks `policy`, and nothing more until [`at_least`](Self::at_least) says so.
    pub fn new(policy: P) -> Self {
        Self {
            policy,
            least: Vec::new(),
        }
    }

    /// The version that devices of this system have to have. It must be one that Apple offers them: a device that does
    /// not find it cannot go on. Of two for one system the last counts.
    #[must_use]
    pub fn at_least(mut self, platform: Platform, version: OsVersion) -> Self {
        self.least.retain(|(known, _)| *known != platform);
        self.least.push((platform, version));
        self
    }

    /// What the applicant has to update to before it goes on.
    fn missing(&self, applicant: &Applicant) -> Option<OsVersion> {
        let Stage::Asking { machine_info, .. } = &applicant.stage else {
            return None;
        };
        if machine_info.mdm_can_request_software_update != Some(true) {
            return None;
        }
        let product = applicant.product.as_deref();
        let platform = Reported::of_product(product, applicant.at).platform?;
        let version: OsVersion = applicant.os_version.as_deref()?.parse().ok()?;
        let least = self.least.iter().find(|(known, _)| *known == platform);
        least
            .map(|(_, least)| *least)
            .filter(|least| version < *least)
    }
}

#[async_trait]
impl<P: AdmissionPolicy> AdmissionPolicy for UpdateFirst<P> {
    async fn admit(&self, applicant: &Applicant) -> Result<Admission, Unavailable> {
        let admission = self.policy.admit(applicant).await?;
        Ok(match (&admission, self.missing(applicant)) {
            (Admission::Admit(_), Some(least)) => {
                let details = SoftwareUpdateRequiredDetails::new(least.to_string());
                let denial = Denial::new(DenialReason::UpdateFirst(details));
                let has = applicant.os_version.as_deref().unwrap_or_default();
                denial
                    .with(|denial| {
                        denial.description = Some(format!("{has} is older than {least}"));
                    })
                    .into()
            }
            _ => admission,
        })
    }
}
