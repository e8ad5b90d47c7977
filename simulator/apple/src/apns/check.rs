//! What Apple checks of a push, in one pure function (Apple, "Sending notification requests to
//! APNs" and "Handling notification responses from APNs").

use chrono::{DateTime, Utc};
use http::{Method, request::Parts};

use super::state::TokenStatus;

/// The most bytes of a body.
pub(super) const MAX_PAYLOAD_BYTES: usize = 4096;

/// A refusal: status, reason, and with 410 the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) status: u16,
    pub(super) reason: &'static str,
    pub(super) since: Option<DateTime<Utc>>,
}

/// A push that passed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) token: Vec<u8>,
    pub(super) magic: String,
    pub(super) topic: String,
    pub(super) priority: u8,
    pub(super) expiration: Option<i64>,
    pub(super) apns_id: Option<String>,
}

/// Checks one push. `own_topic` is the user ID of the client's certificate; without one, any topic is right.
pub(super) fn check(
    head: &Parts,
    body: &[u8],
    own_topic: Option<&str>,
    status: impl FnOnce(&[u8]) -> TokenStatus,
) -> Result<Passed, Rejection> {
    if head.method != Method::POST {
        return reject(405, "MethodNotAllowed");
    }
    let Some(token) = head.uri.path().strip_prefix("/3/device/") else {
        return reject(404, "BadPath");
    };
    if token.is_empty() {
        return reject(400, "MissingDeviceToken");
    }
    let apns_id = header(head, "apns-id")?.map(str::to_owned);
    if apns_id.as_deref().is_some_and(|id| !is_canonical_uuid(id)) {
        return reject(400, "BadMessageId");
    }
    let expiration = match header(head, "apns-expiration")?.map(str::parse::<i64>) {
        Some(Ok(seconds)) if seconds >= 0 => Some(seconds),
        Some(_) => return reject(400, "BadExpirationDate"),
        None => None,
    };
    let priority = match header(head, "apns-priority")? {
        Some("10") | None => 10,
        Some("5") => 5,
        Some("1") => 1,
        Some(_) => return reject(400, "BadPriority"),
    };
    if header(head, "apns-collapse-id")?.is_some_and(|id| id.len() > 64) {
        return reject(400, "BadCollapseId");
    }
    if header(head, "apns-push-type")? != Some("mdm") {
        return reject(400, "InvalidPushType");
    }
    let topic = match header(head, "apns-topic")? {
        None => return reject(400, "MissingTopic"),
        Some(topic) if !topic.starts_with("com.apple.mgmt") => return reject(400, "BadTopic"),
        Some(topic) if own_topic.is_some_and(|own| own != topic) => {
            return reject(400, "TopicDisallowed");
        }
        Some(topic) => topic.to_owned(),
    };
    if body.len() > MAX_PAYLOAD_BYTES {
        return reject(413, "PayloadTooLarge");
    }
    let magic = magic(body)?;
    let Some(token) = token_bytes(token) else {
        return reject(400, "BadDeviceToken");
    };
    match status(&token) {
        TokenStatus::Unknown => return reject(400, "BadDeviceToken"),
        TokenStatus::Accepted { topic: Some(bound) } if bound != topic => {
            return reject(400, "DeviceTokenNotForTopic");
        }
        TokenStatus::Accepted { .. } => {}
        TokenStatus::Dead { since } => {
            return Err(Rejection {
                status: 410,
                reason: "Unregistered",
                since: Some(since),
            });
        }
    }
    Ok(Passed {
        token,
        magic,
        topic,
        priority,
        expiration,
        apns_id,
    })
}

fn reject<T>(status: u16, reason: &'static str) -> Result<T, Rejection> {
    Err(Rejection {
        status,
        reason,
        since: None,
    })
}

/// The header's one value. Text that is not ASCII is given as empty, which no header may be.
fn header<'a>(head: &'a Parts, name: &str) -> Result<Option<&'a str>, Rejection> {
    let mut values = head.headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return reject(400, "DuplicateHeaders");
    }
    Ok(first.map(|value| value.to_str().unwrap_or_default()))
}

/// The word in `{"mdm": "..."}`. Apple names no reason for a body with other keys; the fake takes
/// it for one without an MDM payload.
fn magic(body: &[u8]) -> Result<String, Rejection> {
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(serde_json::Value::Object(mut keys)) if keys.len() == 1 => match keys.remove("mdm") {
            Some(serde_json::Value::String(magic)) => Ok(magic),
            _ => reject(400, "PayloadEmpty"),
        },
        _ => reject(400, "PayloadEmpty"),
    }
}

fn token_bytes(text: &str) -> Option<Vec<u8>> {
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    lower.then(|| hex::decode(text).ok()).flatten()
}

