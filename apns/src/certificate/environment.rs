//! Which of Apple's push services takes a certificate, by Apple's extensions in it (Apple
//! Worldwide Developer Relations Certification Practice Statement).

use std::fmt;

use mdm_pki::{Certificate, Oid};

/// The extension of a certificate that the sandbox takes.
pub const DEVELOPMENT_EXTENSION: Oid = Oid::constant("1.2.840.113635.100.6.3.1");
/// The extension of a certificate that the production service takes.
pub const PRODUCTION_EXTENSION: Oid = Oid::constant("1.2.840.113635.100.6.3.2");

/// Which of Apple's push services takes a certificate.
///
/// Those that the portal issues for MDM are for production alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Environment {
    /// `api.push.apple.com`.
    Production,
    /// `api.sandbox.push.apple.com`.
    Sandbox,
    /// Either of them.
    Both,
    /// The certificate has neither extension, so nobody knows.
    Unknown,
}

impl Environment {
    /// What the certificate's extensions say. Nothing is guessed from names.
    pub fn of(certificate: &Certificate) -> Self {
        let has = |kind| certificate.extension(kind).is_some();
        match (has(PRODUCTION_EXTENSION), has(DEVELOPMENT_EXTENSION)) {
            (true, true) => Self::Both,
            (true, false) => Self::Production,
            (false, true) => Self::Sandbox,
            (false, false) => Self::Unknown,
        }
    }

    /// `production`, `sandbox`, `both` or `unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Sandbox => "sandbox",
            Self::Both => "both",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the production service takes it; `None` where nobody knows.
    pub fn is_production(self) -> Option<bool> {
        match self {
            Self::Production | Self::Both => Some(true),
            Self::Sandbox => Some(false),
            Self::Unknown => None,
        }
    }

    /// Whether the sandbox takes it; `None` where nobody knows.
    pub fn is_sandbox(self) -> Option<bool> {
        match self {
            Self::Sandbox | Self::Both => Some(true),
            Self::Production => Some(false),
            Self::Unknown => None,
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
