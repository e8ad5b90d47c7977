//! `encrypt` and `decrypt`: payloads that only one device reads.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mdm_pki::{KeyAlgorithm, KeyTransport, cms::ContentCipher};
use mdm_profiles::{
    Error,
    encrypt::{Encryption, encrypt},
};
use mdmtool::one_line;
use serde_json::json;

use super::{
    output::Output,
    source::{self, SourceFile},
};
use crate::{
    certificate,
    console::Console,
    failure::{Done, Failure},
    files,
};

#[derive(Debug, Args)]
pub(super) struct Encrypt {
    /// The profile, or - for standard input; sign it after this, not before.
    file: PathBuf,
    /// The device's certificate, PEM or DER; several for several devices.
    #[arg(long = "to", value_name = "FILE", required = true)]
    devices: Vec<PathBuf>,
    /// How an RSA device gets the key.
    #[arg(long, value_name = "NAME", default_value = "pkcs1")]
    key_transport: Transport,
    /// Use AES with 128 bits instead of 256.
    #[arg(long)]
    aes_128: bool,
    /// Take away the signature that is there: an encrypted profile is signed anew.
    #[arg(long)]
    unsigned: bool,
    #[command(flatten)]
    out: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Transport {
    /// RSAES-PKCS1-v1_5, which every device reads.
    Pkcs1,
    /// RSAES-OAEP with SHA-256.
    OaepSha256,
}

impl Encrypt {
    pub(super) fn run(self, console: &mut Console) -> Done {
        let files = self.devices.iter().chain([&self.file]);
        files::take_stdin_once(files.map(PathBuf::as_path))?;
        let mut devices = Vec::new();
        for file in &self.devices {
            devices.extend(files::certificates(file)?);
        }
        let source = source::read(&self.file, None)?;
        if source.signers().next().is_some() && !self.unsigned {
            return Err(Failure::input(
                format!("{} is signed, and encrypted it would not be", source.name),
                "encrypt it first and sign it then, or give --unsigned",
            ));
        }
        if devices.iter().any(is_on_a_curve) {
            console.note(
                "the key of a device is on a curve; whether Apple's devices open such profiles is not documented",
            );
        }
        let encryption = Encryption::default().with(|encryption| {
            if self.aes_128 {
                encryption.cipher = ContentCipher::Aes128Cbc;
            }
            encryption.key_transport = match self.key_transport {
                Transport::Pkcs1 => KeyTransport::RsaPkcs1v15,
                Transport::OaepSha256 => KeyTransport::RsaOaepSha256,
            };
        });
        let encrypted = encrypt(&source.profile, &devices, &encryption);
        let encrypted = encrypted.map_err(|error| match error {
            Error::Crypto(error) => Failure::input(
                one_line(&error),
                "give by --to the certificate of a device, of an RSA key",
            ),
            error => Failure::input(
                format!("{}: {}", source.name, one_line(&error)),
                "give a profile with payloads in clear",
            ),
        })?;
        let bytes = encrypted.to_xml();
        let bytes = bytes.map_err(|error| source::refused(&source.name, &error))?;
        let devices: Vec<_> = devices.iter().map(certificate::told).collect();
        self.out.write(console, &bytes, json!({"devices": devices}))
    }
}

fn is_on_a_curve(certificate: &mdm_pki::Certificate) -> bool {
    let key = certificate.public_key();
    key.is_ok_and(|key| matches!(key.algorithm(), KeyAlgorithm::Ec(_)))
}

#[derive(Debug, Args)]
pub(super) struct Decrypt {
    #[command(flatten)]
    source: SourceFile,
    #[command(flatten)]
    out: Output,
}

impl Decrypt {
    pub(super) fn run(self, console: &mut Console) -> Done {
        let source = self.source.read()?;
        if !source.was_encrypted {
            let next = "use it as it is";
            return Err(Failure::input(
                format!("{} is not encrypted", source.name),
                next,
            ));
        }
        if source.profile.is_encrypted() {
            let next = "give by --key the private key of the device";
            return Err(Failure::input(
                format!("{} stays closed", source.name),
                next,
            ));
        }
        let bytes = source.profile.to_xml();
        let bytes = bytes.map_err(|error| source::refused(&source.name, &error))?;
        let payloads = source.profile.payloads().count();
        self.out
            .write(console, &bytes, json!({"payloads": payloads}))
    }
}
