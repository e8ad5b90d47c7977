//! `serve`: a SCEP server with an authority of its own.

use std::{path::PathBuf, pin::pin, sync::Arc, time::Duration};

use chrono::Utc;
use clap::{Args, ValueEnum};
use mdm_core::{Clock, SystemClock};
use mdm_pki::DigestAlgorithm;
use mdm_scep::{
    Approval, CertificateProfile, ChallengeVerifier, EmbeddedCa, OneTime, Policy,
    ca::{CrlProfile, SanRule},
    challenge::Static,
    http::HttpLimits,
    server::Server,
    store::StoreError,
};
use mdm_storage::sqlite::SqliteStore;
use mdmtool::one_line;
use serde_json::Value;

use super::{
    advice,
    authority::{Authority, AuthorityFiles},
    books::Books,
    events::{self, Reporter},
    remote::Weak,
    site::{CRL, ISSUER, SCEP, ScepSite},
};
use crate::{
    certificate::fingerprint,
    console::Console,
    failure::{Done, Failure},
    files,
    interval::Interval,
    runtime::interrupted,
    web::{Listen, Web},
};

/// How often what nobody needs any more is forgotten.
const TIDY: Duration = Duration::from_secs(60 * 60);

#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    books: Books,
    #[command(flatten)]
    authority: AuthorityFiles,
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    weak: Weak,
}

/// Who gets a certificate, and what it is like.
#[derive(Debug, Args)]
struct Rules {
    /// Let each request wait until somebody approves it with `mdmtool scep approve`.
    #[arg(long)]
    approve: bool,
    /// Ask for no challenge: the person who approves decides alone.
    #[arg(long, requires = "approve", conflicts_with = "shared_challenge_file")]
    without_challenge: bool,
    /// Take the challenge in this file's first line, of 16 bytes or more, from every device any number of times,
    /// in place of challenges for one certificate. Whoever knows it gets any certificate.
    #[arg(long, value_name = "FILE")]
    shared_challenge_file: Option<PathBuf>,
    /// How long certificates last.
    #[arg(long, value_name = "TIME", default_value = "365d")]
    validity: Interval,
    /// What becomes of the alternative names in a request.
    #[arg(long, value_name = "RULE", default_value = "omit")]
    san: San,
    /// The server's address as others reach it, such as http://ca.example.com: certificates say then where the
    /// revocation list and the authority's certificate are.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// The smallest RSA key that gets a certificate, in bits. A payload without Keysize makes one of 1024.
    #[arg(long, value_name = "N", default_value_t = Policy::default().min_rsa_bits)]
    min_rsa_bits: usize,
    /// Let no certificate renew itself (RenewalReq).
    #[arg(long)]
    no_renewal: bool,
    /// Answer no GetCert and no GetCRL.
    #[arg(long)]
    no_queries: bool,
}

/// What becomes of alternative names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum San {
    /// They are left out, since a device chooses them freely.
    Omit,
    /// They are taken over.
    Copy,
}

