//! What the vendor makes: profiles.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use bytes::Bytes;
use mdm_core::Secret;

use crate::{Applicant, Grant, Invitation, Unavailable};

/// The content type of a profile.
pub const PROFILE_CONTENT_TYPE: &str = "application/x-apple-aspen-config";

/// Makes enrolment profiles, signed or not: with `mdm-profiles`, for one.
#[async_trait]
pub trait ProfileSource: fmt::Debug + Send + Sync {
    /// The enrolment profile for this applicant. Its `com.apple.mdm` payload has the URLs of the request,
    /// to the byte; in account-driven enrolment its `EnrollmentMode` and `AssignedManagedAppleID` too.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be made now.
    async fn enrollment_profile(&self, request: &ProfileRequest<'_>) -> Result<Bytes, Unavailable>;

    /// The profile of type `Profile Service` with which over-the-air enrolment begins; `None` if it is not
    /// offered.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be made now.
    async fn profile_service(
        &self,
        request: &ProfileServiceRequest,
    ) -> Result<Option<Bytes>, Unavailable> {
        let _ = request;
        Ok(None)
    }

    /// The profile that gets a device in over-the-air enrolment its identity, from SCEP for one; it asks
    /// again with that identity. `None` to give it the enrolment profile at once, with the identity in it.
    ///
    /// The issuer has to see to it that the certificate's common name is
    /// [`IdentityProfileRequest::common_name`] and no other: the device that asks again is the one that is named there,
    /// whatever it tells, and what it tells beside is not believed.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be made now.
    async fn identity_profile(
        &self,
        request: &IdentityProfileRequest<'_>,
    ) -> Result<Option<Bytes>, Unavailable> {
        let _ = request;
        Ok(None)
    }
}

/// What an enrolment profile is made for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProfileRequest<'a> {
    /// Who asks, by which way, and who signed in.
    pub applicant: &'a Applicant,
    /// On what terms.
    pub grant: &'a Grant,
    /// The invitation that the URLs carry.
    pub invitation: &'a Invitation,
    /// `CheckInURL`. An update of the profile later on has to have the same, and
    /// [`Enrollment::invitation`](crate::Enrollment::invitation) remembers it.
    pub check_in_url: String,
    /// `ServerURL`.
    pub server_url: String,
}

impl ProfileRequest<'_> {
    /// What variables of a profile may stand for: `SERIAL_NUMBER`, `UDID`, `PRODUCT`, `OS_VERSION`,
    /// `OWNER`, `MANAGED_APPLE_ACCOUNT`, as far as they are known; and every text in the account's and the
    /// invitation's `data`, by its own name.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let applicant = self.applicant;
        let account = applicant.account.as_ref();
        let mut found = BTreeMap::new();
        for data in [
            Some(&self.invitation.data),
            account.map(|account| &account.data),
        ] {
            for (name, value) in data.and_then(|data| data.as_object()).into_iter().flatten() {
                if let Some(text) = value.as_str() {
                    found.insert(name.clone(), text.to_owned());
                }
            }
        }
        let known = [
            (
                "SERIAL_NUMBER",
                applicant.serial_number.as_ref().map(ToString::to_string),
            ),
            ("UDID", applicant.udid.as_ref().map(ToString::to_string)),
            ("PRODUCT", applicant.product.clone()),
            ("OS_VERSION", applicant.os_version.clone()),
            ("OWNER", self.grant.owner.clone()),
            (
                "MANAGED_APPLE_ACCOUNT",
                account.and_then(|account| account.managed_apple_account.clone()),
            ),
        ];
        for (name, value) in known {
            if let Some(value) = value {
                found.insert(name.to_owned(), value);
            }
        }
        found
    }
}

/// What a `Profile Service` profile is made for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProfileServiceRequest {
    /// `URL`: where the device answers.
    pub url: String,
    /// `Challenge`: what it repeats.
    pub challenge: Secret<String>,
    /// The invitation that it came with.
    pub invitation: Option<Invitation>,
}

/// What an identity is got for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IdentityProfileRequest<'a> {
    /// Who asks, with the attributes that it signed.
    pub applicant: &'a Applicant,
    /// On what terms.
    pub grant: &'a Grant,
}

impl IdentityProfileRequest<'_> {
    /// The name of the device: its serial number, or its `UDID` if it told none; `None` without either.
    pub fn common_name(&self) -> Option<&str> {
        let serial_number = self.applicant.serial_number.as_ref().map(AsRef::as_ref);
        serial_number.or(self.applicant.udid.as_ref().map(AsRef::as_ref))
    }
}
