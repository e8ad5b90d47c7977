//! One request and its answer without I/O (RFC 8555 section 6). Any HTTP client can carry them.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header,
};
use mdm_transport::{Replay, RequestMeta, retry_after};
use serde::de::DeserializeOwned;

use super::Error;
use crate::acme::{
    JOSE_JSON, JSON, PEM_CERTIFICATE_CHAIN, PROBLEM_JSON, json,
    jws::{FlattenedJws, is_nonce},
    problem::Problem,
};

/// The header that carries a fresh nonce (RFC 8555 section 6.5.1).
pub const REPLAY_NONCE: HeaderName = HeaderName::from_static("replay-nonce");
/// The longest nonce taken, in bytes.
pub const MAX_NONCE: usize = 512;
/// The most links taken from an answer.
pub const MAX_LINKS: usize = 32;

/// What an answer is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// An object.
    Json,
    /// A certificate with its chain.
    Chain,
    /// Nothing that matters.
    Nothing,
}

impl Expected {
    fn content_type(self) -> Option<HeaderValue> {
        match self {
            Self::Json => Some(JSON),
            Self::Chain => Some(PEM_CERTIFICATE_CHAIN),
            Self::Nothing => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON object",
            Self::Chain => "certificate chain",
            Self::Nothing => "empty answer",
        }
    }
}

/// A request for an object that everybody may see: the directory, advice on renewal.
pub fn get(url: Uri, limit: usize, deadline: Duration) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = url;
    request.headers_mut().insert(header::ACCEPT, JSON);
    RequestMeta::new("GET", Replay::Safe, limit).attach(request.extensions_mut(), deadline);
    request
}

/// A request for a nonce (RFC 8555 section 7.2).
pub fn new_nonce(url: Uri, limit: usize, deadline: Duration) -> Request<Bytes> {
    let mut request = get(url, limit, deadline);
    *request.method_mut() = Method::HEAD;
    request.headers_mut().remove(header::ACCEPT);
    request
}

/// A signed request.
pub fn post(
    url: Uri,
    jws: &FlattenedJws,
    expected: Expected,
    limit: usize,
    deadline: Duration,
) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(jws.to_json()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, JOSE_JSON);
    if let Some(accept) = expected.content_type() {
        headers.insert(header::ACCEPT, accept);
    }
    // Sent twice, the same bytes are refused for their nonce.
    RequestMeta::new("POST", Replay::Never, limit).attach(request.extensions_mut(), deadline);
    request
}

/// The fresh nonce of an answer; one that is not of its form is none.
pub fn nonce(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(REPLAY_NONCE)?.to_str().ok()?;
    (text.len() <= MAX_NONCE && is_nonce(text)).then(|| text.to_owned())
}

/// An answer that is no refusal.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Answer {
    /// The status: 200, 201 or 204.
    pub status: StatusCode,
    /// Where the thing is that was made.
    pub location: Option<String>,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    /// The answer's body.
    pub body: Bytes,
    links: Vec<(String, String)>,
}

impl Answer {
    /// Reads an answer, which at `now` holds what is expected in at most `limit` bytes.
    ///
    /// # Errors
    /// [`Error::Refused`] with the server's problem document, [`Error::Status`] for every status but 2xx without one,
    /// [`Error::Content`] for another content type, [`Error::TooLarge`].
    pub fn read(
        response: Response<Bytes>,
        expected: Expected,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let (parts, body) = response.into_parts();
        let retry_after = retry_after(&parts.headers, now);
        if body.len() > limit {
            return Err(Error::TooLarge { limit });
        }
        if !parts.status.is_success() {
            let status = parts.status;
            let problem = Problem::from_json(&body)
                .filter(|_| is_of_type(&parts.headers, &PROBLEM_JSON))
                .filter(|_| status.is_client_error() || status.is_server_error());
            return Err(match problem {
                Some(problem) => Error::Refused {
                    status,
                    problem: Box::new(problem),
                    retry_after,
                },
                None => Error::Status {
                    status,
                    body,
                    retry_after,
                },
            });
        }
        let wanted = expected.content_type();
        if wanted.is_some_and(|wanted| !is_of_type(&parts.headers, &wanted)) {
            return Err(Error::Content {
                expected: expected.name(),
                body,
            });
        }
        let location = parts.headers.get(header::LOCATION);
        Ok(Self {
            status: parts.status,
            location: location.and_then(|it| it.to_str().ok().map(ToOwned::to_owned)),
            retry_after,
            links: links(&parts.headers),
            body,
        })
    }

    /// The object in it.
    ///
    /// # Errors
    /// [`Error::Content`] for what is no object, or not of this form.
    pub fn json<T: DeserializeOwned>(&self, expected: &'static str) -> Result<T, Error> {
        json::read(&self.body).map_err(|_| Error::Content {
            expected,
            body: self.body.clone(),
        })
    }

    /// The targets of its links with this relation.
    pub fn links<'a>(&'a self, relation: &'a str) -> impl Iterator<Item = &'a str> {
        self.links
            .iter()
            .filter(move |(_, of)| of.eq_ignore_ascii_case(relation))
            .map(|(target, _)| target.as_str())
    }
}

