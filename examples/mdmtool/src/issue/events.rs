//! What a server tells its operator, as it happens: one line for each event, with `--json` one document a line.

use std::error::Error;

use chrono::Utc;
use mdm_pki::Certificate;
use mdm_scep::{
    Event, Observer,
    acme::{AcmeEvent, OrderId},
};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::text::{hex, printable, written};

/// How many events may wait to be written; what comes beyond is not told, and stands in the store all the same.
const WAITING: usize = 1024;

/// Takes events from a server.
#[derive(Debug)]
pub(crate) struct Reporter(mpsc::Sender<Value>);

/// A reporter, and where its events come out.
pub(crate) fn channel() -> (Reporter, mpsc::Receiver<Value>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Reporter(sender), receiver)
}

impl Observer for Reporter {
    fn observe(&self, event: &Event<'_>) {
        let _ = self.0.try_send(told(event));
    }
}

/// An event of this name, now.
pub(crate) fn event(name: &str) -> Map<String, Value> {
    let mut keys = Map::new();
    keys.insert("at".to_owned(), written(Utc::now()).into());
    keys.insert("event".to_owned(), name.into());
    keys
}

/// That something went wrong beside the requests.
pub(crate) fn trouble(error: &dyn Error) -> Value {
    let mut keys = event("trouble");
    keys.insert("why".to_owned(), mdmtool::one_line(error).into());
    Value::Object(keys)
}

/// An event as one line: when, what, and then what is known.
pub(crate) fn line(event: &Value) -> String {
    let word = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut line = format!("{}  {}", word("at"), word("event"));
    for (key, value) in event.as_object().into_iter().flatten() {
        if let (false, Some(value)) = (matches!(key.as_str(), "at" | "event"), value.as_str()) {
            line.push_str(&format!("  {key}: {}", printable(value)));
        }
    }
    line
}

fn told(event: &Event<'_>) -> Value {
    let (name, about) = match event {
        Event::Issued {
            transaction_id,
            label,
            certificate,
        } => (
            "issued",
            about_certificate(transaction_id, label, certificate),
        ),
        Event::Repeated {
            transaction_id,
            label,
            certificate,
        } => (
            "repeated",
            about_certificate(transaction_id, label, certificate),
        ),
        Event::Pending {
            transaction_id,
            label,
        } => (
            "pending",
            vec![
                ("label", (*label).to_owned()),
                ("transaction", transaction_id.to_string()),
            ],
        ),
        Event::Answered {
            transaction_id,
            message_type,
        } => (
            "answered",
            vec![
                ("query", message_type.to_string()),
                ("transaction", transaction_id.to_string()),
            ],
        ),
        Event::Refused {
            transaction_id,
            refusal,
        } => (
            "refused",
            vec![
                ("why", refusal.to_string()),
                ("transaction", transaction_id.to_string()),
            ],
        ),
        Event::Unreadable { error } => ("unreadable", vec![("why", mdmtool::one_line(error))]),
        Event::Unavailable {
            transaction_id,
            error,
        } => (
            "unavailable",
            vec![
                ("why", mdmtool::one_line(error)),
                ("transaction", transaction_id.to_string()),
            ],
        ),
        Event::Expiring { certificate, .. } => (
            "expiring",
            vec![
                ("subject", certificate.subject().to_string()),
                ("not_after", written(certificate.not_after())),
            ],
        ),
        Event::Acme(event) => about_acme(event),
        other => ("other", vec![("what", format!("{other:?}"))]),
    };
    let mut keys = self::event(name);
    keys.extend(
        about
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.into())),
    );
    Value::Object(keys)
}

type About = (&'static str, Vec<(&'static str, String)>);

fn about_acme(event: &AcmeEvent<'_>) -> About {
    let of_order = |label: &str, order: &OrderId| {
        vec![("label", label.to_owned()), ("order", order.to_string())]
    };
    match event {
        AcmeEvent::AccountMade { account, .. } => {
            ("account", vec![("account", account.to_string())])
        }
        AcmeEvent::AccountDeactivated { account, .. } => (
            "account_deactivated",
            vec![("account", account.to_string())],
        ),
        AcmeEvent::KeyChanged { account, .. } => {
            ("key_changed", vec![("account", account.to_string())])
        }
        AcmeEvent::Ordered { order, label, .. } => ("ordered", of_order(label, order)),
        AcmeEvent::PreAuthorization { order, label, .. } => {
            ("pre_authorization", of_order(label, order))
        }
        AcmeEvent::Proven {
            order,
            label,
            attested,
            ..
        } => {
            let mut about = of_order(label, order);
            about.push(("attested", attested.to_string()));
            ("proven", about)
        }
        AcmeEvent::NotProven {
            order,
            label,
            cause,
            ..
        } => {
            let mut about = of_order(label, order);
            about.push(("why", (*cause).to_owned()));
            ("not_proven", about)
        }
        AcmeEvent::Issued {
            order,
            label,
            certificate,
            ..
        } => ("issued", about_certificate(order, label, certificate)),
        AcmeEvent::NotIssued {
            order,
            label,
            cause,
            ..
        } => {
            let mut about = of_order(label, order);
            about.push(("why", (*cause).to_owned()));
            ("not_issued", about)
        }
        AcmeEvent::Revoked { certificate, .. } => {
            ("revoked", vec![("serial", hex(certificate.serial()))])
        }
        AcmeEvent::Refused { problem, .. } => ("refused", vec![("why", problem.to_string())]),
        AcmeEvent::Unavailable { error, .. } => {
            ("unavailable", vec![("why", mdmtool::one_line(error))])
        }
        other => ("other", vec![("what", format!("{other:?}"))]),
    }
}

fn about_certificate(
    transaction: &impl ToString,
    label: &str,
    certificate: &Certificate,
) -> Vec<(&'static str, String)> {
    vec![
        ("label", label.to_owned()),
        ("subject", certificate.subject().to_string()),
        ("serial", hex(certificate.serial())),
        ("transaction", transaction.to_string()),
    ]
}
