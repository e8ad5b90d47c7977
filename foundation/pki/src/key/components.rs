//! Public keys as numbers, and ECDSA signatures as two of them: the forms of JOSE (RFC 7518), COSE and PKCS #11, where
//! X.509 has DER.

use std::fmt;

use openssl::{
    bn::{BigNum, BigNumContext, BigNumRef},
    ec::{EcGroup, EcKey},
    ecdsa::EcdsaSig,
    error::ErrorStack,
    pkey::{Id, PKey, Public},
    rsa::Rsa,
};

use super::public::{Curve, PublicKey, ReadyKey};
use crate::error::{Crypto, Error};

const WHAT: &str = "public key";

/// The numbers of a public key, big-endian.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyComponents {
    /// RSA; both numbers without leading zeros.
    Rsa {
        /// The modulus `n`.
        modulus: Vec<u8>,
        /// The public exponent `e`.
        exponent: Vec<u8>,
    },
    /// A point of a curve; both numbers of [`Curve::coordinate_len`] bytes.
    Ec {
        /// The curve.
        curve: Curve,
        /// The first coordinate.
        x: Vec<u8>,
        /// The second one.
        y: Vec<u8>,
    },
    /// Ed25519: the 32 bytes of RFC 8032, section 5.1.5, which are little-endian.
    Ed25519 {
        /// The key.
        x: Vec<u8>,
    },
}

impl KeyComponents {
    /// The numbers of an RSA key.
    pub fn rsa(modulus: impl Into<Vec<u8>>, exponent: impl Into<Vec<u8>>) -> Self {
        Self::Rsa {
            modulus: modulus.into(),
            exponent: exponent.into(),
        }
    }

    /// The bytes of an Ed25519 key.
    pub fn ed25519(x: impl Into<Vec<u8>>) -> Self {
        Self::Ed25519 { x: x.into() }
    }

    /// A point of a curve.
    pub fn ec(curve: Curve, x: impl Into<Vec<u8>>, y: impl Into<Vec<u8>>) -> Self {
        Self::Ec {
            curve,
            x: x.into(),
            y: y.into(),
        }
    }
}

impl fmt::Debug for KeyComponents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { modulus, .. } => write!(f, "KeyComponents(RSA, {} bytes)", modulus.len()),
            Self::Ec { curve, .. } => write!(f, "KeyComponents({curve:?})"),
            Self::Ed25519 { .. } => f.write_str("KeyComponents(Ed25519)"),
        }
    }
}

impl PublicKey {
    /// The key's numbers.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for keys that are neither RSA nor Ed25519 nor on a NIST curve, [`Error::Malformed`] for a point that is
    /// not on its curve.
    pub fn components(&self) -> Result<KeyComponents, Error> {
        match self.ready()? {
            ReadyKey::Rsa(key) => Ok(KeyComponents::Rsa {
                modulus: key.n().to_vec(),
                exponent: key.e().to_vec(),
            }),
            ReadyKey::Ed25519(key) => Ok(KeyComponents::Ed25519 {
                x: key.raw_public_key().crypto()?,
            }),
            ReadyKey::Ec(key) => {
                let curve = Curve::ALL
                    .into_iter()
                    .find(|curve| key.group().curve_name() == Some(curve.nid()))
                    .ok_or_else(|| Error::unsupported("curve", "without a name"))?;
                let (x, y) = coordinates(key).crypto()?;
                Ok(KeyComponents::Ec {
                    curve,
                    x: curve.padded(&x)?,
                    y: curve.padded(&y)?,
                })
            }
        }
    }

    /// The key of these numbers, with the SubjectPublicKeyInfo that everybody writes for it.
    ///
    /// Leading zeros are no part of a number: an RSA key may come with them, and so may a coordinate up to the curve's
    /// length.
    ///
    /// # Errors
    /// [`Error::Malformed`] for an RSA key with an even number or an exponent of one, and for what is no point of the
    /// curve; [`Error::Unsupported`] for an RSA key of less than 512 or more than 16,384 bits, or with an exponent of more
    /// than 64.
    pub fn from_components(components: &KeyComponents) -> Result<Self, Error> {
        let key = match components {
            KeyComponents::Rsa { modulus, exponent } => rsa_key(modulus, exponent)?,
            KeyComponents::Ec { curve, x, y } => {
                let length = curve.coordinate_len();
                if x.len() > length || y.len() > length {
                    return Err(Error::malformed(WHAT, "a coordinate is too long"));
                }
                // OpenSSL refuses numbers beyond the field, and points that are not on the curve.
                ec_key(*curve, x, y)
                    .map_err(|_| Error::malformed(WHAT, "not a point of its curve"))?
            }
            KeyComponents::Ed25519 { x } => PKey::public_key_from_raw_bytes(x, Id::ED25519)
                .map_err(|_| Error::malformed(WHAT, "not 32 bytes"))?,
        };
        let key = Self::from_spki_der(&key.public_key_to_der().crypto()?)?;
        // The same bounds as wherever the key is calculated with.
        key.ready()?;
        Ok(key)
    }
}