impl Serve {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let stdin = [
            self.authority.passphrase().file(),
            self.rules.shared_challenge_file.as_deref(),
        ];
        files::take_stdin_once(stdin.into_iter().flatten())?;
        let stop = interrupted();
        let limits = HttpLimits::default();
        // First, so that no authority is made for a server that cannot be.
        let web = self
            .listen
            .bind(self.authority.passphrase(), limits.message)
            .await?;
        let authority = self.authority.open(Utc::now())?;
        let store = self.books.open_or_make().await?;
        let done = self.serve(web, &authority, &store, stop, console).await;
        store.close().await;
        done
    }

    async fn serve(
        &self,
        web: Web,
        authority: &Authority,
        store: &SqliteStore,
        stop: impl Future<Output = ()>,
        console: &mut Console,
    ) -> Done {
        let (reporter, mut events) = events::channel();
        let site = self.site(authority, store, reporter)?;
        tell(&listening(&web, authority)?, console)?;
        let clock = SystemClock;
        let mut serving = pin!(web.serve(Arc::new(site), stop));
        let mut tidy = clock.sleep(Duration::ZERO);
        loop {
            tokio::select! {
                Some(event) = events.recv() => tell(&event, console)?,
                () = &mut tidy => {
                    // It is tried again later, and stops nobody meanwhile.
                    if let Err(error) = forget(store).await {
                        tell(&events::trouble(&error), console)?;
                    }
                    tidy = clock.sleep(TIDY);
                }
                () = &mut serving => break,
            }
        }
        while let Ok(event) = events.try_recv() {
            tell(&event, console)?;
        }
        Ok(())
    }

    fn site(
        &self,
        authority: &Authority,
        store: &SqliteStore,
        reporter: Reporter,
    ) -> Result<ScepSite, Failure> {
        let failed = |error: mdm_scep::Error| advice::of_server(&error);
        let key = Arc::new(authority.issuer.key.clone());
        // Other programs revoke in the same store, and a list tells so at once.
        let lists = CrlProfile::default().with(|lists| lists.reuse = Duration::ZERO);
        let ca = EmbeddedCa::new(authority.chain(), key, Arc::new(store.clone()))
            .map_err(failed)?
            .profile(self.rules.profile())
            .crl_profile(lists);
        let ca = Arc::new(ca);
        let responder = authority.responder()?;
        let verifier = self.rules.verifier(store)?;
        let server = Server::builder(ca.clone(), responder, verifier, Arc::new(SystemClock))
            .policy(self.policy())
            .observer(Arc::new(reporter))
            .build()
            .map_err(failed)?;
        Ok(ScepSite {
            server,
            authority: ca,
        })
    }

    fn policy(&self) -> Policy {
        self.weak.policy().with(|policy| {
            policy.min_rsa_bits = self.rules.min_rsa_bits;
            policy.renewal = !self.rules.no_renewal;
            policy.queries = !self.rules.no_queries;
        })
    }
}

impl Rules {
    fn profile(&self) -> CertificateProfile {
        CertificateProfile::default().with(|profile| {
            profile.validity = self.validity.0;
            profile.subject_alt_names = match self.san {
                San::Omit => SanRule::Omit,
                San::Copy => SanRule::Copy,
            };
            if let Some(url) = &self.public_url {
                let url = url.trim_end_matches('/');
                profile.crl_urls = vec![format!("{url}{CRL}")];
                profile.issuer_urls = vec![format!("{url}{ISSUER}")];
            }
        })
    }

    fn verifier(&self, store: &SqliteStore) -> Result<Arc<dyn ChallengeVerifier>, Failure> {
        let store = Arc::new(store.clone());
        let challenge: Arc<dyn ChallengeVerifier> = match &self.shared_challenge_file {
            None => Arc::new(OneTime::new(store.clone())),
            Some(file) => {
                let challenge = files::first_line(file)?;
                let shared = Static::shared_by_all_devices(store.clone(), &challenge);
                Arc::new(shared.map_err(|error| {
                    Failure::input(one_line(&error), "take a longer one, made by chance")
                })?)
            }
        };
        if !self.approve {
            return Ok(challenge);
        }
        let approval = Approval::new(store.clone(), store);
        Ok(Arc::new(match self.without_challenge {
            true => approval,
            false => approval.after(challenge),
        }))
    }
}

/// The first line: where the server is, and what its clients have to trust.
fn listening(web: &Web, authority: &Authority) -> Result<Value, Failure> {
    let url = web.url().map_err(Failure::Output)?;
    let ca = &authority.issuer.certificate;
    let mut event = events::event("listening");
    event.insert("url".to_owned(), format!("{url}{SCEP}").into());
    event.insert("ca".to_owned(), ca.subject().to_string().into());
    let sha256 = fingerprint(ca, DigestAlgorithm::Sha256);
    event.insert("fingerprint".to_owned(), sha256.into());
    Ok(Value::Object(event))
}

/// Tells an event at once, for those who follow.
fn tell(event: &Value, console: &mut Console) -> Done {
    let line = match console.is_json() {
        true => event.to_string(),
        false => events::line(event),
    };
    console.line(&line)?;
    console.flush()
}

/// Forgets challenges and requests whose time was over long ago.
async fn forget(store: &SqliteStore) -> Result<(), StoreError> {
    let (now, store) = (Utc::now(), Arc::new(store.clone()));
    OneTime::new(store.clone()).forget_expired(now).await?;
    Approval::new(store.clone(), store).forget_old(now).await?;
    Ok(())
}
