//! What an enrolment profile tells the device: whom to obey, and how to get an identity.

use mdm_core::{Secret, Topic};
use mdm_pki::Certificate;
use mdm_plist::{Dictionary, Value};

use crate::Error;

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
}

/// The settings of the `com.apple.security.scep` payload that the MDM payload points to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScepSettings {
    /// The SCEP server.
    pub url: String,
    /// The one-time challenge.
    pub challenge: Option<Secret<String>>,
    /// The subject asked for, as pairs of attribute name or OID and value.
    pub subject: Vec<(String, String)>,
    /// The RSA key's size in bits. Apple's default is 1024 (Q7).
    pub key_size: u64,
    /// The instance name, sent with GetCACert.
    pub name: Option<String>,
    /// The fingerprint that the CA's certificate must have.
    pub ca_fingerprint: Option<Vec<u8>>,
}

/// An enrolment profile, read as a device reads it: only what it needs, and all of that required.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EnrollmentSettings {
    /// The MDM payload.
    pub mdm: MdmSettings,
    /// The identity's SCEP payload.
    pub scep: ScepSettings,
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
        let scep = of_type("com.apple.security.scep")
            .find(|payload| text(payload, "PayloadUUID") == Some(identity))
            .and_then(|payload| payload.get("PayloadContent")?.as_dictionary())
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
            scep: read_scep(scep)?,
            roots,
            identifier: required(profile, "PayloadIdentifier")?,
        })
    }
}

fn read_mdm(payload: &Dictionary) -> Result<MdmSettings, Error> {
    if payload
        .get("AccessRights")
        .and_then(Value::as_unsigned_integer)
        .unwrap_or(0)
        == 0
    {
        return Err(Error::Profile("AccessRights"));
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
        server_url,
    })
}

fn read_scep(content: &Dictionary) -> Result<ScepSettings, Error> {
    Ok(ScepSettings {
        url: required(content, "URL")?,
        challenge: text(content, "Challenge").map(|word| Secret::new(word.to_owned())),
        subject: read_subject(content),
        key_size: content
            .get("Keysize")
            .and_then(Value::as_unsigned_integer)
            .unwrap_or(1024),
        name: text(content, "Name").map(str::to_owned),
        ca_fingerprint: content
            .get("CAFingerprint")
            .and_then(Value::as_data)
            .map(<[u8]>::to_vec),
    })
}

/// `Subject` is an array of relative names, each an array of `[type, value]` pairs.
fn read_subject(content: &Dictionary) -> Vec<(String, String)> {
    let names = content
        .get("Subject")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let pairs = names
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_array);
    pairs
        .filter_map(|pair| match pair.as_slice() {
            [kind, value] => Some((kind.as_string()?.to_owned(), value.as_string()?.to_owned())),
            _ => None,
        })
        .collect()
}

pub(crate) fn text<'a>(dictionary: &'a Dictionary, key: &str) -> Option<&'a str> {
    dictionary.get(key).and_then(Value::as_string)
}

fn required(dictionary: &Dictionary, key: &'static str) -> Result<String, Error> {
    text(dictionary, key)
        .map(str::to_owned)
        .ok_or(Error::Profile(key))
}
