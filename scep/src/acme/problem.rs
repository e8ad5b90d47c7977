//! What a server says when it refuses (RFC 7807; RFC 8555 section 6.7).

use std::fmt;

use http::StatusCode;
use mdm_core::open_enum;
use serde::{Deserialize, Serialize};

use super::{identifier::Identifier, json};

open_enum! {
    /// What went wrong. An unknown type is kept.
    #[derive(Default)]
    pub enum ErrorType {
        /// The account that the request names is none.
        AccountDoesNotExist = "urn:ietf:params:acme:error:accountDoesNotExist",
        /// The order names a predecessor that another order has replaced (RFC 9773 section 7.4).
        AlreadyReplaced = "urn:ietf:params:acme:error:alreadyReplaced",
        /// The certificate is revoked already.
        AlreadyRevoked = "urn:ietf:params:acme:error:alreadyRevoked",
        /// The device's attestation does not hold (draft-ietf-acme-device-attest section 8.3).
        BadAttestationStatement = "urn:ietf:params:acme:error:badAttestationStatement",
        /// The CSR is not acceptable: of a weak key, for example, or of another than the attested one.
        BadCsr = "urn:ietf:params:acme:error:badCSR",
        /// The anti-replay nonce is unknown or spent; the answer carries a fresh one.
        BadNonce = "urn:ietf:params:acme:error:badNonce",
        /// The request is signed by a kind of key that is not taken.
        BadPublicKey = "urn:ietf:params:acme:error:badPublicKey",
        /// This reason for a revocation is not taken.
        BadRevocationReason = "urn:ietf:params:acme:error:badRevocationReason",
        /// The request is signed with an algorithm that is not taken; [`Problem::algorithms`] lists those that are.
        BadSignatureAlgorithm = "urn:ietf:params:acme:error:badSignatureAlgorithm",
        /// CAA records forbid to issue.
        Caa = "urn:ietf:params:acme:error:caa",
        /// [`Problem::subproblems`] say what.
        Compound = "urn:ietf:params:acme:error:compound",
        /// The server could not connect to what it had to validate.
        Connection = "urn:ietf:params:acme:error:connection",
        /// A name could not be looked up.
        Dns = "urn:ietf:params:acme:error:dns",
        /// A new account needs an external account binding.
        ExternalAccountRequired = "urn:ietf:params:acme:error:externalAccountRequired",
        /// The response to the challenge was not the expected one.
        IncorrectResponse = "urn:ietf:params:acme:error:incorrectResponse",
        /// A contact is no proper URL of its kind.
        InvalidContact = "urn:ietf:params:acme:error:invalidContact",
        /// The request is malformed.
        Malformed = "urn:ietf:params:acme:error:malformed",
        /// The order cannot be finalized in its present state.
        OrderNotReady = "urn:ietf:params:acme:error:orderNotReady",
        /// Too many requests of this kind.
        RateLimited = "urn:ietf:params:acme:error:rateLimited",
        /// No certificate is issued for this identifier.
        RejectedIdentifier = "urn:ietf:params:acme:error:rejectedIdentifier",
        /// The server failed.
        ServerInternal = "urn:ietf:params:acme:error:serverInternal",
        /// TLS failed while validating.
        Tls = "urn:ietf:params:acme:error:tls",
        /// The account may not do this.
        Unauthorized = "urn:ietf:params:acme:error:unauthorized",
        /// This kind of contact is not taken.
        UnsupportedContact = "urn:ietf:params:acme:error:unsupportedContact",
        /// No certificate is issued for this kind of identifier.
        UnsupportedIdentifier = "urn:ietf:params:acme:error:unsupportedIdentifier",
        /// A person has to visit [`Problem::instance`] first.
        UserActionRequired = "urn:ietf:params:acme:error:userActionRequired",
        /// Nothing more than the HTTP status says (RFC 7807 section 4.2).
        #[default]
        AboutBlank = "about:blank",
    }
}

impl ErrorType {
    /// The HTTP status that goes with it.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized
            | Self::OrderNotReady
            | Self::UserActionRequired
            | Self::Caa
            | Self::ExternalAccountRequired => StatusCode::FORBIDDEN,
            Self::AlreadyReplaced => StatusCode::CONFLICT,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::ServerInternal => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The name without the namespace of ACME, where it has that: `badNonce`.
    pub fn short(&self) -> &str {
        let text = self.as_str();
        text.strip_prefix("urn:ietf:params:acme:error:")
            .unwrap_or(text)
    }
}

