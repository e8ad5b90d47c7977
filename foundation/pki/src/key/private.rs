//! Private keys in memory: made here or read from PEM and DER, signing and unwrapping at once.

use std::{cell::Cell, fmt, sync::Arc};

use async_trait::async_trait;
use openssl::{
    bn::BigNumContext,
    derive::Deriver,
    ec::{EcGroup, EcKey, EcPoint},
    md::{Md, MdRef},
    pkey::{PKey, Private},
    pkey_ctx::PkeyCtx,
    rsa::{Padding, Rsa},
};
use zeroize::Zeroizing;

use super::{
    public::{Curve, KeyAlgorithm, PublicKey, ReadyKey},
    rsa,
};
use crate::{
    digest::DigestAlgorithm,
    error::{Crypto, Error},
    old,
    signer::{Decrypter, KeyError, KeyTransport, SignatureAlgorithm, Signer},
};

const CIPHER: &str = "the cipher of this private key";

/// Gives OpenSSL a password: its length. One that does not fit cannot be right.
fn write_password(password: &str, buffer: &mut [u8]) -> usize {
    let slot = buffer.get_mut(..password.len());
    slot.map_or(0, |slot| {
        slot.copy_from_slice(password.as_bytes());
        password.len()
    })
}

/// What key to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeySpec {
    /// RSA with 1024 bits: only to play an old device; Apple's SCEP payload defaults to it (Q7).
    Rsa1024,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// Ed25519, for signatures of JOSE: no certificate is made for it here.
    Ed25519,
}

/// A private key in memory: RSA, ECDSA on a NIST curve, or Ed25519.
///
/// Cheap to clone. Never printed; what it exports is overwritten when dropped.
#[derive(Clone)]
pub struct PrivateKey {
    key: PKey<Private>,
    public: PublicKey,
    algorithms: Arc<[SignatureAlgorithm]>,
}

