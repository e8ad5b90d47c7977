//! `caps`: what a server can do and shows, and whether Apple's client takes that.
//!
//! Apple's client compares content types and keywords as whole strings and knows nothing of what a keyword implies;
//! of several certificates it wants to see by their key usages whom to encrypt to and who signs.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use clap::Args;
use http::{Response, header};
use mdm_pki::{Certificate, DigestAlgorithm, KeyAlgorithm, KeyUsage};
use mdm_scep::{
    CaTrust, Capabilities, Capability,
    client::{CaCaps, CaCert, CaCertificates},
    http as wire,
};
use mdm_transport::HttpTransport;
use serde_json::{Value, json};

use super::{advice, remote::Remote};
use crate::{
    certificate::{self, fingerprint},
    console::Console,
    failure::{Done, Failure},
    kind::Kind,
    text,
};

#[derive(Debug, Args)]
pub(super) struct Caps {
    #[command(flatten)]
    remote: Remote,
}

/// Something about a server that its operator should know.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// Whether Apple's client gives up over it.
    fatal: bool,
    message: String,
}

impl Finding {
    fn fatal(message: impl Into<String>) -> Self {
        Self {
            fatal: true,
            message: message.into(),
        }
    }

    fn remark(message: impl Into<String>) -> Self {
        Self {
            fatal: false,
            message: message.into(),
        }
    }

    fn severity(&self) -> &'static str {
        if self.fatal { "error" } else { "warning" }
    }
}

impl Caps {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let failed = |error: mdm_scep::Error| advice::of_server(&error);
        let transport = self.remote.transport()?;
        let ca = self.remote.ca_identifier.as_deref();
        // In the order of Apple's client.
        let request = CaCert.to_http(&self.remote.url, ca).map_err(failed)?;
        let shown = transport
            .send(request)
            .await
            .map_err(|it| failed(it.into()))?;
        let request = CaCaps.to_http(&self.remote.url, ca).map_err(failed)?;
        let listed = transport
            .send(request)
            .await
            .map_err(|it| failed(it.into()))?;

        let shown_as = content_type(&shown);
        let single = Certificate::from_der(shown.body()).is_ok();
        let certificates = CaCert.from_http(shown).map_err(failed)?;
        let (listed_as, body) = (content_type(&listed), listed.body().clone());
        let offers = listed.status().is_success();
        let capabilities = CaCaps.from_http(listed).map_err(failed)?;

        let mut findings = of_certificates(&certificates, single, &shown_as, Utc::now());
        match offers {
            true => findings.extend(of_list(&listed_as, &body)),
            false => findings.push(Finding::remark("GetCACaps is not answered")),
        }
        findings.extend(of_capabilities(&capabilities));
        let document = document(&capabilities, &certificates, &findings);
        console.answer(&document, || told(&document))?;
        match findings.iter().any(|finding| finding.fatal) {
            false => Ok(()),
            true => Err(Failure::told(
                Kind::Unsuitable,
                "Apple's client does not get a certificate from this server",
                "have the server's operator change what the errors name",
            )),
        }
    }
}

fn content_type(response: &Response<Bytes>) -> String {
    let value = response.headers().get(header::CONTENT_TYPE);
    let text = value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    text.unwrap_or_default()
}

/// What Apple's client makes of GetCACert.
fn of_certificates(
    certificates: &[Certificate],
    single: bool,
    content_type: &str,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let expected = match single {
        true => wire::CA_CERT,
        false => wire::CA_RA_CERT,
    };
    if expected != content_type {
        findings.push(wrong_type(
            "GetCACert",
            content_type,
            expected.to_str().unwrap_or_default(),
        ));
    }
    if !single && !has_roles(certificates) {
        findings.push(Finding::fatal(
            "of several certificates none may both sign and encipher keys, nor is there one for each: by their \
             key usages",
        ));
    }
    if let Err(error) = CaCertificates::new(certificates.to_vec(), &CaTrust::Any) {
        findings.push(Finding::fatal(format!(
            "the certificates cannot be used: {error}"
        )));
    }
    for certificate in certificates {
        let subject = certificate.subject();
        if !certificate.is_valid_at(now) {
            findings.push(Finding::fatal(format!("{subject}: not valid now")));
        }
        let key = certificate.public_key();
        if single && !key.is_ok_and(|key| matches!(key.algorithm(), KeyAlgorithm::Rsa { .. })) {
            findings.push(Finding::fatal(format!("{subject}: the key is not RSA")));
        }
    }
    findings
}

/// Whether there is one certificate to encrypt to and to sign answers, or one for each.
fn has_roles(certificates: &[Certificate]) -> bool {
    let any = |usage| {
        certificates
            .iter()
            .filter_map(Certificate::key_usage)
            .any(|allowed| allowed.contains(usage))
    };
    any(KeyUsage::DIGITAL_SIGNATURE) && any(KeyUsage::KEY_ENCIPHERMENT)
}

