//! `info`: what a push certificate says, and whether it has to be renewed.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use mdm_apns::certificate::{CertificateError, RenewalPolicy, TopicCertificate};
use mdm_core::Topic;
use mdm_pki::DigestAlgorithm;
use serde_json::{Value, json};

use crate::{
    console::Console,
    failure::{Done, Failure},
    files::{self, IdentityFiles, Passphrase},
    kind::Kind,
    push::files::{no_push_certificate, topic_certificate},
    text::{self, hex, written},
};

const RENEW: &str = "make a request with `mdmtool push cert csr`, have it signed, and press Renew \
                     beside this certificate at https://identity.apple.com/pushcert, under the Apple \
                     Account that it was made with";

#[derive(Debug, Args)]
pub(crate) struct Info {
    /// The certificate: PEM, DER or PKCS #12.
    file: PathBuf,
    /// Its key, to see whether they belong together.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
    /// The topic in the MDM payload of the devices: another one is a failure.
    #[arg(long, value_name = "TOPIC")]
    topic: Option<Topic>,
    /// From how many days before its end on the certificate has to be renewed.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(..=3650))]
    warn_days: u32,
}

impl Info {
    pub(super) fn run(self, console: &mut Console) -> Done {
        let certificate = self.read()?;
        let now = Utc::now();
        let policy = RenewalPolicy::default()
            .with(|policy| policy.due = TimeDelta::days(self.warn_days.into()));
        let renewal = certificate.renewal(now, &policy);
        let document = told(&certificate, renewal.as_str(), now);
        console.answer(&document, || text::fields(&document, &[]))?;
        if let Some(expected) = self.topic.filter(|topic| topic != certificate.topic()) {
            let found = certificate.topic().clone();
            let error = CertificateError::OtherTopic { found, expected };
            return Err(Failure::told(
                Kind::Certificate,
                error.to_string(),
                "give the certificate that the devices are enrolled with, or a renewed one",
            ));
        }
        match renewal.is_warning() {
            true => Err(Failure::told(
                Kind::Certificate,
                format!("the push certificate: {renewal}"),
                RENEW,
            )),
            false => Ok(()),
        }
    }

    fn read(&self) -> Result<TopicCertificate, Failure> {
        let Some(key) = &self.key else {
            let files = [Some(self.file.as_path()), self.passphrase.file()];
            files::take_stdin_once(files.into_iter().flatten())?;
            let passphrase = self.passphrase.read()?;
            return topic_certificate(&self.file, passphrase.as_ref());
        };
        let files = IdentityFiles::new(&self.file, key, &self.passphrase);
        TopicCertificate::new(files.read()?.certificate)
            .map_err(|error| no_push_certificate(&self.file, &error))
    }
}

fn told(certificate: &TopicCertificate, renewal: &str, now: DateTime<Utc>) -> Value {
    let inside = certificate.certificate();
    let left = certificate.not_after() - now;
    json!({
        "topic": certificate.topic(),
        "environment": certificate.environment().as_str(),
        "not_before": written(certificate.not_before()),
        "not_after": written(certificate.not_after()),
        "days_left": left.num_seconds().div_euclid(86_400),
        "renewal": renewal,
        "subject": inside.subject().to_string(),
        "issuer": inside.issuer().to_string(),
        "serial": hex(inside.serial()),
        "sha256": inside.fingerprint(DigestAlgorithm::Sha256).ok().map(|digest| hex(&digest)),
    })
}