/// A problem document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Problem {
    /// What went wrong.
    #[serde(rename = "type", default)]
    pub kind: ErrorType,
    /// A summary of the type, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What went wrong this time, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Where to read on, or to do what is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What it is about: in [`subproblems`](Self::subproblems) alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<Identifier>,
    /// The algorithms that are taken, with [`ErrorType::BadSignatureAlgorithm`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub algorithms: Vec<String>,
    /// What is wrong with each of several identifiers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subproblems: Vec<Problem>,
}

/// The longest problem document read, in bytes.
pub const MAX_PROBLEM: usize = 64 << 10;
/// How much of a detail is shown by `Display`, in characters.
const SHOWN: usize = 300;

impl Problem {
    /// A problem of this type, with its status.
    pub fn new(kind: ErrorType, detail: impl Into<String>) -> Self {
        Self {
            status: Some(kind.status().as_u16()),
            detail: Some(detail.into()),
            kind,
            ..Self::default()
        }
    }

    /// The problem with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Reads a problem document; `None` for what is none, or longer than [`MAX_PROBLEM`].
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let bounded = (json.len() <= MAX_PROBLEM).then_some(json)?;
        json::read(bounded).ok()
    }

    /// The document as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        // Nothing in it can fail to be written: no map, no number but a status.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The status of the answer that carries it: its own, where that is one of an error, else its type's.
    pub fn status_code(&self) -> StatusCode {
        self.status
            .and_then(|status| StatusCode::from_u16(status).ok())
            .filter(|status| status.is_client_error() || status.is_server_error())
            .unwrap_or_else(|| self.kind.status())
    }
}

/// One line, bounded and without control characters, since a peer wrote it.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.short().escape_debug())?;
        if let Some(detail) = &self.detail {
            let shown: String = detail.chars().take(SHOWN).collect();
            write!(f, ": {}", shown.escape_debug())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_with_its_subproblems_and_unknown_types() {
        let json = br#"{
            "type": "urn:ietf:params:acme:error:compound", "detail": "two", "status": 403, "more": [1],
            "subproblems": [
                {"type": "urn:ietf:params:acme:error:caa", "identifier": {"type": "dns", "value": "a.example"}},
                {"type": "https://ca.example/e/7", "detail": "seven"}
            ]}"#;
        let problem = Problem::from_json(json).unwrap();
        assert_eq!(problem.kind, ErrorType::Compound);
        assert_eq!(problem.status_code(), 403);
        let [first, second] = &problem.subproblems[..] else {
            panic!("not two");
        };
        assert_eq!(first.identifier, Some(Identifier::dns("a.example")));
        assert_eq!(second.kind.as_str(), "https://ca.example/e/7");
        assert_eq!(Problem::from_json(&problem.to_json()), Some(problem));
    }

    #[test]
    fn what_is_made_has_the_status_of_its_type() {
        let problem = Problem::new(ErrorType::BadNonce, "spent");
        let json = String::from_utf8(problem.to_json()).unwrap();
        assert_eq!(
            json,
            r#"{"type":"urn:ietf:params:acme:error:badNonce","detail":"spent","status":400}"#
        );
        for (kind, status) in [
            (ErrorType::RateLimited, 429),
            (ErrorType::AlreadyReplaced, 409),
            (ErrorType::Unauthorized, 403),
            (ErrorType::ServerInternal, 500),
            (ErrorType::from("urn:x"), 400),
        ] {
            assert_eq!(Problem::new(kind, "").status_code(), status);
        }
        let odd = Problem::new(ErrorType::Malformed, "").with(|problem| problem.status = Some(200));
        assert_eq!(odd.status_code(), 400, "an error is no success");
    }

    #[test]
    fn what_is_no_document_or_too_long_is_none() {
        assert_eq!(Problem::from_json(b"<html>"), None);
        assert_eq!(Problem::from_json(b"[]"), None);
        assert!(Problem::from_json(b"{}").is_some());
        let long = format!(r#"{{"detail":"{}"}}"#, "a".repeat(MAX_PROBLEM));
        assert_eq!(Problem::from_json(long.as_bytes()), None);
        let deep = format!(
            "{}{}",
            r#"{"subproblems":["#.repeat(2000),
            "]}".repeat(2000)
        );
        assert_eq!(Problem::from_json(deep.as_bytes()), None);
    }

    #[test]
    fn what_is_shown_is_one_bounded_line() {
        let detail = format!("a\r\n\u{1b}[31m{}", "x".repeat(9000));
        let shown = Problem::new(ErrorType::Malformed, detail).to_string();
        assert!(shown.starts_with(r"malformed: a\r\n\u{1b}[31mx"), "{shown}");
        assert!(shown.len() < 400 && !shown.contains(char::is_control));
    }
}
