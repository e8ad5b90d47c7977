//! What an enrolment profile tells the device: whom to obey, and how to get an identity.

mod identity;

use mdm_core::Topic;
use mdm_pki::Certificate;
use mdm_plist::{Dictionary, Value};

pub(crate) use self::identity::rsa;
pub use self::identity::{AcmeSettings, IdentitySettings, ScepSettings, Wish};
use crate::Error;

/// `EnrollmentMode` of User Enrolment.
pub(crate) const BYOD: &str = "BYOD";

/// The settings of the `com.apple.mdm` payload.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MdmSettings {
    /// Where commands come from.
    pub server_url: String,
    /// Where check-in messages go; the server's URL when the payload names none.
    pub check_in_url: String,
    /// The push topic.
    pub topic: Topic,
    /// Whether messages carry an `Mdm-Signature` header.
    pub sign_message: bool,
    /// Whether the device tells the server when its management is removed.
    pub check_out_when_removed: bool,
    /// Which account-driven enrolment it is, if one: `BYOD` or `ADDE`.
    pub enrollment_mode: Option<String>,
    /// The Managed Apple Account of an account-driven enrolment.
    pub assigned_managed_apple_id: Option<String>,
}

/// An enrolment profile, read as a device reads it: only what it needs, and all of that required.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EnrollmentSettings {
    /// The MDM payload.
    pub mdm: MdmSettings,
    /// The identity's payload.
    pub identity: IdentitySettings,
    /// Root certificates that the profile installs.
    pub roots: Vec<Certificate>,
    /// The profile's own identifier.
    pub identifier: String,
}

impl EnrollmentSettings {
    /// Reads the payloads of a configuration profile.
    ///
    /// # Errors
    /// [`Error::Profile`] with the key that is missing or wrong.
    pub(crate) fn read(profile: &Dictionary) -> Result<Self, Error> {
        let payloads: Vec<&Dictionary> = profile
            .get("PayloadContent")
            .and_then(Value::as_array)
            .ok_or(Error::Profile("PayloadContent"))?
            .iter()
            .filter_map(Value::as_dictionary)
            .collect();
        let of_type = |wanted: &'static str| {
            payloads
                .iter()
                .copied()
                .filter(move |payload| text(payload, "PayloadType") == Some(wanted))
        };

        let mdm = of_type("com.apple.mdm")
            .next()
            .ok_or(Error::Profile("com.apple.mdm"))?;
        let identity = text(mdm, "IdentityCertificateUUID")
            .ok_or(Error::Profile("IdentityCertificateUUID"))?;
        let roots = of_type("com.apple.security.root")
            .map(|payload| {
                let der = payload.get("PayloadContent").and_then(Value::as_data);
                Certificate::from_der(der.unwrap_or_default())
                    .map_err(|_| Error::Profile("com.apple.security.root"))
            })
            .collect::<Result<_, _>>()?;

        Ok(Self {
            mdm: read_mdm(mdm)?,
            identity: IdentitySettings::read(&payloads, identity)?,
            roots,
            identifier: required(profile, "PayloadIdentifier")?,
        })
    }
}

fn read_mdm(payload: &Dictionary) -> Result<MdmSettings, Error> {
    let mode = text(payload, "EnrollmentMode");
    let rights = payload
        .get("AccessRights")
        .and_then(Value::as_unsigned_integer);
    if mode != Some(BYOD) && rights.unwrap_or(0) == 0 {
        return Err(Error::Profile("AccessRights"));
    }
    let account = text(payload, "AssignedManagedAppleID");
    if mode.is_some() != account.is_some() {
        return Err(Error::Profile("AssignedManagedAppleID"));
    }
    let flag = |key| {
        payload
            .get(key)
            .and_then(Value::as_boolean)
            .unwrap_or(false)
    };
    let server_url = required(payload, "ServerURL")?;
    Ok(MdmSettings {
        check_in_url: text(payload, "CheckInURL").map_or_else(|| server_url.clone(), str::to_owned),
        topic: required(payload, "Topic")?
            .parse()
            .map_err(|_| Error::Profile("Topic"))?,
        sign_message: flag("SignMessage"),
        check_out_when_removed: flag("CheckOutWhenRemoved"),
        enrollment_mode: mode.map(str::to_owned),
        assigned_managed_apple_id: account.map(str::to_owned),
        server_url,
    })
}

pub(crate) fn text<'a>(dictionary: &'a Dictionary, key: &str) -> Option<&'a str> {
    dictionary.get(key).and_then(Value::as_string)
}

fn required(dictionary: &Dictionary, key: &'static str) -> Result<String, Error> {
    text(dictionary, key)
        .map(str::to_owned)
        .ok_or(Error::Profile(key))
}
