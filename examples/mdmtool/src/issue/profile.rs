//! What certificates are like, and the authority that issues them so.

use std::{sync::Arc, time::Duration};

use clap::Args;
use mdm_scep::{
    CertificateProfile, EmbeddedCa,
    ca::CrlProfile,
    limit::{Rate, RateLimit, Scope, TokenBuckets, Unlimited},
    store::Store,
};

use super::{
    authority::{Authority, impossible},
    pages::{CRL, ISSUER, OCSP},
};
use crate::{failure::Failure, interval::Interval};

/// What certificates are like, and how many somebody gets.
#[derive(Debug, Args)]
pub(crate) struct Profile {
    /// How long certificates last.
    #[arg(long, value_name = "TIME", default_value = "365d")]
    validity: Interval,
    /// The server's address as others reach it, such as http://ca.example.com: certificates say then where the
    /// revocation list, the OCSP responder and the authority's certificate are.
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// How many certificates one address may ask for in a minute, and of ACME how many accounts and orders; any number if
    /// nothing is said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_per_minute: Option<u32>,
}

impl Profile {
    /// An authority of these files and this store.
    pub(crate) fn authority(
        &self,
        files: &Authority,
        store: Arc<dyn Store>,
        change: impl FnOnce(&mut CertificateProfile),
    ) -> Result<EmbeddedCa, Failure> {
        let profile = CertificateProfile::default().with(|profile| {
            profile.validity = self.validity.0;
            if let Some(url) = &self.public_url {
                let url = url.trim_end_matches('/');
                profile.crl_urls = vec![format!("{url}{CRL}")];
                profile.ocsp_urls = vec![format!("{url}{OCSP}")];
                profile.issuer_urls = vec![format!("{url}{ISSUER}")];
            }
            change(profile);
        });
        // Other programs revoke in the same store, and a list tells so at once.
        let lists = CrlProfile::default().with(|lists| lists.reuse = Duration::ZERO);
        let key = Arc::new(files.issuer.key.clone());
        let ca = EmbeddedCa::new(files.chain(), key, store).map_err(|error| impossible(&error))?;
        Ok(ca.profile(profile).crl_profile(lists))
    }

    /// How often somebody may ask for a certificate, and for what comes before it.
    pub(crate) fn rate_limit(&self) -> Arc<dyn RateLimit> {
        match self.max_per_minute {
            None => Arc::new(Unlimited),
            Some(number) => {
                let rate = Rate::new(number, Duration::from_secs(60));
                let scopes = [Scope::Enrolment, Scope::NewAccount, Scope::NewOrder];
                let buckets = TokenBuckets::new();
                let buckets = scopes
                    .into_iter()
                    .fold(buckets, |it, scope| it.rate(scope, rate));
                Arc::new(buckets)
            }
        }
    }
}
