//! `certs` and `revoke`: what was issued, and what no longer counts.

use chrono::Utc;
use clap::{Args, ValueEnum};
use mdm_pki::RevocationReason;
use mdm_scep::{Store, store::Revocation};
use mdm_storage::sqlite::{IssuedCertificate, SqliteStore};
use serde_json::{Value, json};

use crate::{
    certificate,
    console::Console,
    failure::{Done, Failure},
    issue::books::{self, Books},
    kind::Kind,
    text::{self, from_hex, hex, written},
};

/// How many certificates are read at a time.
const PAGE: usize = 500;

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    books: Books,
    /// Those alone that were issued under this label.
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
}

impl List {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let store = self.books.open().await?;
        let done = self.list(&store, console).await;
        store.close().await;
        done
    }

    async fn list(&self, store: &SqliteStore, console: &mut Console) -> Done {
        let mut all = Vec::new();
        let mut behind = 0;
        loop {
            let page = store.issued_certificates(behind, PAGE).await;
            let page = page.map_err(|error| books::failure(&error))?;
            let Some(last) = page.last() else { break };
            behind = last.place;
            for issued in &page {
                if self
                    .label
                    .as_ref()
                    .is_some_and(|label| *label != issued.label)
                {
                    continue;
                }
                match console.is_json() {
                    true => all.push(told(issued)),
                    false => console.line(&line(issued))?,
                }
            }
            if console.is_closed() {
                break;
            }
        }
        match console.is_json() {
            true => console.document(&all),
            false => Ok(()),
        }
    }
}

fn told(issued: &IssuedCertificate) -> Value {
    let mut told = certificate::told(&issued.record.certificate);
    if let Value::Object(told) = &mut told {
        told.insert("label".to_owned(), issued.label.as_str().into());
        told.insert("issued_at".to_owned(), written(issued.issued_at).into());
        let revoked = issued.record.revoked.map(revoked);
        told.insert("revoked".to_owned(), revoked.into());
    }
    told
}

/// Serial number, end, what became of it, subject, label.
fn line(issued: &IssuedCertificate) -> String {
    let certificate = &issued.record.certificate;
    let state = match issued.record.revoked {
        Some(revocation) => format!("revoked {}", written(revocation.at)),
        None if certificate.not_after() < Utc::now() => "ended".to_owned(),
        None => "good".to_owned(),
    };
    text::printable(&format!(
        "{}  {}  {state}  {}  {}",
        hex(certificate.serial()),
        written(certificate.not_after()),
        certificate.subject(),
        issued.label
    ))
}

fn revoked(revocation: Revocation) -> Value {
    json!({"at": written(revocation.at), "reason": Reason::name(revocation.reason)})
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    books: Books,
    /// The certificate's serial number, in hexadecimal as `mdmtool scep certs` prints it.
    #[arg(long, value_name = "HEX")]
    serial: String,
    /// Why.
    #[arg(long, value_name = "REASON", default_value = "unspecified")]
    reason: Reason,
}

impl Revoke {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let serial = from_hex(&self.serial).ok_or_else(|| {
            let next = "give it as `mdmtool scep certs` prints it";
            Failure::input("the serial number cannot be read", next)
        })?;
        let store = self.books.open().await?;
        let revocation = Revocation::new(Utc::now(), self.reason.into());
        let counts = store.revoke(&serial, revocation).await;
        store.close().await;
        match counts.map_err(|error| books::failure(&error))? {
            Some(counts) => {
                let document = json!({"serial": hex(&serial), "revoked": revoked(counts)});
                console.answer(&document, || {
                    let reason = Reason::name(counts.reason);
                    format!("revoked since {}: {reason}", written(counts.at))
                })
            }
            None => Err(Failure::told(
                Kind::Certificate,
                format!(
                    "no certificate of serial number {} was issued",
                    hex(&serial)
                ),
                "look it up with `mdmtool scep certs`",
            )),
        }
    }
}

/// Why a certificate is revoked (RFC 5280, section 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Reason {
    Unspecified,
    KeyCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    PrivilegeWithdrawn,
}

impl From<Reason> for RevocationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Unspecified => Self::Unspecified,
            Reason::KeyCompromise => Self::KeyCompromise,
            Reason::AffiliationChanged => Self::AffiliationChanged,
            Reason::Superseded => Self::Superseded,
            Reason::CessationOfOperation => Self::CessationOfOperation,
            Reason::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
        }
    }
}

impl Reason {
    fn name(reason: RevocationReason) -> String {
        let known = Self::value_variants()
            .iter()
            .find(|known| RevocationReason::from(**known) == reason)
            .and_then(ValueEnum::to_possible_value);
        known.map_or_else(
            || format!("reason {}", reason.number()),
            |known| known.get_name().to_owned(),
        )
    }
}
