//! Over-the-air enrolment: the profile that asks a device who it is.

use mdm_core::Secret;
use mdm_plist::{Dictionary, Value};

use crate::{builder::ProfileBuilder, error::Error, profile::Profile};

/// A profile of type `Profile Service`: the device answers at the URL, with a signed list of what it
/// was asked for.
///
/// ```
/// use mdm_profiles::{Namespace, ProfileBuilder, recipe::ProfileService};
///
/// let profile = ProfileBuilder::new("com.example.ota", Namespace::new("mdm.example.com"))
///     .with(|profile| profile.display_name = Some("Enrol this device".into()));
/// let service = ProfileService::new("https://mdm.example.com/ota")
///     .with(|service| service.challenge = Some("once".to_owned().into()));
/// let profile = service.build(&profile)?;
/// assert_eq!(profile.payload_type(), Some("Profile Service"));
/// assert!(profile.validate(None).is_empty());
/// # Ok::<(), mdm_profiles::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProfileService {
    /// Where the device answers.
    pub url: String,
    /// What it is asked for; by default `UDID`, `VERSION`, `PRODUCT` and `SERIAL`.
    pub attributes: Vec<String>,
    /// What it repeats in its answer.
    pub challenge: Option<Secret<String>>,
}

impl ProfileService {
    /// Asks for identifier, version, model and serial number.
    pub fn new(url: impl Into<String>) -> Self {
        let attributes = ["UDID", "VERSION", "PRODUCT", "SERIAL"];
        Self {
            url: url.into(),
            attributes: attributes.map(str::to_owned).to_vec(),
            challenge: None,
        }
    }

    /// Sets optional parts.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }

    /// Builds the profile, with the names and the rest of `profile` but for its payloads.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a URL that is not `https` and for an empty identifier; as
    /// [`ProfileBuilder::build`].
    pub fn build(&self, profile: &ProfileBuilder) -> Result<Profile, Error> {
        if !self
            .url
            .get(..8)
            .is_some_and(|start| start.eq_ignore_ascii_case("https://"))
        {
            return Err(Error::Invalid {
                key: "URL",
                problem: "is no https URL",
            });
        }
        let mut content = Dictionary::new();
        let attributes = self.attributes.iter().map(|name| name.as_str().into());
        content.insert("URL".to_owned(), self.url.as_str().into());
        content.insert(
            "DeviceAttributes".to_owned(),
            Value::Array(attributes.collect()),
        );
        if let Some(challenge) = &self.challenge {
            content.insert("Challenge".to_owned(), challenge.expose().as_str().into());
        }
        profile.service(content)
    }
}
