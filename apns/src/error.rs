//! Why a push has no outcome.

use std::{io, sync::Arc};

use chrono::{DateTime, Utc};
use mdm_transport::{BuildError, TransportError, TransportErrorKind};

use crate::{certificate::CertificateError, go_away, reason::Reason};

/// Why a push was not answered, or a connection not made. Never holds a token or a magic.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The push cannot be written as a request.
    #[error("the push cannot be sent")]
    Build(#[source] Arc<BuildError>),
    /// The push certificate cannot be used.
    #[error("the push certificate cannot be used")]
    Certificate(#[from] CertificateError),
    /// The random generator failed.
    #[error("no randomness for the push's id")]
    Random,
    /// The host's name was not found, or nobody there took the connection.
    #[error("no connection to the push service")]
    Connect(#[source] Arc<io::Error>),
    /// The TLS handshake failed: the server is not trusted, is another host, speaks no HTTP/2, or
    /// refused our certificate.
    #[error("no TLS connection to the push service")]
    Tls(#[source] mdm_tls::Error),
    /// The server refused the push certificate after the handshake, as TLS 1.3 has it.
    #[error("the push service refused the certificate: {detail}")]
    CertificateRefused {
        /// The TLS alert.
        detail: String,
    },
    /// The server said goodbye. Pushes that it had not begun are answered with this.
    #[error("the push service ended the connection (HTTP/2 error {code}{})", said(reason.as_ref()))]
    GoAway {
        /// The HTTP/2 error code (RFC 9113 §7); 0 for an orderly goodbye.
        code: u32,
        /// The reason that Apple puts into the frame's debug data.
        reason: Option<Reason>,
    },
    /// The server gave up this one push.
    #[error("the push service reset the push (HTTP/2 error {code})")]
    Reset {
        /// The HTTP/2 error code (RFC 9113 §7).
        code: u32,
    },
    /// The connection broke, or was closed without a word.
    #[error("the connection to the push service broke: {detail}")]
    Closed {
        /// What the system says.
        detail: String,
    },
    /// The server broke the rules of HTTP/2, or one of our limits.
    #[error("the push service broke the protocol: {detail}")]
    Protocol {
        /// What HTTP/2 makes of it.
        detail: String,
    },
    /// The deadline passed while the push waited for a free stream: it was never sent.
    #[error("the push was not sent: the push service took no more within the deadline")]
    NotSent,
    /// The deadline passed first. For a push this says nothing about the push's fate; it may be
    /// sent again.
    #[error("the push service did not answer within the deadline")]
    Deadline,
    /// The topic is broken, so nothing was sent: the service said so to an earlier push.
    #[error("no push for this topic is sent before {until}: {why}")]
    Paused {
        /// When the next push is sent, as a trial; earlier after
        /// [`Client::renew`](crate::Client::renew) or [`Client::resume`](crate::Client::resume).
        until: DateTime<Utc>,
        /// What the service had said.
        why: String,
    },
    /// The client was closed, or its [`Driver`](crate::Driver) dropped.
    #[error("the push client was closed, or nobody runs its driver")]
    Stopped,
    /// The vendor's own transport brought no answer.
    #[error("the push was not carried")]
    Transport(#[from] TransportError),
}

fn said(reason: Option<&Reason>) -> String {
    reason.map_or_else(String::new, |reason| format!(", {reason}"))
}

impl Error {
    /// Whether the same push may pass later or on another connection. A push is idempotent: to send
    /// it again is never wrong, only useless when this is false.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect(_)
            | Self::Reset { .. }
            | Self::Closed { .. }
            | Self::Deadline
            | Self::NotSent
            | Self::Protocol { .. }
            | Self::Random => true,
            // A connection ended over the certificate is ended again.
            Self::GoAway { .. } => !self.is_certificate_refused(),
            Self::Tls(error) => matches!(error.kind(), mdm_tls::ErrorKind::Io(_)),
            Self::Transport(error) => matches!(
                error.kind(),
                TransportErrorKind::Connect
                    | TransportErrorKind::Refused
                    | TransportErrorKind::Timeout
                    | TransportErrorKind::Interrupted
            ),
            Self::Build(_)
            | Self::Certificate(_)
            | Self::CertificateRefused { .. }
            | Self::Paused { .. }
            | Self::Stopped => false,
        }
    }

    /// Whether the server did not take our certificate.
    pub fn is_certificate_refused(&self) -> bool {
        match self {
            Self::CertificateRefused { .. } => true,
            Self::Tls(error) => error.is_own_certificate_refused(),
            Self::GoAway { reason, .. } => matches!(
                reason,
                Some(
                    Reason::BadCertificate | Reason::BadCertificateEnvironment | Reason::Forbidden
                )
            ),
            _ => false,
        }
    }

    /// Whether the connection is of no more use to any other push: it ended, or answers no more.
    pub(crate) fn is_connection_lost(&self) -> bool {
        !matches!(self, Self::Reset { .. } | Self::Build(_))
    }

    pub(crate) fn from_h2(error: &h2::Error) -> Self {
        if let Some(io) = error.get_io() {
            return Self::from_io(io);
        }
        let code = error.reason().map_or(0, u32::from);
        if error.is_remote() && error.is_go_away() {
            return Self::GoAway {
                code,
                reason: go_away::reason(&error.to_string()),
            };
        }
        if error.is_reset() && !error.is_library() {
            return Self::Reset { code };
        }
        Self::Protocol {
            detail: error.to_string(),
        }
    }

    fn from_io(error: &io::Error) -> Self {
        let detail = error.to_string();
        match error.kind() {
            // So `mdm_tls` marks an alert about our certificate; h2 keeps no more than the kind.
            io::ErrorKind::PermissionDenied => Self::CertificateRefused { detail },
            _ => Self::Closed { detail },
        }
    }
}

impl From<BuildError> for Error {
    fn from(error: BuildError) -> Self {
        Self::Build(Arc::new(error))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Connect(Arc::new(error))
    }
}
