//! Opening a signed profile, and what its signature is worth, layer by layer.
//!
//! Encrypted ones open with a key, [`open_with_key`], and what devices answer with [`open_answer`].
//! Four questions that are easily mixed up, and answered apart here: is the signature over these
//! bytes, does the signer's certificate chain to a root, is the signer one who may sign, and were
//! the certificates valid at the time. The caller's [`Require`] says which must hold.

use std::{borrow::Cow, fmt};

use chrono::{DateTime, Utc};
use mdm_pki::{
    Certificate, PrivateKey,
    chain::Anchors,
    cms::{DecryptPolicy, Limits, SignedData, Verify, VerifyError},
};
use mdm_plist::Dictionary;

use crate::{
    detect::{Packing, locate},
    encrypt::decrypt,
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
    /// Authorities whose own certificates count whether or not anything of theirs is valid or leads to a root.
    ///
    /// For the device authorities of Apple's, the last of which expired years ago and still vouch for what devices sign
    /// (Q2). Pin the issuing authority itself, not Apple's root, which has signed much else: what an authority below a pinned
    /// one has issued does not count. Each must be an authority by its certificate.
    pub pinned: &'a [Certificate],
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
            pinned: &[],
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
            .field("pinned", &self.pinned.len())
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

/// What a device answered, and what is known of its signature.
#[non_exhaustive]
pub struct Answer {
    /// `UDID`, `SERIAL`, `CHALLENGE` and whatever else it was asked for.
    pub attributes: Dictionary,
    /// What is known of each signer; empty where nobody signed.
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
    /// Whether one of [`Trust::pinned`] issued the certificate, so that neither chain nor validity is asked for.
    pub pinned: bool,
}

/// Which layers must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Require {
    /// The certificate chains to a root, or is issued by a pinned authority.
    pub chain: bool,
    /// The signer may sign.
    pub allowed: bool,
    /// The certificates were valid, or a pinned authority issued the signer's. To give this up is to take whatever the
    /// roots have ever issued; rather pin the one authority that is meant.
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

/// Opens a profile, signed or plain, in whatever packing, and looks at every layer of its signature.
///
/// A profile that is encrypted to a device opens as such; [`open_with_key`] decrypts it too.
///
/// # Errors
/// [`Error::Crypto`] for a CMS message that cannot be read, [`Error::NoContent`] for a detached
/// signature, [`Error::NotAnAuthority`], and those of [`Profile::decode`]. A signature that does not hold is no error
/// here: see [`Opened::accept`].
pub fn open(bytes: &[u8], trust: &Trust<'_>) -> Result<Opened, Error> {
    let (content, signers) = unpack(bytes, trust)?;
    Ok(Opened {
        profile: Profile::decode(&content)?,
        content: content.into_owned(),
        signers,
    })
}

/// Opens a profile as [`open`] does, and decrypts its payloads where they are encrypted: reads whatever there is.
///
/// ```
/// use mdm_profiles::verify::{self, Require, Trust};
/// # use mdm_pki::{CertificateBuilder, Identity, KeySpec, Name, PrivateKey};
/// # use mdm_profiles::{encrypt::{Encryption, encrypt}, Namespace, ProfileBuilder, sign::sign};
/// # let now = "2026-11-05T09:00:00Z".parse()?;
/// # let identity = |name| {
/// #     let key = PrivateKey::generate(KeySpec::Rsa2048)?;
/// #     let builder = CertificateBuilder::new(Name::from_common_name(name), key.public_key());
/// #     let certificate = builder.validity(now, now + chrono::TimeDelta::days(1)).ca(None).self_signed(&key)?;
/// #     Identity::new(certificate, Vec::new(), key)
/// # };
/// # let (signer, device) = (identity("signer")?, identity("device")?);
/// # let profile = ProfileBuilder::new("com.example", Namespace::new("mdm.example.com")).build()?;
/// # let encrypted = encrypt(&profile, &[device.certificate], &Encryption::default())?;
/// # let (bytes, roots) = (sign(&encrypted, &signer, now)?, [signer.certificate]);
/// let opened = verify::open_with_key(&bytes, &Trust::new(&roots, now), &device.key)?;
/// assert_eq!(opened.accept(Require::default())?, profile);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`open`] and [`decrypt`], whose policy is the default one.
pub fn open_with_key(bytes: &[u8], trust: &Trust<'_>, key: &PrivateKey) -> Result<Opened, Error> {
    let mut opened = open(bytes, trust)?;
    opened.profile = decrypt(&opened.profile, key, &DecryptPolicy::default())?;
    Ok(opened)
}

/// Opens what a device answers to a `Profile Service` profile, and looks at every layer of its signature.
///
/// The device signs with the certificate that Apple gave it when it was made, whose authority has expired: see
/// [`Trust::pinned`].
///
/// # Errors
/// As [`open`], for a property list of any content.
pub fn open_answer(bytes: &[u8], trust: &Trust<'_>) -> Result<Answer, Error> {
    let (content, signers) = unpack(bytes, trust)?;
    Ok(Answer {
        attributes: mdm_plist::from_slice(&content)?,
        signers,
    })
}

/// What was signed, and by whom; what is not signed as it is.
fn unpack<'a>(bytes: &'a [u8], trust: &Trust<'_>) -> Result<(Cow<'a, [u8]>, Vec<Layers>), Error> {
    if !trust.pinned.iter().all(Certificate::is_ca) {
        return Err(Error::NotAnAuthority);
    }
    let Some((Packing::Cms | Packing::Pem, message)) = locate(bytes) else {
        return Ok((Cow::Borrowed(bytes), Vec::new()));
    };
    let signed = SignedData::parse(message, &trust.limits)?;
    let mut policy = Verify::new(trust.roots, trust.at);
    policy.intermediates = trust.intermediates;
    let found = signed.verify(&policy)?;
    let signers = found.into_iter().map(|found| {
        Ok(Layers {
            allowed: found.signer.as_ref().is_some_and(trust.allowed),
            pinned: is_pinned(found.signer.as_ref(), trust)?,
            signer: found.signer,
            signature: found.signature,
            chain: found.chain,
            validity: found.validity,
        })
    });
    let signers = signers.collect::<Result<_, Error>>()?;
    let content = signed.into_content().ok_or(Error::NoContent)?;
    Ok((Cow::Owned(content), signers))
}

