//! Which profiles a device believes: those whose signer it can trace to a root it trusts.

use chrono::{DateTime, Utc};
use mdm_pki::{
    Certificate,
    cms::{self, SignedData, Verify},
};
use mdm_plist::Dictionary;

use crate::{Error, settings::text};

/// A profile whose signature holds, by a signer that a trusted root vouches for.
#[derive(Debug)]
pub(crate) struct SignedProfile {
    pub(crate) profile: Dictionary,
}

impl SignedProfile {
    /// # Errors
    /// [`Error::Unsigned`] for a bare property list, [`Error::ForeignSigner`] for a signature that
    /// does not hold or a signer that no root vouches for.
    pub(crate) fn verify(
        bytes: &[u8],
        roots: &[Certificate],
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        if mdm_plist::detect(bytes).is_some() {
            return Err(Error::Unsigned);
        }
        let foreign = |reason: &dyn std::fmt::Display| Error::ForeignSigner(reason.to_string());
        let signed = SignedData::parse(bytes, &cms::Limits::default()).map_err(|e| foreign(&e))?;
        let content = signed.content().ok_or(Error::Unsigned)?;
        let verifications = signed.verify(&Verify::new(roots, now))?;
        if verifications.is_empty() {
            return Err(Error::Unsigned);
        }
        for verification in verifications {
            verification.trusted().map_err(|error| foreign(&error))?;
        }
        Ok(Self {
            profile: mdm_plist::from_slice(content)?,
        })
    }
}

/// Reads a profile that came by MDM and tells its identifier.
pub(crate) fn read_managed_profile(
    bytes: &[u8],
    roots: &[Certificate],
    now: DateTime<Utc>,
) -> Result<(String, Dictionary), Error> {
    let profile = match SignedProfile::verify(bytes, roots, now) {
        Ok(signed) => signed.profile,
        Err(Error::Unsigned) => mdm_plist::from_slice(bytes)?,
        Err(error) => return Err(error),
    };
    let is = |key, value| text(&profile, key) == Some(value);
    if !is("PayloadType", "Configuration") {
        return Err(Error::Profile("PayloadType"));
    }
    let identifier =
        text(&profile, "PayloadIdentifier").ok_or(Error::Profile("PayloadIdentifier"))?;
    Ok((identifier.to_owned(), profile.clone()))
}
