//! Opening a message as one of its recipients when it is not known as which.
//!
//! A key that was wrapped for somebody else unwraps to random bytes (RFC 3218, section 2.3), so only the content tells
//! the right recipient. By chance the content decrypts under a wrong key too, once in 256 times: such recipients are
//! tried again, with other random bytes. Nothing here depends on whether a content key unwrapped, or attackers could ask
//! that by putting a recipient of their own beside the one they want to learn about.

use std::collections::VecDeque;

use zeroize::Zeroizing;

use crate::{error::Error, signer::KeyTransport};

/// How a content key is wrapped, and the wrapped key.
pub(super) type WrappedKey<'a> = (KeyTransport, &'a [u8]);

/// How often a recipient is tried: chance fools it once in 2^24 times.
const ROUNDS: usize = 3;

pub(super) struct Trial<K> {
    left: VecDeque<K>,
    current: Option<K>,
    /// Under which the content decrypted in this round.
    fits: VecDeque<K>,
    content: Option<Zeroizing<Vec<u8>>>,
    /// Whether the content decrypted to different things.
    ambiguous: bool,
    round: usize,
}

impl<K: Copy> Trial<K> {
    pub(super) fn new(keys: Vec<K>) -> Self {
        Self {
            left: keys.into(),
            current: None,
            fits: VecDeque::new(),
            content: None,
            ambiguous: false,
            round: 1,
        }
    }

    /// The next content key to unwrap; every one of a round, whatever became of those before it.
    pub(super) fn next(&mut self) -> Option<K> {
        if self.left.is_empty() && self.ambiguous && self.round < ROUNDS {
            self.round += 1;
            self.ambiguous = false;
            self.content = None;
            std::mem::swap(&mut self.left, &mut self.fits);
        }
        self.current = self.left.pop_front();
        self.current
    }

    /// Takes what the content decrypted to under it.
    pub(super) fn note(&mut self, outcome: Result<Zeroizing<Vec<u8>>, Error>) -> Result<(), Error> {
        let content = match outcome {
            Ok(content) => content,
            Err(Error::Decrypt) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.fits.extend(self.current);
        match &self.content {
            Some(first) if *first != content => self.ambiguous = true,
            Some(_) => {}
            None => self.content = Some(content),
        }
        Ok(())
    }

    /// The content, once there is nothing more to try.
    pub(super) fn content(self) -> Result<Zeroizing<Vec<u8>>, Error> {
        match self.ambiguous {
            true => Err(Error::Decrypt),
            false => self.content.ok_or(Error::Decrypt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&[u8]; 3] = [b"a", b"b", b"c"];

    /// Runs a trial of three; `decrypts` gives the content by key and round.
    fn run(decrypts: impl Fn(&[u8], usize) -> Option<&'static [u8]>) -> (Option<Vec<u8>>, usize) {
        let keys = KEYS.map(|key| (KeyTransport::RsaPkcs1v15, key));
        let mut trial = Trial::new(keys.to_vec());
        let mut work = 0;
        while let Some((_, key)) = trial.next() {
            work += 1;
            let content =
                decrypts(key, trial.round).map(|content| Zeroizing::new(content.to_vec()));
            trial.note(content.ok_or(Error::Decrypt)).unwrap();
        }
        (trial.content().ok().map(|content| content.to_vec()), work)
    }

    #[test]
    fn every_recipient_is_tried_wherever_the_right_one_stands() {
        for right in KEYS {
            let found = run(|key, _| (key == right).then_some(b"content"));
            assert_eq!(found, (Some(b"content".to_vec()), 3));
        }
        assert_eq!(run(|_, _| None), (None, 3));
    }

    #[test]
    fn a_wrong_recipient_that_fits_by_chance_is_tried_again() {
        let found = run(|key, round| match (key, round) {
            (b"a", 1) => Some(b"random"),
            (b"b", _) => Some(b"content"),
            _ => None,
        });
        assert_eq!(found, (Some(b"content".to_vec()), 5));
    }

    #[test]
    fn two_contents_that_both_stay_are_refused_and_the_work_ends() {
        let found = run(|key, _| match key {
            b"a" => Some(b"one"),
            b"b" => Some(b"two"),
            _ => None,
        });
        assert_eq!(found, (None, 7));
    }

    #[test]
    fn a_recipient_that_stands_twice_is_no_contradiction() {
        assert_eq!(
            run(|key, _| (key != b"c").then_some(b"content")),
            (Some(b"content".to_vec()), 3)
        );
    }

    #[test]
    fn a_failure_of_another_kind_ends_the_trial() {
        let mut trial = Trial::new(vec!["a"]);
        trial.next();
        let failure = trial.note(Err(Error::LegacyProviderMissing("single DES")));
        assert!(matches!(failure, Err(Error::LegacyProviderMissing(_))));
    }
}
