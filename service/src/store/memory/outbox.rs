//! Events in memory.

use std::collections::btree_map::Entry;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Mailbox, MemoryStore, after_key};
use crate::{
    DeadLetter, Event,
    queue::Sequence,
    store::{Outbox, StoreError},
};

#[async_trait]
impl Outbox for MemoryStore {
    async fn subscribe(&self, subscriber: &str) -> Result<bool, StoreError> {
        let mut state = self.state();
        Ok(match state.mailboxes.entry(subscriber.to_owned()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(Mailbox::default());
                true
            }
        })
    }

    async fn unsubscribe(&self, subscriber: &str) -> Result<bool, StoreError> {
        Ok(self.state().mailboxes.remove(subscriber).is_some())
    }

    async fn subscribers(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.state().mailboxes.keys().cloned().collect())
    }

    async fn tell(&self, events: Vec<Event>) -> Result<(), StoreError> {
        let mut state = self.state();
        for event in &events {
            state.write_event(event);
        }
        Ok(())
    }

    async fn events(
        &self,
        subscriber: &str,
        limit: usize,
    ) -> Result<Vec<(Sequence, Event)>, StoreError> {
        self.of(subscriber, |mailbox| {
            let events = mailbox.events.iter().take(limit);
            events
                .map(|(sequence, event)| (*sequence, event.clone()))
                .collect()
        })
    }

    async fn pending_events(&self, subscriber: &str) -> Result<u64, StoreError> {
        self.of(subscriber, |mailbox| mailbox.events.len() as u64)
    }

    async fn acknowledge_events(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
    ) -> Result<(), StoreError> {
        self.of(subscriber, |mailbox| {
            for sequence in sequences {
                mailbox.events.remove(sequence);
            }
        })
    }

    async fn bury_events(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
        reason: &str,
        at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        self.of(subscriber, |mailbox| {
            let mut buried = 0;
            for sequence in sequences {
                if let Some(event) = mailbox.events.remove(sequence) {
                    let letter = DeadLetter::new(*sequence, event, reason, at);
                    mailbox.dead.insert(*sequence, letter);
                    buried += 1;
                }
            }
            buried
        })
    }

    async fn dead_letters(
        &self,
        subscriber: &str,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.of(subscriber, |mailbox| {
            let letters = after_key(&mailbox.dead, after).take(limit);
            letters.map(|(_, letter)| letter.clone()).collect()
        })
    }

    async fn revive_dead_letters(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
    ) -> Result<u64, StoreError> {
        self.of(subscriber, |mailbox| {
            let mut revived = 0;
            for sequence in sequences {
                if let Some(letter) = mailbox.dead.remove(sequence) {
                    mailbox.events.insert(*sequence, letter.event);
                    revived += 1;
                }
            }
            revived
        })
    }

    async fn forget_dead_letters(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
    ) -> Result<u64, StoreError> {
        self.of(subscriber, |mailbox| {
            let letters = sequences.iter();
            letters
                .filter_map(|sequence| mailbox.dead.remove(sequence))
                .count() as u64
        })
    }
}

impl MemoryStore {
    /// Does it to the subscriber's mailbox, or to one that is empty and nobody's.
    fn of<T>(
        &self,
        subscriber: &str,
        act: impl FnOnce(&mut Mailbox) -> T,
    ) -> Result<T, StoreError> {
        let mut state = self.state();
        Ok(match state.mailboxes.get_mut(subscriber) {
            Some(mailbox) => act(mailbox),
            None => act(&mut Mailbox::default()),
        })
    }
}
