//! `renew`: a certificate in place of one that ends.

use std::path::PathBuf;

use clap::Args;
use mdm_pki::KeySpec;
use mdm_scep::Enrolment;

use super::{
    advice,
    obtain::Patience,
    remote::{Remote, Trust, Weak},
};
use crate::{
    console::Console,
    failure::Done,
    files::IdentityFiles,
    issue::{
        names::KeyKind,
        own::{self, Challenge, Outcome},
    },
    text,
};

#[derive(Debug, Args)]
pub(super) struct Renew {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    trust: Trust,
    /// The certificate that ends, and its key.
    #[command(flatten)]
    old: IdentityFiles,
    /// With a challenge the request is an ordinary one for the same subject, as Apple's client renews. Without
    /// one the old certificate signs it (RenewalReq).
    #[command(flatten)]
    challenge: Challenge,
    /// Where a new key goes, or is already from a command that was interrupted. Otherwise the old key stays.
    #[arg(long, value_name = "FILE")]
    key_out: Option<PathBuf>,
    /// What key to make: rsa2048 if nothing is said.
    #[arg(long, value_name = "KIND", requires = "key_out")]
    new_key: Option<KeyKind>,
    #[command(flatten)]
    outcome: Outcome,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    weak: Weak,
}

impl Renew {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        self.old.take_stdin_once(&[
            self.remote.tls_ca.as_deref(),
            self.trust.ca.as_deref(),
            self.challenge.challenge_file.as_deref(),
        ])?;
        self.outcome.must_be_free(None)?;
        let client = self.remote.client(&self.trust, &self.weak)?;
        let old = self.old.read()?;
        let challenge = self.challenge.read()?;
        let key = match &self.key_out {
            Some(file) => own::key(file, self.new_key, KeySpec::Rsa2048, self.old.passphrase())?,
            None => old.key.clone(),
        };
        let enrolment = match challenge {
            None => Enrolment::renewal(old.certificate, old.key, key),
            Some(challenge) => {
                let names = old.certificate.subject_alt_names();
                let subject = old.certificate.subject();
                let request = self
                    .outcome
                    .request(&key, &subject, &names, Some(&challenge))?;
                Enrolment::from_csr(key, request)
            }
        };
        let enrolment = enrolment.map_err(|error| advice::of_server(&error))?;
        self.trust.warn(&self.remote, console);
        let renewed = self
            .patience
            .obtain(&client, &enrolment, &self.outcome)
            .await?;
        let key = self.key_out.as_deref().unwrap_or(self.old.key_file());
        let told = self
            .outcome
            .keep(&renewed.certificate, Some(&renewed.issuer), key)?;
        console.answer(&told, || text::fields(&told, &[]))
    }
}
