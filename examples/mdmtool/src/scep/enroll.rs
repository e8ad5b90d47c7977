//! `enroll`: a key and a certificate for it.

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
    files::{self, Passphrase},
    issue::{
        names::{AlternativeName, KeyKind, Subject},
        own::{self, Challenge, Outcome},
    },
    text,
};

#[derive(Debug, Args)]
pub(super) struct Enroll {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    trust: Trust,
    /// The subject, as in CN=device 7,O=Example: the last attribute comes first (RFC 4514).
    #[arg(long, value_name = "NAME")]
    subject: Subject,
    /// An alternative name: dns:, email:, uri:, ip: or upn: and the name. Whether it gets into the certificate
    /// is for the server to say.
    #[arg(long = "san", value_name = "KIND:NAME")]
    names: Vec<AlternativeName>,
    #[command(flatten)]
    challenge: Challenge,
    /// Where the private key goes. One that is there already is used, so that the same command goes on where
    /// another was interrupted.
    #[arg(long, value_name = "FILE")]
    key_out: PathBuf,
    /// What key to make: rsa2048 if nothing is said.
    #[arg(long, value_name = "KIND")]
    key: Option<KeyKind>,
    #[command(flatten)]
    passphrase: Passphrase,
    #[command(flatten)]
    outcome: Outcome,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    weak: Weak,
}

impl Enroll {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let stdin = [
            self.remote.tls_ca.as_deref(),
            self.trust.ca.as_deref(),
            self.challenge.challenge_file.as_deref(),
            self.passphrase.file(),
        ];
        files::take_stdin_once(stdin.into_iter().flatten())?;
        self.outcome.must_be_free(None)?;
        let client = self.remote.client(&self.trust, &self.weak)?;
        let challenge = self.challenge.read()?;
        let key = own::key(&self.key_out, self.key, KeySpec::Rsa2048, &self.passphrase)?;
        let names: Vec<_> = self.names.into_iter().map(|name| name.0).collect();
        let subject = &self.subject.0;
        let request = self
            .outcome
            .request(&key, subject, &names, challenge.as_ref())?;
        let enrolment =
            Enrolment::from_csr(key, request).map_err(|error| advice::of_server(&error))?;
        self.trust.warn(&self.remote, console);
        let enrolled = self
            .patience
            .obtain(&client, &enrolment, &self.outcome)
            .await?;
        let told =
            self.outcome
                .keep(&enrolled.certificate, Some(&enrolled.issuer), &self.key_out)?;
        console.answer(&told, || text::fields(&told, &[]))
    }
}