impl PrivateKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`Error::Crypto`] when OpenSSL fails.
    pub fn generate(spec: KeySpec) -> Result<Self, Error> {
        let rsa = |bits| PKey::from_rsa(Rsa::generate(bits)?);
        let ec = |curve: Curve| {
            let group = EcGroup::from_curve_name(curve.nid())?;
            PKey::from_ec_key(EcKey::generate(&group)?)
        };
        let key = match spec {
            KeySpec::Rsa1024 => rsa(1024),
            KeySpec::Rsa2048 => rsa(2048),
            KeySpec::Rsa3072 => rsa(3072),
            KeySpec::Rsa4096 => rsa(4096),
            KeySpec::P256 => ec(Curve::P256),
            KeySpec::P384 => ec(Curve::P384),
            KeySpec::P521 => ec(Curve::P521),
            KeySpec::Ed25519 => PKey::generate_ed25519(),
        };
        Self::new(key.crypto()?)
    }

    /// Reads the first private key of a PEM text: PKCS #8 (also encrypted), PKCS #1 or SEC 1.
    ///
    /// # Errors
    /// [`Error::Password`] when the key is encrypted and the password is missing or wrong; [`Error::Malformed`];
    /// [`Error::Unsupported`] for other kinds of key, and like [`Error::LegacyProviderMissing`] for a cipher that OpenSSL does not
    /// have.
    pub fn from_pem(pem: &[u8], password: Option<&str>) -> Result<Self, Error> {
        let asked = Cell::new(false);
        // An empty password makes OpenSSL fail instead of asking the terminal.
        let password = password.unwrap_or_default();
        let read = || {
            PKey::private_key_from_pem_callback(pem, |buffer| {
                asked.set(true);
                Ok(write_password(password, buffer))
            })
        };
        let judge = |stack| match asked.get() {
            true => Error::Password,
            false => Error::malformed("private key", Error::openssl(stack)),
        };
        Self::new(old::read(CIPHER, read, judge)?)
    }

    /// Reads an unencrypted key in DER: PKCS #8, PKCS #1 or SEC 1.
    ///
    /// # Errors
    /// [`Error::Malformed`]; [`Error::Unsupported`] for other kinds of key.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let key = PKey::private_key_from_der(der)
            .map_err(|stack| Error::malformed("private key", Error::openssl(stack)))?;
        Self::new(key)
    }

    /// Reads an encrypted PKCS #8 key in DER.
    ///
    /// # Errors
    /// [`Error::Password`] when it does not open; [`Error::LegacyProviderMissing`] and [`Error::Unsupported`] for a cipher that
    /// OpenSSL does not have.
    pub fn from_encrypted_der(der: &[u8], password: &str) -> Result<Self, Error> {
        let read = || {
            PKey::private_key_from_pkcs8_callback(der, |buffer| {
                Ok(write_password(password, buffer))
            })
        };
        Self::new(old::read(CIPHER, read, |_| Error::Password)?)
    }

    pub(crate) fn new(key: PKey<Private>) -> Result<Self, Error> {
        let public = PublicKey::from_spki_der(&key.public_key_to_der().crypto()?)?;
        if let KeyAlgorithm::Other(oid) = public.algorithm() {
            return Err(Error::unsupported("key type", oid));
        }
        let algorithms = SignatureAlgorithm::all_for(public.algorithm()).into();
        Ok(Self {
            key,
            public,
            algorithms,
        })
    }

    /// The key as unencrypted PKCS #8 in PEM.
    ///
    /// # Errors
    /// [`Error::Crypto`] when OpenSSL fails.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, Error> {
        let pem = Zeroizing::new(self.key.private_key_to_pem_pkcs8().crypto()?);
        let text = std::str::from_utf8(&pem).map_err(|error| Error::malformed("PEM", error))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// The key as unencrypted PKCS #8 in DER.
    ///
    /// # Errors
    /// [`Error::Crypto`] when OpenSSL fails.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        Ok(Zeroizing::new(self.key.private_key_to_pkcs8().crypto()?))
    }

    /// The key as PKCS #8 in PEM, encrypted with AES-256-CBC under a password.
    ///
    /// # Errors
    /// [`Error::Password`] for an empty password; [`Error::Crypto`] when OpenSSL fails.
    pub fn to_encrypted_pkcs8_pem(&self, password: &str) -> Result<String, Error> {
        if password.is_empty() {
            return Err(Error::Password);
        }
        let cipher = openssl::symm::Cipher::aes_256_cbc();
        let pem = self
            .key
            .private_key_to_pem_pkcs8_passphrase(cipher, password.as_bytes())
            .crypto()?;
        String::from_utf8(pem).map_err(|error| Error::malformed("PEM", error))
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// What the key can sign with, the preferred one first.
    pub fn algorithms(&self) -> &[SignatureAlgorithm] {
        &self.algorithms
    }

    /// Signs a message.
    ///
    /// # Errors
    /// As [`Self::sign_digest`].
    pub fn sign_message(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, Error> {
        Ok(self.sign_digest(algorithm, &algorithm.to_sign(message)?)?)
    }

    /// Signs what [`SignatureAlgorithm::to_sign`] makes of a message: mostly its digest.
    ///
    /// # Errors
    /// [`KeyError::UnsupportedAlgorithm`] when the key does not speak the algorithm, [`KeyError::Rejected`] when the
    /// digest has another length.
    pub fn sign_digest(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        if !self.algorithms.contains(&algorithm) {
            return Err(KeyError::UnsupportedAlgorithm);
        }
        if algorithm.takes_digest() && digest.len() != algorithm.digest().output_len() {
            return Err(KeyError::Rejected);
        }
        self.sign_with_openssl(algorithm, digest)
            .map_err(KeyError::unavailable)
    }

    fn sign_with_openssl(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, openssl::error::ErrorStack> {
        if algorithm.is_rsa() {
            return rsa::sign(&self.key.rsa()?, algorithm.digest(), digest);
        }
        if algorithm == SignatureAlgorithm::Ed25519 {
            return openssl::sign::Signer::new_without_digest(&self.key)?
                .sign_oneshot_to_vec(digest);
        }
        let mut context = PkeyCtx::new(&self.key)?;
        context.sign_init()?;
        let mut signature = Vec::new();
        context.sign_to_vec(digest, &mut signature)?;
        Ok(signature)
    }

    /// Unwraps a content key whose length is known; anything wrong but a missing RSA key yields random bytes.
    pub(crate) fn unwrap_content_key(
        &self,
        transport: KeyTransport,
        wrapped: &[u8],
        length: usize,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let rsa = self.rsa()?;
        if transport.oaep().is_none() {
            return rsa::unwrap_v15(&rsa, wrapped, length);
        }
        let mut content = Zeroizing::new(vec![0; length]);
        openssl::rand::rand_bytes(&mut content).map_err(KeyError::unavailable)?;
        match self.unwrap_oaep(transport, wrapped) {
            Some(found) if found.len() == length => Ok(found),
            _ => Ok(content),
        }
    }

    /// What this key and the one of `point`, on the same curve, agree on (ECDH: SEC 1, section 3.3.1).
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a key on no curve, [`Error::Malformed`] for what is no point of it.
    pub(crate) fn agree(&self, point: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let KeyAlgorithm::Ec(curve) = self.public.algorithm() else {
            let found = format_args!("{:?}", self.public.algorithm());
            return Err(Error::unsupported("key agreement", found));
        };
        let group = EcGroup::from_curve_name(curve.nid()).crypto()?;
        let mut context = BigNumContext::new().crypto()?;
        // A point off the curve would tell of the key; OpenSSL refuses it here.
        let point = EcPoint::from_bytes(&group, point, &mut context)
            .map_err(|_| Error::malformed("public key", "not a point of the curve"))?;
        let other = EcKey::from_public_key(&group, &point).crypto()?;
        other
            .check_key()
            .map_err(|_| Error::malformed("public key", "not a point of the curve"))?;
        let other = PKey::from_ec_key(other).crypto()?;
        let mut deriver = Deriver::new(&self.key).crypto()?;
        deriver.set_peer(&other).crypto()?;
        Ok(Zeroizing::new(deriver.derive_to_vec().crypto()?))
    }

    fn unwrap_oaep(&self, transport: KeyTransport, wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (hash, mask) = transport.oaep()?;
        let open = || -> Result<_, openssl::error::ErrorStack> {
            let mut context = PkeyCtx::new(&self.key)?;
            context.decrypt_init()?;
            set_oaep(&mut context, hash, mask)?;
            let mut content = Zeroizing::new(vec![0; self.key.size()]);
            let length = context.decrypt(wrapped, Some(&mut content))?;
            content.truncate(length);
            Ok(content)
        };
        // The error stack is taken off the thread by the conversion and dropped.
        open().ok()
    }

    fn rsa(&self) -> Result<Rsa<Private>, KeyError> {
        match self.public.algorithm() {
            KeyAlgorithm::Rsa { .. } => self.key.rsa().map_err(KeyError::unavailable),
            _ => Err(KeyError::UnsupportedAlgorithm),
        }
    }

    pub(crate) fn openssl(&self) -> &PKey<Private> {
        &self.key
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Signer for PrivateKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn algorithms(&self) -> &[SignatureAlgorithm] {
        &self.algorithms
    }

    async fn sign(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        self.sign_digest(algorithm, digest)
    }

    fn verifies(&self) -> bool {
        matches!(self.public.algorithm(), KeyAlgorithm::Rsa { .. })
    }
}

#[async_trait]
impl Decrypter for PrivateKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    async fn unwrap_key(
        &self,
        algorithm: KeyTransport,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let rsa = self.rsa()?;
        match algorithm.oaep() {
            None => rsa::unwrap_v15_any(&rsa, wrapped),
            Some(_) => self
                .unwrap_oaep(algorithm, wrapped)
                .ok_or(KeyError::Rejected),
        }
    }

    async fn unwrap_content_key(
        &self,
        algorithm: KeyTransport,
        wrapped: &[u8],
        length: usize,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        Self::unwrap_content_key(self, algorithm, wrapped, length)
    }
}

/// Wraps a content key for the holder of an RSA key.
pub(crate) fn wrap_content_key(
    recipient: &PublicKey,
    transport: KeyTransport,
    content_key: &[u8],
) -> Result<Vec<u8>, Error> {
    let ReadyKey::Rsa(key) = recipient.ready()? else {
        return Err(Error::unsupported(
            "recipient key",
            format_args!("{:?}", recipient.algorithm()),
        ));
    };
    let Some((hash, mask)) = transport.oaep() else {
        return rsa::wrap_v15(key, content_key).crypto();
    };
    let key = PKey::from_rsa(key.clone()).crypto()?;
    let mut context = PkeyCtx::new(&key).crypto()?;
    context.encrypt_init().crypto()?;
    set_oaep(&mut context, hash, mask).crypto()?;
    let mut wrapped = Vec::new();
    context.encrypt_to_vec(content_key, &mut wrapped).crypto()?;
    Ok(wrapped)
}

fn set_oaep<T>(
    context: &mut PkeyCtx<T>,
    hash: DigestAlgorithm,
    mask: DigestAlgorithm,
) -> Result<(), openssl::error::ErrorStack> {
    context.set_rsa_padding(Padding::PKCS1_OAEP)?;
    context.set_rsa_oaep_md(md(hash))?;
    context.set_rsa_mgf1_md(md(mask))
}

pub(super) fn md(digest: DigestAlgorithm) -> &'static MdRef {
    match digest {
        DigestAlgorithm::Md5 => Md::md5(),
        DigestAlgorithm::Sha1 => Md::sha1(),
        DigestAlgorithm::Sha224 => Md::sha224(),
        DigestAlgorithm::Sha256 => Md::sha256(),
        DigestAlgorithm::Sha384 => Md::sha384(),
        DigestAlgorithm::Sha512 => Md::sha512(),
    }
}
