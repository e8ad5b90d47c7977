//! One HTTP/2 connection to the push service (RFC 9113): takes pushes from the queue, as many at a
//! time as the server takes, and brings their answers.
//!
//! What waits for a stream waits in the queue and not inside h2: what h2 has queued it sends even after the
//! push was given up, headers first and then the reset, and a server takes that for an attack.

use std::{
    future::{Future, poll_fn},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use h2::{
    Ping, PingPong,
    client::{ResponseFuture, SendRequest},
};
use mdm_core::Clock;
use mdm_tls::TlsStream;
use mdm_transport::{ApiRequest, BaseUrl};
use tokio::net::TcpStream;

use crate::{
    error::Error,
    exchange::{Ended, Exchange},
    outcome::Outcome,
    queue::{self, Job, LineId},
    reason::Reason,
    request::PushRequest,
    shared::Shared,
};

/// An open connection.
pub(crate) struct Connection {
    id: LineId,
    shared: Arc<Shared>,
    http: Http,
    /// None once it takes no more pushes: what was sent is still answered.
    sender: Option<SendRequest<Bytes>>,
    ping: Option<PingPong>,
    /// Which certificate it shows.
    generation: u64,
    /// How many pushes the server takes at a time, as the queue knows.
    places: usize,
    under_way: FuturesUnordered<Exchange>,
    alarm: Alarm,
    was_good: bool,
}

type Http = h2::client::Connection<TlsStream<TcpStream>, Bytes>;

/// How a connection ended.
#[derive(Debug)]
pub(crate) struct Farewell {
    /// Whether it answered any push, or we ended it: then the next may follow at once.
    pub(crate) was_good: bool,
}

/// The one thing that a connection waits for.
struct Alarm {
    purpose: Purpose,
    sleep: BoxFuture<'static, ()>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Purpose {
    /// The first answer to be late would be late then.
    Answer(DateTime<Utc>),
    /// Nothing to do for long.
    Idle,
    /// A ping is not answered.
    Pong,
    /// The server does not let go.
    Goodbye,
}

/// How many streams the server takes before it has told: none, so that no push is sent on a guess.
const UNTOLD: usize = 0;

/// The most pushes on one connection at a time, where the server takes any number.
const MAX_PLACES: usize = 10_000;

impl Connection {
    /// Connects, and returns once the server has told its settings: a refused certificate shows
    /// here and not at the first push.
    pub(crate) async fn open(id: LineId, shared: Arc<Shared>) -> Result<Self, Error> {
        let config = &shared.config;
        let (generation, tls) = shared.tls()?;
        let tcp = config.dial.dial(&config.host, config.port).await?;
        // Nagle's algorithm holds a lone push back until the peer's delayed ACK, 40 ms.
        tcp.set_nodelay(true)?;
        let stream = tls.connect(&config.host, tcp).await.map_err(Error::Tls)?;
        let (sender, mut http) = h2::client::Builder::new()
            .enable_push(false)
            .initial_max_send_streams(UNTOLD)
            .max_header_list_size(config.header_limit)
            .handshake(stream)
            .await
            .map_err(|error| Error::from_h2(&error))?;
        poll_fn(|cx| match Pin::new(&mut http).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Err(Error::Closed {
                detail: "before the server told its settings".to_owned(),
            })),
            Poll::Ready(Err(error)) => Poll::Ready(Err(Error::from_h2(&error))),
            Poll::Pending if http.max_concurrent_send_streams() == UNTOLD => Poll::Pending,
            Poll::Pending => Poll::Ready(Ok(())),
        })
        .await?;
        let ping = http.ping_pong();
        let places = places(&http);
        tracing::debug!(id, host = config.host, places, "push connection open");
        shared.queue.set_places(id, places, None);
        Ok(Self {
            id,
            http,
            sender: Some(sender),
            ping,
            generation,
            places,
            under_way: FuturesUnordered::new(),
            alarm: Alarm::new(&shared.config.clock, Purpose::Idle, config.idle),
            was_good: false,
            shared,
        })
    }

    /// Carries pushes until the connection ends.
    pub(crate) async fn run(mut self) -> Farewell {
        let ended = poll_fn(|cx| self.poll(cx)).await;
        match &ended {
            Ok(()) => tracing::debug!(id = self.id, "push connection closed"),
            Err(error) => tracing::debug!(id = self.id, %error, "push connection ended"),
        }
        Farewell {
            was_good: self.was_good,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut self.http).poll(cx) {
                let ended = ended.map_err(|error| Error::from_h2(&error));
                self.end(&ended, cx);
                return Poll::Ready(ended);
            }
            self.look(cx);
            self.read_answers(cx);
            if self.poll_alarm(cx).is_ready() {
                let ended = Err(Error::Deadline);
                self.end(&ended, cx);
                return Poll::Ready(ended);
            }
            let has_sent = self.send_waiting(cx);
            let is_over = self.sender.is_some() && self.shared.queue.is_over();
            // What was sent lies in h2: the next round puts it on the wire.
            if !has_sent && !is_over {
                return Poll::Pending;
            }
        }
    }

    /// Notes what the server or the client has changed.
    fn look(&mut self, cx: &mut Context<'_>) {
        let Some(sender) = &mut self.sender else {
            return;
        };
        let refuses = matches!(sender.poll_ready(cx), Poll::Ready(Err(_)));
        let is_old = self.generation != self.shared.generation();
        let is_wanted = !is_old && !self.shared.queue.is_over();
        if refuses || !is_wanted {
            self.was_good |= !is_wanted;
            return self.take_no_more();
        }
        let places = places(&self.http);
        if mem::replace(&mut self.places, places) != places {
            let waker = Some(cx.waker());
            self.shared.queue.set_places(self.id, places, waker);
        }
    }

    /// Sends what waits, as far as there are places; whether there was anything.
    fn send_waiting(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        while self.under_way.len() < self.places
            && let Some(sender) = &mut self.sender
            && matches!(sender.poll_ready(cx), Poll::Ready(Ok(())))
            && let Some(mut job) = self.shared.queue.take(self.id, cx)
        {
            any = true;
            job.attempts += 1;
            match send(sender, &job.request, &self.shared.base) {
                Ok(answer) => self.sent(job, answer),
                Err(error) => self.failed(job, error),
            }
        }
        any
    }

    fn sent(&mut self, job: Box<Job>, answer: ResponseFuture) {
        let config = &self.shared.config;
        let late = queue::end(config.clock.now(), config.answer_deadline);
        let exchange = Exchange::new(job, late, config.body_limit, answer);
        if !self.alarm.covers(exchange.end) {
            self.set_alarm(Purpose::Answer(exchange.end));
        }
        self.under_way.push(exchange);
    }

    fn read_answers(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(ended)) = self.under_way.poll_next_unpin(cx) {
            self.settle(ended);
        }
    }

    fn settle(&mut self, (job, result): Ended) {
        match result {
            Ok(outcome) => self.answered(job, outcome),
            Err(error) => self.failed(job, error),
        }
    }

    fn answered(&mut self, job: Box<Job>, outcome: Outcome) {
        self.was_good = true;
        self.shared.observe(&outcome);
        match outcome
            .rejection()
            .and_then(|rejection| rejection.reason.as_ref())
        {
            Some(Reason::IdleTimeout) => {
                self.take_no_more();
                self.shared.again(job, Ok(outcome));
            }
            Some(Reason::Shutdown) => {
                self.take_no_more();
                job.answer(Ok(outcome));
            }
            _ => job.answer(Ok(outcome)),
        }
    }

    fn failed(&mut self, job: Box<Job>, error: Error) {
        if error.is_connection_lost() {
            self.take_no_more();
        }
        if error.is_certificate_refused() {
            self.shared.refused(&error);
        }
        self.shared.again(job, Err(error));
    }

    /// Leaves the queue to the other connections.
    fn take_no_more(&mut self) {
        if self.sender.take().is_some() {
            self.shared.queue.leave(self.id);
        }
    }

    /// Hands back whatever was not answered.
    fn end(&mut self, ended: &Result<(), Error>, cx: &mut Context<'_>) {
        self.take_no_more();
        // Those that h2 knows the fate of.
        self.read_answers(cx);
        let otherwise = match ended {
            Ok(()) => Error::Closed {
                detail: "without an answer".to_owned(),
            },
            Err(error) => error.clone(),
        };
        self.cut_short(&otherwise, |_| true);
    }

    /// Ends the exchanges that are over, unanswered.
    fn cut_short(&mut self, error: &Error, is_over: impl Fn(&Exchange) -> bool) {
        for exchange in mem::take(&mut self.under_way) {
            if !is_over(&exchange) {
                self.under_way.push(exchange);
            } else if let Some(ended) = exchange.cut_short(error.clone()) {
                self.settle(ended);
            }
        }
    }

    /// Ready when the connection is to be given up.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_done = self.sender.is_none() && self.under_way.is_empty();
        if is_done && self.alarm.purpose != Purpose::Goodbye {
            self.set_alarm(Purpose::Goodbye);
        }
        if self.alarm.purpose == Purpose::Pong && self.poll_pong(cx).is_ready() {
            self.set_alarm(Purpose::Idle);
        }
        while self.alarm.sleep.as_mut().poll(cx).is_ready() {
            match self.alarm.purpose {
                Purpose::Answer(end) => {
                    let now = self.shared.config.clock.now().max(end);
                    for exchange in self.under_way.iter_mut() {
                        exchange.give_up(now);
                    }
                    self.cut_short(&Error::Deadline, |exchange| exchange.end <= now);
                    let next = self.under_way.iter().map(|exchange| exchange.end).min();
                    self.set_alarm(next.map_or(Purpose::Idle, Purpose::Answer));
                }
                Purpose::Idle => self.look_after(cx),
                Purpose::Pong | Purpose::Goodbye => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// After long idleness: closes the connection beside others, and asks whether the last one lives.
    fn look_after(&mut self, cx: &mut Context<'_>) {
        // An answer to an earlier ping that nobody waited for any more.
        let _ = self.poll_pong(cx);
        let ping = self.ping.as_mut();
        let pinged = ping.is_some_and(|ping| ping.send_ping(Ping::opaque()).is_ok());
        if pinged && !self.shared.queue.has_others(self.id) {
            self.set_alarm(Purpose::Pong);
        } else {
            self.was_good = true;
            self.take_no_more();
            self.set_alarm(Purpose::Goodbye);
        }
    }

    fn poll_pong(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.ping {
            Some(ping) => ping.poll_pong(cx).map(drop),
            None => Poll::Pending,
        }
    }

    fn set_alarm(&mut self, purpose: Purpose) {
        let config = &self.shared.config;
        let limit = match purpose {
            Purpose::Answer(end) => (end - config.clock.now()).to_std().unwrap_or_default(),
            Purpose::Idle => config.idle,
            Purpose::Pong | Purpose::Goodbye => config.connect_deadline,
        };
        self.alarm = Alarm::new(&config.clock, purpose, limit);
    }
}

impl Drop for Connection {
    /// However it ends: nobody waits for one that is no more.
    fn drop(&mut self) {
        self.take_no_more();
    }
}

impl Alarm {
    fn new(clock: &Arc<dyn Clock>, purpose: Purpose, limit: Duration) -> Self {
        let clock = Arc::clone(clock);
        Self {
            purpose,
            sleep: Box::pin(async move { clock.sleep(limit).await }),
        }
    }

    /// Whether it rings no later than this answer is late.
    fn covers(&self, end: DateTime<Utc>) -> bool {
        matches!(self.purpose, Purpose::Answer(set) if set <= end)
    }
}

fn places(http: &Http) -> usize {
    http.max_concurrent_send_streams().min(MAX_PLACES)
}

/// Sends the push; headers and body leave together, as nothing is awaited between them.
fn send(
    sender: &mut SendRequest<Bytes>,
    push: &PushRequest,
    base: &BaseUrl,
) -> Result<ResponseFuture, Error> {
    let failed = |error: h2::Error| Error::from_h2(&error);
    let (head, body) = push.to_http(base)?.into_parts();
    let head = http::Request::from_parts(head, ());
    let (answer, mut stream) = sender.send_request(head, false).map_err(failed)?;
    stream.send_data(body, true).map_err(failed)?;
    Ok(answer)
}
