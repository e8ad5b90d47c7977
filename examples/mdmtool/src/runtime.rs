//! The runtime of the commands that talk to a server, or are one.

use std::future::Future;

use crate::failure::{Done, Failure};

/// Runs such a command.
pub(crate) fn block_on(work: impl Future<Output = Done>) -> Done {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?
        .block_on(work)
}

/// Ready when somebody wants the program to end, from the call on.
#[cfg(unix)]
pub(crate) fn interrupted() -> impl Future<Output = ()> {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    async fn heard(signal: Option<Signal>) {
        match signal {
            Some(mut signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
    let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
    let [terminate, interrupt] = kinds.map(|kind| signal(kind).ok());
    async {
        tokio::select! {
            () = heard(terminate) => {}
            () = heard(interrupt) => {}
        }
    }
}

/// Ready when somebody wants the program to end.
#[cfg(not(unix))]
pub(crate) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
