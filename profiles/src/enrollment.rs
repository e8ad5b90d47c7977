//! The profile that enrols a device: management, an identity, the roots to trust.

mod identity;
mod settings;

use mdm_pki::Certificate;

pub use self::{identity::EnrollmentIdentity, settings::MdmSettings};
use crate::{
    builder::ProfileBuilder,
    error::Error,
    profile::{Profile, Scope},
    recipe,
    stable::Namespace,
};

/// An enrolment profile to be.
///
/// [`build`](Self::build) gives every payload an identifier below the profile's own and a UUID from
/// its content, and makes the references between them, so that the same input is the same bytes.
///
/// ```
/// use mdm_profiles::{
///     EnrollmentProfile, MdmSettings, Namespace,
///     payload::{Mdm, scep::ScepContent},
/// };
///
/// let mdm = MdmSettings::new("https://mdm.example.com/mdm", "com.apple.mgmt.External.a1".parse()?)
///     .with(|mdm| mdm.check_in_url = Some("https://mdm.example.com/checkin".into()));
/// let scep = ScepContent::rsa_2048("https://mdm.example.com/scep").common_name("%SerialNumber%");
/// let profile = EnrollmentProfile::new("com.example.mdm", Namespace::new("mdm.example.com"), mdm, scep)
///     .with(|profile| profile.display_name = Some("Example Enrolment".into()))
///     .build()?;
///
/// let payload: Mdm = profile.payload("com.apple.mdm").unwrap().decode()?;
/// let identity = profile.payload_by_uuid(&payload.identity_certificate_uuid).unwrap();
/// assert_eq!(identity.payload_type(), Some("com.apple.security.scep"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EnrollmentProfile {
    /// `PayloadIdentifier` of the profile. Keep it: a profile with the same identifier is an update.
    pub identifier: String,
    /// Where the UUIDs come from.
    pub namespace: Namespace,
    /// The management payload.
    pub mdm: MdmSettings,
    /// How the device gets its identity.
    pub identity: EnrollmentIdentity,
    /// The roots that the device shall trust.
    pub roots: Vec<Certificate>,
    /// `PayloadDisplayName`: what the user sees.
    pub display_name: Option<String>,
    /// `PayloadDescription`.
    pub description: Option<String>,
    /// `PayloadOrganization`.
    pub organization: Option<String>,
    /// `PayloadScope`; [`Scope::System`] in automated enrolment.
    pub scope: Option<Scope>,
    /// `PayloadRemovalDisallowed`.
    pub removal_disallowed: Option<bool>,
}

impl EnrollmentProfile {
    /// A profile without a name and without roots.
    pub fn new(
        identifier: impl Into<String>,
        namespace: Namespace,
        mdm: MdmSettings,
        identity: impl Into<EnrollmentIdentity>,
    ) -> Self {
        Self {
            identifier: identifier.into(),
            namespace,
            mdm,
            identity: identity.into(),
            roots: Vec::new(),
            display_name: None,
            description: None,
            organization: None,
            scope: None,
            removal_disallowed: None,
        }
    }

    /// Sets optional parts.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }

    /// Adds a root that the device shall trust.
    #[must_use]
    pub fn root(self, root: &Certificate) -> Self {
        self.with(|profile| profile.roots.push(root.clone()))
    }

    /// Builds the profile.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty identifier, a URL that is not `https`, or a topic that is not
    /// one of MDM; [`Error::AccessRights`] for rights that no device accepts; [`Error::Duplicate`]
    /// for the same root twice.
    pub fn build(&self) -> Result<Profile, Error> {
        self.to_builder()?.build()
    }

    /// The profile before it is built, to ask for consent, set an expiry, or add more payloads.
    ///
    /// # Errors
    /// See [`build`](Self::build).
    pub fn to_builder(&self) -> Result<ProfileBuilder, Error> {
        let mut profile = ProfileBuilder::new(&*self.identifier, self.namespace).with(|profile| {
            profile.display_name.clone_from(&self.display_name);
            profile.description.clone_from(&self.description);
            profile.organization.clone_from(&self.organization);
            profile.scope.clone_from(&self.scope);
            profile.removal_disallowed = self.removal_disallowed;
        });
        self.add_to(&mut profile)?;
        Ok(profile)
    }

    /// Adds roots, identity and management to another profile, which keeps its own identifier, names
    /// and variables.
    ///
    /// # Errors
    /// See [`build`](Self::build).
    pub fn add_to(&self, profile: &mut ProfileBuilder) -> Result<(), Error> {
        self.mdm.check()?;
        self.identity.check()?;
        let roots = recipe::roots(profile, &self.roots)?;
        let identity = self.identity.add(profile)?;
        profile.add("mdm", &self.mdm.payload(&identity, &roots))?;
        Ok(())
    }
}
