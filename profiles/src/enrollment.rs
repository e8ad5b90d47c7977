//! The profile that enrols a device: management, an identity from SCEP, the roots to trust.

mod settings;

use mdm_pki::{Certificate, DigestAlgorithm};
use mdm_plist::{Dictionary, Value};
use uuid::Uuid;

pub use self::settings::MdmSettings;
use crate::{
    error::Error,
    payload::{Payload, RootCertificate, Scep, ScepContent},
    profile::{Profile, Scope},
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
///     payload::{Mdm, ScepContent},
/// };
///
/// let mdm = MdmSettings::new("https://mdm.example.com/mdm", "com.apple.mgmt.External.a1".parse()?)
///     .with(|mdm| mdm.check_in_url = Some("https://mdm.example.com/checkin".into()));
/// let scep = ScepContent::new("https://mdm.example.com/scep").common_name("%SerialNumber%");
/// let profile = EnrollmentProfile::new("com.example.mdm", Namespace::new("mdm.example.com")?, mdm, scep)
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
    pub scep: ScepContent,
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
        scep: ScepContent,
    ) -> Self {
        Self {
            identifier: identifier.into(),
            namespace,
            mdm,
            scep,
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
        if self.identifier.is_empty() {
            return Err(Error::Invalid {
                key: "PayloadIdentifier",
                problem: "is empty",
            });
        }
        self.mdm.check()?;
        let scheme = self.scep.url.get(..4).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("http") {
            // SCEP protects its own messages, so Apple takes plain HTTP here.
            return Err(Error::Invalid {
                key: "URL",
                problem: "of the SCEP server is no http or https URL",
            });
        }

        let mut payloads = Vec::new();
        let mut roots = Vec::new();
        for root in &self.roots {
            let print = root.fingerprint(DigestAlgorithm::Sha256)?;
            let name: String = print
                .iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let payload = RootCertificate::new(root.to_der());
            let uuid = self.add(&mut payloads, &format!("root.{name}"), &payload)?;
            if roots.contains(&uuid) {
                return Err(Error::Duplicate("root certificate"));
            }
            roots.push(uuid);
        }
        let scep = Scep::new(self.scep.clone());
        let identity = self.add(&mut payloads, "scep", &scep)?;
        let mdm = self.mdm.payload(&identity, &roots);
        self.add(&mut payloads, "mdm", &mdm)?;

        let mut keys = Dictionary::new();
        let texts = [
            ("PayloadDisplayName", &self.display_name),
            ("PayloadDescription", &self.description),
            ("PayloadOrganization", &self.organization),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                keys.insert(key.to_owned(), text.as_str().into());
            }
        }
        if let Some(scope) = &self.scope {
            keys.insert("PayloadScope".to_owned(), scope.as_str().into());
        }
        if let Some(disallowed) = self.removal_disallowed {
            keys.insert("PayloadRemovalDisallowed".to_owned(), disallowed.into());
        }
        keys.insert("PayloadContent".to_owned(), Value::Array(payloads));
        self.frame(&mut keys, "Configuration", self.identifier.clone())?;
        Ok(Profile::from_dictionary(keys)?.0)
    }

    /// Adds a payload and tells its UUID.
    fn add<P: Payload>(
        &self,
        payloads: &mut Vec<Value>,
        name: &str,
        payload: &P,
    ) -> Result<String, Error> {
        let Value::Dictionary(mut keys) = mdm_plist::to_value(payload)? else {
            return Err(Error::NotAProfile);
        };
        let identifier = format!("{}.{name}", self.identifier);
        let uuid = self.frame(&mut keys, P::PAYLOAD_TYPE, identifier)?;
        payloads.push(Value::Dictionary(keys));
        Ok(uuid)
    }

    /// Adds the four keys that the profile and each payload must have, and sorts all of them.
    fn frame(
        &self,
        keys: &mut Dictionary,
        payload_type: &str,
        identifier: String,
    ) -> Result<String, Error> {
        keys.insert("PayloadIdentifier".to_owned(), identifier.into());
        keys.insert("PayloadType".to_owned(), payload_type.into());
        keys.insert("PayloadVersion".to_owned(), 1.into());
        keys.sort_keys();
        let uuid: Uuid = self.namespace.uuid(&mdm_plist::to_xml(keys)?)?;
        let uuid = uuid.to_string().to_uppercase();
        keys.insert("PayloadUUID".to_owned(), uuid.as_str().into());
        keys.sort_keys();
        Ok(uuid)
    }
}
