//! What Apple checks of a push, in one pure function (Apple, "Sending notification requests to
//! APNs" and "Handling notification responses from APNs").

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{
    id::Id,
    request::{Duplicate, Field, MAX_BODY, Request},
    tokens::TokenStatus,
};

/// A refusal: status, reason, and with 410 the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) status: u16,
    pub(super) reason: &'static str,
    pub(super) since: Option<DateTime<Utc>>,
}

/// A push that passed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passed<'a> {
    pub(super) token: Vec<u8>,
    pub(super) magic: Cow<'a, str>,
    pub(super) topic: &'a str,
    pub(super) priority: u8,
    pub(super) expiration: Option<i64>,
    pub(super) apns_id: Option<Id>,
}

impl From<Duplicate> for Rejection {
    fn from(_: Duplicate) -> Self {
        Self {
            status: 400,
            reason: "DuplicateHeaders",
            since: None,
        }
    }
}

/// Checks one push. `own_topic` is the user ID of the client's certificate; without one, any topic
/// is right.
pub(super) fn check<'a>(
    request: &'a Request,
    own_topic: Option<&str>,
    status: impl FnOnce(&[u8]) -> TokenStatus,
) -> Result<Passed<'a>, Rejection> {
    if request.any(Field::Method) != Some(b"POST") {
        return reject(405, "MethodNotAllowed");
    }
    let Some(token) = request.token() else {
        return reject(404, "BadPath");
    };
    if token.is_empty() {
        return reject(400, "MissingDeviceToken");
    }
    let apns_id = request.value(Field::Id)?.map(Id::read);
    if apns_id == Some(None) {
        return reject(400, "BadMessageId");
    }
    let expiration = match request.value(Field::Expiration)?.map(seconds) {
        Some(Some(seconds)) if seconds >= 0 => Some(seconds),
        Some(_) => return reject(400, "BadExpirationDate"),
        None => None,
    };
    let priority = match request.value(Field::Priority)? {
        Some(b"10") | None => 10,
        Some(b"5") => 5,
        Some(b"1") => 1,
        Some(_) => return reject(400, "BadPriority"),
    };
    if request
        .value(Field::CollapseId)?
        .is_some_and(|id| id.len() > 64)
    {
        return reject(400, "BadCollapseId");
    }
    if request.value(Field::PushType)? != Some(b"mdm") {
        return reject(400, "InvalidPushType");
    }
    let Some(topic) = request.value(Field::Topic)? else {
        return reject(400, "MissingTopic");
    };
    let topic = match std::str::from_utf8(topic) {
        Ok(topic) if topic.starts_with("com.apple.mgmt") => topic,
        _ => return reject(400, "BadTopic"),
    };
    if own_topic.is_some_and(|own| own != topic) {
        return reject(400, "TopicDisallowed");
    }
    if request.body.len() > MAX_BODY {
        return reject(413, "PayloadTooLarge");
    }
    // Apple names no reason for a body with other keys; the fake takes it for one without an MDM
    // payload.
    let magic = match serde_json::from_slice(&request.body) {
        // serde would take an array for a structure.
        Ok(Body { mdm }) if request.body.trim_ascii_start().starts_with(b"{") => mdm,
        _ => return reject(400, "PayloadEmpty"),
    };
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
        apns_id: apns_id.flatten(),
    })
}

/// The token that a path writes in lowercase hexadecimal.
pub(super) fn token_bytes(text: &[u8]) -> Option<Vec<u8>> {
    let lower = !text.iter().any(u8::is_ascii_uppercase);
    lower.then(|| hex::decode(text).ok()).flatten()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow)]
    mdm: Cow<'a, str>,
}

fn reject<T>(status: u16, reason: &'static str) -> Result<T, Rejection> {
    Err(Rejection {
        status,
        reason,
        since: None,
    })
}

fn seconds(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{super::hpack::Written, *};

    const OWN: &str = "com.apple.mgmt.External.a1";
    const GOOD: [(&str, &str); 7] = [
        (":method", "POST"),
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
    ) -> Result<Passed<'static>, Rejection> {
        let mut request = Request::default();
        let mut fields: Vec<_> = GOOD.into();
        for (name, value) in changes {
            match (*name, *value) {
                ("+", Some(name)) => fields.extend(GOOD.iter().find(|(known, _)| *known == name)),
                (name, Some(value)) => {
                    fields.retain(|(known, _)| *known != name);
                    fields.push((name, value));
                }
                (name, None) => fields.retain(|(known, _)| *known != name),
            }
        }
        for (name, value) in fields {
            request.add(name.as_bytes(), value.as_bytes(), Written::Plain, 8000);
        }
        request.add_body(body.as_bytes());
        let passed = check(&request, Some(OWN), |token| {
            assert_eq!(token, [0xab, 0xcd]);
            status
        })?;
        assert_eq!(passed.topic, OWN);
        Ok(Passed {
            token: passed.token,
            magic: Cow::Owned(passed.magic.into_owned()),
            topic: OWN,
            priority: passed.priority,
            expiration: passed.expiration,
            apns_id: passed.apns_id,
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
            r#"["M"]"#,
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
