//! Whom Macs encrypt their FileVault recovery keys for: an identity in the vault.

use std::time::Duration;

use chrono::{DateTime, Utc};
use mdm_sdk::pki::{CertificateBuilder, Identity, KeySpec, KeyUsage, Name, PrivateKey};

use crate::{
    config::{Config, FileVault},
    error::Error,
    vault::{self, Vault},
};

/// The name in the vault and in the settings.
const NAME: &str = "filevault";

/// How long a certificate of our own lasts: a key that was deposited may be needed years later.
const LIFETIME: Duration = Duration::from_secs(20 * 365 * 24 * 3_600);

/// The identity in the files that the settings name, or else in the vault; made first if there is none.
pub(crate) async fn identity(
    settings: &FileVault,
    config: &Config,
    vault: &Vault,
    now: DateTime<Utc>,
) -> Result<Identity, Error> {
    let (certificate, key) = (&settings.certificate, &settings.key);
    if let Some(found) = vault.identity(NAME, certificate, key).await? {
        return Ok(found);
    }
    let made = vault.get_or_make(NAME, || {
        tracing::info!("an identity for the recovery keys of FileVault is made");
        vault::to_pem(&new(&config.organization, now)?)
    });
    vault::from_pem(&made.await?)
}

fn new(organization: &str, now: DateTime<Utc>) -> Result<Identity, Error> {
    let make = || {
        let key = PrivateKey::generate(KeySpec::Rsa2048)?;
        let name = Name::from_common_name(&format!("{organization} FileVault Recovery Keys"));
        let certificate = CertificateBuilder::new(name, key.public_key())
            .validity(now, now + LIFETIME)
            .key_usage(KeyUsage::KEY_ENCIPHERMENT)
            .self_signed(&key)?;
        Identity::new(certificate, Vec::new(), key)
    };
    make().map_err(Error::part("making an identity for recovery keys"))
}
