//! Tokens and magics stay out of every log, ours and that of the libraries below.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use crate::house::{House, TOKEN, push};

/// Keeps everything that is traced, at every level.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<String>>);

impl Visit for Listener {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let line = format!("{field}={value:?}\n");
        self.0.lock().unwrap().push_str(&line);
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn nothing_that_is_traced_holds_token_or_magic() {
    let listener = Listener::default();
    // For all threads: a subscriber of one thread misses what another thread traces first.
    tracing::subscriber::set_global_default(listener.clone()).unwrap();
    let house = House::new().await;
    let (client, _running) = house.client();
    client.push(&push("hunter2-magic")).await.unwrap();
    house.fake.kill_token(TOKEN, chrono::Utc::now());
    client.push(&push("hunter2-magic")).await.unwrap();

    let heard = listener.0.lock().unwrap().clone();
    assert!(
        heard.contains("push answered") && heard.contains("Unregistered"),
        "{heard}"
    );
    let token = hex::encode(TOKEN);
    for secret in [&*token, "hunter2", &format!("{TOKEN:?}")] {
        let at = heard.find(secret);
        assert_eq!(
            at,
            None,
            "{:?}",
            at.map(|at| &heard[at.saturating_sub(80)..at])
        );
    }
}
