//! Opening a signed profile, and what its signature is worth, layer by layer.
//!
//! Four questions that are easily mixed up, and answered apart here: is the signature over these
//! bytes, does the signer's certificate chain to a root, is the signer one who may sign, and were
//! the certificates valid at the time. The caller's [`Require`] says which must hold.

use std::fmt;

use chrono::{DateTime, Utc};
use mdm_pki::{
    Certificate,
    cms::{Limits, SignedData, Verify, VerifyError},
};

use crate::{
    detect::{Packing, packing},
    error::Error,
    profile::Profile,
};

/// Whom to trust, and when.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Trust<'a> {
    /// The roots that chains may end in.
    pub roots: &'a [Certificate],
    /// Certificates that may help to build a chain, beside those in the message.
    pub intermediates: &'a [Certificate],
    /// The time at which validity is judged.
    pub at: DateTime<Utc>,
    /// How much is read: 64 MiB and 64 certificates unless changed.
    pub limits: Limits,
    /// Who may sign; by default everybody whose chain is trusted.
    pub allowed: &'a dyn Fn(&Certificate) -> bool,
}

impl<'a> Trust<'a> {
    /// Trusts everything that these roots have issued.
    pub fn new(roots: &'a [Certificate], at: DateTime<Utc>) -> Self {
        Self {
            roots,
            intermediates: &[],
            at,
            limits: Limits::default().with(|limits| limits.certificates = 64),
            allowed: &|_| true,
        }
    }

    /// Changes some of it.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}

impl fmt::Debug for Trust<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("roots", &self.roots.len())
            .field("intermediates", &self.intermediates.len())
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// A profile, and what is known of its signature.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The profile.
    pub profile: Profile,
    /// The bytes that were signed, to keep or to pass on.
    pub content: Vec<u8>,
    /// What is known of each signer; empty for an unsigned profile.
    pub signers: Vec<Layers>,
}

/// What is known of one signer.
#[derive(Debug)]
#[non_exhaustive]
pub struct Layers {
    /// Whose signature it is, if the certificate came along.
    pub signer: Option<Certificate>,
    /// Whether the signature is over these bytes by that certificate's key.
    pub signature: Result<(), VerifyError>,
    /// Whether the certificate chains to a root, its validity left aside; the chain, signer first.
    pub chain: Result<Vec<Certificate>, VerifyError>,
    /// Whether the signer may sign.
    pub allowed: bool,
    /// Whether every certificate of the chain was valid at the time.
    pub validity: Result<(), VerifyError>,
}

/// Which layers must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Require {
    /// The certificate chains to a root.
    pub chain: bool,
    /// The signer may sign.
    pub allowed: bool,
    /// The certificates were valid.
    pub validity: bool,
}

impl Default for Require {
    /// Every layer.
    fn default() -> Self {
        Self {
            chain: true,
            allowed: true,
            validity: true,
        }
    }
}

impl Require {
    /// Asks for fewer layers. The signature itself must always hold.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}

/// Opens a profile, signed or plain, and looks at every layer of its signature.
///
/// # Errors
/// [`Error::Crypto`] for a CMS message that cannot be read, [`Error::NoContent`] for a detached
/// signature, and those of [`Profile::decode`]. A signature that does not hold is no error here:
/// see [`Opened::accept`].
pub fn open(bytes: &[u8], trust: &Trust<'_>) -> Result<Opened, Error> {
    if !matches!(packing(bytes), Some(Packing::Cms | Packing::Pem)) {
        return Ok(Opened {
            profile: Profile::decode(bytes)?,
            content: bytes.to_vec(),
            signers: Vec::new(),
        });
    }
    let signed = SignedData::parse(bytes, &trust.limits)?;
    let content = signed.content().ok_or(Error::NoContent)?;
    let mut policy = Verify::new(trust.roots, trust.at);
    policy.intermediates = trust.intermediates;
    let signers = signed
        .verify(&policy)?
        .into_iter()
        .map(|found| Layers {
            allowed: found.signer.as_ref().is_some_and(trust.allowed),
            signer: found.signer,
            signature: found.signature,
            chain: found.chain,
            validity: found.validity,
        })
        .collect();
    Ok(Opened {
        profile: Profile::decode(content)?,
        content: content.to_vec(),
        signers,
    })
}

impl Opened {
    /// The profile, where it is signed, and each of its signers passes every required layer.
    ///
    /// # Errors
    /// [`Rejected`] names the first layer that does not hold.
    pub fn accept(self, require: Require) -> Result<Profile, Rejected> {
        if self.signers.is_empty() {
            return Err(Rejected::Unsigned);
        }
        for layers in &self.signers {
            if layers.signature.is_err() {
                return Err(Rejected::Signature);
            }
            if require.chain && layers.chain.is_err() {
                return Err(Rejected::Chain);
            }
            if require.allowed && !layers.allowed {
                return Err(Rejected::Signer);
            }
            if require.validity && layers.validity.is_err() {
                return Err(Rejected::Validity);
            }
        }
        Ok(self.profile)
    }
}

/// The layer that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// There is no signature.
    #[error("the profile is not signed")]
    Unsigned,
    /// The signature is not over these bytes.
    #[error("the signature does not match the profile")]
    Signature,
    /// No root has issued the signer's certificate.
    #[error("the signer's certificate leads to no trusted root")]
    Chain,
    /// The signer is none who may sign.
    #[error("the signer may not sign profiles")]
    Signer,
    /// A certificate was not valid at the time.
    #[error("a certificate of the signer was not valid at the time")]
    Validity,
}
