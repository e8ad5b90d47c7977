//! A profile put together from payloads, with identifiers and UUIDs that stay what they are.

use std::{collections::BTreeMap, fmt, time::Duration};

use chrono::{DateTime, SubsecRound, Utc};
use mdm_core::Secret;
use mdm_plist::{Dictionary, Value, date};

pub use crate::payload::top_level::TargetDeviceType;
use crate::{
    error::Error,
    payload::Payload,
    profile::{Profile, Scope},
    stable::Namespace,
    variables::Variables,
};

/// A profile to be.
///
/// Every payload gets an identifier below the profile's own and a UUID from its content, so that the
/// same input is the same bytes, and a payload that did not change is the same to the device. Folder,
/// time zone, locale and clock play no part.
///
#[cfg_attr(feature = "network", doc = "```")]
#[cfg_attr(not(feature = "network"), doc = "```ignore")]
/// use mdm_profiles::{
///     Namespace, ProfileBuilder,
///     payload::{CertificateRoot, WiFi, wifi::{EapClientConfiguration, EapType, EncryptionType}},
/// };
///
/// let mut profile = ProfileBuilder::new("com.example.office", Namespace::new("mdm.example.com"))
///     .with(|profile| profile.display_name = Some("Office".into()));
/// let root = profile.add("root", &CertificateRoot::new(*b"0\0"))?;
/// let wifi = WiFi::new().with(|wifi| {
///     wifi.ssid_str = Some("Office".into());
///     wifi.encryption_type = Some(EncryptionType::Wpa2);
///     let eap = EapClientConfiguration::new(vec![EapType::Peap])
///         .with(|eap| eap.payload_certificate_anchor_uuid = Some(vec![root.into()]));
///     wifi.eap_client_configuration = Some(eap);
/// });
/// profile.add("wifi", &wifi)?;
///
/// let profile = profile.build()?;
/// assert!(profile.validate(Some(&"ios:18.2".parse()?)).is_empty());
/// let wifi = profile.payload("com.apple.wifi.managed").unwrap();
/// assert_eq!(wifi.identifier(), Some("com.example.office.wifi"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ProfileBuilder {
    /// `PayloadIdentifier` of the profile. Keep it: a profile with the same identifier is an update.
    pub identifier: String,
    /// Where the UUIDs come from.
    pub namespace: Namespace,
    /// `PayloadDisplayName`: what the user sees.
    pub display_name: Option<String>,
    /// `PayloadDescription`.
    pub description: Option<String>,
    /// `PayloadOrganization`.
    pub organization: Option<String>,
    /// `PayloadScope`.
    pub scope: Option<Scope>,
    /// `ConsentText` by language (BCP 47), to which the user has to agree. Whose language is not
    /// among them sees `default`, else `en`, else the first.
    pub consent_text: BTreeMap<String, String>,
    /// `TargetDeviceType`: the kind of device that it is for.
    pub target_device_type: Option<TargetDeviceType>,
    /// `PayloadRemovalDisallowed`.
    pub removal_disallowed: Option<bool>,
    /// `HasRemovalPasscode` and the payload that goes with it: who knows the password may remove the
    /// profile.
    pub removal_password: Option<Secret<String>>,
    /// `RemovalDate`: when the device removes it; fractions of a second are dropped.
    pub removal_date: Option<DateTime<Utc>>,
    /// `DurationUntilRemoval`: how long after its installation. The earlier of the two counts.
    pub duration_until_removal: Option<Duration>,
    /// `PayloadExpirationDate`: when it is no longer valid and the device offers an update. It
    /// removes nothing.
    pub expiration_date: Option<DateTime<Utc>>,
    /// What is filled in wherever a text refers to it, in what is added from now on and in the
    /// profile's own keys. UUIDs are those of the result.
    pub variables: Option<Variables>,
    /// Any other key at the top level.
    pub more: Dictionary,
    payloads: Vec<Value>,
    names: Vec<String>,
}

