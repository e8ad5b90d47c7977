//! `pending`, `approve` and `deny`: requests that wait for a person.

use std::sync::Arc;

use clap::Args;
use mdm_scep::{
    Approval,
    pending::{PendingId, PendingRequest, Resolution},
};
use mdm_storage::sqlite::SqliteStore;
use serde_json::{Value, json};

use crate::{
    certificate,
    console::Console,
    failure::{Done, Failure},
    issue::{
        books::{self, Books},
        names::AlternativeName,
    },
    kind::Kind,
    text::{self, hex, written},
};

/// The most requests that are listed, the oldest first.
const MOST: usize = 10_000;

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    books: Books,
}

impl List {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        let store = self.books.open().await?;
        let waiting = approval(&store).unresolved(MOST).await;
        store.close().await;
        let waiting = waiting.map_err(|error| books::failure(&error))?;
        let told: Vec<_> = waiting.iter().map(told).collect();
        if console.is_json() {
            return console.document(&told);
        }
        for request in &waiting {
            console.line(&line(request))?;
        }
        Ok(())
    }
}

fn told((id, request): &(PendingId, PendingRequest)) -> Value {
    let names = request.csr.subject_alt_names();
    let names: Vec<_> = names
        .into_iter()
        .map(|name| AlternativeName(name).to_string())
        .collect();
    let key = request.csr.public_key();
    json!({
        "id": hex(id.as_bytes()),
        "since": written(request.since),
        "subject": request.csr.subject().to_string(),
        "alternative_names": names,
        "key": key.ok().map(|key| certificate::key_kind(&key)),
        "label": request.grant.label(),
    })
}

/// Id, age, subject, label.
fn line((id, request): &(PendingId, PendingRequest)) -> String {
    text::printable(&format!(
        "{}  {}  {}  {}",
        hex(id.as_bytes()),
        written(request.since),
        request.csr.subject(),
        request.grant.label()
    ))
}

#[derive(Debug, Args)]
pub(super) struct Approve {
    #[command(flatten)]
    books: Books,
    /// The request, or the beginning of its id, as `mdmtool scep pending` prints it.
    id: String,
}

impl Approve {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        resolve(&self.books, &self.id, Resolution::Approved, console).await
    }
}

#[derive(Debug, Args)]
pub(super) struct Deny {
    #[command(flatten)]
    books: Books,
    /// The request, or the beginning of its id, as `mdmtool scep pending` prints it.
    id: String,
    /// Why; the server's messages say it, the client is not told.
    #[arg(long, value_name = "TEXT", default_value = "denied by hand")]
    reason: String,
}

impl Deny {
    pub(super) async fn run(self, console: &mut Console) -> Done {
        resolve(
            &self.books,
            &self.id,
            Resolution::denied(self.reason),
            console,
        )
        .await
    }
}

async fn resolve(from: &Books, id: &str, how: Resolution, console: &mut Console) -> Done {
    let store = from.open().await?;
    let resolved = decide(&store, id, how).await;
    store.close().await;
    let (request, counts) = resolved?;
    let word = match &counts {
        Resolution::Approved => "approved",
        _ => "denied",
    };
    let mut document = told(&request);
    if let Value::Object(keys) = &mut document {
        keys.insert("resolution".to_owned(), word.into());
    }
    console.answer(&document, || format!("{word}  {}", line(&request)))
}

async fn decide(
    store: &SqliteStore,
    id: &str,
    how: Resolution,
) -> Result<((PendingId, PendingRequest), Resolution), Failure> {
    let failed = |error| books::failure(&error);
    let approval = approval(store);
    let waiting = approval.unresolved(MOST).await.map_err(failed)?;
    let mut meant = waiting.into_iter().filter(|(found, _)| {
        !id.is_empty() && hex(found.as_bytes()).starts_with(&id.to_ascii_lowercase())
    });
    let (Some(found), None) = (meant.next(), meant.next()) else {
        return Err(Failure::input(
            "not exactly one request of this id waits",
            "list them with `mdmtool scep pending`",
        ));
    };
    let counts = approval.resolve(&found.0, found.1.request, how).await;
    match counts.map_err(failed)? {
        Some(counts) => Ok((found, counts)),
        None => Err(Failure::told(
            Kind::NotNow,
            "the request no longer waits",
            "list those that do with `mdmtool scep pending`",
        )),
    }
}

fn approval(store: &SqliteStore) -> Approval {
    Approval::new(Arc::new(store.clone()), Arc::new(store.clone()))
}
