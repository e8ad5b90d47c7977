//! Why a device did not do what it was asked.

use mdm_transport::TransportError;

/// A step of a device's life that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server could not be reached.
    #[error("the server cannot be reached")]
    Transport(#[from] TransportError),
    /// The server answered a request with another status than 200.
    #[error("the server answered {message} with {status}")]
    Refused {
        /// What the device had sent: the message's name.
        message: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// The server offered no configuration profile (wrong content type).
    #[error("the answer is no configuration profile: content type {0:?}")]
    NotAProfile(String),
    /// The profile carries no signature.
    #[error("the profile is not signed")]
    Unsigned,
    /// The profile's signature does not hold, or its signer is not one that the device trusts.
    #[error("the profile's signature is not one to trust: {0}")]
    ForeignSigner(String),
    /// A profile lacks a key that the device needs, or holds a wrong one.
    #[error("the profile's {0} is missing or cannot be used")]
    Profile(&'static str),
    /// What the server sent is no property list.
    #[error("the server's message cannot be read")]
    Plist(#[from] mdm_plist::Error),
    /// A key or certificate cannot be made or read.
    #[error("the device's cryptography failed")]
    Pki(#[from] mdm_pki::Error),
    /// The SCEP server gave no identity.
    #[error("the SCEP server issued no identity")]
    Scep(#[from] mdm_scep::Error),
    /// The ACME server gave no identity.
    #[error("the ACME server issued no identity")]
    Acme(#[from] mdm_scep::acme::client::Error),
    /// A URL in a profile cannot be used.
    #[error("not a usable URL in the profile's {0}")]
    Url(&'static str),
    /// A step that needs an earlier one: an identity, an enrolment.
    #[error("the device has no {0} yet")]
    NotReady(&'static str),
    /// The server offers commands without end.
    #[error(
        "the server offers more than {} commands in a row",
        crate::MAX_COMMANDS
    )]
    Endless,
    /// A push that is not for this enrolment: its magic is another.
    #[error("the push carries another PushMagic than this enrolment's")]
    WrongMagic,
}