/// Whether a pinned authority issued the certificate itself: nothing may stand between.
fn is_pinned(signer: Option<&Certificate>, trust: &Trust<'_>) -> Result<bool, Error> {
    let (Some(signer), [_, ..]) = (signer, trust.pinned) else {
        return Ok(false);
    };
    let chain = Anchors::new(trust.pinned)?.verify(signer, &[], trust.at)?;
    Ok(chain.trusted.is_ok())
}

impl Opened {
    /// The profile, where it is signed, and each of its signers passes every required layer.
    ///
    /// # Errors
    /// [`Rejected`] names the first layer that does not hold.
    pub fn accept(self, require: Require) -> Result<Profile, Rejected> {
        accept(&self.signers, require).map(|()| self.profile)
    }
}

impl Answer {
    /// The attributes, where they are signed, and each signer passes every required layer.
    ///
    /// # Errors
    /// [`Rejected`] names the first layer that does not hold.
    pub fn accept(self, require: Require) -> Result<Dictionary, Rejected> {
        accept(&self.signers, require).map(|()| self.attributes)
    }
}

fn accept(signers: &[Layers], require: Require) -> Result<(), Rejected> {
    if signers.is_empty() {
        return Err(Rejected::Unsigned);
    }
    for layers in signers {
        if layers.signature.is_err() {
            return Err(Rejected::Signature);
        }
        if require.chain && layers.chain.is_err() && !layers.pinned {
            return Err(Rejected::Chain);
        }
        if require.allowed && !layers.allowed {
            return Err(Rejected::Signer);
        }
        if require.validity && layers.validity.is_err() && !layers.pinned {
            return Err(Rejected::Validity);
        }
    }
    Ok(())
}

/// Shows the names of the keys only: among them is the challenge.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("attributes", &self.attributes.keys().collect::<Vec<_>>())
            .field("signers", &self.signers)
            .finish_non_exhaustive()
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
