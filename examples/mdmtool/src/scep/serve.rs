//! `serve`: a SCEP server with an authority of its own.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use mdm_core::SystemClock;
use mdm_pki::DigestAlgorithm;
use mdm_scep::{
    Approval, ChallengeVerifier, OneTime, Policy, ca::SanRule, challenge::Static, http::HttpLimits,
    server::Server,
};
use mdm_storage::sqlite::SqliteStore;
use mdmtool::one_line;
use serde_json::Value;

use super::{
    remote::Weak,
    site::{SCEP, ScepSite},
};
use crate::{
    certificate::fingerprint,
    console::Console,
    failure::{Done, Failure},
    files,
    issue::{
        authority::{Authority, impossible},
        events::{self, Reporter},
        pages::Pages,
        place::{Opened, Place},
        running::Running,
    },
    runtime::interrupted,
    web::Web,
};

#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    place: Place,
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
    /// What becomes of the alternative names in a request.
    #[arg(long, value_name = "RULE", default_value = "omit")]
    san: San,
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

impl From<San> for SanRule {
    fn from(san: San) -> Self {
        match san {
            San::Omit => Self::Omit,
            San::Copy => Self::Copy,
        }
    }
}

impl Serve {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let stdin = [
            self.place.passphrase().file(),
            self.rules.shared_challenge_file.as_deref(),
        ];
        files::take_stdin_once(stdin.into_iter().flatten())?;
        let stop = interrupted();
        let opened = self.place.open(HttpLimits::default().message).await?;
        let Opened {
            web,
            authority,
            store,
        } = opened;
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
        let (reporter, events) = events::channel();
        let site = self.site(authority, store, reporter)?;
        let listening = listening(&web, authority)?;
        let running = Running {
            web,
            site: Arc::new(site),
            events,
            store,
        };
        running.until(stop, &listening, console).await
    }

    fn site(
        &self,
        authority: &Authority,
        store: &SqliteStore,
        reporter: Reporter,
    ) -> Result<ScepSite, Failure> {
        let books = Arc::new(store.clone());
        let names = self.rules.san;
        let ca = self.place.profile.authority(authority, books, |profile| {
            profile.subject_alt_names = names.into();
        })?;
        let ca = Arc::new(ca);
        let (responder, clock) = (authority.responder()?, Arc::new(SystemClock));
        let server = Server::builder(ca.clone(), responder, self.rules.verifier(store)?, clock)
            .policy(self.policy())
            .rate_limit(self.place.profile.rate_limit())
            .observer(Arc::new(reporter))
            .build();
        Ok(ScepSite {
            server: server.map_err(|error| impossible(&error))?,
            pages: Pages::new(ca, authority)?,
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