/// What Apple's client makes of how GetCACaps is written.
fn of_list(content_type: &str, body: &[u8]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if wire::TEXT != content_type {
        findings.push(wrong_type("GetCACaps", content_type, "text/plain"));
    }
    for line in String::from_utf8_lossy(body).split(['\r', '\n']) {
        let near = KEYWORDS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(line.trim()) && **known != line);
        if let Some(known) = near {
            findings.push(Finding::remark(format!(
                "{line:?} is not {known}: keywords are compared to the letter"
            )));
        }
    }
    findings
}

/// What Apple's client chooses from the list.
fn of_capabilities(capabilities: &Capabilities) -> Vec<Finding> {
    let lists = |capability| capabilities.lists(&capability);
    let mut findings = Vec::new();
    let standard = match lists(Capability::ScepStandard) {
        true => "; SCEPStandard tells it nothing",
        false => "",
    };
    if !lists(Capability::Aes) {
        findings.push(Finding::remark(format!(
            "AES is not listed: Apple's client encrypts with Triple DES{standard}"
        )));
    }
    if !lists(Capability::Sha256) && !lists(Capability::Sha512) {
        findings.push(Finding::remark(format!(
            "neither SHA-256 nor SHA-512 is listed: Apple's client signs with SHA-1{standard}"
        )));
    }
    if !lists(Capability::PostPkiOperation) {
        findings.push(Finding::remark(format!(
            "POSTPKIOperation is not listed: Apple's client sends its request in the URL{standard}"
        )));
    }
    findings
}

fn wrong_type(operation: &str, found: &str, expected: &str) -> Finding {
    Finding::fatal(format!(
        "{operation}: the content type is {found:?} and has to be {expected:?} to the letter, without parameters"
    ))
}

fn document(
    capabilities: &Capabilities,
    certificates: &[Certificate],
    findings: &[Finding],
) -> Value {
    let keywords: Vec<_> = capabilities.iter().map(ToString::to_string).collect();
    let certificates: Vec<_> = certificates.iter().map(describe).collect();
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| json!({"severity": finding.severity(), "message": finding.message}))
        .collect();
    json!({"capabilities": keywords, "certificates": certificates, "findings": findings})
}

fn describe(certificate: &Certificate) -> Value {
    let mut told = certificate::told(certificate);
    if let Value::Object(told) = &mut told {
        let key = certificate.public_key();
        told.insert(
            "sha1".to_owned(),
            fingerprint(certificate, DigestAlgorithm::Sha1).into(),
        );
        told.insert(
            "key".to_owned(),
            key.ok().map(|key| certificate::key_kind(&key)).into(),
        );
        told.insert("ca".to_owned(), certificate.is_ca().into());
        told.insert("key_usage".to_owned(), usages(certificate).into());
    }
    told
}

fn usages(certificate: &Certificate) -> Option<Vec<&'static str>> {
    let allowed = certificate.key_usage()?;
    let usages = USAGES.iter().filter(|(usage, _)| allowed.contains(*usage));
    Some(usages.map(|(_, name)| *name).collect())
}

fn told(document: &Value) -> String {
    let mut shown = text::fields(document, &["certificates", "findings"]);
    let list = |key: &str| {
        document
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    for (index, certificate) in list("certificates").enumerate() {
        shown.push_str(&format!("\ncertificate {index}\n"));
        shown.push_str(&text::fields(certificate, &[]));
    }
    for (index, finding) in list("findings").enumerate() {
        let word = |key: &str| finding.get(key).and_then(Value::as_str).unwrap_or_default();
        let gap = if index == 0 { "\n" } else { "" };
        let line = format!(
            "{gap}{}: {}\n",
            word("severity"),
            text::printable(word("message"))
        );
        shown.push_str(&line);
    }
    shown
}

const KEYWORDS: [&str; 9] = [
    "AES",
    "DES3",
    "GetNextCACert",
    "POSTPKIOperation",
    "Renewal",
    "SHA-1",
    "SHA-256",
    "SHA-512",
    "SCEPStandard",
];

const USAGES: [(KeyUsage, &str); 7] = [
    (KeyUsage::DIGITAL_SIGNATURE, "digitalSignature"),
    (KeyUsage::NON_REPUDIATION, "nonRepudiation"),
    (KeyUsage::KEY_ENCIPHERMENT, "keyEncipherment"),
    (KeyUsage::DATA_ENCIPHERMENT, "dataEncipherment"),
    (KeyUsage::KEY_AGREEMENT, "keyAgreement"),
    (KeyUsage::KEY_CERT_SIGN, "keyCertSign"),
    (KeyUsage::CRL_SIGN, "cRLSign"),
];
