//! What the operator hears: every certificate that left, and every refusal with its cause. The
//! client hears far less.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use mdm_pki::Certificate;

use crate::{
    attributes::{FailInfo, MessageType, TransactionId},
    authorize::RenewalRefusal,
    challenge::ChallengeRefusal,
    error::Error,
};

/// Something that happened in a server.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A certificate was issued and stored, and is about to leave.
    Issued {
        /// The exchange.
        transaction_id: &'a TransactionId,
        /// Whose enrolment it is.
        label: &'a str,
        /// The certificate.
        certificate: &'a Certificate,
    },
    /// A request came again and got the certificate of the first time.
    Repeated {
        /// The exchange.
        transaction_id: &'a TransactionId,
        /// Whose enrolment it is.
        label: &'a str,
        /// The certificate.
        certificate: &'a Certificate,
    },
    /// A request waits for a person; the client was told so.
    Pending {
        /// The exchange.
        transaction_id: &'a TransactionId,
        /// Whose enrolment it is.
        label: &'a str,
    },
    /// A query was answered: GetCert or GetCRL.
    Answered {
        /// The exchange.
        transaction_id: &'a TransactionId,
        /// Which.
        message_type: MessageType,
    },
    /// A request was refused.
    Refused {
        /// The exchange.
        transaction_id: &'a TransactionId,
        /// Why.
        refusal: &'a Refusal,
    },
    /// What came was no SCEP message that could be answered in kind.
    Unreadable {
        /// Why not.
        error: &'a Error,
    },
    /// Nothing could be decided or answered; the client was asked to come again.
    Unavailable {
        /// The exchange.
        transaction_id: &'a TransactionId,
        /// What failed.
        error: &'a Error,
    },
    /// Something happened in a server of ACME.
    #[cfg(feature = "acme")]
    Acme(&'a crate::acme::AcmeEvent<'a>),
    /// Somebody asked too often and was told to come later.
    Limited {
        /// Who, in the words of [`Peer`](crate::limit::Peer); empty where nobody said.
        peer: &'a str,
        /// How much later.
        wait: Duration,
    },
    /// A certificate of the authority or of its responder ends soon, or has ended; told once a day while requests
    /// come. Without a new one nothing will be issued from then on.
    Expiring {
        /// The certificate.
        certificate: &'a Certificate,
        /// The time now.
        now: DateTime<Utc>,
    },
}

/// Hears of events. Called while the client waits, so it should be quick.
pub trait Observer: fmt::Debug + Send + Sync {
    /// Something happened.
    fn observe(&self, event: &Event<'_>);
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn observe(&self, event: &Event<'_>) {
        (**self).observe(event);
    }
}

/// Writes events to `tracing`; the observer of a server that was given none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trace;

impl Observer for Trace {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Issued {
                transaction_id,
                label,
                certificate,
            } => tracing::info!(
                %transaction_id,
                label,
                serial = hex::encode(certificate.serial()),
                "certificate issued"
            ),
            Event::Repeated {
                transaction_id,
                label,
                certificate,
            } => tracing::info!(
                %transaction_id,
                label,
                serial = hex::encode(certificate.serial()),
                "certificate sent again"
            ),
            Event::Pending {
                transaction_id,
                label,
            } => tracing::info!(%transaction_id, label, "request pending"),
            Event::Answered {
                transaction_id,
                message_type,
            } => tracing::debug!(%transaction_id, %message_type, "query answered"),
            Event::Refused {
                transaction_id,
                refusal,
            } => tracing::warn!(%transaction_id, cause = %refusal, "request refused"),
            Event::Unreadable { error } => tracing::warn!(cause = %error, "no SCEP message"),
            Event::Unavailable {
                transaction_id,
                error,
            } => tracing::error!(%transaction_id, cause = %error, "request not decided"),
            #[cfg(feature = "acme")]
            Event::Acme(event) => event.trace(),
            Event::Limited { peer, wait } => {
                tracing::warn!(peer, seconds = wait.as_secs(), "too many requests");
            }
            Event::Expiring { certificate, now } => tracing::warn!(
                subject = %certificate.subject(),
                not_after = %certificate.not_after(),
                days = (certificate.not_after() - *now).num_days(),
                "the authority's certificate ends soon"
            ),
        }
    }
}

