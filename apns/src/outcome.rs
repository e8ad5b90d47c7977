//! What the service answered to a push, and what to do about it.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use mdm_transport::retry_after;
use serde::Deserialize;

use crate::{id::ApnsId, reason::Reason, request::APNS_ID};

/// How long to wait after 500 and 503, as Apple asks; then longer each time.
pub const SERVICE_PAUSE: Duration = Duration::from_secs(15 * 60);

/// How long to wait after 429, for which Apple names no time.
pub const TOO_MANY_PAUSE: Duration = Duration::from_secs(60);

/// The longest wait taken from `Retry-After`.
pub const MAX_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// 200: the service took the push. Whether the device was reached it does not tell.
    Delivered {
        /// The push's id, as the service repeats it.
        apns_id: Option<ApnsId>,
    },
    /// 410, and nothing else: the token is no longer good; see [`Self::retires`].
    DeadToken {
        /// Since when, as the service tells; deliberately imprecise, always late.
        since: Option<DateTime<Utc>>,
        /// The answer.
        rejection: Rejection,
    },
    /// Send the same push again, not before `delay` has passed.
    RetryAfter {
        /// How long to wait: as `Retry-After` says (at most [`MAX_PAUSE`]), or [`SERVICE_PAUSE`] or
        /// [`TOO_MANY_PAUSE`]; zero where a new connection is all that is needed.
        delay: Duration,
        /// The answer.
        rejection: Rejection,
    },
    /// No push of this topic will pass until somebody mends the certificate or the topic: stop and
    /// raise an alarm. To go on earns only throttling.
    TopicBroken(Rejection),
    /// This push is wrong, by its token or by our making. Never send it again; a
    /// [suspected](Rejection::is_token_suspect) token is no reason to unenrol anybody (Q24).
    Misconfigured(Rejection),
    /// An answer that the documentation does not know.
    Unknown(Rejection),
}

/// An answer other than 200.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// The HTTP status.
    pub status: u16,
    /// The reason; `None` where the body had none, was no JSON, or was over the limit.
    pub reason: Option<Reason>,
    /// The push's id, as the service repeats it.
    pub apns_id: Option<ApnsId>,
}

impl Rejection {
    /// Whether the service does not like the token: it is of another environment or topic, or was
    /// never one. Where it happens to many devices, the certificate is wrong and not the tokens.
    pub fn is_token_suspect(&self) -> bool {
        matches!(
            self.reason,
            Some(Reason::BadDeviceToken | Reason::DeviceTokenNotForTopic)
        )
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        match &self.reason {
            Some(reason) => write!(f, " {reason}"),
            None => Ok(()),
        }
    }
}

impl Outcome {
    /// Reads an answer: the status decides, the reason tells the kinds of 400 apart.
    ///
    /// Never fails. A missing, foreign or broken body leaves the reason out, nothing else.
    pub fn read(status: StatusCode, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Self {
        let apns_id = headers
            .get(APNS_ID)
            .and_then(|id| id.to_str().ok()?.parse().ok());
        if status == StatusCode::OK {
            return Self::Delivered { apns_id };
        }
        let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
        let rejection = Rejection {
            status: status.as_u16(),
            reason: answer.reason,
            apns_id,
        };
        let retry = |delay| Self::RetryAfter {
            delay: retry_after(headers, now).unwrap_or(delay).min(MAX_PAUSE),
            rejection: rejection.clone(),
        };
        match status.as_u16() {
            400 => Self::bad_request(rejection),
            403 => Self::TopicBroken(rejection),
            404 | 405 | 413 => Self::Misconfigured(rejection),
            410 => Self::DeadToken {
                since: answer.timestamp.and_then(DateTime::from_timestamp_millis),
                rejection,
            },
            // Somebody on the way adds provider tokens: with a certificate there are none.
            429 if rejection.reason == Some(Reason::TooManyProviderTokenUpdates) => {
                Self::Misconfigured(rejection)
            }
            429 => retry(TOO_MANY_PAUSE),
            500 | 503 => retry(SERVICE_PAUSE),
            _ => Self::Unknown(rejection),
        }
    }

    fn bad_request(rejection: Rejection) -> Self {
        match rejection.reason {
            Some(Reason::IdleTimeout) => Self::RetryAfter {
                delay: Duration::ZERO,
                rejection,
            },
            Some(Reason::BadTopic | Reason::TopicDisallowed) => Self::TopicBroken(rejection),
            Some(
                Reason::BadDeviceToken
                | Reason::DeviceTokenNotForTopic
                | Reason::BadCollapseId
                | Reason::BadExpirationDate
                | Reason::BadMessageId
                | Reason::BadPriority
                | Reason::DuplicateHeaders
                | Reason::InvalidPushType
                | Reason::MissingDeviceToken
                | Reason::MissingTopic
                | Reason::PayloadEmpty,
            ) => Self::Misconfigured(rejection),
            _ => Self::Unknown(rejection),
        }
    }

    /// Whether the token is dead for a device whose last `TokenUpdate` came at `token_update`.
    ///
    /// A device that sent its token again after the service saw it go is alive: the answer is old.
    /// Without a time in the answer the token is taken for dead.
    pub fn retires(&self, token_update: DateTime<Utc>) -> bool {
        match self {
            Self::DeadToken { since, .. } => since.is_none_or(|since| token_update <= since),
            _ => false,
        }
    }

    /// The answer, unless the push was taken.
    pub fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Delivered { .. } => None,
            Self::DeadToken { rejection, .. }
            | Self::RetryAfter { rejection, .. }
            | Self::TopicBroken(rejection)
            | Self::Misconfigured(rejection)
            | Self::Unknown(rejection) => Some(rejection),
        }
    }
}

