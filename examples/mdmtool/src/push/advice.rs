//! What a push that was not taken means, and what to do next.

use chrono::SecondsFormat;
use mdm_apns::{Error, Outcome};
use mdm_tls::ErrorKind;

use crate::kind::Kind;

/// The outcome as a word that stays.
pub(super) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered { .. } => "delivered",
        Outcome::DeadToken { .. } => "dead_token",
        Outcome::RetryAfter { .. } => "retry_after",
        Outcome::TopicBroken(_) => "topic_broken",
        Outcome::Misconfigured(_) => "misconfigured",
        _ => "unknown",
    }
}

/// What to do after an answer that is no success.
pub(super) fn after(outcome: &Outcome) -> String {
    let fixed = match outcome {
        Outcome::DeadToken { since, .. } => {
            let since = since.map_or_else(
                || "this answer".to_owned(),
                |since| since.to_rfc3339_opts(SecondsFormat::Secs, true),
            );
            return format!(
                "take the device for gone, unless its last TokenUpdate came after {since}: then push \
                 to the token in that"
            );
        }
        Outcome::RetryAfter { delay, .. } => {
            return format!("try again in {} seconds", delay.as_secs());
        }
        Outcome::TopicBroken(_) => {
            "stop all pushes of this topic: look at the certificate with `mdmtool push cert info`; \
             it may be revoked, or for the other environment"
        }
        Outcome::Misconfigured(rejection) if rejection.is_token_suspect() => {
            "unenrol nobody for it: the token is of another topic or environment, so look at the \
             certificate and at --host first"
        }
        Outcome::Misconfigured(_) => "do not send it again: something on the way changes pushes",
        _ => "this answer is not one that Apple documents: check --host",
    };
    fixed.to_owned()
}

/// What kind of failure it is to have no answer.
pub(super) fn kind(error: &Error) -> Kind {
    match error {
        Error::Certificate(_) => Kind::Certificate,
        Error::Build(_) => Kind::Input,
        error if error.is_certificate_refused() => Kind::Certificate,
        Error::Tls(tls) if tls.kind() == ErrorKind::Configuration => Kind::Input,
        Error::Random | Error::Stopped => Kind::Other,
        Error::Protocol { .. } => Kind::Unreadable,
        _ => Kind::Unreachable,
    }
}

/// What to do where there was no answer.
pub(super) fn next(error: &Error) -> &'static str {
    match error {
        Error::Certificate(_) => "renew the certificate: see `mdmtool push cert info`",
        Error::Build(_) => "check token, magic and --host",
        error if error.is_certificate_refused() => {
            "the service does not take the certificate: look at it with `mdmtool push cert info`, and \
             check --host"
        }
        Error::Tls(_) => {
            "check --host and --port; a server with an authority of its own needs --ca"
        }
        Error::Connect(_) => {
            "check the network, --host and --port; where 443 is closed, 2197 may be open, or --proxy \
             leads out"
        }
        Error::Protocol { .. } => "check --host and --port: what answers there is no push service",
        _ => "try again: to send a push twice does no harm",
    }
}
