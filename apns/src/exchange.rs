//! One attempt at one push: sent, and waiting for its answer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use h2::{RecvStream, client::ResponseFuture};
use http::response::Parts;
use mdm_transport::ApiRequest;

use crate::{error::Error, outcome::Outcome, queue::Job};

/// Ends with the job, and what became of the attempt.
///
/// Whoever gives the push up does not end it: a thousand resets at once would look like an attack.
pub(crate) struct Exchange {
    /// There until the end.
    job: Option<Box<Job>>,
    /// When to look at it: the push's own end, if that comes before the answer is late.
    pub(crate) end: DateTime<Utc>,
    /// When the answer is late, which says something about the connection.
    late: DateTime<Utc>,
    body_limit: usize,
    state: State,
}

enum State {
    Head(ResponseFuture),
    Body {
        head: Parts,
        body: RecvStream,
        /// `None` once it is over the limit or broken.
        whole: BytesMut,
    },
}

pub(crate) type Ended = (Box<Job>, Result<Outcome, Error>);

impl Exchange {
    pub(crate) fn new(
        job: Box<Job>,
        late: DateTime<Utc>,
        body_limit: usize,
        answer: ResponseFuture,
    ) -> Self {
        Self {
            end: job.end.min(late),
            late,
            job: Some(job),
            body_limit,
            state: State::Head(answer),
        }
    }

    /// Answers a push whose own end has come. It keeps its place until its answer comes or is late.
    pub(crate) fn give_up(&mut self, now: DateTime<Utc>) {
        let State::Head(_) = self.state else { return };
        if self.end <= now && self.end < self.late {
            self.end = self.late;
            if let Some(job) = &mut self.job {
                job.reply(Err(Error::Deadline));
            }
        }
    }

    /// Waits no longer, and resets the stream. Where the status is known a body that is late costs the reason alone.
    pub(crate) fn cut_short(self, otherwise: Error) -> Option<Ended> {
        let job = self.job?;
        let result = match self.state {
            State::Head(_) => Err(otherwise),
            State::Body { head, .. } => Ok(read(&job, head, Bytes::new())),
        };
        Some((job, result))
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<(Parts, Bytes), Error>> {
        loop {
            match &mut self.state {
                State::Head(answer) => {
                    let answer = ready!(Pin::new(answer).poll(cx));
                    let (head, body) = answer.map_err(|error| Error::from_h2(&error))?.into_parts();
                    if body.is_end_stream() {
                        return Poll::Ready(Ok((head, Bytes::new())));
                    }
                    let whole = BytesMut::new();
                    self.state = State::Body { head, body, whole };
                }
                State::Body { head, body, whole } => {
                    let is_whole = match ready!(body.poll_data(cx)) {
                        None => true,
                        Some(Ok(chunk)) if chunk.len() <= self.body_limit - whole.len() => {
                            whole.extend_from_slice(&chunk);
                            // An error here shows at the next read.
                            let _ = body.flow_control().release_capacity(chunk.len());
                            continue;
                        }
                        Some(Ok(_) | Err(_)) => false,
                    };
                    let head = std::mem::replace(head, http::Response::new(()).into_parts().0);
                    let whole = std::mem::take(whole).freeze();
                    return Poll::Ready(Ok((head, if is_whole { whole } else { Bytes::new() })));
                }
            }
        }
    }
}

impl Future for Exchange {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let answer = ready!(self.poll_answer(cx));
        match self.job.take() {
            Some(job) => {
                let result = answer.map(|(head, body)| read(&job, head, body));
                Poll::Ready((job, result))
            }
            None => Poll::Pending,
        }
    }
}

fn read(job: &Job, head: Parts, body: Bytes) -> Outcome {
    let Ok(outcome) = job
        .request
        .from_http(http::Response::from_parts(head, body));
    outcome
}