/// The body of an answer other than 200.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Answer {
    #[serde(default)]
    pub(crate) reason: Option<Reason>,
    /// Milliseconds since 1970; with 410 only.
    #[serde(default, deserialize_with = "lenient")]
    timestamp: Option<i64>,
}

/// A number that fits, or nothing: a strange timestamp must not cost the reason.
fn lenient<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(serde_json::Value::deserialize(deserializer)?.as_i64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Outcome {
        read_with(status, &[], body)
    }

    fn read_with(status: u16, headers: &[(&str, &str)], body: &str) -> Outcome {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let (head, body) = response.body(body.as_bytes()).unwrap().into_parts();
        Outcome::read(head.status, &head.headers, body, DateTime::UNIX_EPOCH)
    }

    /// The shape of an outcome, without what it carries.
    fn action(outcome: &Outcome) -> &'static str {
        match outcome {
            Outcome::Delivered { .. } => "delivered",
            Outcome::DeadToken { .. } => "dead",
            Outcome::RetryAfter { .. } => "retry",
            Outcome::TopicBroken(_) => "topic",
            Outcome::Misconfigured(_) => "misconfigured",
            Outcome::Unknown(_) => "unknown",
        }
    }

    /// Every reason that Apple documents, and one more spelling that was seen.
    const DOCUMENTED: [(u16, &str, &str); 33] = [
        (400, "BadCollapseId", "misconfigured"),
        (400, "BadDeviceToken", "misconfigured"),
        (400, "BadExpirationDate", "misconfigured"),
        (400, "BadMessageId", "misconfigured"),
        (400, "BadPriority", "misconfigured"),
        (400, "BadTopic", "topic"),
        (400, "DeviceTokenNotForTopic", "misconfigured"),
        (400, "DuplicateHeaders", "misconfigured"),
        (400, "IdleTimeout", "retry"),
        (400, "InvalidPushType", "misconfigured"),
        (400, "MissingDeviceToken", "misconfigured"),
        (400, "MissingTopic", "misconfigured"),
        (400, "PayloadEmpty", "misconfigured"),
        (400, "TopicDisallowed", "topic"),
        (403, "BadCertificate", "topic"),
        (403, "BadCertificateEnvironment", "topic"),
        (403, "ExpiredProviderToken", "topic"),
        (403, "Forbidden", "topic"),
        (403, "InvalidProviderToken", "topic"),
        (403, "MissingProviderToken", "topic"),
        (403, "UnrelatedKeyIdInToken", "topic"),
        (403, "BadEnvironmentKeyIdInToken", "topic"),
        (403, "BadEnvironmentKeyInToken", "topic"),
        (404, "BadPath", "misconfigured"),
        (405, "MethodNotAllowed", "misconfigured"),
        (410, "ExpiredToken", "dead"),
        (410, "Unregistered", "dead"),
        (413, "PayloadTooLarge", "misconfigured"),
        (429, "TooManyProviderTokenUpdates", "misconfigured"),
        (429, "TooManyRequests", "retry"),
        (500, "InternalServerError", "retry"),
        (503, "ServiceUnavailable", "retry"),
        (503, "Shutdown", "retry"),
    ];

    #[test]
    fn every_documented_reason_has_a_name_and_an_action() {
        for (status, reason, expected) in DOCUMENTED {
            let outcome = read(status, &format!(r#"{{"reason":"{reason}"}}"#));
            assert_eq!(action(&outcome), expected, "{status} {reason}");
            let rejection = outcome.rejection().unwrap();
            let named = rejection.reason.as_ref().unwrap();
            assert!(named.is_known(), "{reason}");
            assert_eq!((rejection.status, named.as_str()), (status, reason));
            let suspect = ["BadDeviceToken", "DeviceTokenNotForTopic"].contains(&reason);
            assert_eq!(rejection.is_token_suspect(), suspect, "{reason}");
        }
    }

    #[test]
    fn a_missing_or_foreign_body_costs_the_reason_alone() {
        for body in [
            "",
            "gone",
            "[]",
            "null",
            r#"{"reason":7}"#,
            "{\"reason\":\"x",
            "\u{0}",
        ] {
            for (status, expected) in [
                (400, "unknown"),
                (401, "unknown"),
                (403, "topic"),
                (404, "misconfigured"),
                (410, "dead"),
                (418, "unknown"),
                (429, "retry"),
                (500, "retry"),
                (503, "retry"),
                (204, "unknown"),
            ] {
                let outcome = read(status, body);
                assert_eq!(action(&outcome), expected, "{status} {body}");
                assert_eq!(outcome.rejection().unwrap().reason, None, "{body}");
            }
        }
    }

    #[test]
    fn an_unknown_reason_is_kept_and_a_dead_tokens_word_with_400_kills_nothing() {
        for reason in ["NotYetInvented", "Unregistered", "ExpiredToken"] {
            let outcome = read(400, &format!(r#"{{"reason":"{reason}","more":[1]}}"#));
            assert_eq!(action(&outcome), "unknown");
            let rejection = outcome.rejection().unwrap();
            assert_eq!(rejection.reason.as_ref().unwrap().as_str(), reason);
            assert!(!outcome.retires(DateTime::UNIX_EPOCH));
        }
    }

    #[test]
    fn a_token_is_dead_unless_the_device_sent_it_again_since() {
        let outcome = read(
            410,
            r#"{"reason":"Unregistered","timestamp":1767323045500}"#,
        );
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let Outcome::DeadToken { since, .. } = &outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(*since, Some(at("2026-01-02T03:04:05.5Z")));
        assert!(outcome.retires(at("2026-01-02T03:04:05Z")));
        assert!(outcome.retires(at("2026-01-02T03:04:05.5Z")));
        assert!(!outcome.retires(at("2026-01-02T03:04:06Z")));
        assert!(read(410, "").retires(at("2026-01-02T03:04:06Z")));
        assert!(!read(200, "").retires(at("2000-01-01T00:00:00Z")));
    }

    #[test]
    fn a_strange_timestamp_costs_neither_reason_nor_outcome() {
        for timestamp in [
            "\"1\"",
            "9223372036854775807",
            "1e300",
            "-1.5",
            "null",
            "{}",
        ] {
            let body = format!(r#"{{"reason":"Unregistered","timestamp":{timestamp}}}"#);
            match read(410, &body) {
                Outcome::DeadToken {
                    since: None,
                    rejection,
                } => {
                    assert_eq!(rejection.reason, Some(Reason::Unregistered));
                }
                other => panic!("{timestamp}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_delay_is_the_services_own_or_the_documented_one() {
        let delay = |outcome| match outcome {
            Outcome::RetryAfter { delay, .. } => delay.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!(delay(read(503, "")), 900);
        assert_eq!(delay(read(500, "")), 900);
        assert_eq!(delay(read(429, "")), 60);
        assert_eq!(delay(read(400, r#"{"reason":"IdleTimeout"}"#)), 0);
        assert_eq!(delay(read_with(503, &[("retry-after", "7")], "")), 7);
        assert_eq!(delay(read_with(429, &[("retry-after", "soon")], "")), 60);
        let never = [("retry-after", "99999999999999999999")];
        assert_eq!(delay(read_with(429, &never, "")), MAX_PAUSE.as_secs());
    }

    #[test]
    fn the_id_is_read_where_there_is_one() {
        let id = "eb3a1f3e-10c5-4b6f-9bb0-7c6a2a2f1d4e";
        let delivered = |apns_id| Outcome::Delivered { apns_id };
        let read_id = |id: &str| read_with(200, &[("apns-id", id)], "");
        assert_eq!(read_id(id), delivered(id.parse().ok()));
        assert_eq!(read_id(&id.to_uppercase()), delivered(id.parse().ok()));
        assert_eq!(read_id("x"), delivered(None));
        assert_eq!(read(200, ""), delivered(None));
    }
}
