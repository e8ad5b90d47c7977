//! What kind of failure it is, and what to do next.

use http::StatusCode;
use mdm_scep::{Error, FailInfo};
use mdm_transport::TransportErrorKind;
use mdmtool::one_line;

use crate::{failure::Failure, kind::Kind};

/// What went wrong with a server, as a failure.
pub(super) fn of_server(error: &Error) -> Failure {
    Failure::told(kind(error), one_line(error), next(error))
}

fn kind(error: &Error) -> Kind {
    match error {
        Error::Url(_) | Error::Configuration(_) => Kind::Input,
        Error::Transport(error) => match error.kind() {
            TransportErrorKind::Decode | TransportErrorKind::TooLarge => Kind::Unreadable,
            _ => Kind::Unreachable,
        },
        Error::Status { .. } if error.is_temporary() => Kind::Busy,
        Error::Untrusted | Error::Signer | Error::Certificate(_) | Error::RevocationList(_) => {
            Kind::Untrusted
        }
        Error::Algorithm(_) | Error::Capability(_) => Kind::Unsuitable,
        Error::Refused { .. } => Kind::Refused,
        Error::Pending { .. } => Kind::Pending,
        Error::Store(_) => Kind::Store,
        Error::Authority(_) => Kind::Other,
        _ => Kind::Unreadable,
    }
}

fn next(error: &Error) -> &'static str {
    match error {
        Error::Url(_) | Error::Configuration(_) => "correct the command line",
        Error::Transport(error) => match error.kind() {
            TransportErrorKind::Connect => {
                "check the network, the proxy and --url; a server with an authority of its own for TLS needs \
                 --tls-ca"
            }
            TransportErrorKind::Decode | TransportErrorKind::TooLarge => NO_SCEP,
            _ => "try again with the same command: it is the same request",
        },
        Error::Status { status, .. } if *status == StatusCode::NOT_FOUND => NO_SCEP,
        Error::Status { .. } if error.is_temporary() => {
            "try again later with the same command: it is the same request"
        }
        Error::Untrusted => {
            "look at the server with `mdmtool scep caps`, and compare the fingerprint with the one that its \
             operator gives out"
        }
        Error::Signer => {
            "somebody on the way may have answered: look at the server with `mdmtool scep caps`"
        }
        Error::Certificate(_) | Error::RevocationList(_) => "tell the server's operator",
        Error::Algorithm(_) => {
            "weak ones are allowed one by one, by --sha1, --triple-des and --legacy-des; better to have the \
             server's operator change its settings"
        }
        Error::Capability(_) => {
            "look at the server with `mdmtool scep caps`: it lists too little for this request"
        }
        Error::Refused { fail_info, .. } => refused(*fail_info),
        Error::Pending { .. } => {
            "once it is approved, fetch the certificate with the same command; --poll waits for it"
        }
        Error::Store(_) | Error::Authority(_) => "",
        _ => NO_SCEP,
    }
}

const NO_SCEP: &str = "check --url: what answers there is perhaps no SCEP server";

fn refused(reason: FailInfo) -> &'static str {
    match reason {
        FailInfo::BadAlg => {
            "the server does not take this digest, cipher or key: try another --key"
        }
        FailInfo::BadMessageCheck => {
            "a renewal has to be signed by a certificate of this server for the same subject; otherwise ask the \
             server's operator"
        }
        FailInfo::BadTime => "check this machine's clock",
        FailInfo::BadCertId => "the server knows no such request any more: ask anew",
        _ => {
            "as a rule the challenge is wrong, spent, too old or for another subject: get a new one; the server's \
             log knows"
        }
    }
}
