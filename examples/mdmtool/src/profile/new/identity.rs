//! How a device gets an identity: by SCEP, by ACME, or ready-made.

use std::path::PathBuf;

use clap::Args;
use mdm_profiles::{
    EnrollmentIdentity, PayloadRef, ProfileBuilder,
    payload::{AcmeCertificate, CertificatePkcs12, Scep, scep::ScepContent},
};

use super::{build, frame::Frame, impossible};
use crate::{
    console::Console,
    failure::{Done, Failure},
    files,
    text::from_hex,
};

#[derive(Debug, Args)]
#[group(id = "identity_source")]
pub(crate) struct Identity {
    /// An identity by SCEP: the server's URL.
    #[arg(long, value_name = "URL", group = "identity")]
    scep_url: Option<String>,
    /// The challenge for the SCEP server: the first line of this file.
    #[arg(long, value_name = "FILE", requires = "scep_url")]
    challenge_file: Option<PathBuf>,
    /// The fingerprint of the SCEP server's authority, in hex; needed over HTTP.
    #[arg(long, value_name = "HEX", requires = "scep_url")]
    ca_fingerprint: Option<String>,
    /// An identity by ACME, its key attested by Apple: the directory's URL.
    #[arg(
        long,
        value_name = "URL",
        group = "identity",
        requires = "client_identifier_file"
    )]
    acme_url: Option<String>,
    /// What tells the ACME server which device asks: the first line of this file.
    #[arg(long, value_name = "FILE", requires = "acme_url")]
    client_identifier_file: Option<PathBuf>,
    /// Take the ACME key without an attestation.
    #[arg(long, requires = "acme_url")]
    unattested: bool,
    /// The common name of the certificate; the device fills in %SerialNumber% and the like.
    #[arg(long, value_name = "NAME", default_value = "%SerialNumber%")]
    common_name: String,
    /// An identity that comes along, key included: a PKCS #12 file.
    #[arg(
        long,
        value_name = "FILE",
        group = "identity",
        requires = "pkcs12_password_file"
    )]
    pkcs12: Option<PathBuf>,
    /// The password of the PKCS #12 file: the first line of this file.
    #[arg(long, value_name = "FILE", requires = "pkcs12")]
    pkcs12_password_file: Option<PathBuf>,
}

impl Identity {
    /// The identity, if one is asked for.
    pub(super) fn read(&self) -> Result<Option<EnrollmentIdentity>, Failure> {
        if let Some(url) = &self.scep_url {
            return self.scep(url).map(|scep| Some(scep.into()));
        }
        if let (Some(url), Some(file)) = (&self.acme_url, &self.client_identifier_file) {
            let identifier = files::first_line(file)?;
            let acme = AcmeCertificate::attested(url.as_str(), identifier.expose().as_str())
                .common_name(self.common_name.as_str())
                .with(|acme| {
                    if self.unattested {
                        acme.attest = Some(false);
                    }
                });
            return Ok(Some(acme.into()));
        }
        if let (Some(file), Some(password)) = (&self.pkcs12, &self.pkcs12_password_file) {
            let password = files::first_line(password)?;
            let file = CertificatePkcs12::new(files::read(file)?);
            return Ok(Some(
                file.with(|file| file.password = Some(password)).into(),
            ));
        }
        Ok(None)
    }

    /// The same where there has to be one.
    pub(super) fn need(&self) -> Result<EnrollmentIdentity, Failure> {
        self.read()?.ok_or_else(|| {
            Failure::input(
                "the device gets no identity",
                "give --scep-url, --acme-url or --pkcs12",
            )
        })
    }

    /// Adds the identity to a profile, if one is asked for.
    pub(super) fn add(&self, profile: &mut ProfileBuilder) -> Result<Option<PayloadRef>, Failure> {
        let added = match self.read()? {
            None => return Ok(None),
            Some(EnrollmentIdentity::Scep(scep)) => profile.add("scep", &Scep::new(*scep)),
            Some(EnrollmentIdentity::Acme(acme)) => profile.add("acme", &acme),
            Some(EnrollmentIdentity::Pkcs12(file)) => profile.add("identity", &file),
            Some(_) => return Ok(None),
        };
        added.map(Some).map_err(impossible)
    }

    fn scep(&self, url: &str) -> Result<ScepContent, Failure> {
        let challenge = self.challenge_file.as_deref().map(files::first_line);
        let challenge = challenge.transpose()?;
        let print = self.ca_fingerprint.as_deref().map(|hex| {
            from_hex(hex).ok_or_else(|| {
                let next = "give the digest of the authority's certificate in hexadecimal";
                Failure::input("--ca-fingerprint is no fingerprint", next)
            })
        });
        let print = print.transpose()?;
        let scep = ScepContent::rsa_2048(url).common_name(self.common_name.as_str());
        Ok(scep.with(|scep| {
            scep.challenge = challenge;
            scep.ca_fingerprint = print;
        }))
    }
}

#[derive(Debug, Args)]
pub(crate) struct IdentityOnly {
    #[command(flatten, next_help_heading = "The identity")]
    identity: Identity,
    #[command(flatten, next_help_heading = "The profile")]
    frame: Frame,
}

impl IdentityOnly {
    pub(super) fn run(self, console: &mut Console) -> Done {
        self.identity.need()?;
        build(&self.frame, console, |profile| {
            self.identity.add(profile).map(drop)
        })
    }
}
