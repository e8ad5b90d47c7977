//! The pushes that wait, between those who ask for them and the connections that take them.
//!
//! A push is in one place only: here, on one connection, or answered. Whoever holds its [`Job`]
//! answers it or puts it back.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, oneshot};

use crate::{error::Error, outcome::Outcome, request::PushRequest};

/// A push under way: its request, and who wants to know.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) request: PushRequest,
    /// When it is given up.
    pub(crate) end: DateTime<Utc>,
    /// How often it was sent.
    pub(crate) attempts: u32,
    /// What became of it the last time.
    last: Option<Result<Outcome, Error>>,
    /// `None` once it was answered.
    reply: Option<oneshot::Sender<Result<Outcome, Error>>>,
}

pub(crate) type Answer = oneshot::Receiver<Result<Outcome, Error>>;

impl Job {
    /// In a box: it goes from hand to hand.
    pub(crate) fn new(request: PushRequest, end: DateTime<Utc>) -> (Box<Self>, Answer) {
        let (reply, answer) = oneshot::channel();
        let job = Self {
            request,
            end,
            attempts: 0,
            last: None,
            reply: Some(reply),
        };
        (Box::new(job), answer)
    }

    pub(crate) fn answer(mut self: Box<Self>, result: Result<Outcome, Error>) {
        self.reply(result);
    }

    /// Answers ahead of its end on the wire; a later answer is for nobody.
    pub(crate) fn reply(&mut self, result: Result<Outcome, Error>) {
        let Some(reply) = self.reply.take() else {
            return;
        };
        match &result {
            Ok(outcome) => tracing::debug!(id = %self.request.id(), ?outcome, "push answered"),
            Err(error) => tracing::debug!(id = %self.request.id(), %error, "push not answered"),
        }
        // Nobody there: it was given up this very moment.
        let _ = reply.send(result);
    }

    fn is_given_up(&self) -> bool {
        self.reply.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Answers with what became of it last, or else with `otherwise`.
    fn end(mut self: Box<Self>, otherwise: Error) {
        let last = self.last.take().unwrap_or(Err(otherwise));
        self.answer(last);
    }
}

/// Which connection, in the order of their opening.
pub(crate) type LineId = u64;

#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Rings for the driver when there may be something for it to do.
    bell: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The first to end is the first.
    waiting: VecDeque<Box<Job>>,
    /// The connections that take pushes.
    lines: BTreeMap<LineId, Line>,
    /// Those who wait for a connection and not for a push.
    connects: Vec<oneshot::Sender<Result<(), Error>>>,
    /// Why the last connection could not be made.
    trouble: Option<Error>,
    /// Whether the driver was told since it last looked.
    rung: bool,
    /// Whether there is reason to believe that the next connection can be made.
    hurry: bool,
    closed: bool,
    /// The driver is gone: nobody would take what is put back.
    stopped: bool,
}

#[derive(Debug)]
struct Line {
    /// How many pushes the server takes at a time.
    places: usize,
    /// Whether it has a place and found no push for it.
    is_hungry: bool,
    /// Who to wake for that, or for the end of all.
    waker: Option<Waker>,
}

/// What the driver sees when it looks.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) wants_connection: bool,
    /// When the first of those that wait is given up.
    pub(crate) end: Option<DateTime<Utc>>,
    /// Whether to wait no longer before the next connection.
    pub(crate) hurry: bool,
    /// Closed, and nothing waits.
    pub(crate) is_over: bool,
}

impl Queue {
    /// Takes a push in, to be sent behind the others.
    pub(crate) fn add(&self, job: Box<Job>) -> Result<(), Error> {
        let mut state = self.state();
        if state.closed {
            return Err(Error::Stopped);
        }
        state.waiting.push_back(job);
        self.offer(state);
        Ok(())
    }

    /// Takes a push back in, to be sent before the others.
    pub(crate) fn put_back(&self, mut job: Box<Job>, last: Result<Outcome, Error>) {
        let mut state = self.state();
        if state.stopped {
            drop(state);
            return job.answer(last);
        }
        job.last = Some(last);
        let place = state.waiting.partition_point(|other| other.end < job.end);
        state.waiting.insert(place, job);
        self.offer(state);
    }

    /// The next push for this connection; where there is none the connection is woken later.
    pub(crate) fn take(&self, id: LineId, cx: &Context<'_>) -> Option<Box<Job>> {
        let mut state = self.state();
        let job = loop {
            match state.waiting.pop_front() {
                Some(job) if job.is_given_up() => {}
                job => break job,
            }
        };
        if let Some(line) = state.lines.get_mut(&id) {
            line.is_hungry = job.is_none();
            if line.is_hungry {
                line.waker = Some(cx.waker().clone());
            }
        }
        self.tell_if_over(state);
        job
    }

    /// A connection is open, or its server takes another number of pushes at a time.
    pub(crate) fn set_places(&self, id: LineId, places: usize, waker: Option<&Waker>) {
        let mut state = self.state();
        let line = Line {
            places,
            is_hungry: false,
            waker: waker.cloned(),
        };
        state.lines.insert(id, line);
        state.trouble = None;
        for waiting in std::mem::take(&mut state.connects) {
            let _ = waiting.send(Ok(()));
        }
        // It may have been woken for one that it no longer has a place for.
        if !state.waiting.is_empty() {
            self.offer(state);
        }
    }

