//! Settings of other vendors' software: a domain of its own, checked against the vendor's schema.

use mdm_plist::Dictionary;
use mdm_schema::{Schema, Severity};

use crate::error::Error;
#[cfg(feature = "apps")]
use crate::payload::{
    ManagedPreferences,
    managed_preferences::{PreferenceDomain, Setting},
};

/// The settings, where they are as a schema wants them; misspelt keys are not.
///
/// To add with [`ProfileBuilder::add_keys`](crate::ProfileBuilder::add_keys), the domain as the type.
///
/// ```
/// use mdm_plist::{Dictionary, Value};
/// use mdm_profiles::{Error, Namespace, ProfileBuilder, recipe};
/// use mdm_schema::{Key, Kind, Schema, model::ValueType};
///
/// static KEYS: [Key; 2] = [Key::new("Server", ValueType::String), {
///     let mut level = Key::new("Level", ValueType::Integer);
///     level.required = true;
///     level
/// }];
/// static AGENT: Schema = {
///     let mut agent = Schema::new(Kind::Payload, "com.example.agent", "Agent");
///     agent.keys = &KEYS;
///     agent
/// };
///
/// let settings: Dictionary = [("Level", Value::from(3))].into_iter().collect();
/// let mut profile = ProfileBuilder::new("com.example", Namespace::new("mdm.example.com"));
/// profile.add_keys("agent", AGENT.name, recipe::settings(&AGENT, settings)?)?;
///
/// let wrong: Dictionary = [("Level", Value::from("3"))].into_iter().collect();
/// let Err(Error::Settings { findings }) = recipe::settings(&AGENT, wrong) else { unreachable!() };
/// assert_eq!(findings[0].to_string(), "error: Level: is not an integer (type)");
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::Settings`] lists what is wrong.
pub fn settings(schema: &Schema, settings: Dictionary) -> Result<Dictionary, Error> {
    let mut findings = mdm_schema::validate(schema, &settings, None);
    findings.retain(|finding| finding.severity > Severity::Info);
    if findings.is_empty() {
        Ok(settings)
    } else {
        Err(Error::Settings { findings })
    }
}

/// The same settings under `com.apple.ManagedClient.preferences`, forced: what software reads by
/// `CFPreferences` and no user changes.
#[cfg(feature = "apps")]
pub fn managed_preferences(domain: impl Into<String>, settings: Dictionary) -> ManagedPreferences {
    let setting = Setting::new(mdm_schema::Opaque(settings));
    let forced = PreferenceDomain::new().with(|domain| domain.forced = Some(vec![setting]));
    ManagedPreferences::new([(domain.into(), forced)])
}
