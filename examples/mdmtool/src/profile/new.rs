//! `new`: profiles by recipe. The same options make the same bytes.

mod apps;
mod enrollment;
mod frame;
mod identity;
mod keys;
mod network;
mod security;
mod settings;

use chrono::Utc;
use clap::Subcommand;
use mdm_profiles::{
    Error, Profile, ProfileBuilder,
    lint::{LintOptions, lint},
};
use mdm_schema::Severity;
use mdmtool::one_line;
use serde_json::json;

use self::frame::Frame;
use crate::{
    console::Console,
    failure::{Done, Failure},
    text::printable,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Recipe {
    /// Enrol devices: management, an identity by SCEP, ACME or PKCS #12, and roots to trust.
    Enrollment(enrollment::Enrollment),
    /// Begin over-the-air enrolment: ask a device who it is (Profile Service).
    Ota(enrollment::Ota),
    /// Give a device an identity: the second step of over-the-air enrolment.
    Identity(identity::IdentityOnly),
    /// Have devices trust a chain of certificates.
    Certificates(security::Certificates),
    /// Join a network by certificate, by password, or by name and password.
    Wifi(network::Wifi),
    /// Reach a network by IKEv2, with a certificate or with name and password.
    Vpn(network::Vpn),
    /// Ask for a passcode.
    Passcode(security::Passcode),
    /// Restrict what can be done, as hardly anybody objects to.
    Restrictions(security::Restrictions),
    /// Turn FileVault on, and have the recovery key sent in.
    Filevault(security::Filevault),
    /// Let apps use what the Mac protects (PPPC).
    Privacy(security::Privacy),
    /// Arrange the home screen.
    HomeScreen(apps::HomeScreen),
    /// Settings of other vendors' software.
    Settings(settings::Settings),
}

impl Recipe {
    pub(super) fn run(self, console: &mut Console) -> Done {
        match self {
            Self::Enrollment(enrollment) => enrollment.run(console),
            Self::Ota(ota) => ota.run(console),
            Self::Identity(identity) => identity.run(console),
            Self::Certificates(certificates) => certificates.run(console),
            Self::Wifi(wifi) => wifi.run(console),
            Self::Vpn(vpn) => vpn.run(console),
            Self::Passcode(passcode) => passcode.run(console),
            Self::Restrictions(restrictions) => restrictions.run(console),
            Self::Filevault(filevault) => filevault.run(console),
            Self::Privacy(privacy) => privacy.run(console),
            Self::HomeScreen(layout) => layout.run(console),
            Self::Settings(settings) => settings.run(console),
        }
    }
}

/// Builds the profile of what a recipe adds.
fn build(
    frame: &Frame,
    console: &mut Console,
    add: impl FnOnce(&mut ProfileBuilder) -> Result<(), Failure>,
) -> Done {
    let mut profile = frame.builder()?;
    add(&mut profile)?;
    finish(frame, console, profile.build().map_err(impossible)?)
}

/// Looks the profile over, and writes it: nothing that a device would refuse.
fn finish(frame: &Frame, console: &mut Console, profile: Profile) -> Done {
    // What was asked for is in there: secrets, and certificates that are as they are.
    let options = LintOptions::new(Utc::now()).with(|options| {
        options.targets.clone_from(&frame.targets);
        options.encrypted = true;
    });
    let report = lint(&profile, &options);
    let errors: Vec<_> = report.at_least(Severity::Error).collect();
    if let Some(first) = errors.first() {
        let more = match errors.len() {
            1 => String::new(),
            number => format!(", and {} more", number - 1),
        };
        return Err(Failure::input(
            printable(&format!("a device would refuse the profile: {first}{more}")),
            "change what the finding names, or ask for another device by --target",
        ));
    }
    for finding in &report.findings {
        console.note(&printable(&format!("{finding}; {}", finding.fix)));
    }
    let payloads = profile.payloads().map(|payload| {
        json!({
            "type": payload.payload_type(),
            "identifier": payload.identifier(),
            "uuid": payload.uuid(),
        })
    });
    let about = json!({
        "identifier": profile.identifier(),
        "uuid": profile.uuid(),
        "payloads": payloads.collect::<Vec<_>>(),
        "findings": report.findings,
    });
    let bytes = profile.to_xml().map_err(impossible)?;
    frame.out.write(console, &bytes, about)
}

/// That a profile cannot be as it was asked for.
fn impossible(error: Error) -> Failure {
    let next = match &error {
        Error::Variable(_) => "give every variable by --var, or write $$NAME for the text $NAME",
        Error::AccessRights(_) => "take names of rights from --help; to install needs to inspect",
        Error::Duplicate(_) => "name each of them once",
        _ => "correct the command line",
    };
    Failure::input(one_line(&error), next)
}
