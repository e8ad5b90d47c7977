//! Whether a token may take the place of another.

use chrono::{DateTime, TimeDelta, Utc};

use super::ServerToken;

/// What a token is to the one that it is to replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewal {
    /// The very same token.
    Unchanged,
    /// A later token of the same server, which has ended the other one.
    Newer,
    /// An earlier token of the same server: the other one, or one after it, has ended it.
    Older,
    /// A token with another consumer key: as a rule of another server, whose devices and profiles
    /// are others. The same server's key may change, such as when another administrator downloads.
    OtherServer,
}

impl Renewal {
    /// Whether the token may take the other one's place without anybody insisting.
    pub fn is_allowed(self) -> bool {
        matches!(self, Self::Unchanged | Self::Newer)
    }
}

impl ServerToken {
    /// What this token is to `old`, in whose place it is to be used.
    ///
    /// Of two tokens of one server the later one was made later, by the time in its access token or
    /// else by its expiry; where neither tells, this one is taken for it.
    pub fn replaces(&self, old: &Self) -> Renewal {
        if self.consumer_key != old.consumer_key {
            return Renewal::OtherServer;
        }
        if self.access_token == old.access_token {
            return Renewal::Unchanged;
        }
        let times = [
            (self.issued_at(), old.issued_at()),
            (self.access_token_expiry, old.access_token_expiry),
        ];
        let known = times.into_iter().find_map(|(new, old)| new.zip(old));
        match known {
            Some((new, old)) if new < old => Renewal::Older,
            _ => Renewal::Newer,
        }
    }

    /// When the token was made: the milliseconds that the access token ends in, where it does.
    pub fn issued_at(&self) -> Option<DateTime<Utc>> {
        let (_, millis) = self.access_token.expose().rsplit_once('O')?;
        if millis.len() != MILLIS_DIGITS || !millis.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        DateTime::from_timestamp_millis(millis.parse().ok()?)
    }

    /// How long the token lives after `now`, below zero once it has ended; `None` without an end.
    pub fn expires_in(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.access_token_expiry.map(|expiry| expiry - now)
    }

    /// How many whole days the token lives after `now`: 0 on its last day, below zero once it has
    /// ended; `None` without an end.
    pub fn days_to_expiry(&self, now: DateTime<Utc>) -> Option<i64> {
        let left = self.expires_in(now)?;
        Some(
            left.num_seconds()
                .div_euclid(TimeDelta::days(1).num_seconds()),
        )
    }
}

/// From 2001 to 2286.
const MILLIS_DIGITS: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;

    fn token(consumer_key: &str, access_token: &str, expiry: Option<&str>) -> ServerToken {
        let mut token = ServerToken::new(consumer_key, "CS", access_token, "AS");
        token.access_token_expiry = expiry.map(|time| time.parse().unwrap());
        token
    }

    #[test]
    fn a_token_is_told_from_the_one_that_it_is_to_replace() {
        let old = token("CK_1", "AT_1O2O1700000000000", Some("2024-11-13T22:13:20Z"));
        for (access_token, expiry, renewal) in [
            ("AT_1O2O1700000000000", None, Renewal::Unchanged),
            ("AT_9O9O1700000000001", None, Renewal::Newer),
            ("AT_9O9O1699999999999", None, Renewal::Older),
            // The access token is believed before the expiry.
            (
                "AT_9O9O1700000000001",
                Some("2020-01-01T00:00:00Z"),
                Renewal::Newer,
            ),
            ("AT_odd", Some("2024-11-13T22:13:19Z"), Renewal::Older),
            ("AT_odd", Some("2024-11-13T22:13:20Z"), Renewal::Newer),
            ("AT_odd", None, Renewal::Newer),
            ("AT_1O17000000000000", None, Renewal::Newer),
        ] {
            let new = token("CK_1", access_token, expiry);
            assert_eq!(new.replaces(&old), renewal, "{access_token} {expiry:?}");
            let other = token("CK_2", access_token, expiry);
            assert_eq!(other.replaces(&old), Renewal::OtherServer);
        }
        assert!(Renewal::Newer.is_allowed() && Renewal::Unchanged.is_allowed());
        assert!(!Renewal::Older.is_allowed() && !Renewal::OtherServer.is_allowed());
    }

    #[test]
    fn the_time_of_making_is_read_from_the_access_token() {
        let made = |access_token| token("CK", access_token, None).issued_at();
        let expected = "2023-11-14T22:13:20Z".parse().ok();
        assert_eq!(made("AT_O1234ONopeO1700000000000"), expected);
        for odd in [
            "",
            "AT_",
            "AT_O",
            "AT_O170000000000",
            "AT_O+700000000000",
            "AT_1700000000000",
        ] {
            assert_eq!(made(odd), None, "{odd}");
        }
    }

    #[test]
    fn days_are_counted_down_to_zero_on_the_last_one() {
        let token = token("CK", "AT", Some("2027-01-31T12:00:00Z"));
        for (now, days) in [
            ("2027-01-01T12:00:00Z", 30),
            ("2027-01-01T12:00:01Z", 29),
            ("2027-01-30T12:00:00Z", 1),
            ("2027-01-31T11:59:59Z", 0),
            ("2027-01-31T12:00:01Z", -1),
        ] {
            let now = now.parse().unwrap();
            assert_eq!(token.days_to_expiry(now), Some(days), "{now}");
            assert_eq!(token.is_expired(now), days < 0);
        }
        assert_eq!(
            ServerToken::new("a", "b", "c", "d").days_to_expiry(Utc::now()),
            None
        );
    }
}
