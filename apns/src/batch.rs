//! Many pushes at once: a stream of them in, a stream of outcomes out.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    task::{Poll, ready},
};

use futures_util::{
    Stream, StreamExt,
    stream::{self, FuturesUnordered},
};
use mdm_core::{Clock, PushToken};

use crate::{client::PushService, error::Error, outcome::Outcome, push::Push, retry::RetryPolicy};

/// How many pushes are sent at a time.
///
/// ```
/// use futures_util::{Stream, StreamExt, stream};
/// use mdm_apns::{Batch, Push, PushService};
///
/// /// Wakes many devices, each by its own key.
/// async fn wake(service: &impl PushService, devices: impl Stream<Item = (u64, Push)>) {
///     let mut answers = std::pin::pin!(Batch::new(service).send(devices));
///     while let Some((device, answer)) = answers.next().await {
///         match answer {
///             Ok(outcome) => println!("{device}: {outcome:?}"),
///             Err(error) => println!("{device}: {error}"),
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Batch<'a, P> {
    service: &'a P,
    window: usize,
    parallel: usize,
    retry: Option<(RetryPolicy, Arc<dyn Clock>)>,
}

/// Pushes read ahead at the most, unless set.
pub const DEFAULT_WINDOW: usize = 10_000;

/// Pushes under way at the most, unless set: what three connections to Apple take.
pub const DEFAULT_PARALLEL: usize = 3_000;

impl<'a, P: PushService> Batch<'a, P> {
    /// Sends by this service.
    pub fn new(service: &'a P) -> Self {
        Self {
            service,
            window: DEFAULT_WINDOW,
            parallel: DEFAULT_PARALLEL,
            retry: None,
        }
    }

    /// Holds this many pushes that are not answered at the most, and reads no further until one is;
    /// [`DEFAULT_WINDOW`] unless set, at least 1.
    #[must_use]
    pub fn window(mut self, window: usize) -> Self {
        self.window = window.max(1);
        self
    }

    /// Has this many pushes under way at the most; [`DEFAULT_PARALLEL`] unless set, at least 1.
    #[must_use]
    pub fn parallel(mut self, parallel: usize) -> Self {
        self.parallel = parallel.max(1);
        self
    }

    /// Waits and sends again what the service put off. Not done unless set: then
    /// [`Outcome::RetryAfter`] is the answer, for the vendor's own queue.
    ///
    /// A push that waits counts as under way: where the service puts all off, the batch waits with it.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy, clock: Arc<dyn Clock>) -> Self {
        self.retry = Some((policy, clock));
        self
    }

    /// Sends the pushes, and answers for each under its key, in the order of the answers.
    ///
    /// Of pushes that are equal but for their key, and have no id of their own, one is sent as long
    /// as it still waits, and its answer is that of all. One that was sent already stands for no other: the device may
    /// have come before there was something to fetch.
    ///
    /// To drop the stream gives up what is not answered; to drop a future of its `next` loses nothing.
    pub fn send<K>(
        self,
        pushes: impl Stream<Item = (K, Push)>,
    ) -> impl Stream<Item = (K, Result<Outcome, Error>)> {
        let mut pushes = Box::pin(pushes.fuse());
        let mut waiting = Waiting::default();
        let mut under_way = FuturesUnordered::new();
        let mut answered = VecDeque::new();
        let mut held = 0;
        let Self {
            service,
            window,
            parallel,
            retry,
        } = self;
        stream::poll_fn(move |cx| {
            loop {
                if let Some(answer) = answered.pop_front() {
                    held -= 1;
                    return Poll::Ready(Some(answer));
                }
                let mut is_over = false;
                while held < window {
                    match pushes.poll_next_unpin(cx) {
                        Poll::Ready(Some((key, push))) => {
                            held += 1;
                            waiting.add(key, push);
                        }
                        Poll::Ready(None) => {
                            is_over = true;
                            break;
                        }
                        Poll::Pending => break,
                    }
                }
                while under_way.len() < parallel
                    && let Some((keys, push)) = waiting.next()
                {
                    let retry = retry.clone();
                    under_way.push(async move {
                        let answer = push_on(service, &push, retry).await;
                        (keys, answer)
                    });
                }
                match ready!(under_way.poll_next_unpin(cx)) {
                    Some((keys, answer)) => {
                        answered.extend(keys.into_iter().map(|key| (key, answer.clone())));
                    }
                    None if is_over => return Poll::Ready(None),
                    None => return Poll::Pending,
                }
            }
        })
    }
}

/// Sends the push until its outcome is final.
async fn push_on<P: PushService>(
    service: &P,
    push: &Push,
    retry: Option<(RetryPolicy, Arc<dyn Clock>)>,
) -> Result<Outcome, Error> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let outcome = service.push(push).await?;
        let Some((policy, clock)) = &retry else {
            return Ok(outcome);
        };
        match policy.next(&outcome, attempt, chance()) {
            Some(delay) => clock.sleep(delay).await,
            None => return Ok(outcome),
        }
    }
}

/// A number from 0 up to 1.
pub(crate) fn chance() -> f64 {
    mdm_pki::random::<2>().map_or(0.5, |bytes| {
        f64::from(u16::from_be_bytes(bytes)) / f64::from(u16::MAX)
    })
}

/// The pushes that were read ahead, each once.
struct Waiting<K> {
    entries: VecDeque<(Vec<K>, Push)>,
    /// The number of the first entry: how many have left.
    first: usize,
    /// The number of each token's last entry.
    numbers: HashMap<PushToken, usize>,
}

impl<K> Waiting<K> {
    fn add(&mut self, key: K, push: Push) {
        let number = self.numbers.get(&push.token);
        let entry = number.and_then(|number| self.entries.get_mut(number - self.first));
        match entry {
            Some((keys, waiting)) if is_same(waiting, &push) => keys.push(key),
            _ => {
                let number = self.first + self.entries.len();
                self.numbers.insert(push.token.clone(), number);
                self.entries.push_back((vec![key], push));
            }
        }
    }

    fn next(&mut self) -> Option<(Vec<K>, Push)> {
        let (keys, push) = self.entries.pop_front()?;
        if self.numbers.get(&push.token) == Some(&self.first) {
            self.numbers.remove(&push.token);
        }
        self.first += 1;
        Some((keys, push))
    }
}

impl<K> Default for Waiting<K> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            numbers: HashMap::new(),
        }
    }
}

/// Whether one of them does what both would do.
fn is_same(one: &Push, other: &Push) -> bool {
    one.token == other.token
        && one.magic == other.magic
        && one.expiration == other.expiration
        && one.priority == other.priority
        && one.id.is_none()
        && other.id.is_none()
}
