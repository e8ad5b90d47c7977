//! How many pushes are on the wire: as many as the server takes streams; the others wait here.
//!
//! Not inside h2: what h2 has queued it sends even after the push was given up, headers first and
//! then the reset, and a server takes that for an attack.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The places on one connection.
#[derive(Debug)]
pub(crate) struct Admission {
    state: Mutex<State>,
    /// Rings for one waiter when there may be a place, and for all when the connection has ended.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    limit: usize,
    taken: usize,
    ended: bool,
}

/// A place on the wire, until dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Admission>);

impl Admission {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        let state = State {
            limit,
            taken: 0,
            ended: false,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            changed: Notify::new(),
        })
    }

    /// Waits for a place; on a connection that has ended there is always one.
    pub(crate) async fn enter(self: &Arc<Self>) -> Place {
        loop {
            // Before the look: what rings in between is heard.
            let changed = self.changed.notified();
            if let Some(place) = self.try_enter() {
                return place;
            }
            changed.await;
        }
    }

    /// Takes the server's new limit; pushes over it stay where they are.
    pub(crate) fn set_limit(&self, limit: usize) {
        let mut state = self.state();
        if state.limit != limit {
            state.limit = limit;
            self.changed.notify_one();
        }
    }

    /// Lets everybody through to the connection's error.
    pub(crate) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_waiters();
    }

    fn try_enter(self: &Arc<Self>) -> Option<Place> {
        let mut state = self.state();
        if state.taken >= state.limit && !state.ended {
            return None;
        }
        state.taken += 1;
        if state.taken < state.limit {
            // The one who enters wakes the next: a raised limit lets in more than one.
            self.changed.notify_one();
        }
        Some(Place(Arc::clone(self)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.state().taken -= 1;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::join_all};

    use super::*;

    /// Those of `count` that get a place at once.
    fn enter_now(admission: &Arc<Admission>, count: usize) -> Vec<Place> {
        (0..count)
            .filter_map(|_| admission.enter().now_or_never())
            .collect()
    }

    #[test]
    fn no_more_enter_than_the_limit_and_each_that_leaves_makes_room_for_one() {
        let admission = Admission::new(2);
        let mut places = enter_now(&admission, 5);
        assert_eq!(places.len(), 2);
        places.pop();
        assert_eq!(enter_now(&admission, 5).len(), 1);
    }

    #[tokio::test]
    async fn a_raised_limit_lets_in_all_that_fit_and_a_lowered_one_none_until_it_is_met() {
        let admission = Admission::new(0);
        let waiting = join_all((0..3).map(|_| admission.enter()));
        let raise = async { admission.set_limit(3) };
        let (mut places, ()) = tokio::join!(waiting, raise);
        assert_eq!(places.len(), 3);
        admission.set_limit(1);
        places.truncate(1);
        assert!(enter_now(&admission, 1).is_empty());
        drop(places);
        assert_eq!(enter_now(&admission, 1).len(), 1);
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_passes_the_ring_on() {
        let admission = Admission::new(1);
        let place = admission.enter().await;
        let given_up = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.enter().await }
        });
        let waiting = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.enter().await }
        });
        tokio::task::yield_now().await;
        given_up.abort();
        drop(place);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn the_end_of_the_connection_lets_everybody_through() {
        let admission = Admission::new(0);
        let waiting = join_all((0..3).map(|_| admission.enter()));
        let ((), places) = tokio::join!(async { admission.end() }, waiting);
        assert_eq!(places.len(), 3);
        assert_eq!(enter_now(&admission, 2).len(), 2);
    }
}
