//! The words of the `com.apple.mdm` payload: access rights, server capabilities, enrolment modes.

use std::{error, fmt, ops::BitOr, str::FromStr};

pub use crate::payload::mdm::{EnrollmentMode, ServerCapability};

/// What the server may do with the device: `AccessRights`.
///
/// A device accepts no right of zero, the right to install profiles only with the right to see
/// them, and likewise for provisioning profiles; [`new`](Self::new) holds to that. An update of the
/// enrolment profile may take rights away but never add one.
///
/// ```
/// use mdm_profiles::AccessRights;
///
/// let rights = AccessRights::INSPECT_PROFILES | AccessRights::INSTALL_PROFILES;
/// assert_eq!(rights.bits(), 3);
/// assert!(rights.check().is_ok());
/// assert!(AccessRights::INSTALL_PROFILES.check().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccessRights(u32);

macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)+) => {
        impl AccessRights {
            $($(#[$doc])* pub const $name: Self = Self($bit);)+

            /// Every right that Apple has defined.
            pub const ALL: Self = Self($($bit)|+);

            const NAMES: &[(Self, &'static str)] = &[$((Self::$name, stringify!($name))),+];
        }
    };
}

rights! {
    /// See the installed configuration profiles.
    INSPECT_PROFILES = 1;
    /// Install and remove configuration profiles; needs [`INSPECT_PROFILES`](Self::INSPECT_PROFILES).
    INSTALL_PROFILES = 2;
    /// Lock the device and remove its passcode.
    LOCK = 4;
    /// Erase the device.
    ERASE = 8;
    /// Ask about the device: capacity, serial number.
    QUERY_DEVICE = 16;
    /// Ask about networks: phone numbers, MAC addresses.
    QUERY_NETWORK = 32;
    /// See the installed provisioning profiles.
    INSPECT_PROVISIONING_PROFILES = 64;
    /// Install and remove provisioning profiles; needs
    /// [`INSPECT_PROVISIONING_PROFILES`](Self::INSPECT_PROVISIONING_PROFILES).
    INSTALL_PROVISIONING_PROFILES = 128;
    /// See the installed apps.
    INSPECT_APPS = 256;
    /// Ask about restrictions.
    QUERY_RESTRICTIONS = 512;
    /// Ask about security.
    QUERY_SECURITY = 1024;
    /// Change settings.
    SETTINGS = 2048;
    /// Manage apps.
    MANAGE_APPS = 4096;
}

impl AccessRights {
    /// Takes the number as it stands in a profile.
    ///
    /// # Errors
    /// See [`check`](Self::check).
    pub fn new(bits: u32) -> Result<Self, InvalidAccessRights> {
        Self(bits).check()
    }

    /// The number as it stands in a profile.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The rights by their names, as [`FromStr`] takes them: `inspect-profiles`.
    pub fn names(self) -> impl Iterator<Item = String> {
        let has = move |(right, _): &&(Self, _)| self.contains(*right);
        let names = Self::NAMES.iter().filter(has);
        names.map(|(_, name)| name.to_ascii_lowercase().replace('_', "-"))
    }

    /// Whether every one of `rights` is among these.
    pub const fn contains(self, rights: Self) -> bool {
        self.0 & rights.0 == rights.0
    }

    /// Itself, where a device accepts it.
    ///
    /// # Errors
    /// [`InvalidAccessRights`] for no right at all, a right that no bit is defined for, or one that
    /// lacks the right it builds upon.
    pub fn check(self) -> Result<Self, InvalidAccessRights> {
        if self.0 == 0 {
            return Err(InvalidAccessRights::None);
        }
        if !Self::ALL.contains(self) {
            return Err(InvalidAccessRights::Undefined);
        }
        for (right, base) in [
            (Self::INSTALL_PROFILES, Self::INSPECT_PROFILES),
            (
                Self::INSTALL_PROVISIONING_PROFILES,
                Self::INSPECT_PROVISIONING_PROFILES,
            ),
        ] {
            if self.contains(right) && !self.contains(base) {
                return Err(InvalidAccessRights::InstallWithoutInspect);
            }
        }
        Ok(self)
    }
}

/// The number as the payload has it.
impl From<AccessRights> for i64 {
    fn from(rights: AccessRights) -> Self {
        rights.0.into()
    }
}

/// Takes the number as the payload has it.
impl TryFrom<i64> for AccessRights {
    type Error = InvalidAccessRights;

    fn try_from(bits: i64) -> Result<Self, InvalidAccessRights> {
        let bits = u32::try_from(bits).map_err(|_| InvalidAccessRights::Undefined)?;
        Self::new(bits)
    }
}

/// Takes the name of one right, in any case, with hyphens or underscores; or `all`.
///
/// ```
/// use mdm_profiles::AccessRights;
///
/// assert_eq!("install-profiles".parse(), Ok(AccessRights::INSTALL_PROFILES));
/// assert!("drive".parse::<AccessRights>().is_err());
/// ```
impl FromStr for AccessRights {
    type Err = InvalidAccessRights;

    fn from_str(name: &str) -> Result<Self, InvalidAccessRights> {
        let wanted = name.replace('-', "_").to_ascii_uppercase();
        let found = Self::NAMES.iter().find(|(_, name)| *name == wanted);
        match found {
            Some((right, _)) => Ok(*right),
            None if wanted == "ALL" => Ok(Self::ALL),
            None => Err(InvalidAccessRights::Name),
        }
    }
}

impl BitOr for AccessRights {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for AccessRights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut set = f.debug_set();
        for (right, name) in Self::NAMES {
            if self.contains(*right) {
                set.entry(&format_args!("{name}"));
            }
        }
        set.finish()
    }
}

/// Access rights that no device accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidAccessRights {
    /// Zero.
    None,
    /// A bit that Apple has not defined.
    Undefined,
    /// Installing without inspecting.
    InstallWithoutInspect,
    /// A name that no right has.
    Name,
}

impl fmt::Display for InvalidAccessRights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "AccessRights must not be 0",
            Self::Undefined => "AccessRights has a bit above 4096, which is not defined",
            Self::InstallWithoutInspect => {
                "AccessRights lets the server install what it may not inspect: 2 needs 1, 128 needs 64"
            }
            Self::Name => "no access right has this name",
        })
    }
}

