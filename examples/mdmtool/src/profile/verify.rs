//! `verify`: what a signature is worth, layer by layer.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Args;
use mdm_pki::{Certificate, DigestAlgorithm, cms::VerifyError};
use mdm_profiles::verify::{self, Layers, Opened, Require, Trust};
use mdmtool::one_line;
use serde_json::{Value, json};

use super::{Told, Verdict, source};
use crate::{
    certificate,
    colour::Paint,
    console::Console,
    failure::Failure,
    files,
    text::{from_hex, printable, written},
};

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The signed profile, or - for standard input.
    file: PathBuf,
    /// Roots to trust, PEM or DER; without any the chain and its validity are not judged.
    #[arg(long = "root", value_name = "FILE")]
    roots: Vec<PathBuf>,
    /// Certificates that may stand between, beside those in the profile, PEM or DER.
    #[arg(long = "intermediate", value_name = "FILE")]
    intermediates: Vec<PathBuf>,
    /// Authorities that count though they may have expired, as Apple's for devices have.
    #[arg(long = "pin", value_name = "FILE")]
    pinned: Vec<PathBuf>,
    /// Who may sign: the SHA-256 fingerprint of a certificate; anybody who is trusted if nothing is said.
    #[arg(long = "signer", value_name = "HEX")]
    signers: Vec<String>,
    /// Judge validity at this time, such as 2026-01-31T12:00:00Z, instead of now.
    #[arg(long, value_name = "TIME")]
    at: Option<DateTime<Utc>>,
}

impl Verify {
    pub(super) fn run(self, console: &mut Console, paint: Paint) -> Told {
        let files = [&self.roots, &self.intermediates, &self.pinned];
        let files = files.into_iter().flatten().chain([&self.file]);
        files::take_stdin_once(files.map(PathBuf::as_path))?;
        let [roots, intermediates, pinned] =
            [&self.roots, &self.intermediates, &self.pinned].map(|files| all(files));
        let (roots, intermediates, pinned) = (roots?, intermediates?, pinned?);
        let prints = self.signers.iter().map(|hex| fingerprint(hex));
        let prints = prints.collect::<Result<Vec<_>, _>>()?;
        let allowed = |certificate: &Certificate| {
            let print = certificate.fingerprint(DigestAlgorithm::Sha256);
            prints.is_empty() || print.is_ok_and(|print| prints.contains(&print))
        };
        let at = self.at.unwrap_or_else(Utc::now);
        let trust = Trust::new(&roots, at).with(|trust| {
            trust.intermediates = &intermediates;
            trust.pinned = &pinned;
            trust.allowed = &allowed;
        });
        let (name, bytes) = source::read_bytes(&self.file)?;
        let opened = verify::open(&bytes, &trust);
        let opened = opened.map_err(|error| source::refused(&name, &error))?;
        let judged = !roots.is_empty() || !pinned.is_empty();
        let told = Judged {
            judged,
            names_signers: !prints.is_empty(),
            opened: &opened,
        };
        let (document, text) = (told.document(&name), told.text(paint));
        let require = Require::default().with(|require| {
            (require.chain, require.validity) = (judged, judged);
        });
        let outcome = opened.accept(require);
        let verdict = match &outcome {
            Ok(_) if judged => paint.good("the signature counts"),
            Ok(_) => paint.doubtful("the signature holds; give --root to judge who made it"),
            Err(rejected) => paint.bad(&rejected.to_string()),
        };
        let mut document = document;
        if let Value::Object(keys) = &mut document {
            let rejected = outcome.as_ref().err().map(ToString::to_string);
            keys.insert("accepted".to_owned(), outcome.is_ok().into());
            keys.insert("rejected".to_owned(), rejected.into());
        }
        console.answer(&document, || format!("{text}{verdict}"))?;
        Ok(Verdict::of(outcome.is_ok()))
    }
}

fn all(files: &[PathBuf]) -> Result<Vec<Certificate>, Failure> {
    let certificates = files.iter().map(|file| files::certificates(file as &Path));
    Ok(certificates.collect::<Result<Vec<_>, _>>()?.concat())
}

fn fingerprint(hex: &str) -> Result<Vec<u8>, Failure> {
    from_hex(hex)
        .filter(|print| print.len() == 32)
        .ok_or_else(|| {
            Failure::input(
                "the signer's fingerprint is none of SHA-256",
                "give 64 hexadecimal digits, as `mdmtool profile verify` tells them",
            )
        })
}

