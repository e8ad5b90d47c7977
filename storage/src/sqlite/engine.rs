//! The threads around the file: one that writes, several that read, and the lines before them.
//!
//! The writer takes what is queued as one transaction (group commit). A step that fails is undone by itself, and each is
//! answered only once the transaction is on the disk.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use mdm_core::{StoreError, StoreErrorKind};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    connection::Target,
    error::{connection_is_spent, store_error},
    line::{Entrance, Line, line},
};

/// The way to the threads. Clones share them.
#[derive(Clone)]
pub(super) struct Engine(Arc<Shared>);

struct Shared {
    target: Target,
    /// `None` once closed.
    lines: Mutex<Option<Lines>>,
    /// Each thread holds a sender; once all are gone, all threads have ended.
    ended: watch::Receiver<()>,
}

#[derive(Clone)]
struct Lines {
    writer: mpsc::Sender<Box<dyn Job>>,
    readers: Entrance<Box<dyn Job>>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("path", &self.0.target.path)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts the threads; returns once the file is open and its schema up to date.
    pub(super) async fn start(target: Target) -> Result<Self, StoreError> {
        let options = &target.options;
        let (alive, ended) = watch::channel(());
        let (write, writes) = mpsc::channel(options.queue.get());
        let (read, reads) = line(options.queue.get());
        let (opened, open) = oneshot::channel();
        let writer = Writer {
            target: target.clone(),
            connection: None,
            jobs: writes,
        };
        spawn("mdm-sqlite-write", alive.clone(), || writer.run(opened))?;
        open.await.map_err(|_| closed())??;
        for _ in 0..options.readers.get() {
            let (target, reads) = (target.clone(), Arc::clone(&reads));
            spawn("mdm-sqlite-read", alive.clone(), move || {
                run_reader(&target, &reads);
            })?;
        }
        let lines = Lines {
            writer: write,
            readers: read,
        };
        Ok(Self(Arc::new(Shared {
            target,
            lines: Mutex::new(Some(lines)),
            ended,
        })))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0.target.path
    }

    #[cfg(feature = "scep")]
    pub(super) fn limits(&self) -> &super::Limits {
        &self.0.target.options.limits
    }

    /// Runs `step` in the next transaction and answers once it is durable, or not done at all.
    pub(super) async fn write<T, F>(&self, step: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let line = self.lines().ok_or_else(closed)?.writer;
        let (job, answer) = task(step);
        line.send(job).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Runs `query` on a connection that only reads. It sees every write answered before.
    pub(super) async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let line = self.lines().ok_or_else(closed)?.readers;
        let (job, answer) = task(query);
        line.enter(job).await;
        answer.await.map_err(|_| closed())?
    }