impl ProfileBuilder {
    /// A profile without a name and without payloads.
    pub fn new(identifier: impl Into<String>, namespace: Namespace) -> Self {
        Self {
            identifier: identifier.into(),
            namespace,
            display_name: None,
            description: None,
            organization: None,
            scope: None,
            consent_text: BTreeMap::new(),
            target_device_type: None,
            removal_disallowed: None,
            removal_password: None,
            removal_date: None,
            duration_until_removal: None,
            expiration_date: None,
            variables: None,
            more: Dictionary::new(),
            payloads: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Sets optional parts.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }

    /// Adds a payload, and returns what others refer to it by.
    ///
    /// `name` is the last part of its `PayloadIdentifier`. Keep it: the device updates the payload
    /// where it knows the identifier, and replaces it where it does not.
    ///
    /// # Errors
    /// [`Error::Duplicate`] for a name that is taken; [`Error::Variable`] for a variable that is not
    /// known; [`Error::Plist`] for what a property list cannot hold.
    pub fn add<P: Payload>(&mut self, name: &str, payload: &P) -> Result<PayloadRef, Error> {
        self.add_keys(name, P::PAYLOAD_TYPE, payload.to_dictionary())
    }

    /// Adds a payload of any type by its keys, `PayloadDisplayName` perhaps among them.
    ///
    /// # Errors
    /// See [`add`](Self::add).
    pub fn add_keys(
        &mut self,
        name: &str,
        payload_type: &str,
        keys: Dictionary,
    ) -> Result<PayloadRef, Error> {
        if self.names.iter().any(|taken| taken == name) {
            return Err(Error::Duplicate("PayloadIdentifier"));
        }
        let identifier = format!("{}.{name}", self.identifier);
        let (keys, reference) = self.frame(keys, payload_type, identifier, None)?;
        self.names.push(name.to_owned());
        self.payloads.push(Value::Dictionary(keys));
        Ok(reference)
    }

    /// Builds the profile.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty identifier, or a date that no property list has;
    /// [`Error::Variable`] and [`Error::Plist`] as [`add`](Self::add), [`Error::Duplicate`] where a
    /// payload has taken the name `removal-password`.
    pub fn build(&self) -> Result<Profile, Error> {
        self.check()?;
        if let Some(password) = &self.removal_password {
            let mut keys = Dictionary::new();
            keys.insert(
                "RemovalPassword".to_owned(),
                password.expose().as_str().into(),
            );
            let mut all = self.clone().with(|profile| {
                profile.removal_password = None;
                profile
                    .more
                    .insert("HasRemovalPasscode".to_owned(), true.into());
            });
            all.add_keys("removal-password", "com.apple.profileRemovalPassword", keys)?;
            return all.build();
        }
        let identifier = self.identifier.clone();
        let payloads = Some(Value::Array(self.payloads.clone()));
        let (keys, _) = self.frame(self.own_keys()?, "Configuration", identifier, payloads)?;
        Ok(Profile::from_dictionary(keys)?.0)
    }

    /// Builds the profile of over-the-air enrolment in the place of one with payloads.
    pub(crate) fn service(&self, mut content: Dictionary) -> Result<Profile, Error> {
        if let Some(variables) = &self.variables {
            variables.fill(&mut content)?;
        }
        let content = Some(Value::Dictionary(content));
        let identifier = self.identifier.clone();
        self.check()?;
        let (keys, _) = self.frame(self.own_keys()?, "Profile Service", identifier, content)?;
        Ok(Profile::from_dictionary(keys)?.0)
    }

    fn check(&self) -> Result<(), Error> {
        if self.identifier.is_empty() {
            return Err(Error::Invalid {
                key: "PayloadIdentifier",
                problem: "is empty",
            });
        }
        Ok(())
    }

    /// The keys at the top level that are not the same for every profile.
    fn own_keys(&self) -> Result<Dictionary, Error> {
        let mut keys = self.more.clone();
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                keys.insert(key.to_owned(), value);
            }
        };
        let text = |text: &Option<String>| text.as_deref().map(Value::from);
        set("PayloadDisplayName", text(&self.display_name));
        set("PayloadDescription", text(&self.description));
        set("PayloadOrganization", text(&self.organization));
        let scope = self.scope.as_ref();
        set("PayloadScope", scope.map(|scope| scope.as_str().into()));
        let disallowed = self.removal_disallowed.map(Value::from);
        set("PayloadRemovalDisallowed", disallowed);
        let device = self.target_device_type.map(|device| device.value().into());
        set("TargetDeviceType", device);
        let consent = self.consent_text.iter();
        let consent: Dictionary = consent
            .map(|(tag, text)| (tag.clone(), Value::from(text.as_str())))
            .collect();
        set(
            "ConsentText",
            (!consent.is_empty()).then(|| Value::Dictionary(consent)),
        );
        set("RemovalDate", day("RemovalDate", self.removal_date)?);
        set(
            "PayloadExpirationDate",
            day("PayloadExpirationDate", self.expiration_date)?,
        );
        let duration = self
            .duration_until_removal
            .map(|duration| duration.as_secs_f64());
        set("DurationUntilRemoval", duration.map(Value::Real));
        Ok(keys)
    }

    /// Fills in variables and adds the four keys that the profile and each payload must have; all of
    /// them sorted.
    fn frame(
        &self,
        mut keys: Dictionary,
        payload_type: &str,
        identifier: String,
        content: Option<Value>,
    ) -> Result<(Dictionary, PayloadRef), Error> {
        keys.remove("PayloadUUID");
        keys.insert("PayloadIdentifier".to_owned(), identifier.into());
        if let Some(variables) = &self.variables {
            variables.fill(&mut keys)?;
        }
        if let Some(content) = content {
            // What was filled in is not looked into again.
            keys.insert("PayloadContent".to_owned(), content);
        }
        keys.insert("PayloadType".to_owned(), payload_type.into());
        keys.insert("PayloadVersion".to_owned(), 1.into());
        keys.sort_keys();
        let uuid = self.namespace.uuid(&mdm_plist::dictionary_to_xml(&keys)?);
        let uuid = uuid.to_string().to_uppercase();
        keys.insert("PayloadUUID".to_owned(), uuid.as_str().into());
        keys.sort_keys();
        Ok((keys, PayloadRef(uuid)))
    }
}

fn day(key: &'static str, time: Option<DateTime<Utc>>) -> Result<Option<Value>, Error> {
    let Some(time) = time else {
        return Ok(None);
    };
    let date = date::from_chrono(time.trunc_subsecs(0)).ok_or(Error::Invalid {
        key,
        problem: "is a date that no property list has",
    })?;
    Ok(Some(date.into()))
}

/// A payload that was added to a profile: what the others refer to it by.
///
/// Made by [`ProfileBuilder::add`] alone, and turned into the UUID that a key wants: `root.into()`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PayloadRef(String);

impl PayloadRef {
    /// Its `PayloadUUID`.
    pub fn uuid(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PayloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<PayloadRef> for String {
    fn from(payload: PayloadRef) -> Self {
        payload.0
    }
}

impl From<&PayloadRef> for String {
    fn from(payload: &PayloadRef) -> Self {
        payload.0.clone()
    }
}

impl From<PayloadRef> for Value {
    fn from(payload: PayloadRef) -> Self {
        payload.0.into()
    }
}

/// Shows no payload: they hold passwords.
impl fmt::Debug for ProfileBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileBuilder")
            .field("identifier", &self.identifier)
            .field("payloads", &self.names)
            .finish_non_exhaustive()
    }
}
