//! What kind of failure it is, as a word that stays, and what to do next.

use std::fmt::Write;

use ade_client::{Error, ErrorCode, Refusal, TokenError};
use chrono::Utc;
use mdm_transport::TransportErrorKind;

use crate::kind::Kind;

/// What kind of failure it is.
pub(crate) fn of_service(error: &Error) -> Kind {
    match error {
        Error::Token(_) | Error::Build(_) => Kind::Input,
        Error::Transport(_) | Error::NoSession => Kind::Unreachable,
        Error::Decode { .. } => Kind::Unreadable,
        Error::Store(_) => Kind::Store,
        Error::Refused(Refusal::TooSoon { .. } | Refusal::UnderWay { .. } | Refusal::LeaseLost) => {
            Kind::NotNow
        }
        Error::Refused(Refusal::ExpiredToken) => Kind::TokenExpired,
        Error::Refused(_) => Kind::Input,
        Error::Api(_) => of_apple(error),
        _ => Kind::Other,
    }
}

type Question = fn(&Error) -> bool;

fn of_apple(error: &Error) -> Kind {
    let questions: [(Question, Kind); 8] = [
        (Error::is_token_expired, Kind::TokenExpired),
        (Error::is_token_revoked, Kind::TokenRevoked),
        (Error::is_token_superseded, Kind::TokenSuperseded),
        (Error::is_terms_not_signed, Kind::TermsNotSigned),
        (is_access_denied, Kind::AccessDenied),
        (Error::is_profile_not_found, Kind::ProfileNotFound),
        (Error::is_busy, Kind::Busy),
        (Error::is_unauthorized, Kind::Unauthorized),
    ];
    let found = questions.into_iter().find(|(question, _)| question(error));
    found.map_or(Kind::Refused, |(_, kind)| kind)
}

fn is_access_denied(error: &Error) -> bool {
    error.code() == Some(&ErrorCode::AccessDenied)
}

const NOT_APPLE: &str = "check --url: what answers there is perhaps not Apple's service";

/// What to do next; empty where nobody knows better than the reader.
pub(crate) fn for_service(error: &Error, kind: Kind) -> String {
    let fixed = match kind {
        Kind::TokenExpired => {
            "the token's year is over: download a new one in Apple Business Manager or Apple School \
             Manager, under the server's settings, and use that"
        }
        Kind::TokenRevoked => {
            "Apple no longer accepts the token: the administrator who downloaded it is gone or changed \
             the password, or the server was deleted; download a new one in Apple's portal"
        }
        Kind::TokenSuperseded => {
            "only the token that was downloaded last works: use that file, or download a new one in \
             Apple's portal"
        }
        Kind::Unauthorized => {
            "Apple does not know the token, or this machine's clock is wrong: check the clock, then the \
             file; else download a new token in Apple's portal"
        }
        Kind::TermsNotSigned => {
            "an administrator has to sign in to Apple Business Manager or Apple School Manager and \
             accept the new terms and conditions; then try again"
        }
        Kind::AccessDenied => {
            "the server may not do this; for disowning, allow it to release devices in its settings in \
             Apple's portal"
        }
        Kind::ProfileNotFound => {
            "define the profile first with `mdmtool ade profile define`; `mdmtool ade devices` shows \
             those in use"
        }
        Kind::Unreadable => NOT_APPLE,
        Kind::Busy => return busy(error),
        _ => return for_particular(error).to_owned(),
    };
    fixed.to_owned()
}

fn busy(error: &Error) -> String {
    let wait = error.api().and_then(|api| api.retry_after(Utc::now()));
    let mut next = "try again ".to_owned();
    let _ = match wait {
        Some(wait) => write!(next, "in {} seconds", wait.as_secs()),
        None => write!(next, "in a quarter of an hour"),
    };
    next
}

fn for_particular(error: &Error) -> &'static str {
    match error {
        Error::Token(error) => for_token(error),
        Error::Transport(error) => match error.kind() {
            TransportErrorKind::Connect => {
                "check the network, the proxy and --url; a server with an authority of its own needs --ca"
            }
            TransportErrorKind::TooLarge | TransportErrorKind::Decode => NOT_APPLE,
            _ => "try again; what was asked for may have happened all the same",
        },
        Error::Build(_) => "check the command line",
        Error::Refused(refusal) => for_refusal(refusal),
        Error::Store(_) => {
            "check that --store names a file that may be written, and that is not another program's"
        }
        Error::Api(api) => api.code.as_ref().map_or(NOT_APPLE, for_code),
        _ => "",
    }
}

fn for_token(error: &TokenError) -> &'static str {
    match error {
        TokenError::WrongKey => {
            "give by --key the key whose certificate was uploaded before this token was downloaded"
        }
        TokenError::Key(_) => "give by --key a private key, PEM or DER, without a password",
        _ => "give the token file as it was downloaded from Apple's portal",
    }
}

fn for_refusal(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NoToken => "give one by --token",
        Refusal::OtherServer => {
            "the store belongs to another server: take another --store or another --account, or --force \
             to let this server take its place"
        }
        Refusal::OtherConsumerKey => {
            "if another administrator downloaded it, that is as it should be: take it with --force"
        }
        Refusal::OlderToken => "give by --token the file that was downloaded last",
        Refusal::TooSoon { .. } => {
            "wait until then: a sync that is asked for comes --manual-every after the one before, and \
             after trouble Apple is left alone for a while; a new token ends that"
        }
        Refusal::UnderWay { .. } => "wait until it is done",
        Refusal::LeaseLost => "another program works with this store: let one of them be",
        _ => "",
    }
}

fn for_code(code: &ErrorCode) -> &'static str {
    match code {
        ErrorCode::AppleSeedTurnedOff => "switch AppleSeed for IT on in Apple's portal",
        ErrorCode::UserAgentMissing | ErrorCode::UserAgentInvalid => {
            "Apple refuses this program's name: a newer version may be needed"
        }
        ErrorCode::ConfigNameRequired | ErrorCode::ConfigNameInvalid => {
            "give profile_name 1 to 125 bytes"
        }
        ErrorCode::ConfigUrlRequired | ErrorCode::ConfigUrlInvalid => {
            "give url an https URL of at most 2000 bytes"
        }
        ErrorCode::DepartmentRequired | ErrorCode::DepartmentInvalid => {
            "give department 1 to 125 bytes"
        }
        ErrorCode::FlagsInvalid => "is_mdm_removable: false needs is_supervised: true",
        ErrorCode::LocaleInvalid => "language is a code such as en, region one such as GB",
        ErrorCode::MagicInvalid => "give org_magic at most 256 bytes",
        ErrorCode::SupportEmailInvalid => "give support_email_address at most 250 bytes",
        ErrorCode::SupportPhoneRequired | ErrorCode::SupportPhoneInvalid => {
            "give support_phone_number 1 to 50 bytes"
        }
        ErrorCode::MalformedRequestBody => "check that each value is of the type that Apple takes",
        ErrorCode::NotFound | ErrorCode::DeviceNotFound => "check the serial numbers",
        ErrorCode::InvalidCursor | ErrorCode::ExpiredCursor => "start again",
        _ => "",
    }
}
