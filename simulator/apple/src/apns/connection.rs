//! One connection: moves bytes between the socket and its [`Session`], and waits for what is due.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use chrono::{DateTime, Utc};
use mdm_core::Clock;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Instant, sleep},
};

use super::{
    listener::PATIENCE,
    session::{Session, Stage},
};

/// How much is read at a time; a frame with its head fits several times.
const INPUT: usize = 64 * 1024;
/// How much may wait to be written before nothing more is read.
const OUTPUT: usize = 1024 * 1024;

/// Serves until either side ends the connection.
pub(super) async fn run<S>(io: S, mut session: Session, clock: &Arc<dyn Clock>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut orders = session.orders();
    session.obey(&orders.borrow_and_update());
    let mut wire = Wire::new(io);
    let mut alarm: Option<Alarm> = None;
    let mut patience = std::pin::pin!(sleep(PATIENCE));
    let mut stage = Stage::Greeting;
    loop {
        session.settle();
        if session.stage() != stage {
            stage = session.stage();
            patience.as_mut().reset(Instant::now() + PATIENCE);
        }
        match stage {
            Stage::Gone => return,
            Stage::Closing if session.out.is_empty() && !wire.shut => {
                wire.shut = true;
                // The client's affair if it does not hear it any more.
                let _ = wire.io.shutdown().await;
            }
            _ => {}
        }
        match (session.next_due(), &alarm) {
            (Some(due), Some(set)) if set.at <= due => {}
            (Some(due), _) => alarm = Some(Alarm::new(Arc::clone(clock), due)),
            (None, _) => alarm = None,
        }
        tokio::select! {
            biased;
            moved = poll_fn(|cx| wire.poll(cx, &mut session.out)) => match moved {
                Ok(Moved { ended: true }) | Err(_) => return,
                Ok(_) => {
                    let now = clock.now();
                    let taken = session.receive(wire.input(), now);
                    wire.consume(taken);
                    session.answer_due(now);
                }
            },
            Ok(()) = orders.changed() => session.obey(&orders.borrow_and_update()),
            at = ring(&mut alarm) => {
                alarm = None;
                // Whatever the clock shows: it said that the time is up.
                session.answer_due(at.max(clock.now()));
            }
            () = &mut patience, if matches!(stage, Stage::Greeting | Stage::Closing) => return,
        }
    }
}

/// A sleep until something is due.
struct Alarm {
    at: DateTime<Utc>,
    sleep: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Alarm {
    fn new(clock: Arc<dyn Clock>, at: DateTime<Utc>) -> Self {
        let left = (at - clock.now()).to_std().unwrap_or_default();
        let sleep = Box::pin(async move { clock.sleep(left).await });
        Self { at, sleep }
    }
}

/// Waits for the alarm, or for ever where none is set.
async fn ring(alarm: &mut Option<Alarm>) -> DateTime<Utc> {
    match alarm {
        Some(alarm) => {
            alarm.sleep.as_mut().await;
            alarm.at
        }
        None => std::future::pending().await,
    }
}

/// The socket and what was read from it.
struct Wire<S> {
    io: S,
    input: Box<[u8]>,
    start: usize,
    end: usize,
    /// How much of the output is written.
    written: usize,
    /// Our side is shut down.
    shut: bool,
}

struct Moved {
    /// The client has ended its side.
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    fn new(io: S) -> Self {
        Self {
            io,
            input: vec![0; INPUT].into(),
            start: 0,
            end: 0,
            written: 0,
            shut: false,
        }
    }

    fn input(&self) -> &[u8] {
        self.input.get(self.start..self.end).unwrap_or_default()
    }

    /// Drops the first bytes of the input; what is left moves to the front.
    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.input.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
    }

    /// Writes and reads what can be; ready once all is written or something was read.
    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<io::Result<Moved>> {
        let mut moved = false;
        while let Some(rest) = out.get(self.written..).filter(|rest| !rest.is_empty()) {
            if self.shut {
                self.written = out.len();
                break;
            }
            match Pin::new(&mut self.io).poll_write(cx, rest)? {
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(written) => self.written += written,
                Poll::Pending => break,
            }
        }
        if self.written > 0 && self.written == out.len() {
            out.clear();
            self.written = 0;
            moved = true;
            if let Poll::Ready(flushed) = Pin::new(&mut self.io).poll_flush(cx) {
                flushed?;
            }
        }
        while out.len() - self.written < OUTPUT {
            let Some(room) = self
                .input
                .get_mut(self.end..)
                .filter(|room| !room.is_empty())
            else {
                break;
            };
            let mut room = ReadBuf::new(room);
            match Pin::new(&mut self.io).poll_read(cx, &mut room) {
                // What came before the end is looked at first; the end is met again.
                Poll::Ready(result) if room.filled().is_empty() => {
                    let ended = !moved;
                    return Poll::Ready(match (moved, result) {
                        (false, Err(error)) => Err(error),
                        _ => Ok(Moved { ended }),
                    });
                }
                Poll::Ready(_) => {
                    self.end += room.filled().len();
                    moved = true;
                }
                Poll::Pending => break,
            }
        }
        match moved {
            true => Poll::Ready(Ok(Moved { ended: false })),
            false => Poll::Pending,
        }
    }
}
