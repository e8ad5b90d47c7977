//! `mdmcert-request` and `mdmcert-decrypt`: mdmcert.download as vendor.

use std::{path::PathBuf, time::Duration};

use chrono::Utc;
use clap::Args;
use http::{HeaderValue, header::USER_AGENT};
use mdm_apns::certificate::{PushCertificateRequest, mdmcert};
use mdm_pki::Identity;
use mdm_transport::{ApiRequest, BaseUrl, HttpTransport};
use mdm_transport_reqwest::ReqwestTransport;
use mdmtool::{input, one_line};
use serde_json::json;

use super::{UPLOAD, read_csr, refused, shown, write_upload};
use crate::{
    console::Console,
    failure::{Done, Failure},
    files::{self, IdentityFiles, Passphrase},
    kind::Kind,
};

/// Where the API key is looked for if no file is named.
const API_KEY: &str = "MDMCERT_API_KEY";
/// How long the service may take.
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(crate) struct Request {
    /// The request, PEM or DER, as `mdmtool push cert csr` makes it.
    csr: PathBuf,
    /// The address that is registered with the service; the result is mailed there.
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// The API key that the service gave for your product: the first line of this file, or - for
    /// standard input; else the environment variable MDMCERT_API_KEY.
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// The folder for mdmcert-key.pem and mdmcert-cert.pem, which open the mail; those of an earlier
    /// request are used again.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
    /// The service's base URL.
    #[arg(long, value_name = "URL", default_value = mdmcert::BASE_URL)]
    url: String,
    /// Trust the certificates in this file, PEM or DER, beside the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Request {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let stdin = [
            Some(self.csr.as_path()),
            self.api_key_file.as_deref(),
            self.passphrase.file(),
        ];
        files::take_stdin_once(stdin.into_iter().flatten())?;
        let csr = read_csr(&self.csr)?;
        csr.verify()
            .map_err(|error| refused(&error, "make the request once more"))?;
        let Some(api_key) = files::secret(self.api_key_file.as_deref(), API_KEY)? else {
            return Err(Failure::input(
                "no API key is given",
                "give the one that mdmcert.download gave for your product, by --api-key-file or in \
                 the environment variable MDMCERT_API_KEY",
            ));
        };
        let base = BaseUrl::new(&self.url)
            .map_err(|error| refused(&error, "give the service's address by --url"))?;
        let transport = self.transport()?;
        let (reply, names) = self.reply_identity()?;
        let email = self.email.clone();
        let request = mdmcert::SignRequest::new(csr, email, api_key, reply.certificate);
        let mut http = request
            .to_http(&base)
            .map_err(|error| refused(&error, "correct the command line"))?;
        let name = concat!("mdmtool/", env!("CARGO_PKG_VERSION"));
        http.headers_mut()
            .insert(USER_AGENT, HeaderValue::from_static(name));
        mdmcert::SignRequest::META.attach(http.extensions_mut(), DEADLINE);
        let answer = transport.send(http).await.map_err(|error| {
            let next =
                "check the network and --url; a server with an authority of its own needs --ca";
            Failure::told(Kind::Unreachable, one_line(&error), next)
        })?;
        request
            .from_http(answer)
            .map_err(|error| of_service(&error))?;
        let [key, certificate] = names;
        let document = json!({"email": self.email, "key": key, "certificate": certificate});
        console.answer(&document, || {
            format!(
                "key          {key}\ncertificate  {certificate}\n\
                 The result is mailed. Open the file with `mdmtool push cert mdmcert-decrypt FILE \
                 --cert {certificate} --key {key}`."
            )
        })
    }

    fn transport(&self) -> Result<ReqwestTransport, Failure> {
        let mut builder = ReqwestTransport::builder();
        if let Some(ca) = &self.ca {
            builder = builder.root(&files::read(ca)?);
        }
        Ok(builder.build()?)
    }

    /// What the mail is encrypted to: of an earlier request, or made now.
    fn reply_identity(&self) -> Result<(Identity, [String; 2]), Failure> {
        let key = self.out.join("mdmcert-key.pem");
        let certificate = self.out.join("mdmcert-cert.pem");
        let names = [shown(&key), shown(&certificate)];
        if key.exists() && certificate.exists() {
            let files = IdentityFiles::new(&certificate, &key, &self.passphrase);
            return Ok((files.read()?, names));
        }
        let made = mdmcert::reply_identity(Utc::now());
        let made = made.map_err(|error| refused(&error, "try again"))?;
        files::write_key(&key, &made.key, self.passphrase.read()?.as_ref())?;
        input::write_new(&certificate, made.certificate.to_pem().as_bytes())?;
        Ok((made, names))
    }
}

fn of_service(error: &mdmcert::Error) -> Failure {
    match error {
        mdmcert::Error::Refused { .. } => Failure::told(
            Kind::Refused,
            error.to_string(),
            "register the address at https://mdmcert.download, and check the API key",
        ),
        _ => Failure::told(
            Kind::Unreadable,
            error.to_string(),
            "try again later; check --url",
        ),
    }
}

#[derive(Debug, Args)]
pub(crate) struct Decrypt {
    /// The file that was mailed, mdm_signed_request.*.plist.b64.p7, or - for standard input.
    file: PathBuf,
    #[command(flatten)]
    reply: IdentityFiles,
    /// The request that was sent, to see whether the file is its answer.
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    /// Where the file for Apple's portal goes.
    #[arg(long, value_name = "FILE", default_value = "push-upload.b64")]
    out: PathBuf,
}

impl Decrypt {
    pub(super) fn run(self, console: &mut Console) -> Done {
        let others = [Some(self.file.as_path()), self.csr.as_deref()];
        self.reply.take_stdin_once(&others)?;
        let reply = self.reply.read()?;
        let csr = self.csr.as_deref().map(read_csr).transpose()?;
        let mail = files::read(&self.file)?;
        let content = mdmcert::decrypt(&mail, &reply, &mdmcert::MailPolicy::default())
            .map_err(|error| refused(&error, next(&error)))?;
        let request = PushCertificateRequest::read(&content)
            .map_err(|error| refused(&error, "give the file as it was mailed, whole"))?;
        if csr.is_some_and(|csr| csr.to_der() != request.csr().to_der()) {
            return Err(Failure::input(
                "the file answers another request",
                "give the mail that came last, and by --csr the request that was sent",
            ));
        }
        write_upload(&self.out, &content)?;
        let out = shown(&self.out);
        let verdict = request.verify(Utc::now());
        let document = json!({"upload": out, "valid": verdict.is_ok()});
        console.answer(&document, || match verdict {
            Ok(_) => format!("upload  {out}\n{UPLOAD}"),
            Err(_) => format!("upload  {out}"),
        })?;
        verdict.map(drop).map_err(|error| {
            let next = "Apple's portal will hardly take it: ask for it to be signed once more";
            Failure::told(Kind::Certificate, one_line(&error), next)
        })
    }
}

fn next(error: &mdmcert::Error) -> &'static str {
    match error {
        mdmcert::Error::Envelope(mdm_pki::Error::Decrypt | mdm_pki::Error::NoRecipient) => {
            "give by --cert and --key the mdmcert-cert.pem and mdmcert-key.pem of this very request"
        }
        _ => "give the file as it was mailed, whole",
    }
}
