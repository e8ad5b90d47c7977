//! What the operator hears of ACME: more than the client does, and no token, nonce or identifier of a device.

use mdm_pki::{Certificate, RevocationReason};

use crate::{
    acme::{
        problem::Problem,
        store::{AccountId, OrderId},
    },
    error::Error,
};

/// Something that happened in a server of ACME.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcmeEvent<'a> {
    /// An account was made.
    #[non_exhaustive]
    AccountMade {
        /// The account.
        account: &'a AccountId,
        /// The account elsewhere that it is bound to.
        external: Option<&'a str>,
    },
    /// An account was given up by its holder.
    #[non_exhaustive]
    AccountDeactivated {
        /// The account.
        account: &'a AccountId,
    },
    /// An account has another key now.
    #[non_exhaustive]
    KeyChanged {
        /// The account.
        account: &'a AccountId,
    },
    /// An order was made.
    #[non_exhaustive]
    Ordered {
        /// The order.
        order: &'a OrderId,
        /// Whose it is.
        account: &'a AccountId,
        /// Whose enrolment it is.
        label: &'a str,
    },
    /// An authorisation was asked for ahead of any order.
    #[non_exhaustive]
    PreAuthorization {
        /// What events of its proof call the order.
        order: &'a OrderId,
        /// Whose it is.
        account: &'a AccountId,
        /// The host name.
        label: &'a str,
    },
    /// An identifier was proven.
    #[non_exhaustive]
    Proven {
        /// The order.
        order: &'a OrderId,
        /// Whose enrolment it is.
        label: &'a str,
        /// Whether Apple vouches for the key.
        attested: bool,
    },
    /// A challenge failed.
    #[non_exhaustive]
    NotProven {
        /// The order.
        order: &'a OrderId,
        /// Whose enrolment it is.
        label: &'a str,
        /// Why.
        cause: &'a str,
    },
    /// A certificate was issued and stored.
    #[non_exhaustive]
    Issued {
        /// The order.
        order: &'a OrderId,
        /// Whose enrolment it is.
        label: &'a str,
        /// The certificate.
        certificate: &'a Certificate,
    },
    /// An order that was finalized will have no certificate.
    #[non_exhaustive]
    NotIssued {
        /// The order.
        order: &'a OrderId,
        /// Whose enrolment it is.
        label: &'a str,
        /// Why.
        cause: &'a str,
    },
    /// A certificate was revoked.
    #[non_exhaustive]
    Revoked {
        /// The certificate.
        certificate: &'a Certificate,
        /// The account that asked for it; none where the certificate's own key did.
        account: Option<&'a AccountId>,
        /// Why.
        reason: RevocationReason,
    },
    /// A request was refused.
    #[non_exhaustive]
    Refused {
        /// What the client was told.
        problem: &'a Problem,
    },
    /// Something could not be decided or done now; the client was asked to come again.
    #[non_exhaustive]
    Unavailable {
        /// What failed.
        error: &'a Error,
    },
}

impl AcmeEvent<'_> {
    /// Writes it to `tracing`.
    pub(crate) fn trace(&self) {
        match self {
            Self::AccountMade { account, external } => {
                tracing::info!(%account, external, "account made");
            }
            Self::AccountDeactivated { account } => tracing::info!(%account, "account deactivated"),
            Self::KeyChanged { account } => tracing::info!(%account, "account key changed"),
            Self::Ordered {
                order,
                account,
                label,
            } => tracing::debug!(%order, %account, label, "order made"),
            Self::PreAuthorization {
                order,
                account,
                label,
            } => tracing::debug!(%order, %account, label, "authorisation made ahead of an order"),
            Self::Proven {
                order,
                label,
                attested,
            } => tracing::info!(%order, label, attested, "identifier proven"),
            Self::NotProven {
                order,
                label,
                cause,
            } => tracing::warn!(%order, label, cause, "challenge failed"),
            Self::Issued {
                order,
                label,
                certificate,
            } => tracing::info!(
                %order,
                label,
                serial = hex::encode(certificate.serial()),
                "certificate issued"
            ),
            Self::NotIssued {
                order,
                label,
                cause,
            } => tracing::warn!(%order, label, cause, "no certificate for the order"),
            Self::Revoked {
                certificate,
                account,
                reason,
            } => tracing::info!(
                serial = hex::encode(certificate.serial()),
                account = account.map(tracing::field::display),
                ?reason,
                "certificate revoked"
            ),
            Self::Refused { problem } => tracing::info!(cause = %problem, "request refused"),
            Self::Unavailable { error } => tracing::error!(cause = %error, "request not decided"),
        }
    }
}
