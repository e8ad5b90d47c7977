//! The kinds of failure, each a word that stays.

/// The kinds of failure. Programs go by these words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The command line cannot be used.
    Usage,
    /// A file, or what it holds, cannot be used.
    Input,
    TokenExpired,
    TokenRevoked,
    TokenSuperseded,
    /// Apple knows neither token nor signature.
    Unauthorized,
    TermsNotSigned,
    AccessDenied,
    ProfileNotFound,
    Busy,
    /// Apple refused it for another reason, which is the code.
    Refused,
    /// No answer came.
    Unreachable,
    /// The answer is not one of Apple's.
    Unreadable,
    /// Apple answered, and not for every device as hoped.
    Devices,
    /// Asked for too early, or while another program is at it.
    NotNow,
    /// Somebody wanted the program to end.
    Interrupted,
    /// The store says no.
    Store,
    /// The certificate is not the right one, or nears its end.
    Certificate,
    /// The attestation is missing, or is not believed.
    Attestation,
    /// The push service did not take the push.
    Push,
    /// Another certificate, or another signer, than the trusted one.
    Untrusted,
    /// A person has to decide first.
    Pending,
    /// What a server offers is too weak, or nothing that Apple's client takes.
    Unsuitable,
    /// Nothing of the above.
    Other,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Input => "input",
            Self::TokenExpired => "token_expired",
            Self::TokenRevoked => "token_revoked",
            Self::TokenSuperseded => "token_superseded",
            Self::Unauthorized => "unauthorized",
            Self::TermsNotSigned => "terms_not_signed",
            Self::AccessDenied => "access_denied",
            Self::ProfileNotFound => "profile_not_found",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Unreadable => "unreadable",
            Self::Devices => "devices",
            Self::NotNow => "not_now",
            Self::Interrupted => "interrupted",
            Self::Store => "store",
            Self::Certificate => "certificate",
            Self::Attestation => "attestation",
            Self::Push => "push",
            Self::Untrusted => "untrusted",
            Self::Pending => "pending",
            Self::Unsuitable => "unsuitable",
            Self::Other => "other",
        }
    }

    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Usage | Self::Input => 2,
            _ => 1,
        }
    }
}
