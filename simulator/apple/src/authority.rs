//! A certificate authority made for one run: its root is what clients of the fakes trust.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use chrono::{TimeDelta, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, Error, GeneralName, Identity, KeySpec, KeyUsage, Name,
    PrivateKey,
};

/// How far validity reaches around the moment of making.
const DAY: TimeDelta = TimeDelta::days(1);

/// A certificate authority for the servers of one run. Valid for a day.
#[derive(Clone)]
pub struct Authority {
    certificate: Certificate,
    key: PrivateKey,
}

impl Authority {
    /// Makes a new root.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn new(common_name: &str) -> Result<Self, Error> {
        let key = PrivateKey::generate(KeySpec::P256)?;
        let now = Utc::now();
        let certificate =
            CertificateBuilder::new(Name::from_common_name(common_name), key.public_key())
                .validity(now - DAY, now + DAY)
                .ca(None)
                .key_usage(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN)
                .self_signed(&key)?;
        Ok(Self { certificate, key })
    }

    /// The root certificate.
    pub fn root(&self) -> &Certificate {
        &self.certificate
    }

    /// A certificate and key for a server on this machine: `localhost` and `127.0.0.1`.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn server_identity(&self) -> Result<Identity, Error> {
        self.issue("localhost", |builder| {
            builder
                .san(GeneralName::Dns("localhost".to_owned()))
                .san(GeneralName::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)))
        })
    }

    /// A certificate and key for a client called `common_name`.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn client_identity(&self, common_name: &str) -> Result<Identity, Error> {
        self.issue(common_name, |builder| builder)
    }

    fn issue(
        &self,
        common_name: &str,
        add: impl FnOnce(CertificateBuilder) -> CertificateBuilder,
    ) -> Result<Identity, Error> {
        let key = PrivateKey::generate(KeySpec::P256)?;
        let now = Utc::now();
        let builder =
            CertificateBuilder::new(Name::from_common_name(common_name), key.public_key())
                .validity(now - DAY, now + DAY)
                .key_usage(KeyUsage::DIGITAL_SIGNATURE);
        let certificate = add(builder).sign(&self.certificate, &self.key)?;
        Identity::new(certificate, Vec::new(), key)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("subject", &self.certificate.subject().to_string())
            .finish_non_exhaustive()
    }
}
