//! The folder of an authority: `ca.pem` and `ca-key.pem`; for an EC authority, to which nothing can be encrypted,
//! also `ra.pem` and `ra-key.pem`, of a registration authority that opens requests and signs answers.

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use clap::Args;
use mdm_pki::{Certificate, Identity, KeyAlgorithm, KeySpec, Name, PrivateKey};
use mdm_scep::{
    Responder,
    ca::{RootUse, registration_authority, root},
};
use mdmtool::{input, one_line};

use super::names::{KeyKind, Subject};
use crate::{
    failure::{Done, Failure},
    files::{self, IdentityFiles, Passphrase},
    interval::Interval,
};

/// Ten years.
const LIFETIME: Interval = Interval(std::time::Duration::from_secs(3650 * 24 * 60 * 60));

/// Which authority, and what a new one is like.
#[derive(Debug, Args)]
pub(crate) struct AuthorityFiles {
    /// The folder with the authority: ca.pem and ca-key.pem, and where its key is EC also ra.pem and ra-key.pem.
    #[arg(long, value_name = "DIR")]
    ca_dir: PathBuf,
    /// Make a new authority there first; never over another one.
    #[arg(long)]
    new_ca: bool,
    /// The new authority's name.
    #[arg(
        long,
        value_name = "NAME",
        requires = "new_ca",
        default_value = "CN=mdmtool CA"
    )]
    ca_subject: Subject,
    /// The new authority's key.
    #[arg(
        long,
        value_name = "KIND",
        requires = "new_ca",
        default_value = "rsa2048"
    )]
    ca_key: KeyKind,
    /// How long the new authority lasts.
    #[arg(long, value_name = "TIME", requires = "new_ca", default_value_t = LIFETIME)]
    ca_lifetime: Interval,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// An authority: who issues, and who speaks for it in SCEP.
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) issuer: Identity,
    ra: Option<Identity>,
}

impl AuthorityFiles {
    pub(crate) fn passphrase(&self) -> &Passphrase {
        &self.passphrase
    }

    /// The authority, made first where that was asked for.
    pub(crate) fn open(&self, now: DateTime<Utc>) -> Result<Authority, Failure> {
        if self.new_ca {
            self.make(now)?;
        }
        let [ca, _, ra, _] = self.files();
        if !ca.exists() {
            return Err(Failure::input(
                format!("{} holds no authority", self.ca_dir.display()),
                "name its folder by --ca-dir, or make one with --new-ca",
            ));
        }
        let ra = match ra.exists() {
            true => Some(self.read("ra")?),
            false => None,
        };
        Ok(Authority {
            issuer: self.read("ca")?,
            ra,
        })
    }

    fn read(&self, name: &str) -> Result<Identity, Failure> {
        let [certificate, key] = self.pair(name);
        IdentityFiles::new(&certificate, &key, &self.passphrase).read()
    }

    fn make(&self, now: DateTime<Utc>) -> Done {
        if let Some(file) = self.files().into_iter().find(|file| file.exists()) {
            return Err(Failure::input(
                format!("{} is there already", file.display()),
                "leave --new-ca out to use the authority in this folder, or name another folder",
            ));
        }
        fs::create_dir_all(&self.ca_dir).map_err(|source| mdmtool::Error::Write {
            name: self.ca_dir.display().to_string(),
            source,
        })?;
        let key = PrivateKey::generate(self.ca_key.into()).map_err(mdmtool::Error::Key)?;
        let name = self.ca_subject.0.clone();
        let lifetime = self.ca_lifetime.0;
        let alone = matches!(key.public_key().algorithm(), KeyAlgorithm::Rsa { .. });
        let use_for = if alone {
            RootUse::Alone
        } else {
            RootUse::BehindRa
        };
        let ca = root(name, &key, use_for, lifetime, now).map_err(|error| impossible(&error))?;
        if !alone {
            let opener = PrivateKey::generate(KeySpec::Rsa2048).map_err(mdmtool::Error::Key)?;
            let name = Name::from_common_name("mdmtool RA");
            let public = opener.public_key();
            let ra = registration_authority(name, public, &ca, &key, lifetime, now);
            self.write("ra", &ra.map_err(|error| impossible(&error))?, &opener)?;
        }
        // Last, since it is by this certificate that an authority is found.
        self.write("ca", &ca, &key)
    }

    fn write(&self, name: &str, certificate: &Certificate, key: &PrivateKey) -> Done {
        let [certificate_file, key_file] = self.pair(name);
        files::write_key(&key_file, key, self.passphrase.read()?.as_ref())?;
        input::write_new(&certificate_file, certificate.to_pem().as_bytes())?;
        Ok(())
    }

    fn files(&self) -> [PathBuf; 4] {
        let ([ca, ca_key], [ra, ra_key]) = (self.pair("ca"), self.pair("ra"));
        [ca, ca_key, ra, ra_key]
    }

    fn pair(&self, name: &str) -> [PathBuf; 2] {
        let in_folder = |name: String| Path::new(&self.ca_dir).join(name);
        [
            in_folder(format!("{name}.pem")),
            in_folder(format!("{name}-key.pem")),
        ]
    }
}

impl Authority {
    /// The issuing certificate, then those above it.
    pub(crate) fn chain(&self) -> Vec<Certificate> {
        let issuer = std::iter::once(&self.issuer.certificate);
        issuer.chain(&self.issuer.chain).cloned().collect()
    }

    /// Who opens requests and signs answers.
    pub(crate) fn responder(&self) -> Result<Responder, Failure> {
        let speaker = self.ra.as_ref().unwrap_or(&self.issuer);
        Responder::local(speaker.certificate.clone(), speaker.key.clone())
            .map_err(|error| impossible(&error))
    }
}

/// That a server cannot be made of these parts.
pub(crate) fn impossible(error: &mdm_scep::Error) -> Failure {
    Failure::input(
        one_line(error),
        "give a folder with the files that --new-ca makes, or correct the command line",
    )
}