impl error::Error for InvalidAccessRights {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_that_a_device_refuses_are_refused_here() {
        for (bits, expected) in [
            (0, InvalidAccessRights::None),
            (2, InvalidAccessRights::InstallWithoutInspect),
            (128, InvalidAccessRights::InstallWithoutInspect),
            (2 | 64 | 128, InvalidAccessRights::InstallWithoutInspect),
            (8192, InvalidAccessRights::Undefined),
        ] {
            assert_eq!(AccessRights::new(bits), Err(expected), "{bits}");
        }
        for bits in [1, 3, 64 | 128, 8191] {
            let rights = AccessRights::new(bits).unwrap();
            assert_eq!(rights.bits(), bits);
            assert_eq!(AccessRights::try_from(i64::from(rights)), Ok(rights));
        }
        for bits in [-1, 1 << 32 | 1] {
            let refused = AccessRights::try_from(bits);
            assert_eq!(refused, Err(InvalidAccessRights::Undefined));
        }
    }

    #[test]
    fn all_rights_are_8191_and_are_named_in_debug() {
        assert_eq!(AccessRights::ALL.bits(), 8191);
        for name in AccessRights::ALL.names() {
            let right: AccessRights = name.parse().unwrap();
            assert_eq!(right.names().collect::<Vec<_>>(), [name]);
        }
        let rights = AccessRights::LOCK | AccessRights::ERASE;
        assert_eq!(format!("{rights:?}"), "{LOCK, ERASE}");
    }
}
