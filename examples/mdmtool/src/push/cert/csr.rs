//! `csr`: a key, and the request that a vendor signs.

use std::path::PathBuf;

use clap::Args;
use mdm_apns::certificate::{CustomerRequest, customer::CustomerRequestError};
use mdmtool::input;
use serde_json::json;

use super::{in_folder, refused, shown};
use crate::{
    console::Console,
    failure::Done,
    files::{self, Passphrase},
};

#[derive(Debug, Args)]
pub(crate) struct Csr {
    /// The common name: what the certificate is for, in words.
    #[arg(long, value_name = "NAME", default_value = "MDM push")]
    name: String,
    /// Whom to reach.
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// The country's code of two letters.
    #[arg(long, value_name = "CODE")]
    country: String,
    /// The organization.
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
    /// The folder for push-key.pem and push-csr.pem.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Where the private key goes instead.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Where the request goes instead.
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
}

impl Csr {
    pub(super) fn run(self, console: &mut Console) -> Done {
        let request = CustomerRequest::new(self.name, self.email, self.country)
            .with(|request| request.organization = self.organization);
        let passphrase = self.passphrase.read()?;
        let (key, csr) = request.generate().map_err(|error| match error {
            CustomerRequestError::Invalid { .. } => refused(&error, "correct the command line"),
            other => refused(&other, "try again"),
        })?;
        let (key_file, csr_file) = (
            in_folder(self.key, &self.out, "push-key.pem"),
            in_folder(self.csr, &self.out, "push-csr.pem"),
        );
        files::write_key(&key_file, &key, passphrase.as_ref())?;
        input::write_new(&csr_file, csr.to_pem().as_bytes())?;
        let (key, csr) = (shown(&key_file), shown(&csr_file));
        let encrypted = passphrase.is_some();
        let document = json!({"key": key, "encrypted": encrypted, "csr": csr});
        console.answer(&document, || {
            format!(
                "key  {key}\ncsr  {csr}\n\
                 Have the request signed by the vendor of your MDM server, and keep the key: it belongs \
                 to the certificate that Apple\nwill make, and nothing else does."
            )
        })
    }
}
