//! What can go wrong with a profile.

use crate::mdm::InvalidAccessRights;

/// Why a profile could not be read, built, signed or verified.
///
/// Printing it never repeats the profile: it may hold passwords.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No property list, one over the limits, or one whose keys have the wrong types.
    #[error("the property list cannot be read or written")]
    Plist(#[from] mdm_plist::Error),

    /// A property list that is no profile.
    #[error("the property list is no configuration profile")]
    NotAProfile,

    /// Bytes that are a CMS message where a plain profile was expected.
    #[error("the profile is signed or encrypted and has to be opened first")]
    Packed,

    /// A payload of another type than asked for.
    #[error("the payload is of type {found:.128}, not {wanted}")]
    OtherType {
        /// The type that was asked for.
        wanted: &'static str,
        /// The type that the payload has.
        found: String,
    },

    /// No payload has this `PayloadIdentifier`.
    #[error("no payload has the identifier asked for")]
    NoSuchPayload,

    /// A payload that does not fit its type; what is wrong with it is listed inside.
    #[error("the payload does not fit its type")]
    Decode(#[from] mdm_schema::DecodeError),

    /// A value that the device would refuse.
    #[error("{key} {problem}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// A variable that is not known, or that does not fit.
    #[error(transparent)]
    Variable(#[from] crate::variables::VariableError),

    /// Settings that are not as their schema wants them; what is wrong is listed inside.
    #[error("the settings are not as their schema wants them: {}", told(findings))]
    Settings {
        /// What is wrong; not empty.
        findings: Vec<mdm_schema::Finding>,
    },

    /// Access rights that the device would refuse.
    #[error(transparent)]
    AccessRights(#[from] InvalidAccessRights),

    /// Two payloads with one `PayloadIdentifier` or one `PayloadUUID`.
    #[error("two payloads share one {0}")]
    Duplicate(&'static str),

    /// A CMS message, signed or encrypted, could not be made or read.
    #[cfg(feature = "crypto")]
    #[error("the CMS message of the profile cannot be made or read")]
    Crypto(#[from] mdm_pki::Error),

    /// The signing key refused.
    #[cfg(feature = "crypto")]
    #[error("the key did not sign")]
    Key(#[from] mdm_pki::KeyError),

    /// The payloads do not decrypt. Whether key, padding or what came out was wrong is not said, since that would help
    /// an attacker.
    #[cfg(feature = "crypto")]
    #[error("the payloads do not decrypt with this key")]
    Decrypt,

    /// A pinned certificate that may not issue others.
    #[cfg(feature = "crypto")]
    #[error("a pinned certificate is no certificate authority")]
    NotAnAuthority,

    /// A signature without the profile inside.
    #[cfg(feature = "crypto")]
    #[error("the CMS message carries no profile")]
    NoContent,

    /// A layer of the verification that the policy asks for does not hold.
    #[cfg(feature = "crypto")]
    #[error("the signature does not count: {0}")]
    Rejected(#[from] crate::verify::Rejected),
}

/// The first finding, and how many there are beside it.
fn told(findings: &[mdm_schema::Finding]) -> String {
    match findings {
        [] => "nothing is said".to_owned(),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first}, and {} more", rest.len()),
    }
}
