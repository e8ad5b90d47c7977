//! What kind of failure it is, and what to do next.

use mdm_scep::acme::{client::Error, problem::ErrorType};
use mdm_transport::TransportErrorKind;
use mdmtool::one_line;

use crate::{failure::Failure, kind::Kind};

/// What went wrong with a server, as a failure.
pub(super) fn of_server(error: &Error) -> Failure {
    Failure::told(kind(error), one_line(error), next(error))
}

fn kind(error: &Error) -> Kind {
    match error {
        Error::Url(_) | Error::Jwk(_) | Error::Jws(_) | Error::Pki(_) => Kind::Input,
        Error::Transport(error) => match error.kind() {
            TransportErrorKind::Decode | TransportErrorKind::TooLarge => Kind::Unreadable,
            _ => Kind::Unreachable,
        },
        Error::Pending { .. } => Kind::Pending,
        error if error.is_temporary() => Kind::Busy,
        error if error.is(&ErrorType::BadAttestationStatement) => Kind::Attestation,
        Error::Refused { .. } | Error::Authorization { .. } | Error::Order { .. } => Kind::Refused,
        Error::Unsolved { .. } | Error::NotOffered(_) => Kind::Unsuitable,
        Error::Certificate(_) => Kind::Untrusted,
        Error::Solver(_) => Kind::Other,
        _ => Kind::Unreadable,
    }
}

fn next(error: &Error) -> &'static str {
    match error {
        Error::Url(_) => "give by --directory an https URL; --insecure takes http, for tests",
        Error::Jwk(_) | Error::Jws(_) | Error::Pki(_) => "give an RSA or EC key that can sign",
        Error::Transport(error) => match error.kind() {
            TransportErrorKind::Connect => {
                "check the network, the proxy and --directory; a server with an authority of its own for TLS \
                 needs --root"
            }
            TransportErrorKind::Decode | TransportErrorKind::TooLarge => NO_ACME,
            _ => AGAIN,
        },
        Error::Pending { .. } => AGAIN,
        error if error.is_temporary() => AGAIN,
        Error::Unsolved { .. } => {
            "of the ways in which the server wants it proven, --attestation is for devices and --http-01 for host \
             names"
        }
        Error::Certificate(_) => "tell the server's operator",
        error => error
            .problem()
            .map_or(NO_ACME, |problem| after(&problem.kind)),
    }
}

const NO_ACME: &str = "check --directory: what answers there is perhaps no ACME server";
const AGAIN: &str = "try again later with the same command: it goes on with its order";

fn after(kind: &ErrorType) -> &'static str {
    match kind {
        ErrorType::BadAttestationStatement => {
            "the attestation has to be of this key and this device, for the token of this order: begin anew with \
             the same command"
        }
        ErrorType::RejectedIdentifier | ErrorType::UnsupportedIdentifier => {
            "the server does not certify this identifier: check --identifier with its operator"
        }
        ErrorType::ExternalAccountRequired => {
            "give by --eab-kid and --eab-key-file what the server's operator handed out"
        }
        ErrorType::UserActionRequired => "read the server's terms, and agree with --agree-tos",
        ErrorType::BadCsr => "check --subject and --key with the server's operator",
        ErrorType::Connection | ErrorType::Dns | ErrorType::IncorrectResponse => {
            "the server looks at port 80 of the name itself: what answers there has to lead to --http-01"
        }
        _ => "begin anew with the same command; if it happens again, ask the server's operator",
    }
}
