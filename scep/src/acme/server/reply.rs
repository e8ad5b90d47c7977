//! What goes back: an object, a problem, a certificate, with the headers that belong to it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::{
    acme::{
        JSON, PROBLEM_JSON,
        jws::JwsError,
        problem::{ErrorType, Problem},
    },
    ca::IssueError,
    error::Error,
    store::StoreError,
};

/// An answer before it has its nonce.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    content_type: Option<HeaderValue>,
    body: Bytes,
    location: Option<String>,
    links: Vec<(String, &'static str)>,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
}

impl Reply {
    pub(super) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            content_type: None,
            body: Bytes::new(),
            location: None,
            links: Vec::new(),
            retry_after: None,
            allow: None,
        }
    }

    pub(super) fn json(status: StatusCode, object: &impl Serialize) -> Result<Self, Stop> {
        let body = serde_json::to_vec(object)
            .map_err(|_| Stop::Unavailable(Error::Configuration("an object cannot be written")))?;
        Ok(Self::body(status, JSON, body))
    }

    pub(super) fn body(
        status: StatusCode,
        content_type: HeaderValue,
        body: impl Into<Bytes>,
    ) -> Self {
        Self {
            content_type: Some(content_type),
            body: body.into(),
            ..Self::empty(status)
        }
    }

    pub(super) fn location(mut self, url: String) -> Self {
        self.location = Some(url);
        self
    }

    pub(super) fn link(mut self, url: String, relation: &'static str) -> Self {
        self.links.push((url, relation));
        self
    }

    pub(super) fn retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }

    pub(super) fn allow(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        // RFC 8555 section 7.2: nonces are for one client; and what an order says changes.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(content_type) = self.content_type {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        if let Some(Ok(location)) = self.location.map(HeaderValue::try_from) {
            headers.insert(header::LOCATION, location);
        }
        for (url, relation) in self.links {
            if let Ok(link) = HeaderValue::try_from(format!("<{url}>;rel=\"{relation}\"")) {
                headers.append(header::LINK, link);
            }
        }
        if let Some(methods) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds(after));
        }
        response
    }
}

/// Whole seconds, rounded up: whoever waits as long as told is not told to wait again.
fn seconds(duration: Duration) -> HeaderValue {
    let more = u64::from(duration.subsec_nanos() > 0);
    HeaderValue::from(duration.as_secs().saturating_add(more))
}

/// Why a request was not served.
#[derive(Debug)]
pub(super) enum Stop {
    /// The client is told.
    Refused(Box<Refused>),
    /// Nothing could be decided; the client may come again.
    Unavailable(Error),
}

/// A problem with the headers that belong to it.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) problem: Problem,
    pub(super) location: Option<String>,
    pub(super) link: Option<(String, &'static str)>,
    pub(super) retry_after: Option<Duration>,
}

impl Stop {
    pub(super) fn new(kind: ErrorType, detail: impl Into<String>) -> Self {
        Problem::new(kind, detail).into()
    }

    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(ErrorType::Malformed, detail)
    }

    /// What is not there and what belongs to another account are told in the same words.
    pub(super) fn not_yours() -> Self {
        Self::new(ErrorType::Unauthorized, "this account has no such resource")
    }

    pub(super) fn status(mut self, status: StatusCode) -> Self {
        if let Self::Refused(refused) = &mut self {
            refused.problem.status = Some(status.as_u16());
        }
        self
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Refused)) -> Self {
        if let Self::Refused(refused) = &mut self {
            change(refused);
        }
        self
    }

    pub(super) fn into_reply(self) -> Reply {
        let refused = match self {
            Self::Refused(refused) => *refused,
            Self::Unavailable(_) => {
                let detail = "the request cannot be decided now";
                let problem = Problem::new(ErrorType::ServerInternal, detail);
                let status = StatusCode::SERVICE_UNAVAILABLE.as_u16();
                Refused {
                    retry_after: Some(Duration::from_secs(10)),
                    ..Refused::from(problem.with(|problem| problem.status = Some(status)))
                }
            }
        };
        let problem = refused.problem;
        let mut reply = Reply::body(problem.status_code(), PROBLEM_JSON, problem.to_json());
        reply.location = refused.location;
        reply.links.extend(refused.link);
        reply.retry_after = refused.retry_after;
        reply
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            location: None,
            link: None,
            retry_after: None,
        }
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Refused(Box::new(problem.into()))
    }
}

impl From<JwsError> for Stop {
    fn from(error: JwsError) -> Self {
        match error {
            JwsError::Pki(error) => Self::Unavailable(error.into()),
            other => other.problem().into(),
        }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<mdm_pki::Error> for Stop {
    fn from(error: mdm_pki::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<IssueError> for Stop {
    fn from(error: IssueError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Unavailable(error)
    }
}
