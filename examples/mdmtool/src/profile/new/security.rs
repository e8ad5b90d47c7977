//! Trust, passcodes, restrictions, FileVault, privacy.

use std::path::PathBuf;

use clap::Args;
use mdm_profiles::{
    payload::{CertificateRoot, privacy_preferences_policy_control::Identity as App},
    recipe::{self, FileVault},
};

use super::{
    build,
    frame::{Frame, Pair},
    impossible,
    keys::Keys,
    network::add,
};
use crate::{
    console::Console,
    failure::{Done, Failure},
    files,
};

#[derive(Debug, Args)]
pub(crate) struct Certificates {
    /// The certificates, PEM or DER: what is signed by itself becomes a root to trust, the rest helps
    /// to build chains.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten, next_help_heading = "The profile")]
    frame: Frame,
}

impl Certificates {
    pub(super) fn run(self, console: &mut Console) -> Done {
        files::take_stdin_once(self.files.iter().map(PathBuf::as_path))?;
        build(&self.frame, console, |profile| {
            let mut chain = Vec::new();
            for file in &self.files {
                chain.extend(files::certificates(file)?);
            }
            let added = recipe::certificate_chain(profile, &chain);
            added.map(drop).map_err(impossible)
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Passcode {
    #[command(flatten)]
    keys: Keys,
    #[command(flatten, next_help_heading = "The profile")]
    frame: Frame,
}

impl Passcode {
    pub(super) fn run(self, console: &mut Console) -> Done {
        build(&self.frame, console, |profile| {
            add(profile, "passcode", &recipe::passcode(), &self.keys)
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Restrictions {
    #[command(flatten)]
    keys: Keys,
    #[command(flatten, next_help_heading = "The profile")]
    frame: Frame,
}

impl Restrictions {
    pub(super) fn run(self, console: &mut Console) -> Done {
        build(&self.frame, console, |profile| {
            let restrictions = recipe::restrictions();
            add(profile, "restrictions", &restrictions, &self.keys)
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Filevault {
    /// The certificate that recovery keys are encrypted to, PEM or DER.
    #[arg(long, value_name = "FILE")]
    escrow_cert: PathBuf,
    /// What the user is told about where the key is kept.
    #[arg(long, value_name = "TEXT")]
    location: String,
    /// Turn it on in Setup Assistant already; macOS 14 and later.
    #[arg(long)]
    in_setup_assistant: bool,
    /// How often a user may put it off at login.
    #[arg(long, value_name = "N", default_value_t = 0)]
    bypass_attempts: i64,
    #[command(flatten, next_help_heading = "The profile")]
    frame: Frame,
}

impl Filevault {
    pub(super) fn run(self, console: &mut Console) -> Done {
        build(&self.frame, console, |profile| {
            let certificates = files::certificates(&self.escrow_cert)?;
            let first = certificates.first();
            let first = first.ok_or_else(|| files::no_certificate(&self.escrow_cert))?;
            let certificate = CertificateRoot::new(first.to_der());
            let certificate = profile.add("escrow", &certificate).map_err(impossible)?;
            let settings = FileVault::new(self.location.as_str()).with(|settings| {
                settings.in_setup_assistant = self.in_setup_assistant;
                settings.bypass_attempts = self.bypass_attempts;
            });
            recipe::file_vault(profile, &certificate, &settings).map_err(impossible)
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Privacy {
    /// What an app may use: SERVICE=APP by Apple's name for the service, such as
    /// SystemPolicyAllFiles=com.example.agent; the app by bundle identifier or path. For AppleEvents
    /// APP>RECEIVER.
    #[arg(long = "allow", value_name = "SERVICE=APP", required = true)]
    rules: Vec<Pair>,
    /// The code requirement of an app, as `codesign -d -r -` tells it: APP=REQUIREMENT.
    #[arg(long = "requirement", value_name = "APP=TEXT", required = true)]
    requirements: Vec<Pair>,
    #[command(flatten, next_help_heading = "The profile")]
    frame: Frame,
}

impl Privacy {
    pub(super) fn run(self, console: &mut Console) -> Done {
        build(&self.frame, console, |profile| {
            let mut rules = Vec::new();
            for Pair(service, app) in &self.rules {
                let rule = match app.split_once('>') {
                    Some((app, receiver)) => {
                        recipe::apple_events(self.app(app)?, &self.app(receiver)?)
                    }
                    None => self.app(app)?,
                };
                rules.push((service.as_str(), rule));
            }
            let policy = recipe::privacy(rules).map_err(|_| {
                Failure::input(
                    "a service of --allow is none that a profile can allow",
                    "take names such as SystemPolicyAllFiles; see `mdmtool explain com.apple.TCC.configuration-profile-policy`",
                )
            })?;
            profile
                .add("privacy", &policy)
                .map(drop)
                .map_err(impossible)
        })
    }

    fn app(&self, app: &str) -> Result<App, Failure> {
        let mut requirements = self.requirements.iter();
        let found = requirements.find(|Pair(name, _)| name == app);
        let Some(Pair(_, requirement)) = found else {
            return Err(Failure::input(
                format!("nothing tells {app:?} from another app of that name"),
                "give by --requirement what `codesign -d -r -` says of it",
            ));
        };
        Ok(match app.starts_with('/') {
            true => recipe::allow_program(app, requirement.as_str()),
            false => recipe::allow_app(app, requirement.as_str()),
        })
    }
}
