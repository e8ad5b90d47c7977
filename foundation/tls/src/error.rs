//! Why a handshake or a stream failed, as a kind that code can act on.

use std::{fmt, io};

use openssl::{
    error::ErrorStack,
    ssl::{self, ErrorCode, SslAlert},
    x509::X509VerifyResult,
};

/// Why a TLS connection could not be made or went down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct Error {
    kind: ErrorKind,
    detail: String,
}

/// The reason of an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The peer's chain does not end in a trusted root, or a certificate in it is not acceptable.
    Untrusted,
    /// A certificate in the peer's chain has expired.
    Expired,
    /// A certificate in the peer's chain is not valid yet.
    NotYetValid,
    /// The server's certificate is for another DNS name or IP address.
    HostMismatch,
    /// The client showed no certificate, and one is required.
    NoCertificate,
    /// No application protocol in common.
    NoAlpn,
    /// No TLS version or cipher in common.
    NoCommonVersion,
    /// The peer refused with this alert.
    Alert(Alert),
    /// The connection below failed.
    Io(io::ErrorKind),
    /// The peer sent what is not TLS, or broke the protocol.
    Protocol,
    /// A setting cannot be used: identity, root, protocol or server name.
    Configuration,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, detail: String) -> Self {
        Self { kind, detail }
    }

    /// The reason.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the peer refused the certificate that we showed, or that we showed none.
    pub fn is_own_certificate_refused(&self) -> bool {
        matches!(self.kind, ErrorKind::Alert(alert) if alert.is_about_certificate())
    }

    /// The TLS reason inside an error of a [`TlsStream`](crate::TlsStream), where there is one.
    pub fn find(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// A failed handshake: what OpenSSL reports and how it judged the peer's chain.
    pub(crate) fn from_handshake(error: ssl::Error, verified: X509VerifyResult) -> Self {
        match verify_kind(verified) {
            Some(kind) if !is_alert(&error) => Self::new(kind, verified.error_string().to_owned()),
            _ => Self::from_ssl(&error),
        }
    }

    /// An error of the established stream, with OpenSSL's error replaced by ours.
    pub(crate) fn wrap(error: io::Error) -> io::Error {
        let Some(inner) = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<ssl::Error>())
        else {
            return error;
        };
        Self::from_ssl(inner).into_io()
    }

    pub(crate) fn into_io(self) -> io::Error {
        let kind = match self.kind {
            ErrorKind::Io(kind) => kind,
            _ if self.is_own_certificate_refused() => io::ErrorKind::PermissionDenied,
            ErrorKind::Alert(_) => io::ErrorKind::ConnectionAborted,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, self)
    }

    fn from_ssl(error: &ssl::Error) -> Self {
        if let Some(io) = error.io_error() {
            return Self::new(ErrorKind::Io(io.kind()), io.to_string());
        }
        match error.ssl_error() {
            Some(stack) => Self::from_stack(stack, ErrorKind::Protocol),
            None if error.code() == ErrorCode::SYSCALL => Self::cut_short(),
            None => Self::new(ErrorKind::Protocol, error.to_string()),
        }
    }

    fn from_stack(stack: &ErrorStack, otherwise: ErrorKind) -> Self {
        let Some(first) = stack
            .errors()
            .iter()
            .find(|error| error.library_code() == LIBRARY_SSL)
        else {
            return Self::new(otherwise, stack.to_string());
        };
        if let Some(alert) = Alert::from_reason(first.reason_code()) {
            return Self::new(
                ErrorKind::Alert(alert),
                "the peer ended the connection".to_owned(),
            );
        }
        let kind = match first.reason_code() {
            REASON_UNEXPECTED_EOF => return Self::cut_short(),
            REASON_NO_CERTIFICATE => ErrorKind::NoCertificate,
            REASON_NO_ALPN => ErrorKind::NoAlpn,
            REASON_UNSUPPORTED_PROTOCOL | REASON_NO_SHARED_CIPHER | REASON_NO_PROTOCOLS => {
                ErrorKind::NoCommonVersion
            }
            _ => otherwise,
        };
        let detail = first.reason().unwrap_or("unknown error in OpenSSL");
        Self::new(kind, detail.to_owned())
    }

    /// OpenSSL failing outside a handshake: a setting it does not take, or no memory.
    ///
    /// Not a `From`: that would put OpenSSL into the public API.
    pub(crate) fn openssl(stack: ErrorStack) -> Self {
        Self::new(ErrorKind::Configuration, stack.to_string())
    }

    pub(crate) fn cut_short() -> Self {
        Self::new(
            ErrorKind::Io(io::ErrorKind::UnexpectedEof),
            "the peer closed the connection without ending TLS".to_owned(),
        )
    }
}

/// Keeps a call of OpenSSL as short as a `From` for its error would.
pub(crate) trait Setup<T> {
    /// The value, or what OpenSSL says as [`ErrorKind::Configuration`].
    fn setup(self) -> Result<T, Error>;
}

