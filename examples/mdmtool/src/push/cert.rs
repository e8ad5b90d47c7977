//! `push cert`: how one comes by a push certificate, and what becomes of it.

mod csr;
mod info;
mod mdmcert;
mod renewal;
mod sign;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use mdm_pki::CertificateRequest;
use mdmtool::{input, one_line};

use crate::{
    console::Console,
    failure::{Done, Failure},
    files,
    runtime::block_on,
};

/// What to do with a file for Apple's portal.
const UPLOAD: &str = "Upload it to https://identity.apple.com/pushcert. To renew a certificate, press \
                      Renew beside it there, under the\nApple Account that it was made with: a new one \
                      has another topic, and strands every device.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Tell topic, environment and validity; exit code 1 when it has to be renewed.
    Info(info::Info),
    /// Make a key and a request (CSR), for a vendor to sign.
    Csr(csr::Csr),
    /// As a vendor, sign a customer's request for Apple's portal.
    SignCsr(sign::SignCsr),
    /// Have mdmcert.download sign a request; it mails the result.
    MdmcertRequest(mdmcert::Request),
    /// Open what mdmcert.download mailed.
    MdmcertDecrypt(mdmcert::Decrypt),
    /// Tell whether a certificate may take the place of the one in use; exit code 1 if not.
    RenewCheck(renewal::RenewCheck),
}

impl Command {
    pub(super) fn run(self, console: &mut Console) -> Done {
        match self {
            Self::Info(info) => info.run(console),
            Self::Csr(csr) => csr.run(console),
            Self::SignCsr(sign) => sign.run(console),
            Self::MdmcertRequest(request) => block_on(request.run(console)),
            Self::MdmcertDecrypt(decrypt) => decrypt.run(console),
            Self::RenewCheck(check) => check.run(console),
        }
    }
}

/// Reads a request, PEM or DER.
fn read_csr(file: &Path) -> Result<CertificateRequest, Failure> {
    let bytes = files::read(file)?;
    CertificateRequest::from_pem(&bytes)
        .or_else(|_| CertificateRequest::from_der(&bytes))
        .map_err(|_| {
            Failure::input(
                format!("{} holds no request", file.display()),
                "give a certificate signing request in PEM or DER, as `mdmtool push cert csr` makes it",
            )
        })
}

/// Writes the file for Apple's portal.
fn write_upload(file: &Path, content: &[u8]) -> Done {
    Ok(input::write_new(file, content)?)
}

/// Something of these files that cannot be.
fn refused(error: &dyn std::error::Error, next: &'static str) -> Failure {
    Failure::input(one_line(error), next)
}

/// A file's name as JSON and text have it.
fn shown(file: &Path) -> String {
    file.display().to_string()
}

/// The folder's file of this name, unless another is named.
fn in_folder(named: Option<PathBuf>, folder: &Path, name: &str) -> PathBuf {
    named.unwrap_or_else(|| folder.join(name))
}
