//! What a `DeclarativeManagement` message asks for.

use std::{fmt, str::FromStr};

use crate::error::Error;

/// The longest `Identifier` of a declaration, in bytes.
pub const MAX_IDENTIFIER_BYTES: usize = 64;

/// A resource of the declarative protocol.
///
/// Always an enum, never a URL: the text comes from the device, and a server that resolved it as a
/// reference could be sent anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `tokens`: answered with a [`TokensResponse`](super::TokensResponse).
    Tokens,
    /// `declaration-items`: answered with a
    /// [`DeclarationItemsResponse`](super::DeclarationItemsResponse).
    DeclarationItems,
    /// `status`: carries a [`StatusReport`](super::StatusReport).
    Status,
    /// `declaration/<kind>/<identifier>`: answered with a [`Declaration`](super::Declaration), or
    /// with 404 where it is gone for good, which makes the device remove it.
    Declaration {
        /// The kind.
        kind: DeclarationKind,
        /// The identifier, 1 to [`MAX_IDENTIFIER_BYTES`] bytes.
        identifier: String,
    },
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let problem = |problem| Error::Invalid {
            key: "Endpoint",
            problem,
        };
        match text {
            "tokens" => return Ok(Self::Tokens),
            "declaration-items" => return Ok(Self::DeclarationItems),
            "status" => return Ok(Self::Status),
            _ => {}
        }
        let (kind, identifier) = text
            .strip_prefix("declaration/")
            .and_then(|rest| rest.split_once('/'))
            .ok_or_else(|| problem("no endpoint of the declarative protocol"))?;
        let kind = DeclarationKind::ALL
            .iter()
            .find(|known| known.as_str() == kind)
            .copied()
            .ok_or_else(|| problem("about a kind of declaration that there is not"))?;
        if identifier.is_empty()
            || identifier.len() > MAX_IDENTIFIER_BYTES
            || identifier.chars().any(char::is_control)
        {
            return Err(problem("about an identifier that no declaration can have"));
        }
        Ok(Self::Declaration {
            kind,
            identifier: identifier.to_owned(),
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tokens => f.write_str("tokens"),
            Self::DeclarationItems => f.write_str("declaration-items"),
            Self::Status => f.write_str("status"),
            Self::Declaration { kind, identifier } => {
                write!(f, "declaration/{kind}/{identifier}")
            }
        }
    }
}

/// The four kinds of declaration, as endpoints and manifests name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DeclarationKind {
    /// Which configurations are active.
    Activation,
    /// Data that configurations refer to.
    Asset,
    /// Settings.
    Configuration,
    /// What the server tells about itself and the device.
    Management,
}

impl DeclarationKind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::Activation,
        Self::Asset,
        Self::Configuration,
        Self::Management,
    ];

    /// The kind's name in an endpoint.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activation => "activation",
            Self::Asset => "asset",
            Self::Configuration => "configuration",
            Self::Management => "management",
        }
    }

    /// The kind of a declaration of this `Type`, such as `com.apple.configuration.package`.
    pub fn of_type(declaration_type: &str) -> Option<Self> {
        let (kind, _) = declaration_type
            .strip_prefix("com.apple.")?
            .split_once('.')?;
        Self::ALL
            .iter()
            .find(|known| known.as_str() == kind)
            .copied()
    }
}

impl fmt::Display for DeclarationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_read_back_from_their_text() {
        for text in [
            "tokens",
            "declaration-items",
            "status",
            "declaration/activation/A",
            "declaration/asset/with/slash and space",
            "declaration/configuration/https://example.com",
            "declaration/management/x",
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_text_that_names_no_endpoint_is_refused() {
        let long = format!("declaration/asset/{}", "x".repeat(MAX_IDENTIFIER_BYTES + 1));
        for text in [
            "",
            "Tokens",
            "https://example.com/tokens",
            "//example.com/tokens",
            "/tokens",
            "declaration",
            "declaration/asset",
            "declaration/asset/",
            "declaration/com.apple.configuration.package/A",
            "declaration/asset/a\0b",
            &long,
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_type_names_its_kind() {
        let kind = DeclarationKind::of_type("com.apple.configuration.package");
        assert_eq!(kind, Some(DeclarationKind::Configuration));
        assert_eq!(DeclarationKind::of_type("com.apple.credential.acme"), None);
        assert_eq!(DeclarationKind::of_type("configuration"), None);
    }
}
