//! What can go wrong on the client's side.

use std::{error, sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use mdm_pki::KeyError;
use mdm_transport::{TransportError, TransportErrorKind};

use crate::acme::{
    ari::CertIdError,
    identifier::Identifier,
    jwk::JwkError,
    jws::JwsError,
    problem::{ErrorType, Problem},
    resource::{AuthorizationStatus, ChallengeType, OrderStatus},
};

/// Why an exchange or one of its parts failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not an absolute URL, or one without TLS.
    #[error("the URL cannot be used for ACME: {0}")]
    Url(&'static str),
    /// No answer came.
    #[error("no answer came")]
    Transport(#[from] TransportError),
    /// The server refused and said why.
    #[error("the server refused with HTTP status {status}: {problem}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// What the server said.
        problem: Box<Problem>,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The server answered with a status that was not to be expected, a redirect for example, and without a problem
    /// document.
    #[error("the server answered with HTTP status {status}")]
    Status {
        /// The status.
        status: StatusCode,
        /// The answer's body.
        body: Bytes,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The answer is something else than asked for: often a web page, of a wrong URL or a proxy.
    #[error("the answer holds no {expected}")]
    Content {
        /// What was asked for.
        expected: &'static str,
        /// The answer's body.
        body: Bytes,
    },
    /// The answer is larger than any that makes sense.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The answer lacks a header that it must have.
    #[error("the answer has no usable {0}")]
    Missing(&'static str),
    /// The server's directory does not have it.
    #[error("the server does not offer {0}")]
    NotOffered(&'static str),
    /// An identifier came to nothing.
    #[error("{identifier} is {status}{}", said(problem.as_deref()))]
    Authorization {
        /// What was to be proven.
        identifier: Identifier,
        /// What became of it.
        status: AuthorizationStatus,
        /// Why.
        problem: Option<Box<Problem>>,
    },
    /// The order came to nothing.
    #[error("the order is {status}{}", said(problem.as_deref()))]
    Order {
        /// What became of it.
        status: OrderStatus,
        /// Why.
        problem: Option<Box<Problem>>,
    },
    /// The order is for something else than was asked for.
    #[error("the order is for other identifiers than was asked for")]
    Identifiers {
        /// What it is for.
        found: Vec<Identifier>,
    },
    /// The solver took none of the challenges.
    #[error("no challenge for {identifier} is one that can be taken")]
    Unsolved {
        /// What was to be proven.
        identifier: Identifier,
        /// The challenges that there were.
        offered: Vec<ChallengeType>,
    },
    /// The solver failed.
    #[error("the challenge could not be solved")]
    Solver(#[source] Arc<dyn error::Error + Send + Sync>),
    /// The server is not done and the client's patience is over. The same order may be completed later.
    #[error("the order is not done yet")]
    Pending {
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The certificate is not one that was asked for.
    #[error("the issued certificate {0}")]
    Certificate(&'static str),
    /// A request could not be signed.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// A key is none that ACME takes.
    #[error(transparent)]
    Jwk(#[from] JwkError),
    /// A certificate has no name for renewal.
    #[error(transparent)]
    CertId(#[from] CertIdError),
    /// A certificate, request or key could not be read or written.
    #[error(transparent)]
    Pki(#[from] mdm_pki::Error),
}

impl Error {
    /// What the server said, where it said something: to a request, of an identifier, of an order.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused { problem, .. } => Some(problem),
            Self::Authorization { problem, .. } | Self::Order { problem, .. } => problem.as_deref(),
            _ => None,
        }
    }

    /// Whether the server said so.
    pub fn is(&self, kind: &ErrorType) -> bool {
        self.problem().is_some_and(|problem| problem.kind == *kind)
    }

    /// Whether the server has refused for good; the same request will be refused again.
    pub fn is_refused(&self) -> bool {
        let refused = match self {
            Self::Status { status, .. } => status.is_client_error(),
            _ => self.problem().is_some(),
        };
        refused && !self.is_temporary()
    }

    /// Whether the same may be tried again later, after [`retry_after`](Self::retry_after) at the earliest.
    pub fn is_temporary(&self) -> bool {
        let passes = |status: &StatusCode| {
            status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
        };
        match self {
            Self::Refused {
                status, problem, ..
            } => {
                passes(status)
                    || matches!(
                        problem.kind,
                        ErrorType::BadNonce | ErrorType::RateLimited | ErrorType::ServerInternal
                    )
            }
            Self::Status { status, .. } => passes(status),
            Self::Transport(error) => error.kind() != TransportErrorKind::TooLarge,
            Self::Pending { .. } => true,
            Self::Jws(JwsError::Signing(KeyError::Unavailable(_))) => true,
            _ => false,
        }
    }

    /// How long the server asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. }
            | Self::Status { retry_after, .. }
            | Self::Pending { retry_after } => *retry_after,
            _ => None,
        }
    }
}

fn said(problem: Option<&Problem>) -> String {
    problem.map_or_else(String::new, |problem| format!(": {problem}"))
}