/// Why a server refused a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A type that this server does not serve.
    #[error("{0} is not served")]
    MessageType(MessageType),
    /// An attribute is missing or cannot be read.
    #[error("the attribute {0} is missing or malformed")]
    Attribute(&'static str),
    /// The message's signature does not hold, or its signer did not sign its own certificate.
    #[error("the message's signature does not hold")]
    Signature,
    /// A digest, cipher or key type that the policy does not allow.
    #[error("the algorithm is not allowed: {0}")]
    Algorithm(String),
    /// The envelope does not open, what is in it is no CSR, its proof of possession does not hold, or
    /// it belongs to another key than the message's. One refusal for all: which of them it was must
    /// not be told, or it helps to decrypt what others sent.
    #[error("the request in the envelope does not hold")]
    Envelope,
    /// The key is smaller or larger than the policy allows, or one that is ours.
    #[error("the key is not allowed: {0}")]
    Key(String),
    /// The challenge does not hold.
    #[error(transparent)]
    Challenge(ChallengeRefusal),
    /// No request of this transaction and key waits.
    #[error("no request of this transaction waits")]
    NotPending,
    /// No certificate answers to a query, or the query cannot be read.
    #[error("no certificate answers to the query")]
    NotFound,
    /// The certificate that signed does not renew itself.
    #[error(transparent)]
    Renewal(RenewalRefusal),
    /// The authority does not sign this.
    #[error("the authority refuses: {0}")]
    Authority(String),
}

impl Refusal {
    /// The reason that the client is told.
    pub fn fail_info(&self) -> FailInfo {
        match self {
            Self::Algorithm(_) => FailInfo::BadAlg,
            Self::Signature
            | Self::Envelope
            | Self::Renewal(RenewalRefusal::Subject { .. } | RenewalRefusal::Stranger) => {
                FailInfo::BadMessageCheck
            }
            Self::NotPending | Self::NotFound => FailInfo::BadCertId,
            Self::MessageType(_)
            | Self::Attribute(_)
            | Self::Key(_)
            | Self::Challenge(_)
            | Self::Renewal(_)
            | Self::Authority(_) => FailInfo::BadRequest,
        }
    }

    /// The text that the client is told: nothing about challenges and nothing from inside.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Challenge(ChallengeRefusal::Denied { .. }) => "the request was denied".to_owned(),
            Self::Challenge(_) => "the challenge is not accepted".to_owned(),
            // What the CSR in the envelope says, whoever sealed it, is not told.
            Self::Renewal(RenewalRefusal::Subject { .. }) => Self::Envelope.to_string(),
            Self::Renewal(_) => "the certificate does not renew itself".to_owned(),
            Self::Authority(_) => "the authority refuses the request".to_owned(),
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_operator_learns_the_cause_and_the_client_does_not() {
        let refusal = Refusal::Challenge(ChallengeRefusal::Expired {
            label: "Ada's Mac".to_owned(),
            age: Duration::from_secs(1000),
        });
        assert_eq!(
            refusal.to_string(),
            "the challenge for Ada's Mac expired: it was issued 1000 s ago"
        );
        let told = [
            refusal.text(),
            Refusal::Challenge(ChallengeRefusal::Unknown).text(),
            Refusal::Challenge(ChallengeRefusal::Missing).text(),
        ];
        assert!(
            told.iter()
                .all(|text| text == "the challenge is not accepted")
        );
        assert_eq!(refusal.fail_info(), FailInfo::BadRequest);
        assert!(
            !Refusal::Authority("HSM 7".to_owned())
                .text()
                .contains("HSM")
        );
    }
}
