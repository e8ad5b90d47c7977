//! The line before the readers: whoever is free takes the next job, and for one job one of them wakes up.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, PoisonError},
};

use tokio::sync::Semaphore;

/// What the readers take from.
pub(super) struct Line<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
    room: Semaphore,
}

struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

/// The way in. Once the last clone is dropped, the line ends with what is in it.
pub(super) struct Entrance<T>(Arc<Open<T>>);

struct Open<T>(Arc<Line<T>>);

/// An empty line of so many places.
pub(super) fn line<T>(places: usize) -> (Entrance<T>, Arc<Line<T>>) {
    let line = Arc::new(Line {
        state: Mutex::new(State {
            waiting: VecDeque::new(),
            closed: false,
        }),
        arrived: Condvar::new(),
        room: Semaphore::new(places.min(Semaphore::MAX_PERMITS)),
    });
    (Entrance(Arc::new(Open(Arc::clone(&line)))), line)
}

impl<T> Entrance<T> {
    /// Gets in line, as soon as there is a place.
    pub(super) async fn enter(&self, job: T) {
        let Open(line) = &*self.0;
        // Nobody closes the semaphore.
        if let Ok(place) = line.room.acquire().await {
            place.forget();
        }
        line.edit(|state| state.waiting.push_back(job));
        line.arrived.notify_one();
    }
}

impl<T> Clone for Entrance<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Open<T> {
    fn drop(&mut self) {
        self.0.edit(|state| state.closed = true);
        self.0.arrived.notify_all();
    }
}

impl<T> Line<T> {
    /// Waits for the next job; `None` once the line has ended.
    pub(super) fn take(&self) -> Option<T> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = |state: &mut State<T>| state.waiting.is_empty() && !state.closed;
        let mut state = self
            .arrived
            .wait_while(state, nothing)
            .unwrap_or_else(PoisonError::into_inner);
        let job = state.waiting.pop_front();
        drop(state);
        if job.is_some() {
            self.room.add_permits(1);
        }
        job
    }

    fn edit(&self, edit: impl FnOnce(&mut State<T>)) {
        edit(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn everything_is_taken_once_and_the_line_ends_when_nobody_can_enter() {
        let (entrance, line) = line(2);
        let takers: Vec<_> = (0..3)
            .map(|_| {
                let line = Arc::clone(&line);
                thread::spawn(move || std::iter::from_fn(|| line.take()).collect::<Vec<_>>())
            })
            .collect();
        let clone = entrance.clone();
        // More than there are places: some wait to get in.
        for n in 0..100 {
            clone.enter(n).await;
        }
        drop((entrance, clone));
        let mut taken: Vec<i32> = takers
            .into_iter()
            .flat_map(|it| it.join().unwrap())
            .collect();
        taken.sort_unstable();
        assert_eq!(taken, (0..100).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_is_in_line_is_taken_after_the_last_has_left() {
        let (entrance, line) = line(9);
        entrance.enter(1).await;
        entrance.enter(2).await;
        drop(entrance);
        assert_eq!(
            (line.take(), line.take(), line.take()),
            (Some(1), Some(2), None)
        );
    }
}
