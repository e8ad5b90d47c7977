//! Subjects, alternative names and kinds of keys, as people write them.

use std::{fmt, str::FromStr};

use clap::ValueEnum;
use mdm_pki::{Curve, GeneralName, KeyAlgorithm, KeySpec, Name, PublicKey};

/// A subject in the form of RFC 4514, the last attribute first: `CN=device 7,O=Example`.
#[derive(Debug, Clone)]
pub(crate) struct Subject(pub(crate) Name);

#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidName {
    #[error("a subject is written as in CN=device 7,O=Example, a comma in a value as \\,")]
    Subject,
    #[error("{0:?} is no attribute of a subject")]
    Attribute(String),
    #[error(
        "an alternative name is written as KIND:NAME, where KIND is dns, email, uri, ip or upn"
    )]
    Alternative,
}

impl FromStr for Subject {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let mut escaped = false;
        let at_comma = |c| {
            let cuts = c == ',' && !escaped;
            escaped = c == '\\' && !escaped;
            cuts
        };
        let attributes: Vec<&str> = text.split(at_comma).collect();
        let name = attributes
            .into_iter()
            .rev()
            .try_fold(Name::builder(), |name, attribute| {
                let (kind, value) = attribute.split_once('=').ok_or(InvalidName::Subject)?;
                let value = unescape(value).ok_or(InvalidName::Subject)?;
                let kind = kind.trim();
                name.named(kind, &value)
                    .map_err(|_| InvalidName::Attribute(kind.to_owned()))
            })?;
        Ok(Self(name.build()))
    }
}

/// A value without its escapes (RFC 4514, section 2.4), if it is one, and not empty.
fn unescape(text: &str) -> Option<String> {
    let text = match text.trim_start() {
        // A blank behind a backslash belongs to the value.
        text if text.ends_with("\\ ") => text,
        text => text.trim_end(),
    };
    let mut value = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            // Two attributes in one set are nothing that MDM knows, nor is a value in hexadecimal.
            b'+' => return None,
            b'#' if value.is_empty() => return None,
            b'\\' => {
                let escaped = bytes.next()?;
                value.push(match char::from(escaped).to_digit(16) {
                    None => escaped,
                    Some(high) => {
                        let low = char::from(bytes.next()?).to_digit(16)?;
                        u8::try_from(high << 4 | low).ok()?
                    }
                });
            }
            byte => value.push(byte),
        }
    }
    String::from_utf8(value)
        .ok()
        .filter(|value| !value.is_empty())
}

/// An alternative name: `dns:host.example.com`.
#[derive(Debug, Clone)]
pub(crate) struct AlternativeName(pub(crate) GeneralName);

impl FromStr for AlternativeName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (kind, name) = text.split_once(':').ok_or(InvalidName::Alternative)?;
        if name.is_empty() {
            return Err(InvalidName::Alternative);
        }
        let name_text = name.to_owned();
        Ok(Self(match kind.to_ascii_lowercase().as_str() {
            "dns" => GeneralName::Dns(name_text),
            "email" => GeneralName::Email(name_text),
            "uri" => GeneralName::Uri(name_text),
            "upn" => GeneralName::UserPrincipalName(name_text),
            "ip" => GeneralName::Ip(name.parse().map_err(|_| InvalidName::Alternative)?),
            _ => return Err(InvalidName::Alternative),
        }))
    }
}

impl fmt::Display for AlternativeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            GeneralName::Dns(name) => write!(f, "dns:{name}"),
            GeneralName::Email(name) => write!(f, "email:{name}"),
            GeneralName::Uri(name) => write!(f, "uri:{name}"),
            GeneralName::UserPrincipalName(name) => write!(f, "upn:{name}"),
            GeneralName::Ip(address) => write!(f, "ip:{address}"),
            GeneralName::Directory(name) => write!(f, "directory:{name}"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// What key to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyKind {
    Rsa2048,
    Rsa3072,
    Rsa4096,
    P256,
    P384,
    P521,
}

impl From<KeyKind> for KeySpec {
    fn from(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Rsa2048 => Self::Rsa2048,
            KeyKind::Rsa3072 => Self::Rsa3072,
            KeyKind::Rsa4096 => Self::Rsa4096,
            KeyKind::P256 => Self::P256,
            KeyKind::P384 => Self::P384,
            KeyKind::P521 => Self::P521,
        }
    }
}

impl KeyKind {
    /// Whether this key is of the kind.
    pub(crate) fn is_of(self, key: &PublicKey) -> bool {
        let algorithm = match self {
            Self::Rsa2048 => KeyAlgorithm::Rsa { bits: 2048 },
            Self::Rsa3072 => KeyAlgorithm::Rsa { bits: 3072 },
            Self::Rsa4096 => KeyAlgorithm::Rsa { bits: 4096 },
            Self::P256 => KeyAlgorithm::Ec(Curve::P256),
            Self::P384 => KeyAlgorithm::Ec(Curve::P384),
            Self::P521 => KeyAlgorithm::Ec(Curve::P521),
        };
        key.algorithm() == algorithm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_read_as_it_is_printed() {
        for (text, printed) in [
            ("CN=device 7", "CN=device 7"),
            (
                "cn=a, O = Example\\, Inc. ,C=DE",
                r"CN=a,O=Example\, Inc.,C=DE",
            ),
            (r"CN=\ \#a\2B\\\0A\ ,UID=b=c", r"CN=\ #a\+\\\0A\ ,UID=b=c"),
            (r"CN=\C3\A9", "CN=é"),
            ("1.2.3.4=x", "1.2.3.4=x"),
        ] {
            let name = text.parse::<Subject>().unwrap().0;
            assert_eq!(name.to_string(), printed, "{text}");
            let again = printed.parse::<Subject>().unwrap().0;
            assert_eq!(again, name, "{text}");
        }
        for text in [
            "", "CN", "CN=", "CN=a,", "CN=a+O=b", "CN=#0c", r"CN=a\", r"CN=\C3", "X-Y=a",
        ] {
            assert!(text.parse::<Subject>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_alternative_name_says_its_kind() {
        for (text, name) in [
            ("dns:a.example", GeneralName::Dns("a.example".to_owned())),
            ("DNS:a.example", GeneralName::Dns("a.example".to_owned())),
            ("uri:urn:uuid:1", GeneralName::Uri("urn:uuid:1".to_owned())),
            ("ip:::1", GeneralName::Ip("::1".parse().unwrap())),
            ("upn:a@b", GeneralName::UserPrincipalName("a@b".to_owned())),
        ] {
            let read = text.parse::<AlternativeName>().unwrap();
            assert_eq!(read.0, name, "{text}");
            assert_eq!(read.to_string(), text.replace("DNS", "dns"));
        }
        for text in ["", "dns", "dns:", "ip:a", "x:y"] {
            assert!(text.parse::<AlternativeName>().is_err(), "{text}");
        }
    }
}
