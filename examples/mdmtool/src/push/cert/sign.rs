//! `sign-csr`: the vendor's signature under a customer's request.

use std::path::PathBuf;

use chrono::Utc;
use clap::Args;
use mdm_apns::certificate::{Vendor, upload::RequestError};
use serde_json::json;

use super::{UPLOAD, read_csr, refused, shown, write_upload};
use crate::{
    console::Console,
    failure::Done,
    files::{self, IdentityFiles},
    text::{printable, written},
};

#[derive(Debug, Args)]
pub(crate) struct SignCsr {
    /// The customer's request, PEM or DER, or - for standard input.
    csr: PathBuf,
    #[command(flatten)]
    vendor: IdentityFiles,
    /// Apple's WWDR intermediate and root, PEM or DER; more than are needed do no harm.
    #[arg(long = "authority", value_name = "FILE")]
    authorities: Vec<PathBuf>,
    /// Where the file for Apple's portal goes.
    #[arg(long, value_name = "FILE", default_value = "push-upload.b64")]
    out: PathBuf,
}

impl SignCsr {
    pub(super) fn run(self, console: &mut Console) -> Done {
        let others = self.authorities.iter().map(|file| Some(file.as_path()));
        let others: Vec<_> = others.chain([Some(self.csr.as_path())]).collect();
        self.vendor.take_stdin_once(&others)?;
        let identity = self.vendor.read()?;
        let csr = read_csr(&self.csr)?;
        let mut authorities = identity.chain.clone();
        for file in &self.authorities {
            authorities.extend(files::certificates(file)?);
        }
        let failed = |error: RequestError| refused(&error, next(&error));
        let vendor = Vendor::new(identity.certificate, &authorities).map_err(failed)?;
        let request = vendor.sign(&csr, &identity.key, Utc::now());
        let upload = request.and_then(|request| request.to_upload());
        write_upload(&self.out, upload.map_err(failed)?.as_bytes())?;

        let names: Vec<String> = vendor
            .chain()
            .iter()
            .map(|certificate| certificate.subject().to_string())
            .collect();
        let ends = vendor.chain().first().map(|it| written(it.not_after()));
        let (out, customer) = (shown(&self.out), csr.subject().to_string());
        let document = json!({
            "upload": out,
            "customer": customer,
            "chain": names,
            "vendor_not_after": ends,
        });
        console.answer(&document, || {
            let vendor = names
                .first()
                .map(|name| printable(name))
                .unwrap_or_default();
            format!(
                "upload    {out}\ncustomer  {}\nvendor    {vendor}\n{UPLOAD}",
                printable(&customer)
            )
        })
    }
}

fn next(error: &RequestError) -> &'static str {
    match error {
        RequestError::CustomerSignature(_) => {
            "the request is damaged or forged: ask the customer for it once more"
        }
        RequestError::CustomerKey(_) => {
            "ask the customer for a request with RSA of 2048 bits or more"
        }
        RequestError::Unlinked { .. } => {
            "give by --authority Apple's WWDR intermediate and root, from https://www.apple.com/certificateauthority"
        }
        RequestError::Expired { .. } | RequestError::NotYetValid { .. } => {
            "check the clock; else take certificates that are valid"
        }
        _ => "give by --cert and --key the vendor's certificate, with an RSA key",
    }
}
