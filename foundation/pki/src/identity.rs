//! A certificate with its key: what signs profiles, opens TLS connections and pushes.

use std::fmt;

use openssl::{error::ErrorStack, pkcs12::Pkcs12, pkey::PKey, stack::Stack};
use zeroize::Zeroizing;

use crate::{
    certificate::Certificate,
    error::{Crypto, Error},
    key::PrivateKey,
    old,
};

/// A certificate, the authorities above it as far as they are known, and its private key.
#[derive(Clone)]
#[non_exhaustive]
pub struct Identity {
    /// The certificate.
    pub certificate: Certificate,
    /// The authorities above it, the nearest first.
    pub chain: Vec<Certificate>,
    /// The certificate's private key.
    pub key: PrivateKey,
}

impl Identity {
    /// Puts the three together.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] when the key is not the certificate's.
    pub fn new(
        certificate: Certificate,
        chain: Vec<Certificate>,
        key: PrivateKey,
    ) -> Result<Self, Error> {
        if !certificate.public_key()?.same_key(key.public_key()) {
            return Err(Error::KeyMismatch);
        }
        Ok(Self {
            certificate,
            chain,
            key,
        })
    }

    /// Reads PEM texts: the certificates, of which the one that belongs to the key is the identity's, and the key.
    /// Both may be the same text.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] when no certificate belongs to the key; as [`PrivateKey::from_pem`].
    pub fn from_pem(
        certificates: &[u8],
        key: &[u8],
        password: Option<&str>,
    ) -> Result<Self, Error> {
        let key = PrivateKey::from_pem(key, password)?;
        let mut chain = Certificate::stack_from_pem(certificates)?;
        let belongs = |certificate: &Certificate| {
            certificate
                .public_key()
                .is_ok_and(|public| public.same_key(key.public_key()))
        };
        let at = chain.iter().position(belongs).ok_or(Error::KeyMismatch)?;
        let certificate = chain.remove(at);
        let chain = in_order(&certificate, chain);
        Self::new(certificate, chain, key)
    }

    /// Reads a PKCS #12 file (`.p12`, `.pfx`).
    ///
    /// Files of older systems are encrypted with RC2. For the time it takes to read one, OpenSSL's legacy provider is
    /// loaded beside the default one.
    ///
    /// # Errors
    /// [`Error::Password`]; [`Error::LegacyProviderMissing`] for an old file where that provider is missing;
    /// [`Error::Unsupported`] for a cipher or MAC that OpenSSL does not have; [`Error::Incomplete`] when it holds no key or no certificate.
    pub fn from_pkcs12(der: &[u8], password: &str) -> Result<Self, Error> {
        let file = Pkcs12::from_der(der)
            .map_err(|stack| Error::malformed("PKCS #12 file", Error::openssl(stack)))?;
        // OpenSSL takes a C string.
        if password.contains('\0') {
            return Err(Error::Password);
        }
        let parsed = old::read(
            "the cipher of this PKCS #12 file",
            || file.parse2(password),
            not_opened,
        )?;
        let key = parsed.pkey.ok_or(Error::Incomplete("the private key"))?;
        let certificate = parsed.cert.ok_or(Error::Incomplete("the certificate"))?;
        let chain = parsed
            .ca
            .iter()
            .flatten()
            .map(Certificate::from_openssl)
            .collect::<Result<Vec<_>, _>>()?;
        let certificate = Certificate::from_openssl(&certificate)?;
        let chain = in_order(&certificate, chain);
        Self::new(certificate, chain, PrivateKey::new(key)?)
    }

    /// Writes a PKCS #12 file, encrypted with AES-256.
    ///
    /// # Errors
    /// [`Error::Password`] for a password with a NUL; [`Error::Crypto`] when OpenSSL fails.
    pub fn to_pkcs12(&self, password: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        if password.contains('\0') {
            return Err(Error::Password);
        }
        let mut chain = Stack::new().crypto()?;
        for certificate in &self.chain {
            chain.push(certificate.openssl()?).crypto()?;
        }
        let certificate = self.certificate.openssl()?;
        let key: &PKey<_> = self.key.openssl();
        let file = Pkcs12::builder()
            .pkey(key)
            .cert(&certificate)
            .ca(chain)
            .build2(password)
            .crypto()?;
        Ok(Zeroizing::new(file.to_der().crypto()?))
    }

    /// The certificate and the authorities above it in PEM.
    pub fn chain_pem(&self) -> String {
        std::iter::once(&self.certificate)
            .chain(&self.chain)
            .map(Certificate::to_pem)
            .collect()
    }
}

/// Each certificate after the one it issued, as far as names tell; those that issued none of them last.
fn in_order(certificate: &Certificate, mut rest: Vec<Certificate>) -> Vec<Certificate> {
    let mut ordered: Vec<Certificate> = Vec::with_capacity(rest.len());
    loop {
        let below = ordered.last().unwrap_or(certificate);
        let issued = |above: &Certificate| above.subject().matches(&below.issuer());
        match rest.iter().position(issued) {
            Some(at) => ordered.push(rest.remove(at)),
            None => break,
        }
    }
    ordered.append(&mut rest);
    ordered
}

fn not_opened(stack: ErrorStack) -> Error {
    let is_wrong = |error: &openssl::error::Error| {
        let reason = error.reason().unwrap_or_default();
        reason.contains("mac verify failure")
    };
    match stack.errors().iter().any(is_wrong) {
        true => Error::Password,
        false => Error::malformed("PKCS #12 file", Error::openssl(stack)),
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}
