//! One run: so many requests over so many connections.

use std::{sync::Arc, time::Instant};

use chrono::Utc;
use mdm_core::Secret;
use mdm_scep::{Bound, OneTime};

use crate::{
    Failure,
    client::{Asked, Devices, Line},
    process::{CHALLENGE, Running, Side},
    serve,
};

/// What one run came to.
pub(crate) struct Run {
    /// Processor time of the server for one request, in microseconds.
    pub(crate) each: f64,
    /// The part of it that the system took.
    pub(crate) system: f64,
    /// Requests per second, by the clock on the wall.
    pub(crate) rate: f64,
    /// Requests that got no certificate, or a wrong one.
    pub(crate) failed: usize,
}

/// Sends so many requests, numbered from `first` on, over so many connections.
pub(crate) async fn run(
    server: &Running,
    devices: &Devices,
    first: usize,
    requests: usize,
    connections: usize,
) -> Result<Run, Failure> {
    let mut lines = Vec::with_capacity(connections);
    for _ in 0..connections {
        let line = Line::new(&server.url)?;
        // The connection stands before the clock runs.
        line.ca().await?;
        lines.push(line);
    }
    let ca = lines.first().ok_or("no connection")?.ca().await?;
    let mut asked = Vec::with_capacity(requests);
    for (n, (name, challenge)) in challenges(server, first, requests)
        .await?
        .iter()
        .enumerate()
    {
        asked.push(devices.ask(n, name, challenge, &ca)?);
    }
    let asked: Arc<[Asked]> = asked.into();

    let before = server.spent()?;
    let began = Instant::now();
    let workers: Vec<_> = lines
        .into_iter()
        .enumerate()
        .map(|(at, line)| {
            let asked = Arc::clone(&asked);
            tokio::spawn(async move {
                let mut replies = Vec::new();
                for n in (at..asked.len()).step_by(connections) {
                    replies.push((n, line.post(asked[n].message.clone()).await));
                }
                replies
            })
        })
        .collect();
    let mut replies = Vec::with_capacity(requests);
    for worker in workers {
        replies.extend(worker.await?);
    }
    let seconds = began.elapsed().as_secs_f64();
    let after = server.spent()?;
    let (user, system) = (after.0 - before.0, after.1 - before.1);

    let mut failed = 0;
    for (n, reply) in replies {
        let checked = reply.and_then(|reply| devices.check(&asked[n], reply, &ca));
        if let Err(failure) = checked {
            if failed == 0 {
                eprintln!("first failure: {failure}");
            }
            failed += 1;
        }
    }
    Ok(Run {
        each: (user + system) * 1e6 / requests as f64,
        system: system * 1e6 / requests as f64,
        rate: requests as f64 / seconds,
        failed,
    })
}

/// A name and a challenge for each request: of our server one for each, kept before it is asked.
async fn challenges(
    server: &Running,
    first: usize,
    requests: usize,
) -> Result<Vec<(String, Secret<String>)>, Failure> {
    let names = (first..first + requests).map(|n| format!("device-{n:07}"));
    if server.side != Side::Ours {
        let everybody = || Secret::new(CHALLENGE.to_owned());
        return Ok(names.map(|name| (name, everybody())).collect());
    }
    let store = Arc::new(serve::store(server.folder()).await?);
    let one_time = OneTime::new(store.clone());
    let tasks: Vec<_> = names
        .map(|name| {
            let one_time = one_time.clone();
            tokio::spawn(async move {
                let bound = Bound::common_name(&name);
                let challenge = one_time.issue(&name, bound, Utc::now()).await?;
                Ok::<_, mdm_scep::Error>((name, challenge))
            })
        })
        .collect();
    let mut made = Vec::with_capacity(requests);
    for task in tasks {
        made.push(task.await??);
    }
    Ok(made)
}
