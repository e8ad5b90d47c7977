//! Certificates for tests: push certificates as Apple's portal issues them, and the fake's own.

use std::{fmt, net::IpAddr};

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, Error, GeneralName, Identity, KeySpec, KeyUsage, Name,
    PrivateKey, oid,
};
use zeroize::Zeroizing;

use super::{Environment, id::Id};

/// The value of Apple's extensions that merely stand there: NULL in DER.
const NULL: &[u8] = &[5, 0];

/// Issues push certificates, as Apple's portal does.
#[derive(Clone)]
pub struct PushAuthority {
    root: Certificate,
    key: PrivateKey,
}

impl PushAuthority {
    /// An authority with a new key.
    ///
    /// # Errors
    /// [`Error::Crypto`] when OpenSSL fails.
    pub fn new() -> Result<Self, Error> {
        Self::named("Fake Application Integration Authority")
    }

    /// An authority of the caller's own: its certificate and key in PEM.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] when the key is not the certificate's; [`Error::Malformed`] for text
    /// that is no certificate or key.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, Error> {
        let identity = Identity::from_pem(certificate, key, None)?;
        Ok(Self {
            root: identity.certificate,
            key: identity.key,
        })
    }

    /// The key in PEM (PKCS #8), to make the authority again from [`from_pem`](Self::from_pem).
    ///
    /// # Errors
    /// [`Error::Crypto`] when OpenSSL fails.
    pub fn key_pem(&self) -> Result<Zeroizing<String>, Error> {
        self.key.to_pkcs8_pem()
    }

    /// The root that a [`FakeApns`](super::FakeApns) trusts.
    pub fn root(&self) -> &Certificate {
        &self.root
    }

    /// A push certificate for this topic, valid since yesterday and for a year. The topic stands
    /// in the user ID; the common name holds another UUID, as it may in Apple's.
    ///
    /// # Errors
    /// [`Error::Crypto`] when OpenSSL fails.
    pub fn issue(&self, topic: &str) -> Result<Identity, Error> {
        let now = Utc::now();
        self.issue_valid(topic, now - TimeDelta::days(1), now + TimeDelta::days(365))
    }

    /// A push certificate for a new topic, `com.apple.mgmt.External.<uuid>`.
    ///
    /// # Errors
    /// [`Error::Crypto`] when OpenSSL fails.
    pub fn issue_new(&self) -> Result<Identity, Error> {
        self.issue(&format!("com.apple.mgmt.External.{}", uuid()?))
    }

    /// A push certificate for this topic, valid for this long.
    ///
    /// # Errors
    /// [`Error::Crypto`] when OpenSSL fails.
    pub fn issue_valid(
        &self,
        topic: &str,
        not_before: DateTime<Utc>,
        not_after: DateTime<Utc>,
    ) -> Result<Identity, Error> {
        self.issue_with(topic, not_before, not_after, &[])
    }

    /// A push certificate for this topic that names the services it is for.
    ///
    /// # Errors
    /// [`Error::Crypto`] when OpenSSL fails.
    pub fn issue_for(&self, topic: &str, environments: &[Environment]) -> Result<Identity, Error> {
        let now = Utc::now();
        let day = TimeDelta::days(1);
        self.issue_with(topic, now - day, now + day * 365, environments)
    }

    fn issue_with(
        &self,
        topic: &str,
        not_before: DateTime<Utc>,
        not_after: DateTime<Utc>,
        environments: &[Environment],
    ) -> Result<Identity, Error> {
        let subject = Name::builder()
            .user_id(topic)
            .common_name(&format!("APSP:{}", uuid()?))
            .country("US")
            .build();
        let key = PrivateKey::generate(KeySpec::P256)?;
        let mut builder = CertificateBuilder::new(subject, key.public_key())
            .validity(not_before, not_after)
            .key_usage(KeyUsage::DIGITAL_SIGNATURE)
            .extended_key_usage(&[oid::CLIENT_AUTH]);
        for environment in environments {
            builder = builder.extension(environment.extension(), false, NULL);
        }
        self.identity(builder, key)
    }

    /// A server's identity for these DNS names and addresses.
    pub(super) fn server(&self, names: &[String]) -> Result<Identity, Error> {
        let key = PrivateKey::generate(KeySpec::P256)?;
        let now = Utc::now();
        let subject = Name::from_common_name("Fake Push Service");
        let mut builder = CertificateBuilder::new(subject, key.public_key())
            .validity(now - TimeDelta::days(1), now + TimeDelta::days(365))
            .key_usage(KeyUsage::DIGITAL_SIGNATURE)
            .extended_key_usage(&[oid::SERVER_AUTH]);
        for name in names {
            builder = builder.san(match name.parse::<IpAddr>() {
                Ok(address) => GeneralName::Ip(address),
                Err(_) => GeneralName::Dns(name.clone()),
            });
        }
        self.identity(builder, key)
    }

    pub(super) fn named(name: &str) -> Result<Self, Error> {
        let key = PrivateKey::generate(KeySpec::P256)?;
        let now = Utc::now();
        let root = CertificateBuilder::new(Name::from_common_name(name), key.public_key())
            .validity(now - TimeDelta::days(1), now + TimeDelta::days(3650))
            .ca(None)
            .key_usage(KeyUsage::KEY_CERT_SIGN)
            .self_signed(&key)?;
        Ok(Self { root, key })
    }

    fn identity(&self, builder: CertificateBuilder, key: PrivateKey) -> Result<Identity, Error> {
        let certificate = builder.sign(&self.root, &self.key)?;
        Identity::new(certificate, vec![self.root.clone()], key)
    }
}

impl fmt::Debug for PushAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushAuthority")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

/// A random UUID of version 4, in lowercase.
fn uuid() -> Result<String, Error> {
    let bits = u128::from_be_bytes(mdm_pki::random::<16>()?);
    Ok(Id::version_4(bits).to_string())
}
