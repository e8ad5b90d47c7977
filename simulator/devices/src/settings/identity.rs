//! How a device gets its identity: the payload that the MDM payload points to, read as a device reads it.

use std::time::Duration;

use mdm_core::Secret;
use mdm_pki::{GeneralName, KeySpec, KeyUsage, Name, Oid};
use mdm_plist::{Dictionary, Value};

use super::{required, text};
use crate::Error;

const SCEP: &str = "com.apple.security.scep";
const ACME: &str = "com.apple.security.acme";

/// Where the device's identity comes from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum IdentitySettings {
    /// From a SCEP server.
    Scep(ScepSettings),
    /// From an ACME server.
    Acme(AcmeSettings),
}

/// What the certificate is asked for with, by either protocol.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Wish {
    /// The subject, as pairs of attribute name or OID and value.
    pub subject: Vec<(String, String)>,
    /// The alternative names.
    pub names: Vec<GeneralName>,
    /// What the key is for; empty where the payload does not say.
    pub usage: KeyUsage,
}

/// The settings of the `com.apple.security.scep` payload.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScepSettings {
    /// The SCEP server.
    pub url: String,
    /// The one-time challenge.
    pub challenge: Option<Secret<String>>,
    /// What the certificate is asked for with.
    pub wish: Wish,
    /// The RSA key's size in bits. Apple's default is 1024 (Q7).
    pub key_size: u64,
    /// The instance name, sent with GetCACert.
    pub name: Option<String>,
    /// The fingerprint that the CA's certificate must have.
    pub ca_fingerprint: Option<Vec<u8>>,
    /// How often a request that waits is asked about again after the first time: 3 where the payload does not say.
    pub retries: u32,
    /// How long to wait before each time but the first: 10 seconds where the payload does not say.
    pub retry_delay: Duration,
}

/// The settings of the `com.apple.security.acme` payload.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AcmeSettings {
    /// The server's directory; always `https`.
    pub directory_url: String,
    /// The order's permanent identifier, which tells the server who asks.
    pub client_identifier: Secret<String>,
    /// The key to make.
    pub key: KeySpec,
    /// Whether it is made in the Secure Enclave.
    pub hardware_bound: bool,
    /// Whether Apple is to vouch for it.
    pub attest: bool,
    /// What the certificate is asked for with.
    pub wish: Wish,
    /// The extended key usages asked for.
    pub extended_key_usages: Vec<Oid>,
}

impl IdentitySettings {
    /// Reads the payload of this UUID.
    pub(super) fn read(payloads: &[&Dictionary], uuid: &str) -> Result<Self, Error> {
        let mut named = payloads
            .iter()
            .filter(|payload| text(payload, "PayloadUUID") == Some(uuid));
        named
            .find_map(|payload| match text(payload, "PayloadType")? {
                SCEP => {
                    let content = payload.get("PayloadContent")?.as_dictionary()?;
                    Some(ScepSettings::read(content).map(Self::Scep))
                }
                ACME => Some(AcmeSettings::read(payload).map(Self::Acme)),
                _ => None,
            })
            .ok_or(Error::Profile("IdentityCertificateUUID"))?
    }
}

impl ScepSettings {
    fn read(content: &Dictionary) -> Result<Self, Error> {
        let number = |key| content.get(key).and_then(Value::as_unsigned_integer);
        Ok(Self {
            url: required(content, "URL")?,
            challenge: text(content, "Challenge").map(|word| Secret::new(word.to_owned())),
            wish: Wish::read(content, "Key Usage")?,
            key_size: number("Keysize").unwrap_or(1024),
            name: text(content, "Name").map(str::to_owned),
            ca_fingerprint: content
                .get("CAFingerprint")
                .and_then(Value::as_data)
                .map(<[u8]>::to_vec),
            retries: number("Retries")
                .map_or(Ok(3), u32::try_from)
                .map_err(|_| Error::Profile("Retries"))?,
            retry_delay: Duration::from_secs(number("RetryDelay").unwrap_or(10)),
        })
    }
}