impl<T> Setup<T> for Result<T, ErrorStack> {
    fn setup(self) -> Result<T, Error> {
        self.map_err(Error::openssl)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untrusted => "the peer's certificate is not trusted",
            Self::Expired => "the peer's certificate has expired",
            Self::NotYetValid => "the peer's certificate is not valid yet",
            Self::HostMismatch => "the server's certificate is for another host",
            Self::NoCertificate => "the client showed no certificate",
            Self::NoAlpn => "no application protocol in common",
            Self::NoCommonVersion => "no TLS version or cipher in common",
            Self::Alert(alert) => return write!(f, "refused by the peer with {alert}"),
            Self::Io(_) => "the connection failed",
            Self::Protocol => "TLS protocol error",
            Self::Configuration => "unusable TLS configuration",
        })
    }
}

/// An alert that the peer sent (RFC 8446 §6).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alert(u8);

impl Alert {
    /// The server could not negotiate acceptable parameters.
    pub const HANDSHAKE_FAILURE: Self = Self(40);
    /// A certificate is corrupt or its signature does not verify.
    pub const BAD_CERTIFICATE: Self = Self(42);
    /// A certificate is of an unsupported type.
    pub const UNSUPPORTED_CERTIFICATE: Self = Self(43);
    /// A certificate was revoked.
    pub const CERTIFICATE_REVOKED: Self = Self(44);
    /// A certificate has expired or is not valid.
    pub const CERTIFICATE_EXPIRED: Self = Self(45);
    /// A certificate is unacceptable for another reason.
    pub const CERTIFICATE_UNKNOWN: Self = Self(46);
    /// The chain ends in no authority that the peer knows.
    pub const UNKNOWN_CA: Self = Self(48);
    /// The certificate is valid, and access is denied.
    pub const ACCESS_DENIED: Self = Self(49);
    /// No TLS version in common.
    pub const PROTOCOL_VERSION: Self = Self(70);
    /// A client certificate is required.
    pub const CERTIFICATE_REQUIRED: Self = Self(116);
    /// No application protocol in common.
    pub const NO_APPLICATION_PROTOCOL: Self = Self(120);

    /// The alert's number on the wire.
    pub fn code(self) -> u8 {
        self.0
    }

    /// Whether it says that the certificate we showed, or that we showed none, is the reason.
    pub fn is_about_certificate(self) -> bool {
        matches!(self.0, 42..=46 | 48 | 49 | 116)
    }

    fn from_reason(reason: i32) -> Option<Self> {
        // 0 (close_notify) is an end and no error; OpenSSL counts alerts from 1000.
        SslAlert::from_reason_code(reason)?;
        u8::try_from(reason - REASON_ALERTS).ok().map(Self)
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            40 => "handshake_failure",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            112 => "unrecognized_name",
            116 => "certificate_required",
            120 => "no_application_protocol",
            code => return write!(f, "alert {code}"),
        };
        f.write_str(name)
    }
}

impl fmt::Debug for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alert({self})")
    }
}

fn is_alert(error: &ssl::Error) -> bool {
    error.ssl_error().is_some_and(|stack| {
        stack.errors().iter().any(|error| {
            error.library_code() == LIBRARY_SSL && Alert::from_reason(error.reason_code()).is_some()
        })
    })
}

fn verify_kind(verified: X509VerifyResult) -> Option<ErrorKind> {
    match verified.as_raw() {
        VERIFY_OK => None,
        VERIFY_NOT_YET_VALID => Some(ErrorKind::NotYetValid),
        VERIFY_EXPIRED => Some(ErrorKind::Expired),
        VERIFY_HOST_MISMATCH | VERIFY_IP_MISMATCH => Some(ErrorKind::HostMismatch),
        _ => Some(ErrorKind::Untrusted),
    }
}

// Numbers of OpenSSL (err.h, sslerr.h, x509_vfy.h) that its Rust crate gives no name; the same in
// 1.1.1 and 3.x.
const LIBRARY_SSL: i32 = 20;
const REASON_ALERTS: i32 = 1000;
const REASON_NO_PROTOCOLS: i32 = 191;
const REASON_NO_SHARED_CIPHER: i32 = 193;
const REASON_NO_CERTIFICATE: i32 = 199;
const REASON_NO_ALPN: i32 = 235;
const REASON_UNSUPPORTED_PROTOCOL: i32 = 258;
const REASON_UNEXPECTED_EOF: i32 = 294;
const VERIFY_OK: i32 = 0;
const VERIFY_NOT_YET_VALID: i32 = 9;
const VERIFY_EXPIRED: i32 = 10;
const VERIFY_HOST_MISMATCH: i32 = 62;
const VERIFY_IP_MISMATCH: i32 = 64;