/// Whether the content type is this one, whatever its parameters.
fn is_of_type(headers: &HeaderMap, wanted: &HeaderValue) -> bool {
    let found = headers.get(header::CONTENT_TYPE);
    let found = found.and_then(|found| found.to_str().ok()).unwrap_or("");
    let essence = found.split(';').next().unwrap_or("").trim();
    wanted
        .to_str()
        .is_ok_and(|wanted| essence.eq_ignore_ascii_case(wanted))
}

/// Targets and relations of the Link headers (RFC 8288 section 3).
fn links(headers: &HeaderMap) -> Vec<(String, String)> {
    let texts = headers.get_all(header::LINK).into_iter();
    let texts = texts.filter_map(|text| text.to_str().ok());
    texts.flat_map(link_values).take(MAX_LINKS).collect()
}

fn link_values(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once('<') {
        let Some((target, behind)) = begun.split_once('>') else {
            break;
        };
        // A comma ends the parameters, unless it is quoted.
        let mut quoted = false;
        let end = behind.find(|char| {
            quoted ^= char == '"';
            char == ',' && !quoted
        });
        let (parameters, next) = behind.split_at(end.unwrap_or(behind.len()));
        let relations = parameters
            .split(';')
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("rel"))
            .map_or("", |(_, value)| value.trim().trim_matches('"'));
        let relations = relations.split_ascii_whitespace();
        found.extend(relations.map(|relation| (target.to_owned(), relation.to_owned())));
        rest = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: &str, body: &'static str) -> Response<Bytes> {
        Response::builder()
            .status(status)
            .header("content-type", content_type)
            .body(Bytes::from_static(body.as_bytes()))
            .unwrap()
    }

    fn read(response: Response<Bytes>) -> Result<Answer, Error> {
        Answer::read(response, Expected::Json, 1000, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn content_types_are_compared_without_their_parameters() {
        assert!(read(answer(200, "application/json", "{}")).is_ok());
        assert!(read(answer(201, "Application/JSON; charset=utf-8", "{}")).is_ok());
        for other in [
            "text/html",
            "application/jsonx",
            "application/problem+json",
            "",
        ] {
            let outcome = read(answer(200, other, "{}"));
            assert!(matches!(outcome, Err(Error::Content { .. })), "{other}");
        }
    }

    #[test]
    fn a_problem_is_one_by_status_type_and_form() {
        let refused = read(answer(
            403,
            "application/problem+json",
            r#"{"detail":"no"}"#,
        ));
        let refused = refused.unwrap_err();
        assert_eq!(refused.problem().unwrap().detail.as_deref(), Some("no"));
        assert!(refused.is_refused() && !refused.is_temporary());
        for (status, kind, body) in [
            (403, "text/html", "{}"),
            (500, "application/problem+json", "<html>"),
            (302, "application/problem+json", "{}"),
            (304, "application/json", "{}"),
        ] {
            let outcome = read(answer(status, kind, body)).unwrap_err();
            assert!(matches!(outcome, Error::Status { .. }), "{status} {kind}");
        }
    }

    #[test]
    fn an_answer_is_bounded_whatever_carried_it() {
        let long = Box::leak("x".repeat(1001).into_boxed_str());
        for status in [200, 400] {
            let outcome = read(answer(status, "application/json", long));
            assert!(matches!(outcome, Err(Error::TooLarge { limit: 1000 })));
        }
    }

    #[test]
    fn links_are_found_by_their_relation() {
        let mut headers = HeaderMap::new();
        for text in [
            r#"<https://ca.example/dir>;rel="index""#,
            r#"<https://ca.example/c/1>; title="a, b"; rel="alternate", <https://ca.example/c/2>;rel=alternate"#,
            r#"<https://ca.example/up>; rel="up x""#,
            "<broken",
            "<https://ca.example/none>",
        ] {
            headers.append(header::LINK, text.parse().unwrap());
        }
        let answer = Answer {
            status: StatusCode::OK,
            location: None,
            retry_after: None,
            body: Bytes::new(),
            links: links(&headers),
        };
        let all = |relation| answer.links(relation).collect::<Vec<_>>();
        assert_eq!(
            all("alternate"),
            ["https://ca.example/c/1", "https://ca.example/c/2"]
        );
        assert_eq!(all("index"), ["https://ca.example/dir"]);
        assert_eq!(all("up"), all("x"));
        assert!(all("next").is_empty());
        headers.insert(header::LINK, "<a>;rel=x,".repeat(100).parse().unwrap());
        assert_eq!(links(&headers).len(), MAX_LINKS);
    }

    #[test]
    fn a_nonce_is_of_its_form_or_none() {
        let nonce = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REPLAY_NONCE, text.parse().unwrap());
            super::nonce(&headers)
        };
        assert_eq!(
            nonce("oFvnlFP1wIhRlYS2jTaXbA").as_deref(),
            Some("oFvnlFP1wIhRlYS2jTaXbA")
        );
        for text in ["", "a b", "YQ==", &"a".repeat(MAX_NONCE + 1)] {
            assert_eq!(nonce(text), None, "{text}");
        }
    }
}
