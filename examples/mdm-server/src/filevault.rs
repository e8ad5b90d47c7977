//! Whom Macs encrypt their FileVault recovery keys for: an identity in the vault, and each that was before it. A Mac keeps
//! to the certificate that its profile has.

use std::time::Duration;

use chrono::{DateTime, Utc};
use mdm_sdk::{
    core::Secret,
    pki::{
        CertificateBuilder, DigestAlgorithm, Identity, KeyAlgorithm, KeySpec, KeyUsage, Name,
        PrivateKey,
    },
};

use crate::{
    config::{self, Config, FileVault},
    error::Error,
    vault::{self, Vault},
};

/// The name in the vault and in the settings.
const NAME: &str = "filevault";

/// What the names of former ones in the vault begin with; the fingerprint follows.
const FORMER: &str = "filevault.former.";

/// How long a certificate of our own lasts: a key that was deposited may be needed years later.
const LIFETIME: Duration = Duration::from_secs(20 * 365 * 24 * 3_600);

/// All that recovery keys may be encrypted for.
pub(crate) struct Identities {
    /// For what is sent from now on.
    pub(crate) current: Identity,
    /// The others, whose Macs may not have heard of it.
    pub(crate) former: Vec<Identity>,
}

/// The identity in the files that the settings name, or else in the vault, made first if there is none; with all that the vault
/// has from before.
pub(crate) async fn identities(
    settings: &FileVault,
    config: &Config,
    vault: &Vault,
    now: DateTime<Utc>,
) -> Result<Identities, Error> {
    let current = match files(settings)? {
        Some(identity) => {
            let pem = vault::to_pem(&identity)?;
            let kept = vault.get_or_make(NAME, || Ok(pem.clone())).await?;
            if kept != pem {
                keep(vault, &kept).await?;
                vault.replace(NAME, pem.expose()).await?;
            }
            identity
        }
        None => {
            let made = vault.get_or_make(NAME, || {
                tracing::info!("an identity for the recovery keys of FileVault is made");
                vault::to_pem(&new(&config.organization, now)?)
            });
            vault::from_pem(&made.await?)?
        }
    };
    let mut former = Vec::new();
    for name in vault.names().await? {
        if name.as_str().starts_with(FORMER)
            && let Some(pem) = vault.get(name.as_str()).await?
        {
            former.push(vault::from_pem(&pem)?);
        }
    }
    former.retain(|it| it.certificate != current.certificate);
    Ok(Identities { current, former })
}

/// The identity in the files that the settings name.
pub(crate) fn files(settings: &FileVault) -> Result<Option<Identity>, Error> {
    let Some(files) = config::both(NAME, &settings.certificate, &settings.key)? else {
        return Ok(None);
    };
    let identity = config::identity(NAME, &files)?;
    match identity.key.public_key().algorithm() {
        KeyAlgorithm::Rsa { .. } => Ok(Some(identity)),
        _ => {
            let problem = "is no RSA key: Macs encrypt for no other";
            Err(Error::setting("filevault.key", problem))
        }
    }
}

/// Keeps an identity under a name of its own before another takes its place: the vault may have its only copy.
async fn keep(vault: &Vault, pem: &Secret<Vec<u8>>) -> Result<(), Error> {
    let certificate = vault::from_pem(pem)?.certificate;
    let fingerprint = certificate.fingerprint(DigestAlgorithm::Sha256);
    let fingerprint = fingerprint.map_err(Error::part("a fingerprint"))?;
    let digits = fingerprint.iter().take(16);
    let digits: String = digits.map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{FORMER}{digits}");
    vault.get_or_make(&name, || Ok(pem.clone())).await?;
    tracing::info!(name, "a former identity for recovery keys is kept");
    Ok(())
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