impl Curve {
    /// How many bytes a coordinate has, and each half of a signature: 32, 48 or 66.
    pub fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// The two numbers of an ECDSA signature in DER, side by side at full length (RFC 7518, section 3.4).
    ///
    /// # Errors
    /// [`Error::Malformed`] for what is no signature in DER, or has numbers too large for the curve.
    pub fn signature_to_fixed(self, der: &[u8]) -> Result<Vec<u8>, Error> {
        let wrong = || Error::malformed("ECDSA signature", "not two numbers of the curve in DER");
        let signature = EcdsaSig::from_der(der).map_err(|_| wrong())?;
        // OpenSSL's reader takes bytes after the signature and non-canonical forms.
        if signature.to_der().crypto()? != der || signature.r().is_negative() {
            return Err(wrong());
        }
        let mut fixed = self.padded(signature.r()).map_err(|_| wrong())?;
        fixed.extend(self.padded(signature.s()).map_err(|_| wrong())?);
        Ok(fixed)
    }

    /// An ECDSA signature of two numbers side by side, in DER.
    ///
    /// # Errors
    /// [`Error::Malformed`] for another length than twice [`coordinate_len`](Self::coordinate_len).
    pub fn signature_from_fixed(self, fixed: &[u8]) -> Result<Vec<u8>, Error> {
        let length = self.coordinate_len();
        let (r, s) = fixed
            .split_at_checked(length)
            .filter(|(_, s)| s.len() == length)
            .ok_or_else(|| {
                Error::malformed("ECDSA signature", format_args!("not {} bytes", 2 * length))
            })?;
        let (r, s) = (
            BigNum::from_slice(r).crypto()?,
            BigNum::from_slice(s).crypto()?,
        );
        let signature = EcdsaSig::from_private_components(r, s).crypto()?;
        signature.to_der().crypto()
    }

    fn padded(self, number: &BigNumRef) -> Result<Vec<u8>, Error> {
        let length = i32::try_from(self.coordinate_len()).unwrap_or(i32::MAX);
        number.to_vec_padded(length).crypto()
    }
}

fn coordinates(key: &EcKey<Public>) -> Result<(BigNum, BigNum), ErrorStack> {
    let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
    let mut context = BigNumContext::new()?;
    key.public_key()
        .affine_coordinates(key.group(), &mut x, &mut y, &mut context)?;
    Ok((x, y))
}

