//! What can go wrong in messages and on the client's side. A server's reasons for a refusal are
//! [`Refusal`](crate::event::Refusal).

use bytes::Bytes;
use http::StatusCode;
use mdm_transport::{TransportError, TransportErrorKind};

use crate::{
    attributes::{FailInfo, TransactionId},
    ca::IssueError,
    capability::Capability,
    store::StoreError,
};

/// Why an exchange or one of its parts failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not an absolute `http` or `https` URL.
    #[error("the URL cannot be used for SCEP: {0}")]
    Url(&'static str),
    /// A part was put together in a way that cannot work.
    #[error("{0}")]
    Configuration(&'static str),
    /// No answer came.
    #[error("no answer came")]
    Transport(#[from] TransportError),
    /// The server answered with an HTTP error.
    #[error("the server answered with HTTP status {status}")]
    Status {
        /// The status.
        status: StatusCode,
        /// The answer's body.
        body: Bytes,
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
    /// A certificate, key or CMS structure could not be read or written.
    #[error(transparent)]
    Pki(#[from] mdm_pki::Error),
    /// An attribute of the message is missing or malformed.
    #[error("the attribute {0} is missing or malformed")]
    Attribute(&'static str),
    /// The message has no part that its kind must have.
    #[error("the message has no {0}")]
    Missing(&'static str),
    /// The message's signature does not hold.
    #[error("the message's signature does not hold")]
    Signature,
    /// The peer uses, or would need, an algorithm that the policy does not allow.
    #[error("the algorithm is not allowed: {0}")]
    Algorithm(String),
    /// The server lacks what the exchange needs.
    #[error("the server does not offer {0}")]
    Capability(Capability),
    /// None of the certificates from GetCACert is the trusted one.
    #[error("the server's certificates are not the trusted ones")]
    Untrusted,
    /// The answer is signed by a certificate that GetCACert did not return.
    #[error("the answer is signed by another than the server")]
    Signer,
    /// The answer belongs to another request.
    #[error("the answer's {0} is not the request's")]
    Mismatch(&'static str),
    /// The answer's certificate is not one that was asked for.
    #[error("the issued certificate {0}")]
    Certificate(&'static str),
    /// The answer's revocation list is not to be believed.
    #[error("the revocation list {0}")]
    RevocationList(&'static str),
    /// The server refused the request.
    #[error("the server refused the request: {fail_info}{}", text.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Refused {
        /// Why.
        fail_info: FailInfo,
        /// Why, in the server's words.
        text: Option<String>,
    },
    /// A person has to decide first.
    #[error("the request {transaction_id} is pending")]
    Pending {
        /// The exchange to ask about later.
        transaction_id: TransactionId,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The authority failed.
    #[error(transparent)]
    Authority(#[from] IssueError),
}

impl Error {
    /// Whether the server itself refused; the same request will be refused again.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// Whether the same request may be sent again later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Transport(error) => error.kind() != TransportErrorKind::TooLarge,
            Self::Pending { .. } | Self::Store(StoreError::Unavailable(_)) => true,
            _ => false,
        }
    }

    pub(crate) fn content(expected: &'static str, body: &[u8]) -> Self {
        Self::Content {
            expected,
            body: Bytes::copy_from_slice(body),
        }
    }
}