    /// A connection takes no more; the others have its share.
    pub(crate) fn leave(&self, id: LineId) {
        let mut state = self.state();
        state.lines.remove(&id);
        let wakers = state.wake_all();
        self.ring(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether another connection than this one takes pushes.
    pub(crate) fn has_others(&self, id: LineId) -> bool {
        self.state().lines.keys().any(|other| *other != id)
    }

    /// Asks for a connection; the answer comes with the next that is made, or is not.
    pub(crate) fn connect(&self) -> Result<oneshot::Receiver<Result<(), Error>>, Error> {
        let (reply, answer) = oneshot::channel();
        let mut state = self.state();
        if state.closed {
            return Err(Error::Stopped);
        }
        if state.lines.is_empty() {
            state.connects.push(reply);
            self.ring(state);
        } else {
            let _ = reply.send(Ok(()));
        }
        Ok(answer)
    }

    /// A connection could not be made; whether there is no other either.
    pub(crate) fn trouble(&self, error: &Error) -> bool {
        let mut state = self.state();
        state.trouble = Some(error.clone());
        let connects = std::mem::take(&mut state.connects);
        let is_alone = state.lines.is_empty();
        drop(state);
        for waiting in connects {
            let _ = waiting.send(Err(error.clone()));
        }
        is_alone
    }

    /// Answers all that wait with this error.
    pub(crate) fn fail_all(&self, error: &Error) {
        let mut state = self.state();
        let waiting = std::mem::take(&mut state.waiting);
        self.tell_if_over(state);
        for job in waiting {
            job.answer(Err(error.clone()));
        }
    }

    /// Nobody works any more: answers all, and whatever comes later.
    pub(crate) fn stop(&self) {
        let mut state = self.state();
        state.closed = true;
        state.stopped = true;
        drop(state);
        self.trouble(&Error::Stopped);
        self.fail_all(&Error::Stopped);
    }

    /// Gives up those that have waited too long.
    pub(crate) fn expire(&self, now: DateTime<Utc>) {
        let mut state = self.state();
        let otherwise = state.trouble.clone().unwrap_or(Error::NotSent);
        let (over, waiting): (VecDeque<Box<Job>>, _) = std::mem::take(&mut state.waiting)
            .into_iter()
            .partition(|job| job.end <= now);
        state.waiting = waiting;
        self.tell_if_over(state);
        for job in over {
            job.end(otherwise.clone());
        }
    }

    /// Takes nothing in any more; what waits is still sent.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let wakers = state.wake_all();
        self.ring(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether nothing will ever come again.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.state();
        state.closed && state.waiting.is_empty()
    }

    /// Something was mended: wakes everybody to look at it.
    pub(crate) fn hurry(&self) {
        let mut state = self.state();
        state.hurry = true;
        let wakers = state.wake_all();
        self.ring(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Returns when there may be something for the driver to do.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    pub(crate) fn look(&self, max_connections: usize) -> Look {
        let mut state = self.state();
        state.rung = false;
        let waiting = state.waiting.len();
        let places: usize = state.lines.values().map(|line| line.places).sum();
        let is_hungry = state.lines.values().any(|line| line.is_hungry);
        let wants_connection = match state.lines.len() {
            0 => waiting > 0 || !state.connects.is_empty(),
            open => open < max_connections && waiting > 0 && waiting >= places && !is_hungry,
        };
        Look {
            wants_connection,
            end: state.waiting.front().map(|job| job.end),
            hurry: std::mem::take(&mut state.hurry),
            is_over: state.closed && waiting == 0,
        }
    }

    /// Wakes one connection that has a place, or the driver where none has.
    fn offer(&self, mut state: MutexGuard<'_, State>) {
        let hungry = state.lines.values_mut().find(|line| line.is_hungry);
        match hungry.and_then(Line::waker) {
            Some(line) => {
                drop(state);
                line.wake();
            }
            None => self.ring(state),
        }
    }

    /// Wakes those who have no other reason to look, once nothing will ever come again.
    fn tell_if_over(&self, mut state: MutexGuard<'_, State>) {
        if state.closed && state.waiting.is_empty() {
            let wakers = state.wake_all();
            self.ring(state);
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    fn ring(&self, mut state: MutexGuard<'_, State>) {
        let told = std::mem::replace(&mut state.rung, true);
        drop(state);
        if !told {
            self.bell.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake_all(&mut self) -> Vec<Waker> {
        self.lines.values_mut().filter_map(Line::waker).collect()
    }
}

impl Line {
    fn waker(&mut self) -> Option<Waker> {
        self.is_hungry = false;
        self.waker.clone()
    }
}

/// The end of a push that is asked for now.
pub(crate) fn end(now: DateTime<Utc>, limit: std::time::Duration) -> DateTime<Utc> {
    TimeDelta::from_std(limit)
        .ok()
        .and_then(|limit| now.checked_add_signed(limit))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