fn ec_key(curve: Curve, x: &[u8], y: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    let group = EcGroup::from_curve_name(curve.nid())?;
    let (x, y) = (BigNum::from_slice(x)?, BigNum::from_slice(y)?);
    PKey::from_ec_key(EcKey::from_public_key_affine_coordinates(&group, &x, &y)?)
}

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Result<PKey<Public>, Error> {
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
    if !is_odd(modulus) || !is_odd(exponent) {
        return Err(Error::malformed(WHAT, "an even number in an RSA key"));
    }
    if matches!(exponent, [zeros @ .., 1] if zeros.iter().all(|byte| *byte == 0)) {
        return Err(Error::malformed(WHAT, "an RSA exponent of one"));
    }
    let (modulus, exponent) = (
        BigNum::from_slice(modulus).crypto()?,
        BigNum::from_slice(exponent).crypto()?,
    );
    let key = Rsa::from_public_components(modulus, exponent).crypto()?;
    PKey::from_rsa(key).crypto()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeySpec, PrivateKey, SignatureAlgorithm};

    #[test]
    fn a_key_is_the_same_after_a_way_through_its_numbers() {
        for spec in [
            KeySpec::Rsa2048,
            KeySpec::P256,
            KeySpec::P384,
            KeySpec::P521,
            KeySpec::Ed25519,
        ] {
            let key = PrivateKey::generate(spec).unwrap();
            let numbers = key.public_key().components().unwrap();
            let again = PublicKey::from_components(&numbers).unwrap();
            assert_eq!(&again, key.public_key(), "{spec:?}");
        }
    }

    #[test]
    fn numbers_that_make_no_key_are_refused() {
        let rsa = |modulus: Vec<u8>, exponent: &[u8]| {
            PublicKey::from_components(&KeyComponents::rsa(modulus, exponent))
        };
        assert!(rsa(vec![0xff; 256], &[1, 0, 1]).is_ok());
        assert!(rsa(vec![0xff; 256], &[1, 0, 0]).is_err());
        assert!(rsa(vec![0xff; 256], &[0, 1]).is_err());
        assert!(rsa(vec![0xff; 256], &[]).is_err());
        assert!(rsa(vec![0xff; 256], &[0xff; 9]).is_err());
        assert!(rsa(vec![0xfe; 256], &[3]).is_err());
        assert!(rsa(vec![0xff; 32], &[3]).is_err());
        assert!(rsa(vec![0xff; 2049], &[3]).is_err());
        assert!(rsa(Vec::new(), &[3]).is_err());

        for length in [0, 31, 33] {
            let other = KeyComponents::ed25519(vec![7; length]);
            assert!(PublicKey::from_components(&other).is_err());
        }

        let ec = |x: Vec<u8>, y: Vec<u8>| {
            PublicKey::from_components(&KeyComponents::ec(Curve::P256, x, y))
        };
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let Ok(KeyComponents::Ec { x, y, .. }) = key.public_key().components() else {
            panic!("not an EC key");
        };
        assert!(ec(x.clone(), y.clone()).is_ok());
        let mut off = y.clone();
        off[31] ^= 1;
        assert!(ec(x.clone(), off).is_err());
        assert!(ec(vec![0; 32], vec![0; 32]).is_err());
        assert!(ec(vec![0xff; 32], y.clone()).is_err());
        assert!(ec([vec![0], x].concat(), y).is_err());
        assert!(ec(Vec::new(), Vec::new()).is_err());
    }

    #[test]
    fn ed25519_signs_as_rfc_8032_does_and_signs_nothing_else() {
        // Section 7.1, TEST 2, behind the header of a PKCS #8 key (RFC 8410, section 7).
        let hex = |text: &str| -> Vec<u8> {
            let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
            (0..text.len()).step_by(2).map(digit).collect()
        };
        let der = hex(concat!(
            "302e020100300506032b657004220420",
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
        ));
        let key = PrivateKey::from_der(&der).unwrap();
        let signature = key
            .sign_message(SignatureAlgorithm::Ed25519, &[0x72])
            .unwrap();
        let expected = concat!(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        assert_eq!(signature, hex(expected));
        let public = key.public_key();
        let algorithm = SignatureAlgorithm::Ed25519;
        assert!(public.verify(algorithm, &[0x72], &signature).is_ok());
        for (message, signature) in [
            (&[0x73][..], &signature[..]),
            (&[0x72], &signature[1..]),
            (&[0x72], &[]),
        ] {
            let wrong = public.verify(algorithm, message, signature);
            assert!(matches!(wrong, Err(Error::BadSignature)), "{wrong:?}");
        }
        for other in [
            SignatureAlgorithm::EcdsaSha512,
            SignatureAlgorithm::RsaPkcs1Sha512,
        ] {
            assert!(key.sign_message(other, b"message").is_err());
            assert!(public.verify(other, b"message", &signature).is_err());
        }
        let curve = PrivateKey::generate(KeySpec::P256).unwrap();
        assert!(curve.sign_message(algorithm, b"message").is_err());
        assert!(
            curve
                .public_key()
                .verify(algorithm, b"message", &signature)
                .is_err()
        );
        // Neither by itself nor when told to.
        let request = || crate::CertificateRequestBuilder::new(crate::Name::from_common_name("x"));
        assert!(request().sign(&key).is_err());
        let told = request().signature_algorithm(algorithm).sign(&key);
        assert!(matches!(told, Err(Error::Unsupported { .. })));
    }

    #[test]
    fn signatures_go_from_der_to_two_numbers_and_back() {
        for (spec, curve, algorithm) in [
            (KeySpec::P256, Curve::P256, SignatureAlgorithm::EcdsaSha256),
            (KeySpec::P384, Curve::P384, SignatureAlgorithm::EcdsaSha384),
            (KeySpec::P521, Curve::P521, SignatureAlgorithm::EcdsaSha512),
        ] {
            let key = PrivateKey::generate(spec).unwrap();
            let der = key.sign_message(algorithm, b"message").unwrap();
            let fixed = curve.signature_to_fixed(&der).unwrap();
            assert_eq!(fixed.len(), 2 * curve.coordinate_len());
            assert_eq!(curve.signature_from_fixed(&fixed).unwrap(), der);
            assert!(curve.signature_from_fixed(&fixed[1..]).is_err());
            assert!(
                curve
                    .signature_from_fixed(&[&fixed[..], &[0]].concat())
                    .is_err()
            );
            assert!(
                curve
                    .signature_to_fixed(&[&der[..], &[0]].concat())
                    .is_err()
            );
        }
        let large = [&[0x30, 0x26, 2, 0x21, 1][..], &[0; 32], &[2, 1, 1]].concat();
        assert!(Curve::P256.signature_to_fixed(&large).is_err());
        assert!(
            Curve::P256
                .signature_to_fixed(&[0x30, 6, 2, 1, 0xff, 2, 1, 1])
                .is_err()
        );
        assert!(Curve::P256.signature_to_fixed(b"").is_err());
    }
}