fn is_canonical_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const OWN: &str = "com.apple.mgmt.External.a1";
    const GOOD: [(&str, &str); 6] = [
        (":path", "/3/device/abcd"),
        ("apns-push-type", "mdm"),
        ("apns-topic", OWN),
        ("apns-priority", "10"),
        ("apns-expiration", "1767927900"),
        ("apns-id", "eb3a1f3e-10c5-4b6f-9bb0-7c6a2a2f1d4e"),
    ];

    /// Checks a good push with some headers changed, added (a second value) or removed (`None`).
    fn changed(
        changes: &[(&str, Option<&str>)],
        body: &str,
        status: TokenStatus,
    ) -> Result<Passed, Rejection> {
        let mut request = Request::post("/3/device/abcd").body(()).unwrap();
        for (name, value) in GOOD.into_iter().skip(1) {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        for (name, value) in changes {
            match (*name, *value) {
                (":path", Some(path)) => *request.uri_mut() = path.parse().unwrap(),
                (":method", Some(method)) => *request.method_mut() = method.parse().unwrap(),
                ("+", Some(name)) => {
                    let name: http::HeaderName = name.parse().unwrap();
                    let value = request.headers()[&name].clone();
                    request.headers_mut().append(name, value);
                }
                (name, Some(value)) => {
                    let name: http::HeaderName = name.parse().unwrap();
                    request.headers_mut().insert(name, value.parse().unwrap());
                }
                (name, None) => {
                    request.headers_mut().remove(name);
                }
            }
        }
        let (head, ()) = request.into_parts();
        check(&head, body.as_bytes(), Some(OWN), |token| {
            assert_eq!(token, [0xab, 0xcd]);
            status
        })
    }

    fn accepted() -> TokenStatus {
        TokenStatus::Accepted { topic: None }
    }

    #[test]
    fn a_push_as_apple_wants_it_passes() {
        let passed = changed(&[], r#"{"mdm":"M\u0041"}"#, accepted()).unwrap();
        assert_eq!(passed.magic, "MA");
        assert_eq!(
            (passed.priority, passed.expiration),
            (10, Some(1_767_927_900))
        );
        let bare = [
            ("apns-priority", None),
            ("apns-expiration", None),
            ("apns-id", None),
        ];
        let passed = changed(&bare, r#"{"mdm":"M"}"#, accepted()).unwrap();
        assert_eq!(
            (passed.priority, passed.expiration, passed.apns_id),
            (10, None, None)
        );
    }

    #[test]
    fn each_wrong_header_has_its_reason() {
        for (name, value, status, reason) in [
            (":method", Some("GET"), 405, "MethodNotAllowed"),
            (":path", Some("/2/device/abcd"), 404, "BadPath"),
            (":path", Some("/3/device/"), 400, "MissingDeviceToken"),
            (":path", Some("/3/device/ABCD"), 400, "BadDeviceToken"),
            (":path", Some("/3/device/abc"), 400, "BadDeviceToken"),
            (
                "apns-id",
                Some("EB3A1F3E-10C5-4B6F-9BB0-7C6A2A2F1D4E"),
                400,
                "BadMessageId",
            ),
            (
                "apns-id",
                Some("eb3a1f3e10c54b6f9bb07c6a2a2f1d4e"),
                400,
                "BadMessageId",
            ),
            ("apns-expiration", Some("soon"), 400, "BadExpirationDate"),
            ("apns-expiration", Some("-1"), 400, "BadExpirationDate"),
            ("apns-priority", Some("7"), 400, "BadPriority"),
            (
                "apns-collapse-id",
                Some(&*"x".repeat(65)),
                400,
                "BadCollapseId",
            ),
            ("apns-push-type", None, 400, "InvalidPushType"),
            ("apns-push-type", Some("alert"), 400, "InvalidPushType"),
            ("apns-topic", None, 400, "MissingTopic"),
            ("apns-topic", Some("com.example.app"), 400, "BadTopic"),
            (
                "apns-topic",
                Some("com.apple.mgmt.External.b2"),
                400,
                "TopicDisallowed",
            ),
            ("+", Some("apns-topic"), 400, "DuplicateHeaders"),
            ("+", Some("apns-id"), 400, "DuplicateHeaders"),
        ] {
            let rejection = changed(&[(name, value)], r#"{"mdm":"M"}"#, accepted()).unwrap_err();
            assert_eq!(
                (rejection.status, rejection.reason),
                (status, reason),
                "{name} {value:?}"
            );
        }
    }

    #[test]
    fn the_body_holds_the_magic_and_nothing_else() {
        for body in [
            "",
            "{}",
            "M",
            r#"{"mdm":7}"#,
            r#"{"aps":{}}"#,
            r#"{"mdm":"M","aps":{}}"#,
        ] {
            let rejection = changed(&[], body, accepted()).unwrap_err();
            assert_eq!(
                (rejection.status, rejection.reason),
                (400, "PayloadEmpty"),
                "{body}"
            );
        }
        let body = |length: usize| format!(r#"{{"mdm":"{}"}}"#, "x".repeat(length - 10));
        assert!(changed(&[], &body(4096), accepted()).is_ok());
        let rejection = changed(&[], &body(4097), accepted()).unwrap_err();
        assert_eq!(
            (rejection.status, rejection.reason),
            (413, "PayloadTooLarge")
        );
    }

    #[test]
    fn each_state_of_a_token_has_its_reason() {
        let bound = |topic: &str| TokenStatus::Accepted {
            topic: Some(topic.to_owned()),
        };
        let body = r#"{"mdm":"M"}"#;
        assert!(changed(&[], body, bound(OWN)).is_ok());
        let reason = |status| changed(&[], body, status).unwrap_err().reason;
        assert_eq!(
            reason(bound("com.apple.mgmt.External.b2")),
            "DeviceTokenNotForTopic"
        );
        assert_eq!(reason(TokenStatus::Unknown), "BadDeviceToken");
        let since = DateTime::UNIX_EPOCH;
        let dead = changed(&[], body, TokenStatus::Dead { since }).unwrap_err();
        assert_eq!(
            (dead.status, dead.reason, dead.since),
            (410, "Unregistered", Some(since))
        );
    }
}
