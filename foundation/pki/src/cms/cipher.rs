//! The ciphers of enveloped content: AES to write and read, DES only to read.

use std::sync::OnceLock;

use openssl::{
    cipher::{Cipher, CipherRef},
    cipher_ctx::CipherCtx,
    lib_ctx::LibCtx,
    provider::Provider,
};
use zeroize::Zeroizing;

use crate::{
    asn1::RawOid,
    error::{Crypto, Error},
    oid::{Oid, algorithm},
};

/// How content is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentCipher {
    /// AES-128 in CBC mode: what Apple's server tokens and SCEP clients use.
    Aes128Cbc,
    /// AES-192 in CBC mode.
    Aes192Cbc,
    /// AES-256 in CBC mode.
    Aes256Cbc,
    /// Triple DES in CBC mode: read, never written.
    TripleDesCbc,
    /// Single DES in CBC mode: read where the policy allows it and OpenSSL still can; never written.
    DesCbc,
}

/// A cipher that was fetched once. By its constant it is fetched for each message.
macro_rules! fetched {
    ($name:literal, $constant:expr) => {{
        static FETCHED: OnceLock<Option<Cipher>> = OnceLock::new();
        let fetched = FETCHED.get_or_init(|| Cipher::fetch(None, $name, None).ok());
        fetched.as_deref().unwrap_or($constant)
    }};
}

impl ContentCipher {
    const ALL: [Self; 5] = [
        Self::Aes128Cbc,
        Self::Aes192Cbc,
        Self::Aes256Cbc,
        Self::TripleDesCbc,
        Self::DesCbc,
    ];

    /// The cipher's object identifier.
    pub fn oid(self) -> Oid {
        match self {
            Self::Aes128Cbc => algorithm::AES128_CBC,
            Self::Aes192Cbc => algorithm::AES192_CBC,
            Self::Aes256Cbc => algorithm::AES256_CBC,
            Self::TripleDesCbc => algorithm::DES_EDE3_CBC,
            Self::DesCbc => algorithm::DES_CBC,
        }
    }

    /// The length of its key in bytes.
    pub fn key_len(self) -> usize {
        match self {
            Self::Aes128Cbc => 16,
            Self::Aes192Cbc | Self::TripleDesCbc => 24,
            Self::Aes256Cbc => 32,
            Self::DesCbc => 8,
        }
    }

    /// The length of a block and of the initialisation vector in bytes.
    pub fn block_len(self) -> usize {
        match self {
            Self::TripleDesCbc | Self::DesCbc => 8,
            _ => 16,
        }
    }

    pub(super) fn from_oid(oid: RawOid<'_>) -> Option<Self> {
        Self::ALL.into_iter().find(|cipher| oid.is(cipher.oid()))
    }

    fn is_written(self) -> bool {
        !matches!(self, Self::TripleDesCbc | Self::DesCbc)
    }

    fn openssl(self) -> Result<&'static CipherRef, Error> {
        Ok(match self {
            Self::Aes128Cbc => fetched!("AES-128-CBC", Cipher::aes_128_cbc()),
            Self::Aes192Cbc => fetched!("AES-192-CBC", Cipher::aes_192_cbc()),
            Self::Aes256Cbc => fetched!("AES-256-CBC", Cipher::aes_256_cbc()),
            Self::TripleDesCbc => Cipher::des_ede3_cbc(),
            Self::DesCbc => single_des()?,
        })
    }

    pub(super) fn encrypt(self, key: &[u8], iv: &[u8], content: &[u8]) -> Result<Vec<u8>, Error> {
        if !self.is_written() {
            return Err(Error::NotAllowed("DES for writing"));
        }
        let mut context = CipherCtx::new().crypto()?;
        context
            .encrypt_init(Some(self.openssl()?), Some(key), Some(iv))
            .crypto()?;
        let mut out = Vec::with_capacity(content.len() + self.block_len());
        context.cipher_update_vec(content, &mut out).crypto()?;
        context.cipher_final_vec(&mut out).crypto()?;
        Ok(out)
    }

    /// Every failure, be it of length or of padding, is the same [`Error::Decrypt`].
    pub(super) fn decrypt(
        self,
        key: &[u8],
        iv: &[u8],
        encrypted: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let cipher = self.openssl()?;
        let whole = !encrypted.is_empty() && encrypted.len().is_multiple_of(self.block_len());
        if key.len() != self.key_len() || iv.len() != self.block_len() || !whole {
            return Err(Error::Decrypt);
        }
        let mut context = CipherCtx::new().crypto()?;
        context
            .decrypt_init(Some(cipher), Some(key), Some(iv))
            .crypto()?;
        // Room for a block more, as OpenSSL asks for; nothing is reallocated, so no copy of the content stays behind.
        let mut out = Zeroizing::new(vec![0; encrypted.len() + self.block_len()]);
        let length = context.cipher_update(encrypted, Some(&mut out)).crypto()?;
        let rest = out.get_mut(length..).unwrap_or(&mut []);
        let last = context.cipher_final(rest).map_err(|_| Error::Decrypt)?;
        out.truncate(length + last);
        Ok(out)
    }
}

impl ContentCipher {
    /// Whole blocks of AES in CBC mode without padding: what keys under passwords are wrapped with.
    pub(super) fn blocks(
        self,
        way: Way,
        key: &[u8],
        iv: &[u8],
        blocks: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let whole = !blocks.is_empty() && blocks.len().is_multiple_of(self.block_len());
        let fits = key.len() == self.key_len() && iv.len() == self.block_len();
        if !self.is_written() || !whole || !fits {
            return Err(Error::Decrypt);
        }
        let (cipher, mut context) = (self.openssl()?, CipherCtx::new().crypto()?);
        match way {
            Way::Encrypt => context.encrypt_init(Some(cipher), Some(key), Some(iv)),
            Way::Decrypt => context.decrypt_init(Some(cipher), Some(key), Some(iv)),
        }
        .crypto()?;
        context.set_padding(false);
        let mut out = Zeroizing::new(vec![0; blocks.len() + self.block_len()]);
        let length = context.cipher_update(blocks, Some(&mut out)).crypto()?;
        out.truncate(length);
        Ok(out)
    }
}

/// Which way [`ContentCipher::blocks`] goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Encrypt,
    Decrypt,
}

/// A library context of its own, so that the process's default context keeps to what it allows.
struct Legacy {
    des: Cipher,
    // What the cipher was fetched from must outlive it.
    _provider: Provider,
    _context: LibCtx,
}

fn single_des() -> Result<&'static CipherRef, Error> {
    static LEGACY: OnceLock<Option<Legacy>> = OnceLock::new();
    LEGACY
        .get_or_init(|| {
            let context = LibCtx::new().ok()?;
            let provider = Provider::load(Some(&context), "legacy").ok()?;
            let des = Cipher::fetch(Some(&context), "DES-CBC", None).ok()?;
            Some(Legacy {
                des,
                _provider: provider,
                _context: context,
            })
        })
        .as_ref()
        .map(|legacy| &*legacy.des)
        .ok_or(Error::LegacyProviderMissing("single DES"))
}
