//! The files of an enrolment: the key, the request while it has no answer, the certificate.
//!
//! An enrolment that was interrupted goes on with the same key and the very same request, to which the server has
//! one answer; so nothing is lost with a challenge that was good for one certificate.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use mdm_core::Secret;
use mdm_pki::{
    Certificate, CertificateRequest, CertificateRequestBuilder, GeneralName, KeySpec, Name,
    PrivateKey,
};
use mdmtool::{input, one_line};
use serde_json::{Value, json};

use super::names::KeyKind;
use crate::{
    certificate,
    failure::{Done, Failure},
    files::{self, Passphrase},
};

/// Where the challenge is. Not on the command line, which others can see.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Challenge {
    /// The challenge: the first line of this file, or - for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) challenge_file: Option<PathBuf>,
    /// The challenge: what stands in this environment variable.
    #[arg(long, value_name = "VARIABLE")]
    challenge_env: Option<String>,
}

impl Challenge {
    pub(crate) fn read(&self) -> Result<Option<Secret<String>>, Failure> {
        let challenge = match (&self.challenge_file, &self.challenge_env) {
            (Some(file), _) => files::first_line(file)?,
            (None, Some(variable)) => Secret::new(std::env::var(variable).unwrap_or_default()),
            (None, None) => return Ok(None),
        };
        match challenge.expose().is_empty() {
            true => Err(Failure::input(
                "the challenge is empty",
                "give it in the file's first line, or in the environment variable",
            )),
            false => Ok(Some(challenge)),
        }
    }
}

/// Where what was got goes.
#[derive(Debug, Args)]
pub(crate) struct Outcome {
    /// Where the certificate goes, PEM; never over another file. Until it is there, FILE.csr holds the request,
    /// for the same command to go on with.
    #[arg(long, value_name = "FILE")]
    cert_out: PathBuf,
    /// Where the certificate of its authority goes, PEM.
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,
}

/// The key in this file; made, `otherwise` where no kind is named, and written there if there is none.
pub(crate) fn key(
    file: &Path,
    kind: Option<KeyKind>,
    otherwise: KeySpec,
    passphrase: &Passphrase,
) -> Result<PrivateKey, Failure> {
    let passphrase = passphrase.read()?;
    if !file.exists() {
        let spec = kind.map_or(otherwise, KeySpec::from);
        let key = PrivateKey::generate(spec).map_err(mdmtool::Error::Key)?;
        files::write_key(file, &key, passphrase.as_ref())?;
        return Ok(key);
    }
    let key = files::read_key(file, passphrase.as_ref())?;
    match kind.is_none_or(|kind| kind.is_of(key.public_key())) {
        true => Ok(key),
        false => Err(Failure::input(
            format!(
                "{} holds another kind of key: {}",
                file.display(),
                certificate::key_kind(key.public_key())
            ),
            "leave --key out to go on with this one, or name another file for a new one",
        )),
    }
}

impl Outcome {
    /// Where the certificate goes.
    pub(crate) fn certificate(&self) -> &Path {
        &self.cert_out
    }

    /// Refuses to begin what could not be finished, with another file that is to be written.
    pub(crate) fn must_be_free(&self, other: Option<&PathBuf>) -> Done {
        let taken = [Some(&self.cert_out), self.ca_out.as_ref(), other]
            .into_iter()
            .flatten()
            .find(|file| file.exists());
        match taken {
            None => Ok(()),
            Some(file) => Err(Failure::input(
                format!(
                    "{} is there already, and nothing was asked for",
                    file.display()
                ),
                "name another file, or move this one away",
            )),
        }
    }

    /// The request that was begun, if it is this one; else a new one, kept until it has its answer.
    pub(crate) fn request(
        &self,
        key: &PrivateKey,
        subject: &Name,
        names: &[GeneralName],
        challenge: Option<&Secret<String>>,
    ) -> Result<CertificateRequest, Failure> {
        let file = self.unfinished();
        if let Some(begun) = begun(&file) {
            let secret = begun.challenge_password();
            let same = begun
                .public_key()
                .is_ok_and(|it| it.same_key(key.public_key()))
                && begun.subject() == *subject
                && begun.subject_alt_names() == names
                && challenge
                    .is_none_or(|it| secret.as_ref().map(Secret::expose) == Some(it.expose()));
            if same {
                return Ok(begun);
            }
        }
        let request = names.iter().cloned().fold(
            CertificateRequestBuilder::new(subject.clone()),
            |it, name| it.san(name),
        );
        let request = match challenge {
            Some(challenge) => request.challenge_password(challenge.expose()),
            None => request,
        };
        let request = request
            .sign(key)
            .map_err(|error| Failure::input(one_line(&error), "correct the command line"))?;
        self.forget();
        // The challenge is in it, so it is its owner's alone.
        input::write_new(&file, request.to_pem().as_bytes())?;
        Ok(request)
    }

    /// Forgets the request: it has its answer.
    pub(crate) fn forget(&self) {
        // Where it stays, the next request takes its place.
        let _ = fs::remove_file(self.unfinished());
    }

    /// Writes what was got, and tells it.
    pub(crate) fn keep(
        &self,
        certificate: &Certificate,
        issuer: Option<&Certificate>,
        key: &Path,
    ) -> Result<Value, Failure> {
        input::write_new(&self.cert_out, certificate.to_pem().as_bytes())?;
        if let (Some(file), Some(issuer)) = (&self.ca_out, issuer) {
            input::write_new(file, issuer.to_pem().as_bytes())?;
        }
        self.forget();
        let mut told = json!({
            "certificate": shown(&self.cert_out),
            "key": shown(key),
            "ca": self.ca_out.as_deref().map(shown),
        });
        if let (Value::Object(told), Value::Object(more)) =
            (&mut told, certificate::told(certificate))
        {
            told.extend(more);
        }
        Ok(told)
    }

    fn unfinished(&self) -> PathBuf {
        let mut name = self.cert_out.clone().into_os_string();
        name.push(".csr");
        name.into()
    }
}

fn begun(file: &Path) -> Option<CertificateRequest> {
    let pem = Secret::new(files::read(file).ok()?);
    CertificateRequest::from_pem(pem.expose()).ok()
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}
