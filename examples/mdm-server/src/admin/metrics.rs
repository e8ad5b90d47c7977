//! Figures for Prometheus, in its text format 0.0.4.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use mdm_sdk::service::Enrollment;

use super::{Problem, enrollments::status_name};
use crate::server::App;

/// What is counted while the server runs.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    answers: Mutex<BTreeMap<(&'static str, u16), u64>>,
    enrollments: Mutex<Counted>,
}

/// Enrolments by their status, as of the last look at all of them.
#[derive(Debug, Default)]
pub(crate) struct Counted(BTreeMap<&'static str, u64>);

impl Counted {
    /// Counts one more.
    pub(crate) fn add(&mut self, enrollment: &Enrollment) {
        *self.0.entry(status_name(enrollment.status)).or_default() += 1;
    }
}

impl Metrics {
    /// A device was answered.
    pub(crate) fn answered(&self, endpoint: &'static str, status: StatusCode) {
        *locked(&self.answers)
            .entry((endpoint, status.as_u16()))
            .or_default() += 1;
    }

    /// All enrolments were looked at.
    pub(crate) fn counted(&self, counted: Counted) {
        *locked(&self.enrollments) = counted;
    }

    fn write(&self, text: &mut Text) {
        text.about("mdm_responses_total", "counter", "Answers to devices.");
        for ((endpoint, status), count) in &*locked(&self.answers) {
            let labels = format!("endpoint=\"{endpoint}\",status=\"{status}\"");
            text.sample("mdm_responses_total", &labels, *count);
        }
        let name = "mdm_enrollments";
        text.about(name, "gauge", "Enrolments at the last look at all of them.");
        for (status, count) in &locked(&self.enrollments).0 {
            text.sample(name, &format!("status=\"{status}\""), *count);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn about(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }
}

/// All figures.
pub(super) async fn show(State(app): State<App>) -> Result<Response, Problem> {
    let mut text = Text::default();
    text.about("mdm_up_seconds", "gauge", "How long the process has run.");
    text.sample("mdm_up_seconds", "", app.started.elapsed().as_secs());
    app.metrics.write(&mut text);
    let name = "mdm_events_waiting";
    text.about(name, "gauge", "Events that wait for a subscriber.");
    let store = app.service.store();
    for subscriber in store.subscribers().await? {
        let waiting = store.pending_events(&subscriber).await?;
        let subscriber = subscriber.replace('\\', "\\\\").replace('"', "\\\"");
        text.sample(name, &format!("subscriber=\"{subscriber}\""), waiting);
    }
    if let Some(end) = app.push_ends {
        let name = "mdm_push_certificate_expiry_timestamp_seconds";
        text.about(name, "gauge", "When the push certificate ends.");
        text.sample(name, "", end.timestamp());
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    Ok((kind, text.0).into_response())
}
