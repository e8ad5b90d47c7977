//! `sign`: CMS around a profile, SHA-256, with the chain.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use mdm_pki::{Identity, pem};
use mdm_profiles::sign::sign_bytes;
use mdmtool::one_line;
use serde_json::json;

use super::{output::Output, source};
use crate::{
    certificate,
    console::Console,
    failure::{Done, Failure},
    files::{self, IdentityFiles},
    text::written,
};

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The profile, or - for standard input; its bytes are signed as they are.
    file: PathBuf,
    #[command(flatten)]
    signer: IdentityFiles,
    /// The authorities above the signer's certificate, PEM or DER, beside those in its file.
    #[arg(long = "chain", value_name = "FILE")]
    chain: Vec<PathBuf>,
    /// Sign as of this time, such as 2026-01-31T12:00:00Z, instead of now: with an RSA key, the same
    /// time makes the same bytes.
    #[arg(long, value_name = "TIME")]
    at: Option<DateTime<Utc>>,
    /// Take away the signature that is there, and sign anew.
    #[arg(long)]
    resign: bool,
    /// Write PEM instead of DER.
    #[arg(long)]
    pem: bool,
    #[command(flatten)]
    out: Output,
}

impl Sign {
    pub(super) fn run(self, console: &mut Console) -> Done {
        self.out.check(console, !self.pem)?;
        let others = self.chain.iter().chain([&self.file]);
        let others: Vec<_> = others.map(|file| Some(file.as_path())).collect();
        self.signer.take_stdin_once(&others)?;
        let mut identity = self.signer.read()?;
        for file in &self.chain {
            add(&mut identity, files::certificates(file)?);
        }
        let source = source::read(&self.file, None)?;
        if source.signers().next().is_some() && !self.resign {
            return Err(Failure::input(
                format!("{} is signed already", source.name),
                "sign the profile itself, or give --resign",
            ));
        }
        let at = self.at.unwrap_or_else(Utc::now);
        if !identity.certificate.is_valid_at(at) {
            let until = written(identity.certificate.not_after());
            console.note(&format!(
                "the signer's certificate is not valid at that time; it is until {until}"
            ));
        }
        let signed = sign_bytes(&source.opened.content, &identity, at).map_err(|error| {
            let next = "give another certificate and its key";
            Failure::input(one_line(&error), next)
        })?;
        let bytes = match self.pem {
            true => pem::encode("CMS", &signed).into_bytes(),
            false => signed,
        };
        let chain: Vec<_> = identity.chain.iter().map(certificate::told).collect();
        let about = json!({
            "signer": certificate::told(&identity.certificate),
            "chain": chain,
            "signing_time": written(at),
        });
        self.out.write(console, &bytes, about)
    }
}

/// Adds authorities that are not there yet, the signer itself left aside.
fn add(identity: &mut Identity, chain: Vec<mdm_pki::Certificate>) {
    for certificate in chain {
        let known = identity.chain.contains(&certificate) || certificate == identity.certificate;
        if !known {
            identity.chain.push(certificate);
        }
    }
}
