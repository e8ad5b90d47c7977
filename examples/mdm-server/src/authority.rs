//! The authority that gives devices their identities: its key sealed and its books in the database, spoken to by SCEP.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use mdm_sdk::{
    core::Clock,
    pki::{Certificate, CertificateBuilder, Identity, KeySpec, KeyUsage, Name, PrivateKey},
    scep::{
        self, CertificateProfile, EmbeddedCa, Event, Observer, OneTime, Policy, Responder, Server,
        ca::{RootUse, root},
        ocsp,
    },
};

use crate::{
    config::{self, Config},
    error::Error,
    vault::{self, Vault},
};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// How long the authority and its signer of profiles last.
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// The authority.
pub(crate) struct Authority {
    /// What devices' identities end at.
    pub(crate) root: Certificate,
    /// Signs profiles.
    pub(crate) signer: Identity,
    /// What a device proves with that it was given a profile.
    pub(crate) challenges: OneTime,
    /// Answers devices.
    pub(crate) scep: Server,
    /// Issues, and lists what is revoked.
    pub(crate) ca: Arc<EmbeddedCa>,
    /// Tells of each certificate whether it is revoked.
    pub(crate) ocsp: ocsp::Responder,
}

impl Authority {
    /// Opens the authority in the vault, or makes one.
    pub(crate) async fn open(
        config: &Config,
        vault: &Vault,
        books: Arc<dyn scep::Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let now = clock.now();
        let made = vault.get_or_make("authority", || {
            tracing::info!("an authority for the identities of devices is made");
            vault::to_pem(&new_root(&config.organization, now)?)
        });
        let identity = vault::from_pem(&made.await?)?;
        let signer = match &config.enrollment.signer {
            Some(files) => config::identity("enrollment.signer", files)?,
            None => {
                let made = vault.get_or_make("signer", || {
                    vault::to_pem(&new_signer(&config.organization, &identity, now)?)
                });
                vault::from_pem(&made.await?)?
            }
        };
        let Identity {
            certificate, key, ..
        } = identity;
        let part = |error: scep::Error| Error::part("SCEP")(error);
        let validity = DAY.saturating_mul(config.scep.validity_days);
        let ca = EmbeddedCa::new(
            vec![certificate.clone()],
            Arc::new(key.clone()),
            books.clone(),
        )
        .map_err(part)?
        .profile(CertificateProfile::default().with(|profile| {
            profile.validity = validity;
            let status = config.scep.status_url.as_deref();
            let status = status.map(|url| url.trim_end_matches('/'));
            profile.crl_urls = vec![format!("{}/crl", status.unwrap_or(config.base()))];
            profile.ocsp_urls = status
                .map(|url| format!("{url}/ocsp"))
                .into_iter()
                .collect();
        }));
        let ca = Arc::new(ca);
        let signer_of_answers = Arc::new(key.clone());
        let ocsp = ocsp::Responder::new(
            ca.clone(),
            certificate.clone(),
            signer_of_answers,
            clock.clone(),
        );
        let limits = &config.limits;
        let ocsp = ocsp.map_err(part)?.rate_limit(limits.buckets());
        let lifetime = config.scep.challenge_lifetime();
        let challenges = OneTime::new(books).lifetime(lifetime);
        let responder = Responder::local(certificate.clone(), key).map_err(part)?;
        let (is_legacy, throwaway_signer) = (config.scep.legacy_des, config.scep.throwaway_signer);
        let scep = Server::builder(ca.clone(), responder, Arc::new(challenges.clone()), clock)
            .policy(Policy::default().with(|policy| {
                policy.legacy_des = is_legacy;
                policy.triple_des = is_legacy;
                policy.sha1 = is_legacy;
                policy.throwaway_signer = throwaway_signer;
            }))
            .rate_limit(limits.buckets())
            .observer(Arc::new(Log))
            .build()
            .map_err(part)?;
        Ok(Self {
            root: certificate,
            signer,
            challenges,
            scep,
            ca,
            ocsp,
        })
    }
}

fn new_root(organization: &str, now: DateTime<Utc>) -> Result<Identity, Error> {
    let key = PrivateKey::generate(KeySpec::Rsa2048).map_err(Error::part("making a key"))?;
    let name = Name::from_common_name(&format!("{organization} Device Identities"));
    let certificate = root(name, &key, RootUse::Alone, LIFETIME, now);
    let certificate = certificate.map_err(Error::part("making an authority"))?;
    Identity::new(certificate, Vec::new(), key).map_err(Error::part("making an authority"))
}

fn new_signer(
    organization: &str,
    authority: &Identity,
    now: DateTime<Utc>,
) -> Result<Identity, Error> {
    let make = || {
        let key = PrivateKey::generate(KeySpec::Rsa2048)?;
        let name = Name::from_common_name(&format!("{organization} Profiles"));
        let certificate = CertificateBuilder::new(name, key.public_key())
            .validity(now - DAY, authority.certificate.not_after())
            .key_usage(KeyUsage::DIGITAL_SIGNATURE)
            .sign(&authority.certificate, &authority.key)?;
        Identity::new(certificate, vec![authority.certificate.clone()], key)
    };
    make().map_err(Error::part("making a signer of profiles"))
}

/// What the operator hears of SCEP.
#[derive(Debug)]
struct Log;

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Issued { label, .. } => tracing::info!(label, "identity issued"),
            Event::Refused { refusal, .. } => tracing::warn!(?refusal, "SCEP refused"),
            other => tracing::debug!(event = ?other, "SCEP"),
        }
    }
}
