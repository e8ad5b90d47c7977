//! A profile put together from payloads, with identifiers and UUIDs that stay what they are.

use std::fmt;

use mdm_plist::{Dictionary, Value};

use crate::{
    error::Error,
    payload::Payload,
    profile::{Profile, Scope},
    stable::Namespace,
};

/// A profile to be.
///
/// Every payload gets an identifier below the profile's own and a UUID from its content, so that the
/// same input is the same bytes, and a payload that did not change is the same to the device.
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
///         .with(|eap| eap.payload_certificate_anchor_uuid = Some(vec![root]));
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
    /// `PayloadRemovalDisallowed`.
    pub removal_disallowed: Option<bool>,
    /// Any other key at the top level, such as `RemovalDate` or `ConsentText`.
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
            removal_disallowed: None,
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

    /// Adds a payload and tells its UUID, for others to refer to.
    ///
    /// `name` is the last part of its `PayloadIdentifier`. Keep it: the device updates the payload
    /// where it knows the identifier, and replaces it where it does not.
    ///
    /// # Errors
    /// [`Error::Duplicate`] for a name that is taken; [`Error::Plist`] for what a property list
    /// cannot hold.
    pub fn add<P: Payload>(&mut self, name: &str, payload: &P) -> Result<String, Error> {
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
        mut keys: Dictionary,
    ) -> Result<String, Error> {
        if self.names.iter().any(|taken| taken == name) {
            return Err(Error::Duplicate("PayloadIdentifier"));
        }
        let identifier = format!("{}.{name}", self.identifier);
        let uuid = self.frame(&mut keys, payload_type, identifier)?;
        self.names.push(name.to_owned());
        self.payloads.push(Value::Dictionary(keys));
        Ok(uuid)
    }

    /// Builds the profile.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty identifier; [`Error::Plist`] for what a property list cannot
    /// hold.
    pub fn build(&self) -> Result<Profile, Error> {
        if self.identifier.is_empty() {
            return Err(Error::Invalid {
                key: "PayloadIdentifier",
                problem: "is empty",
            });
        }
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
        let payloads = Value::Array(self.payloads.clone());
        set("PayloadContent", Some(payloads));
        self.frame(&mut keys, "Configuration", self.identifier.clone())?;
        Ok(Profile::from_dictionary(keys)?.0)
    }

    /// Adds the four keys that the profile and each payload must have, and sorts all of them.
    fn frame(
        &self,
        keys: &mut Dictionary,
        payload_type: &str,
        identifier: String,
    ) -> Result<String, Error> {
        keys.remove("PayloadUUID");
        keys.insert("PayloadIdentifier".to_owned(), identifier.into());
        keys.insert("PayloadType".to_owned(), payload_type.into());
        keys.insert("PayloadVersion".to_owned(), 1.into());
        keys.sort_keys();
        let uuid = self.namespace.uuid(&mdm_plist::to_xml(keys)?);
        let uuid = uuid.to_string().to_uppercase();
        keys.insert("PayloadUUID".to_owned(), uuid.as_str().into());
        keys.sort_keys();
        Ok(uuid)
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