    /// Closes the lines and waits for the threads to finish what is queued.
    pub(super) async fn close(&self) {
        self.0
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut ended = self.0.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    fn lines(&self) -> Option<Lines> {
        self.0
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Something to do on a connection, and somebody who waits for it.
trait Job: Send {
    /// Does it; what comes back delivers the answer.
    fn run(self: Box<Self>, connection: &Connection) -> Box<dyn Answer>;
    /// Answers that it was not done.
    fn refuse(self: Box<Self>, error: StoreError);
}

/// An answer that waits for the commit.
trait Answer {
    /// Why the step itself failed, if it did.
    fn error(&self) -> Option<&StoreError>;
    /// Sends the answer: the step's own if it failed or was committed, else why it was not.
    fn deliver(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Task<T, F> {
    step: F,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

struct Done<T> {
    result: Result<T, StoreError>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
{
    fn run(self: Box<Self>, connection: &Connection) -> Box<dyn Answer> {
        let Self { step, reply } = *self;
        // A step that panics fails alone: the thread goes on. Nothing but the connection is shared,
        // and what was written is rolled back.
        let result = match catch_unwind(AssertUnwindSafe(|| step(connection))) {
            Ok(result) => result.map_err(store_error),
            Err(_) => Err(StoreError::with_source(
                StoreErrorKind::Other,
                "the step panicked",
            )),
        };
        Box::new(Done { result, reply })
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        // Nobody listens if the caller gave up.
        let _ = self.reply.send(Err(error));
    }
}

impl<T> Answer for Done<T> {
    fn error(&self) -> Option<&StoreError> {
        self.result.as_ref().err()
    }

    fn deliver(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = self.result.and_then(|value| committed.map(|()| value));
        let _ = self.reply.send(answer);
    }
}

/// A step as a job, and where its answer comes out.
fn task<T, F>(step: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Task { step, reply }), answer)
}

struct Writer {
    target: Target,
    connection: Option<Connection>,
    jobs: mpsc::Receiver<Box<dyn Job>>,
}

impl Writer {
    fn run(mut self, opened: oneshot::Sender<Result<(), StoreError>>) {
        let result = self.open();
        let failed = result.is_err();
        if opened.send(result).is_err() || failed {
            return;
        }
        while let Some(job) = self.jobs.blocking_recv() {
            if let Err(error) = self.open().and_then(|()| self.begin()) {
                tracing::warn!(error = %error, "no transaction could be begun");
                self.spend(&error);
                self.refuse_queued(job, &error);
                continue;
            }
            self.batch(job);
        }
    }

    fn open(&mut self) -> Result<(), StoreError> {
        if self.connection.is_none() {
            self.connection = Some(self.target.open_writer()?);
        }
        Ok(())
    }

    fn begin(&self) -> Result<(), StoreError> {
        self.execute("BEGIN IMMEDIATE")
    }

    /// Runs `first` and what else is queued in the transaction that was begun.
    fn batch(&mut self, first: Box<dyn Job>) {
        let mut answers = Vec::new();
        let mut job = Some(first);
        let mut outcome = Ok(());
        while let Some(next) = job.take() {
            // A lost transaction takes every step so far with it.
            if let Err(error) = self.step(next, &mut answers) {
                outcome = Err(error);
                break;
            }
            if answers.len() < self.target.options.batch.get() {
                job = self.jobs.try_recv().ok();
            }
        }
        let outcome = outcome.and_then(|()| self.execute("COMMIT"));
        if let Err(error) = &outcome {
            tracing::warn!(error = %error, steps = answers.len(), "a transaction was given up");
            // Fails where SQLite rolled back by itself.
            let _ = self.execute("ROLLBACK");
            self.spend(error);
        }
        for answer in answers {
            answer.deliver(outcome.clone());
        }
    }

    /// Runs one job; an error means that the whole transaction is lost. Before the first one there is nothing to keep, so it is
    /// undone with the transaction; each after it has a savepoint, which costs a copy of each page that it writes.
    fn step(
        &self,
        job: Box<dyn Job>,
        answers: &mut Vec<Box<dyn Answer>>,
    ) -> Result<(), StoreError> {
        let is_first = answers.is_empty();
        let ready = self.connection.as_ref().ok_or_else(closed);
        let ready = ready.and_then(|connection| {
            if !is_first {
                self.execute("SAVEPOINT step")?;
            }
            Ok(connection)
        });
        let connection = match ready {
            Ok(connection) => connection,
            Err(error) => {
                job.refuse(error.clone());
                return Err(error);
            }
        };
        let answer = job.run(connection);
        let failed = answer.error().cloned();
        answers.push(answer);
        match failed {
            None if is_first => Ok(()),
            None => self.execute("RELEASE step"),
            // On some errors (disk full, I/O) SQLite may roll everything back by itself.
            Some(error) if connection.is_autocommit() => Err(error),
            // It says something of the file and not of the step: what was read of it may not count any more.
            Some(error) if is_first && error.kind() != StoreErrorKind::Other => Err(error),
            Some(_) if is_first => {
                self.execute("ROLLBACK")?;
                self.begin()
            }
            Some(_) => {
                self.execute("ROLLBACK TO step")?;
                self.execute("RELEASE step")
            }
        }
    }

    fn execute(&self, sql: &str) -> Result<(), StoreError> {
        let connection = self.connection.as_ref().ok_or_else(closed)?;
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(drop)
            .map_err(store_error)
    }

    /// Lets go of a connection that cannot be trusted, so that the next batch opens another.
    fn spend(&mut self, error: &StoreError) {
        if connection_is_spent(error) {
            self.connection = None;
        }
    }

    /// What was queued behind a transaction that could not begin would wait for the same in vain.
    fn refuse_queued(&mut self, first: Box<dyn Job>, error: &StoreError) {
        // All are taken before one is answered: what comes after an answer deserves a new attempt.
        let mut refused = vec![first];
        while let Ok(job) = self.jobs.try_recv() {
            refused.push(job);
        }
        for job in refused {
            job.refuse(error.clone());
        }
    }
}

fn run_reader(target: &Target, jobs: &Line<Box<dyn Job>>) {
    let mut connection = None;
    while let Some(job) = jobs.take() {
        let ready = match connection.take() {
            Some(connection) => Ok(connection),
            None => target.open_reader(),
        };
        match ready {
            Ok(ready) => connection = query(ready, job),
            Err(error) => job.refuse(error),
        }
    }
}

/// Runs one query on one snapshot; gives the connection back unless it is spent.
fn query(connection: Connection, job: Box<dyn Job>) -> Option<Connection> {
    let execute = |sql: &str| {
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map_err(store_error)
    };
    if let Err(error) = execute("BEGIN") {
        job.refuse(error);
        return None;
    }
    let answer = job.run(&connection);
    let ended = execute("COMMIT");
    let spent = answer.error().is_some_and(connection_is_spent) || ended.is_err();
    answer.deliver(Ok(()));
    (!spent).then_some(connection)
}

fn spawn(
    name: &str,
    alive: watch::Sender<()>,
    body: impl FnOnce() + Send + 'static,
) -> Result<(), StoreError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            body();
            drop(alive);
        })
        .map(drop)
        .map_err(|error| StoreError::with_source(StoreErrorKind::Other, error))
}

fn closed() -> StoreError {
    StoreError::new(StoreErrorKind::Closed)
}

#[cfg(test)]
mod tests;
