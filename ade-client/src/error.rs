//! What can go wrong, and questions to ask of it.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use mdm_core::open_enum;
use mdm_transport::{BuildError, TransportError, retry_after};

use crate::{Refusal, StoreError, TokenError, record::GiveUpStep};

/// Why a call failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No answer came.
    #[error("no answer from the device-assignment service")]
    Transport(#[from] TransportError),
    /// The request could not be written.
    #[error("the request could not be written")]
    Build(#[source] Arc<BuildError>),
    /// Apple answered with an error.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Apple answered with success, but not with what the endpoint answers.
    #[error("{endpoint}: the answer could not be read")]
    Decode {
        /// The endpoint's name.
        endpoint: &'static str,
        /// What Apple sent. Empty for the session, whose answer is secret.
        body: RawBody,
        /// Where reading stopped.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// No session stayed open long enough to send the request.
    #[error("no session with the device-assignment service could be kept open")]
    NoSession,
    /// A server token could not be read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Signing, a hash, or the randomness for them failed.
    #[error("signing or hashing failed")]
    Signing(#[source] Arc<mdm_pki::Error>),
    /// The store failed; nothing of the step is recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state of the account or the device does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A step of giving a device up was not done; it is the next one still.
    #[error("giving the device up stopped at {step:?}")]
    GiveUp {
        /// The step.
        step: GiveUpStep,
        /// Why.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// An export could not be written.
    #[error("the export could not be written")]
    Export(#[source] Arc<std::io::Error>),
}

impl Error {
    /// Apple's error, where it is one.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            _ => None,
        }
    }

    /// Apple's error code, where there is one.
    pub fn code(&self) -> Option<&ErrorCode> {
        self.api()?.code.as_ref()
    }

    /// The server token's year is over: a new one has to be downloaded. Seen as 400 and as 403.
    pub fn is_token_expired(&self) -> bool {
        self.on_session() && self.says("token_expired")
    }

    /// The server token no longer counts: its administrator is gone or changed the password, or
    /// the server was deleted.
    pub fn is_token_revoked(&self) -> bool {
        self.on_session() && self.api().is_some_and(ApiError::is_forbidden)
    }

    /// A newer token was downloaded elsewhere, which silently ends this one, or this one was never
    /// right.
    pub fn is_token_superseded(&self) -> bool {
        self.on_session() && (self.says("token_rejected") || self.says("signature_invalid"))
    }

    /// The server token opens no session, for whatever reason of its own: another one has to be
    /// downloaded. Not so for a 400, which says that the request was wrong, and for terms that wait.
    pub fn is_token_refused(&self) -> bool {
        self.is_token_expired()
            || self.is_token_revoked()
            || self.is_token_superseded()
            || (self.on_session()
                && self
                    .api()
                    .is_some_and(|error| error.status == StatusCode::UNAUTHORIZED))
    }

    /// Apple does not accept who we are: 401, or 403 with `FORBIDDEN`, from any endpoint.
    pub fn is_unauthorized(&self) -> bool {
        self.api()
            .is_some_and(|error| error.status == StatusCode::UNAUTHORIZED || error.is_forbidden())
    }

    /// The cursor is older than 7 days: fetch everything again.
    pub fn is_cursor_expired(&self) -> bool {
        self.code() == Some(&ErrorCode::ExpiredCursor)
    }

    /// Apple does not know the cursor: fetch everything again.
    pub fn is_cursor_invalid(&self) -> bool {
        self.code() == Some(&ErrorCode::InvalidCursor)
    }

    /// The fetch has come to its end: go on with sync and the same cursor.
    pub fn is_cursor_exhausted(&self) -> bool {
        self.code() == Some(&ErrorCode::ExhaustedCursor)
    }

    /// Somebody has to accept Apple's new terms and conditions in the portal first.
    pub fn is_terms_not_signed(&self) -> bool {
        self.code() == Some(&ErrorCode::TermsNotSigned)
    }

    /// There is no such profile (any more).
    pub fn is_profile_not_found(&self) -> bool {
        self.api().is_some_and(|error| {
            error.endpoint.contains("profile")
                && (error.status == StatusCode::NOT_FOUND
                    || matches!(
                        error.code,
                        Some(ErrorCode::ProfileNotFound | ErrorCode::NotFound)
                    ))
        })
    }

    /// There is no such device, or it replaces none: 404, or 400 with `DEVICE_NOT_FOUND`.
    pub fn is_device_not_found(&self) -> bool {
        self.code() == Some(&ErrorCode::DeviceNotFound)
            || self.api().is_some_and(|error| {
                error.status == StatusCode::NOT_FOUND
                    && matches!(error.endpoint, "device-replacement" | "escrow-key-unlock")
            })
    }

    /// The token may not do this.
    pub fn is_access_denied(&self) -> bool {
        self.code() == Some(&ErrorCode::AccessDenied)
    }

    /// The organization may not use this.
    pub fn is_org_not_supported(&self) -> bool {
        self.code() == Some(&ErrorCode::OrgNotSupported)
    }

    /// Apple refuses this software's name: it is missing, or on Apple's list.
    pub fn is_user_agent_refused(&self) -> bool {
        matches!(
            self.code(),
            Some(ErrorCode::UserAgentMissing | ErrorCode::UserAgentInvalid)
        )
    }

    /// Apple asks to slow down (429) or is not available (503).
    pub fn is_busy(&self) -> bool {
        self.api().is_some_and(|error| {
            matches!(
                error.status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            )
        })
    }

    /// Apple failed (5xx). Odd combinations of a profile's keys are answered so too.
    pub fn is_server_error(&self) -> bool {
        self.api()
            .is_some_and(|error| error.status.is_server_error())
    }

    /// How long Apple asks to wait, counted from `now`.
    pub fn retry_after(&self, now: DateTime<Utc>) -> Option<Duration> {
        self.api()?.retry_after(now)
    }

    fn on_session(&self) -> bool {
        self.api().is_some_and(|error| error.endpoint == "session")
    }

    fn says(&self, word: &str) -> bool {
        self.api().is_some_and(|error| error.says(word))
    }
}

impl From<BuildError> for Error {
    fn from(error: BuildError) -> Self {
        Self::Build(Arc::new(error))
    }
}

impl From<mdm_pki::Error> for Error {
    fn from(error: mdm_pki::Error) -> Self {
        Self::Signing(Arc::new(error))
    }
}

/// An error that Apple answered with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ApiError {
    /// The endpoint's name, as in its [`RequestMeta`](mdm_transport::RequestMeta).
    pub endpoint: &'static str,
    /// The answer's status.
    pub status: StatusCode,
    /// The code that the body holds; `None` where it holds something else, such as a web page.
    pub code: Option<ErrorCode>,
    /// The body as it came.
    pub body: RawBody,
    retry_after: Option<http::HeaderValue>,
}

impl ApiError {
    /// Takes an answer that is not a success.
    pub fn new(endpoint: &'static str, response: http::Response<Bytes>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            endpoint,
            status: parts.status,
            code: code_of(&body),
            body: RawBody(body),
            retry_after: parts.headers.get(RETRY_AFTER).cloned(),
        }
    }

    /// How long Apple asks to wait, counted from `now`.
    pub fn retry_after(&self, now: DateTime<Utc>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, self.retry_after.clone()?);
        retry_after(&headers, now)
    }

    /// 403 with the word `FORBIDDEN`: the session is lost, or on `/session` itself the token is
    /// revoked. Any other 403 has a reason that a new session does not change.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.status == StatusCode::FORBIDDEN && self.says("FORBIDDEN")
    }

    fn says(&self, word: &str) -> bool {
        contains(&self.body.0, word)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: Apple answered {}", self.endpoint, self.status)?;
        match &self.code {
            Some(code) => write!(f, " {code}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}

pub(crate) fn contains(body: &[u8], word: &str) -> bool {
    body.windows(word.len()).any(|part| part == word.as_bytes())
}

/// The body is the bare code, or the code in quotes (Apple's simulator).
fn code_of(body: &[u8]) -> Option<ErrorCode> {
    const LONGEST: usize = 128;
    let text = std::str::from_utf8(body).ok()?;
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\u{feff}');
    let fits = !text.is_empty()
        && text.len() <= LONGEST
        && !text.contains(['<', '{'])
        && !text.contains(char::is_control);
    fits.then(|| ErrorCode::from(text))
}

/// What Apple sent, kept for whoever wants to look; its `Debug` output tells only the length.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RawBody(Bytes);

impl RawBody {
    pub(crate) fn new(body: Bytes) -> Self {
        Self(body)
    }

    /// The bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RawBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

open_enum! {
    /// The codes that Apple's device-assignment service answers errors with.
    ///
    /// Source: the endpoints' pages under
    /// <https://developer.apple.com/documentation/devicemanagement/device-assignment>; those of
    /// `/session` are known from the field only.
    pub enum ErrorCode {
        /// The session is lost; on `/session`, the token is revoked.
        Forbidden = "FORBIDDEN",
        /// The token may not do this.
        AccessDenied = "ACCESS_DENIED",
        /// New terms and conditions wait to be accepted in the portal.
        TermsNotSigned = "T_C_NOT_SIGNED",
        /// AppleSeed for IT is switched off for the organization.
        AppleSeedTurnedOff = "APPLE_SEED_FOR_IT_TURNED_OFF",
        /// The body is not the JSON that the endpoint takes.
        MalformedRequestBody = "MALFORMED_REQUEST_BODY",
        /// No User-Agent header.
        UserAgentMissing = "USER_AGENT_MISSING",
        /// A User-Agent that Apple refuses.
        UserAgentInvalid = "USER_AGENT_INVALID",
        /// Not a method of this endpoint.
        InvalidMethod = "invalid_method",
        /// Too many requests.
        TooManyRequests = "too_many_requests",
        /// `/session`: an OAuth parameter is missing, doubled or unknown.
        OauthBadRequest = "oauth_problem_adviceBad Request",
        /// `/session`: wrong key, token or signature, or a nonce used before.
        OauthUnauthorized = "oauth_problem_adviceUnauthorized",
        /// `/session`: the token's year is over.
        TokenExpired = "token_expired",
        /// `/session`: the token's year is over, in its other form.
        TokenExpiredForbidden = "token_expiredForbidden",
        /// `/session`: the token was replaced by a newer one.
        TokenRejected = "token_rejected",
        /// `/session`: the signature does not match; also seen once a newer token was downloaded.
        SignatureInvalid = "signature_invalid",
        /// Sync without a cursor.
        CursorRequired = "CURSOR_REQUIRED",
        /// No such cursor.
        InvalidCursor = "INVALID_CURSOR",
        /// The fetch behind this cursor is complete.
        ExhaustedCursor = "EXHAUSTED_CURSOR",
        /// The cursor is older than 7 days.
        ExpiredCursor = "EXPIRED_CURSOR",
        /// No device was named.
        DeviceIdRequired = "DEVICE_ID_REQUIRED",
        /// No such device.
        DeviceNotFound = "DEVICE_NOT_FOUND",
        /// No profile was named.
        ProfileUuidRequired = "PROFILE_UUID_REQUIRED",
        /// No such profile.
        ProfileNotFound = "PROFILE_NOT_FOUND",
        /// No such thing; which one depends on the endpoint.
        NotFound = "NOT_FOUND",
        /// `profile_name` is missing.
        ConfigNameRequired = "CONFIG_NAME_REQUIRED",
        /// `profile_name` is empty or over 125 bytes.
        ConfigNameInvalid = "CONFIG_NAME_INVALID",
        /// `url` is missing.
        ConfigUrlRequired = "CONFIG_URL_REQUIRED",
        /// `url` is no URL or over 2000 bytes.
        ConfigUrlInvalid = "CONFIG_URL_INVALID",
        /// `department` is missing.
        DepartmentRequired = "DEPARTMENT_REQUIRED",
        /// `department` is over 125 bytes.
        DepartmentInvalid = "DEPARTMENT_INVALID",
        /// The flags contradict each other: not removable needs supervised.
        FlagsInvalid = "FLAGS_INVALID",
        /// `language` or `region` is not a code.
        LocaleInvalid = "LOCALE_INVALID",
        /// `org_magic` is over 256 bytes.
        MagicInvalid = "MAGIC_INVALID",
        /// `support_email_address` is over 250 bytes.
        SupportEmailInvalid = "SUPPORT_EMAIL_INVALID",
        /// `support_phone_number` is missing.
        SupportPhoneRequired = "SUPPORT_PHONE_REQUIRED",
        /// `support_phone_number` is over 50 bytes.
        SupportPhoneInvalid = "SUPPORT_PHONE_INVALID",
        /// The organization may not use this.
        OrgNotSupported = "ORG_NOT_SUPPORTED",
        /// The service-discovery URL is missing.
        ServiceDiscoveryUrlRequired = "MDM_SERVICE_DISCOVERY_URL_REQUIRED",
        /// The service-discovery URL is not an https URL.
        ServiceDiscoveryUrlInvalid = "MDM_SERVICE_DISCOVERY_URL_NOT_VALID",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(endpoint: &'static str, status: u16, body: &'static str) -> Error {
        let response = http::Response::builder()
            .status(status)
            .body(Bytes::from_static(body.as_bytes()))
            .unwrap();
        ApiError::new(endpoint, response).into()
    }

    #[test]
    fn the_code_is_found_bare_quoted_and_padded_and_the_body_is_kept() {
        for body in [
            "INVALID_CURSOR",
            "\"INVALID_CURSOR\"",
            " INVALID_CURSOR\r\n",
            "\"INVALID_CURSOR\"\n",
        ] {
            let error = api("devices-sync", 400, body);
            assert!(error.is_cursor_invalid(), "{body:?}");
            assert_eq!(error.api().unwrap().body.as_bytes(), body.as_bytes());
        }
    }

    #[test]
    fn a_page_is_no_code_and_an_unknown_code_is_kept() {
        for body in ["", "<html>INVALID_CURSOR</html>", "{\"a\":1}", "a\nb"] {
            assert_eq!(api("account", 502, body).code(), None, "{body:?}");
        }
        let error = api("account", 400, "SOMETHING_NEW");
        assert_eq!(error.code().unwrap().as_str(), "SOMETHING_NEW");
        assert_eq!(
            error.to_string(),
            "account: Apple answered 400 Bad Request SOMETHING_NEW"
        );
    }

    #[test]
    fn every_code_that_was_documented_or_seen_has_a_name() {
        for code in [
            "ACCESS_DENIED",
            "APPLE_SEED_FOR_IT_TURNED_OFF",
            "CONFIG_NAME_INVALID",
            "CONFIG_NAME_REQUIRED",
            "CONFIG_URL_INVALID",
            "CONFIG_URL_REQUIRED",
            "CURSOR_REQUIRED",
            "DEPARTMENT_INVALID",
            "DEPARTMENT_REQUIRED",
            "DEVICE_ID_REQUIRED",
            "DEVICE_NOT_FOUND",
            "EXHAUSTED_CURSOR",
            "EXPIRED_CURSOR",
            "FLAGS_INVALID",
            "FORBIDDEN",
            "INVALID_CURSOR",
            "LOCALE_INVALID",
            "MAGIC_INVALID",
            "MALFORMED_REQUEST_BODY",
            "MDM_SERVICE_DISCOVERY_URL_NOT_VALID",
            "MDM_SERVICE_DISCOVERY_URL_REQUIRED",
            "NOT_FOUND",
            "ORG_NOT_SUPPORTED",
            "PROFILE_NOT_FOUND",
            "PROFILE_UUID_REQUIRED",
            "SUPPORT_EMAIL_INVALID",
            "SUPPORT_PHONE_INVALID",
            "SUPPORT_PHONE_REQUIRED",
            "T_C_NOT_SIGNED",
            "USER_AGENT_INVALID",
            "USER_AGENT_MISSING",
            "invalid_method",
            "oauth_problem_adviceBad Request",
            "oauth_problem_adviceUnauthorized",
            "signature_invalid",
            "token_expired",
            "token_expiredForbidden",
            "token_rejected",
            "too_many_requests",
        ] {
            let error = api("profile", 400, code);
            assert!(error.code().unwrap().is_known(), "{code}");
            assert_eq!(error.code().unwrap().as_str(), code);
        }
    }

    #[test]
    fn what_became_of_the_token_is_told_apart() {
        for (status, body, expired, revoked, superseded) in [
            (403, "token_expiredForbidden", true, false, false),
            (400, "token_expired", true, false, false),
            (403, "FORBIDDEN", false, true, false),
            (401, "token_rejected", false, false, true),
            (401, "signature_invalid", false, false, true),
            (401, "oauth_problem_adviceUnauthorized", false, false, false),
            (403, "T_C_NOT_SIGNED", false, false, false),
        ] {
            let error = api("session", status, body);
            assert_eq!(error.is_token_expired(), expired, "{body}");
            assert_eq!(error.is_token_revoked(), revoked, "{body}");
            assert_eq!(error.is_token_superseded(), superseded, "{body}");
            let elsewhere = api("account", status, body);
            assert!(!elsewhere.is_token_expired() && !elsewhere.is_token_revoked());
            assert_eq!(error.is_token_refused(), body != "T_C_NOT_SIGNED", "{body}");
            assert!(!elsewhere.is_token_refused());
        }
        assert!(!api("session", 400, "oauth_problem_adviceBad Request").is_token_refused());
        assert!(api("session", 401, "token_rejectedUnauthorized").is_token_superseded());
    }

    #[test]
    fn a_missing_device_is_recognized_in_each_of_its_forms() {
        for (status, body) in [
            (404, "DEVICE_NOT_FOUND"),
            (400, "DEVICE_NOT_FOUND"),
            (404, ""),
        ] {
            assert!(api("device-replacement", status, body).is_device_not_found());
        }
        assert!(!api("device-replacement", 400, "DEVICE_ID_REQUIRED").is_device_not_found());
        assert!(!api("profile", 404, "NOT_FOUND").is_device_not_found());
    }

    #[test]
    fn a_missing_profile_is_recognized_in_each_of_its_forms() {
        assert!(api("profile-devices", 400, "PROFILE_NOT_FOUND").is_profile_not_found());
        assert!(api("profile", 400, "NOT_FOUND").is_profile_not_found());
        assert!(api("profile", 404, "").is_profile_not_found());
        assert!(!api("account", 404, "NOT_FOUND").is_profile_not_found());
    }

    #[test]
    fn debug_output_holds_no_body() {
        let shown = format!("{:?}", api("account", 400, "<secret>"));
        assert!(
            shown.contains("8 bytes") && !shown.contains("secret"),
            "{shown}"
        );
    }

    #[test]
    fn retry_after_is_read_when_asked() {
        let response = http::Response::builder()
            .status(503)
            .header("retry-after", "30")
            .body(Bytes::new())
            .unwrap();
        let error = ApiError::new("account", response);
        assert_eq!(error.retry_after(Utc::now()), Some(Duration::from_secs(30)));
        assert!(Error::from(error).is_busy());
    }
}
