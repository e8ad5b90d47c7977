//! Object identifiers: the type, and the ones that Apple's protocols use.

use std::{fmt, str::FromStr};

use der::asn1::ObjectIdentifier;

use crate::error::Error;

/// The longest identifier kept, in bytes of its DER value.
pub const MAX_OID_BYTES: usize = 62;

/// An object identifier, kept as its DER value.
///
/// Arcs of any size are kept; only a value over [`MAX_OID_BYTES`] is refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid {
    length: u8,
    bytes: [u8; MAX_OID_BYTES],
}

impl Oid {
    /// The identifier written in dots, for use in constants: `const X: Oid = Oid::constant("1.2.3");`
    ///
    /// For text that comes from outside use [`FromStr`], which returns an error; this one ends the build or, at run
    /// time, the program when the text is not an identifier.
    pub const fn constant(dotted: &str) -> Self {
        let oid = ObjectIdentifier::new_unwrap(dotted);
        let source = oid.as_bytes();
        let mut bytes = [0; MAX_OID_BYTES];
        let mut at = 0;
        while at < source.len() {
            bytes[at] = source[at];
            at += 1;
        }
        Self {
            length: source.len() as u8,
            bytes,
        }
    }

    /// Takes the value bytes of a DER `OBJECT IDENTIFIER` (without tag and length).
    ///
    /// # Errors
    /// For an empty or overlong value, or one whose last arc does not end.
    pub fn from_der_value(value: &[u8]) -> Result<Self, Error> {
        let ends = value.last().is_some_and(|last| last & 0x80 == 0);
        if !ends || value.len() > MAX_OID_BYTES {
            return Err(Error::malformed(
                "object identifier",
                "empty, overlong or cut off",
            ));
        }
        let mut bytes = [0; MAX_OID_BYTES];
        bytes[..value.len()].copy_from_slice(value);
        Ok(Self {
            length: value.len() as u8,
            bytes,
        })
    }

    /// Whether no arc has a leading zero (X.690, section 8.19.2), which OpenSSL refuses.
    pub(crate) fn is_minimal(&self) -> bool {
        let mut begins = true;
        self.as_bytes().iter().all(|byte| {
            let padded = begins && *byte == 0x80;
            begins = byte & 0x80 == 0;
            !padded
        })
    }

    /// The value bytes of the DER form (without tag and length).
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&[])
    }
}

impl FromStr for Oid {
    type Err = Error;