/// What was found, and which layers were asked about.
struct Judged<'a> {
    /// Whether there was anything to lead chains to.
    judged: bool,
    names_signers: bool,
    opened: &'a Opened,
}

impl Judged<'_> {
    fn document(&self, name: &str) -> Value {
        let signers = self.opened.signers.iter().map(|layers| {
            let mut told = signer(layers);
            if let Value::Object(keys) = &mut told {
                let judged = |value: Value| self.judged.then_some(value);
                keys.insert("chain".to_owned(), judged(chain(layers)).into());
                keys.insert(
                    "validity".to_owned(),
                    judged(state(&layers.validity)).into(),
                );
                keys.insert("allowed".to_owned(), layers.allowed.into());
                keys.insert("pinned".to_owned(), layers.pinned.into());
            }
            told
        });
        let signers: Vec<_> = signers.collect();
        let profile = &self.opened.profile;
        json!({
            "file": name,
            "identifier": profile.identifier(),
            "encrypted": profile.is_encrypted(),
            "signers": signers,
        })
    }

    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        for layers in &self.opened.signers {
            let certificate = layers.signer.as_ref();
            let name = certificate.map(|it| printable(&it.subject().to_string()));
            let name = name.unwrap_or_else(|| "somebody whose certificate is not here".to_owned());
            text.push_str(&format!("signer     {}\n", paint.title(&name)));
            if let Some(certificate) = certificate {
                let issuer = printable(&certificate.issuer().to_string());
                let print = certificate::fingerprint(certificate, DigestAlgorithm::Sha256);
                let print = print.unwrap_or_default();
                text.push_str(&format!("issuer     {issuer}\nsha256     {print}\n"));
            }
            let told = |state: &Result<String, String>| match state {
                Ok(fine) => paint.good(fine),
                Err(problem) => paint.bad(&printable(problem)),
            };
            let unjudged = || paint.doubtful("not judged without --root or --pin");
            let signature = plain(&layers.signature, "holds");
            text.push_str(&format!("signature  {}\n", told(&signature)));
            let line = match (self.judged, layers.pinned, &layers.chain) {
                (false, ..) => unjudged(),
                (_, true, _) => paint.good("issued by a pinned authority"),
                (_, _, Ok(chain)) => {
                    let last = chain.last().map(|root| root.subject().to_string());
                    let last = printable(&last.unwrap_or_default());
                    paint.good(&format!("leads to {last}"))
                }
                (_, _, Err(error)) => paint.bad(&printable(&one_line(error))),
            };
            text.push_str(&format!("chain      {line}\n"));
            let line = match (self.judged, layers.pinned, &layers.validity) {
                (false, ..) => unjudged(),
                (_, true, Err(error)) => {
                    paint.doubtful(&format!("{}; it is pinned", printable(&one_line(error))))
                }
                (.., validity) => told(&plain(validity, &valid(certificate))),
            };
            text.push_str(&format!("validity   {line}\n"));
            let line = match (layers.allowed, self.names_signers) {
                (true, true) => paint.good("one of those who may sign"),
                (true, false) => "anybody may sign; give --signer to say who".to_owned(),
                (false, _) => paint.bad("none of those who may sign"),
            };
            text.push_str(&format!("allowed    {line}\n\n"));
        }
        text
    }
}

fn valid(certificate: Option<&Certificate>) -> String {
    let until = certificate.map(|it| written(it.not_after()));
    format!("the signer's until {}", until.unwrap_or_default())
}

fn plain(state: &Result<(), VerifyError>, fine: &str) -> Result<String, String> {
    match state {
        Ok(()) => Ok(fine.to_owned()),
        Err(error) => Err(one_line(error)),
    }
}

/// A signer and its signature, as JSON.
pub(super) fn signer(layers: &Layers) -> Value {
    json!({
        "certificate": layers.signer.as_ref().map(certificate::told),
        "signature": state(&layers.signature),
    })
}

/// `valid`, or what speaks against it.
fn state(state: &Result<(), VerifyError>) -> Value {
    match state {
        Ok(()) => "valid".into(),
        Err(error) => one_line(error).into(),
    }
}

fn chain(layers: &Layers) -> Value {
    match &layers.chain {
        Ok(chain) => chain.iter().map(|it| it.subject().to_string()).collect(),
        Err(error) => one_line(error).into(),
    }
}