impl AcmeSettings {
    fn read(payload: &Dictionary) -> Result<Self, Error> {
        let flag = |key| payload.get(key).and_then(Value::as_boolean);
        let directory_url = required(payload, "DirectoryURL")?;
        if !directory_url.starts_with("https://") {
            return Err(Error::Profile("DirectoryURL"));
        }
        let size = payload.get("KeySize").and_then(Value::as_unsigned_integer);
        let size = size.ok_or(Error::Profile("KeySize"))?;
        let kind = required(payload, "KeyType")?;
        let key = match (kind.as_str(), size) {
            ("ECSECPrimeRandom", 256) => KeySpec::P256,
            ("ECSECPrimeRandom", 384) => KeySpec::P384,
            ("ECSECPrimeRandom", 521) => KeySpec::P521,
            ("RSA", bits) => rsa(bits).ok_or(Error::Profile("KeySize"))?,
            ("ECSECPrimeRandom", _) => return Err(Error::Profile("KeySize")),
            _ => return Err(Error::Profile("KeyType")),
        };
        let hardware_bound = flag("HardwareBound").ok_or(Error::Profile("HardwareBound"))?;
        // The Secure Enclave makes no other key.
        if hardware_bound && !matches!(key, KeySpec::P256 | KeySpec::P384) {
            return Err(Error::Profile("HardwareBound"));
        }
        let attest = flag("Attest").unwrap_or(false);
        if attest && !hardware_bound {
            return Err(Error::Profile("Attest"));
        }
        payload.get("Subject").ok_or(Error::Profile("Subject"))?;
        let usages = payload.get("ExtendedKeyUsage").and_then(Value::as_array);
        let extended_key_usages = usages
            .into_iter()
            .flatten()
            .map(|usage| usage.as_string()?.parse().ok())
            .collect::<Option<_>>();
        Ok(Self {
            directory_url,
            client_identifier: Secret::new(required(payload, "ClientIdentifier")?),
            key,
            hardware_bound,
            attest,
            wish: Wish::read(payload, "UsageFlags")?,
            extended_key_usages: extended_key_usages.ok_or(Error::Profile("ExtendedKeyUsage"))?,
        })
    }
}

impl Wish {
    fn read(content: &Dictionary, usage_key: &'static str) -> Result<Self, Error> {
        let usage = content.get(usage_key).and_then(Value::as_unsigned_integer);
        Ok(Self {
            subject: read_subject(content),
            names: read_names(content)?,
            usage: match usage.unwrap_or(0) {
                0 => KeyUsage::default(),
                1 => KeyUsage::DIGITAL_SIGNATURE,
                4 => KeyUsage::KEY_ENCIPHERMENT,
                5 => KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT,
                _ => return Err(Error::Profile(usage_key)),
            },
        })
    }

    /// The subject as a name.
    pub(crate) fn name(&self) -> Result<Name, Error> {
        let pairs = self.subject.iter();
        let name = pairs
            .map(|(kind, value)| (kind.as_str(), value.as_str()))
            .try_fold(Name::builder(), |name, (kind, value)| {
                name.named(kind, value)
            })?;
        Ok(name.build())
    }
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

/// `SubjectAltName` is a dictionary whose values are one text or an array of texts.
fn read_names(content: &Dictionary) -> Result<Vec<GeneralName>, Error> {
    let Some(names) = content.get("SubjectAltName") else {
        return Ok(Vec::new());
    };
    let unusable = Error::Profile("SubjectAltName");
    let Some(names) = names.as_dictionary() else {
        return Err(unusable);
    };
    type Kind = fn(String) -> GeneralName;
    let kinds: [(&str, Kind); 4] = [
        ("rfc822Name", GeneralName::Email),
        ("dNSName", GeneralName::Dns),
        ("uniformResourceIdentifier", GeneralName::Uri),
        ("ntPrincipalName", GeneralName::UserPrincipalName),
    ];
    let mut read = Vec::new();
    for (key, name) in kinds {
        let Some(value) = names.get(key) else {
            continue;
        };
        let one = std::slice::from_ref(value);
        for text in value.as_array().map_or(one, |many| many.as_slice()) {
            match text.as_string() {
                Some(text) => read.push(name(text.to_owned())),
                None => return Err(unusable),
            }
        }
    }
    Ok(read)
}

/// The key of this size.
pub(crate) fn rsa(bits: u64) -> Option<KeySpec> {
    match bits {
        1024 => Some(KeySpec::Rsa1024),
        2048 => Some(KeySpec::Rsa2048),
        3072 => Some(KeySpec::Rsa3072),
        4096 => Some(KeySpec::Rsa4096),
        _ => None,
    }
}