    fn from_str(dotted: &str) -> Result<Self, Error> {
        let oid = ObjectIdentifier::new(dotted)
            .map_err(|error| Error::malformed("object identifier", error))?;
        Self::from_der_value(oid.as_bytes())
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut arc: u128 = 0;
        let mut first = true;
        for byte in self.as_bytes() {
            // An arc over 128 bits is shown modulo that; nothing compares by this text.
            arc = (arc << 7) | u128::from(byte & 0x7f);
            if byte & 0x80 != 0 {
                continue;
            }
            if first {
                let root = (arc / 40).min(2);
                write!(f, "{root}.{}", arc - root * 40)?;
                first = false;
            } else {
                write!(f, ".{arc}")?;
            }
            arc = 0;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({self})")
    }
}

macro_rules! oids {
    ($($(#[$doc:meta])* $vis:vis $name:ident = $dotted:literal;)+) => {
        $($(#[$doc])* $vis const $name: Oid = Oid::constant($dotted);)+
    };
}

oids! {
    /// `commonName` (CN).
    pub COMMON_NAME = "2.5.4.3";
    /// `surname` (SN).
    pub SURNAME = "2.5.4.4";
    /// `serialNumber` of a subject.
    pub SERIAL_NUMBER = "2.5.4.5";
    /// `countryName` (C).
    pub COUNTRY = "2.5.4.6";
    /// `localityName` (L).
    pub LOCALITY = "2.5.4.7";
    /// `stateOrProvinceName` (ST).
    pub STATE = "2.5.4.8";
    /// `streetAddress` (STREET).
    pub STREET = "2.5.4.9";
    /// `organizationName` (O).
    pub ORGANIZATION = "2.5.4.10";
    /// `organizationalUnitName` (OU).
    pub ORGANIZATIONAL_UNIT = "2.5.4.11";
    /// `title`.
    pub TITLE = "2.5.4.12";
    /// `givenName` (GN).
    pub GIVEN_NAME = "2.5.4.42";
    /// `userID` (UID): the push topic in an MDM push certificate.
    pub USER_ID = "0.9.2342.19200300.100.1.1";
    /// `domainComponent` (DC).
    pub DOMAIN_COMPONENT = "0.9.2342.19200300.100.1.25";
    /// `emailAddress` (PKCS #9).
    pub EMAIL_ADDRESS = "1.2.840.113549.1.9.1";

    /// Extended key usage: TLS server.
    pub SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
    /// Extended key usage: TLS client.
    pub CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
    /// Extended key usage: code signing.
    pub CODE_SIGNING = "1.3.6.1.5.5.7.3.3";
    /// Extended key usage: e-mail protection.
    pub EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4";
    /// Extended key usage: any.
    pub ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0";

    /// Extension `subjectKeyIdentifier`.
    pub SUBJECT_KEY_IDENTIFIER = "2.5.29.14";
    /// Extension `keyUsage`.
    pub KEY_USAGE = "2.5.29.15";
    /// Extension `subjectAltName`.
    pub SUBJECT_ALT_NAME = "2.5.29.17";
    /// Extension `basicConstraints`.
    pub BASIC_CONSTRAINTS = "2.5.29.19";
    /// Extension `authorityKeyIdentifier`.
    pub AUTHORITY_KEY_IDENTIFIER = "2.5.29.35";
    /// Extension `extKeyUsage`.
    pub EXTENDED_KEY_USAGE = "2.5.29.37";
    /// The otherName of a Microsoft user principal name (`ntPrincipalName`).
    pub USER_PRINCIPAL_NAME = "1.3.6.1.4.1.311.20.2.3";

    /// CMS content type `data`.
    pub DATA = "1.2.840.113549.1.7.1";
    /// CMS content type `signedData`.
    pub SIGNED_DATA = "1.2.840.113549.1.7.2";
    /// CMS content type `envelopedData`.
    pub ENVELOPED_DATA = "1.2.840.113549.1.7.3";
    /// CMS content type `authEnvelopedData` (RFC 5083).
    pub AUTH_ENVELOPED_DATA = "1.2.840.113549.1.9.16.1.23";
    /// CMS content type `encryptedData`.
    pub ENCRYPTED_DATA = "1.2.840.113549.1.7.6";
    /// Attribute `contentType`.
    pub CONTENT_TYPE = "1.2.840.113549.1.9.3";
    /// Attribute `messageDigest`.
    pub MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
    /// Attribute `signingTime`.
    pub SIGNING_TIME = "1.2.840.113549.1.9.5";
    /// CSR attribute `challengePassword`.
    pub CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7";
    /// CSR attribute `extensionRequest`.
    pub EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
    /// CSR attribute `extensionRequest` as Microsoft numbers it.
    pub MS_EXTENSION_REQUEST = "1.3.6.1.4.1.311.2.1.14";
}

/// The algorithms, which callers meet as enums.
pub(crate) mod algorithm {
    use super::Oid;

    oids! {
        pub(crate) RSA = "1.2.840.113549.1.1.1";
        pub(crate) RSA_OAEP = "1.2.840.113549.1.1.7";
        pub(crate) MGF1 = "1.2.840.113549.1.1.8";
        pub(crate) P_SPECIFIED = "1.2.840.113549.1.1.9";
        pub(crate) RSA_PSS = "1.2.840.113549.1.1.10";
        pub(crate) ED25519 = "1.3.101.112";
        pub(crate) RSA_SHA1 = "1.2.840.113549.1.1.5";
        pub(crate) RSA_SHA1_OIW = "1.3.14.3.2.29";
        pub(crate) RSA_SHA224 = "1.2.840.113549.1.1.14";
        pub(crate) RSA_SHA256 = "1.2.840.113549.1.1.11";
        pub(crate) RSA_SHA384 = "1.2.840.113549.1.1.12";
        pub(crate) RSA_SHA512 = "1.2.840.113549.1.1.13";
        pub(crate) EC = "1.2.840.10045.2.1";
        pub(crate) ECDSA_SHA1 = "1.2.840.10045.4.1";
        pub(crate) ECDSA_SHA224 = "1.2.840.10045.4.3.1";
        pub(crate) ECDSA_SHA256 = "1.2.840.10045.4.3.2";
        pub(crate) ECDSA_SHA384 = "1.2.840.10045.4.3.3";
        pub(crate) ECDSA_SHA512 = "1.2.840.10045.4.3.4";
        pub(crate) P256 = "1.2.840.10045.3.1.7";
        pub(crate) P384 = "1.3.132.0.34";
        pub(crate) P521 = "1.3.132.0.35";
        pub(crate) MD5 = "1.2.840.113549.2.5";
        pub(crate) SHA1 = "1.3.14.3.2.26";
        pub(crate) SHA224 = "2.16.840.1.101.3.4.2.4";
        pub(crate) SHA256 = "2.16.840.1.101.3.4.2.1";
        pub(crate) SHA384 = "2.16.840.1.101.3.4.2.2";
        pub(crate) SHA512 = "2.16.840.1.101.3.4.2.3";
        pub(crate) AES128_WRAP = "2.16.840.1.101.3.4.1.5";
        pub(crate) AES192_WRAP = "2.16.840.1.101.3.4.1.25";
        pub(crate) AES256_WRAP = "2.16.840.1.101.3.4.1.45";
        pub(crate) ECDH_SHA1_KDF = "1.3.133.16.840.63.0.2";
        pub(crate) ECDH_SHA224_KDF = "1.3.132.1.11.0";
        pub(crate) ECDH_SHA256_KDF = "1.3.132.1.11.1";
        pub(crate) ECDH_SHA384_KDF = "1.3.132.1.11.2";
        pub(crate) ECDH_SHA512_KDF = "1.3.132.1.11.3";
        pub(crate) AES128_CBC = "2.16.840.1.101.3.4.1.2";
        pub(crate) AES192_CBC = "2.16.840.1.101.3.4.1.22";
        pub(crate) AES256_CBC = "2.16.840.1.101.3.4.1.42";
        pub(crate) DES_EDE3_CBC = "1.2.840.113549.3.7";
        pub(crate) DES_CBC = "1.3.14.3.2.7";
        pub(crate) PBKDF2 = "1.2.840.113549.1.5.12";
        pub(crate) HMAC_SHA1 = "1.2.840.113549.2.7";
        pub(crate) HMAC_SHA224 = "1.2.840.113549.2.8";
        pub(crate) HMAC_SHA256 = "1.2.840.113549.2.9";
        pub(crate) HMAC_SHA384 = "1.2.840.113549.2.10";
        pub(crate) HMAC_SHA512 = "1.2.840.113549.2.11";
        pub(crate) PWRI_KEK = "1.2.840.113549.1.9.16.3.9";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_text_survives_a_round_trip() {
        for text in [
            "2.5.4.3",
            "0.9.2342.19200300.100.1.1",
            "2.16.840.1.113733.1.9.7",
            "2.25.4294967295",
        ] {
            assert_eq!(text.parse::<Oid>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_arc_over_32_bits_is_kept() {
        // 2.25.<a UUID>, as Microsoft's tools write.
        let mut value = vec![0x69];
        value.extend([0x83, 0xF8, 0x9C, 0xB2, 0xD1, 0xE0, 0xA4, 0xC3, 0x92, 0x81]);
        value.extend([0xF8, 0x9C, 0xB2, 0xD1, 0xE0, 0xA4, 0xC3, 0x92, 0x01]);
        let oid = Oid::from_der_value(&value).unwrap();
        assert_eq!(oid.as_bytes(), value);
        assert!(oid.to_string().starts_with("2.25."));
    }

    #[test]
    fn a_padded_arc_is_not_minimal() {
        let is_minimal = |value: &[u8]| Oid::from_der_value(value).unwrap().is_minimal();
        assert!(is_minimal(&[0x55, 4, 3]) && is_minimal(&[0x69, 0x83, 0x80, 0]));
        assert!(!is_minimal(&[0x80, 0x55]) && !is_minimal(&[0x55, 0x80, 4]));
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        assert!(Oid::from_der_value(&[]).is_err());
        assert!(Oid::from_der_value(&[0x55, 0x84]).is_err());
        assert!(Oid::from_der_value(&[1; MAX_OID_BYTES + 1]).is_err());
        assert!("".parse::<Oid>().is_err());
        assert!("1".parse::<Oid>().is_err());
        assert!("a.b".parse::<Oid>().is_err());
    }
}
