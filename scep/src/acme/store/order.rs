//! An order with its authorisations and their challenges: one record, and what its parts say together
//! (RFC 8555 section 7.1.6).

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountId, Token, bytes32};
use crate::{
    acme::{
        ari::CertId,
        attest::ExpectedDevice,
        base64url,
        identifier::Identifier,
        problem::Problem,
        resource::{AuthorizationStatus, ChallengeType, OrderStatus},
    },
    store::ChallengeId,
};

/// What is known of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OrderRecord {
    /// Whose it is.
    pub account: AccountId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The first moment at which it can no longer be finalized.
    pub expires_at: DateTime<Utc>,
    /// One for each identifier, in the client's order.
    pub authorizations: Vec<AuthorizationRecord>,
    /// The certificate that it is to replace (RFC 9773 section 5).
    pub replaces: Option<CertId>,
    /// The one-time challenge of [`Store`](crate::Store) that its one certificate will spend.
    #[serde(with = "permit")]
    pub permit: ChallengeId,
    /// How far it is beyond its authorisations.
    pub progress: Progress,
}

/// What has become of an order beyond its authorisations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Progress {
    /// It is not finalized; pending, ready or invalid, as its authorisations say.
    Open,
    /// It was finalized with this CSR, and from now on with no other.
    #[non_exhaustive]
    Finalizing {
        /// The CSR in DER.
        #[serde(with = "base64url::bytes")]
        csr: Vec<u8>,
        /// When it was: the authorisations that counted then count.
        at: DateTime<Utc>,
    },
    /// It has its certificate.
    #[non_exhaustive]
    Issued {
        /// The CSR in DER.
        #[serde(with = "base64url::bytes")]
        csr: Vec<u8>,
        /// The certificate's serial number: the content of its DER INTEGER.
        #[serde(with = "base64url::bytes")]
        serial: Vec<u8>,
        /// The certificate's end.
        not_after: DateTime<Utc>,
    },
    /// It will never have one.
    #[non_exhaustive]
    Failed {
        /// Why.
        error: Problem,
    },
    /// It is no order but an authorisation ahead of any (RFC 8555 section 7.4.1), the one inside: in the shape of an order, so
    /// that a store need not know the difference.
    PreAuthorization,
}

/// What is known of an authorisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuthorizationRecord {
    /// What is to be proven; without the `*.` of a wildcard.
    pub identifier: Identifier,
    /// Whether the order asks for `*.` in front of it.
    pub wildcard: bool,
    /// The first moment at which it counts no longer.
    pub expires_at: DateTime<Utc>,
    /// Whether it is proven.
    pub state: AuthorizationState,
    /// The ways to prove it.
    pub challenges: Vec<OfferedChallenge>,
    /// The device that has to attest, where the identifier is a device's.
    pub device: Option<ExpectedDevice>,
}

/// Whether an identifier is proven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum AuthorizationState {
    /// Not yet.
    Pending,
    /// It is.
    Valid(Proof),
    /// A challenge failed.
    Invalid,
    /// The client gave it up.
    Deactivated,
}

/// How an identifier was proven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Proof {
    /// When.
    pub at: DateTime<Utc>,
    /// The key that the device attested, if it did: the certificate has to be for this key.
    pub attested: Option<AttestedProof>,
}

impl Proof {
    /// Proven at this time.
    pub fn new(at: DateTime<Utc>) -> Self {
        Self { at, attested: None }
    }
}

/// A key that a device attested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttestedProof {
    /// Its SubjectPublicKeyInfo in DER.
    #[serde(with = "base64url::bytes")]
    pub key: Vec<u8>,
    /// The SHA-256 of that, under which a store keeps it.
    #[serde(with = "bytes32")]
    pub fingerprint: [u8; 32],
}

impl AttestedProof {
    /// This key of this fingerprint.
    pub fn new(key: impl Into<Vec<u8>>, fingerprint: [u8; 32]) -> Self {
        Self {
            key: key.into(),
            fingerprint,
        }
    }
}

/// A challenge that a client may answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OfferedChallenge {
    /// Its kind.
    pub kind: ChallengeType,
    /// Its token.
    pub token: Token,
    /// What has become of it.
    pub state: OfferedState,
}

impl OfferedChallenge {
    /// One that nobody has answered.
    pub fn new(kind: ChallengeType, token: Token) -> Self {
        Self {
            kind,
            token,
            state: OfferedState::Pending,
        }
    }
}

/// What has become of a challenge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum OfferedState {
    /// Nobody has answered it.
    Pending,
    /// The client is ready, and the server has not seen it yet.
    #[non_exhaustive]
    Processing {
        /// How often the server has tried.
        attempts: u32,
        /// When it may try again.
        due_at: DateTime<Utc>,
        /// Why the last attempt came to nothing.
        error: Option<Problem>,
    },
    /// It is met.
    #[non_exhaustive]
    Valid {
        /// Since when.
        at: DateTime<Utc>,
    },
    /// It failed.
    #[non_exhaustive]
    Invalid {
        /// Why.
        error: Problem,
    },
}

impl AuthorizationRecord {
    /// A pending one of a plain name.
    pub fn new(
        identifier: Identifier,
        expires_at: DateTime<Utc>,
        challenges: Vec<OfferedChallenge>,
    ) -> Self {
        Self {
            identifier,
            wildcard: false,
            expires_at,
            state: AuthorizationState::Pending,
            challenges,
            device: None,
        }
    }

    /// Its status at a time.
    pub fn status(&self, now: DateTime<Utc>) -> AuthorizationStatus {
        match &self.state {
            AuthorizationState::Invalid => AuthorizationStatus::Invalid,
            AuthorizationState::Deactivated => AuthorizationStatus::Deactivated,
            _ if now >= self.expires_at => AuthorizationStatus::Expired,
            AuthorizationState::Pending => AuthorizationStatus::Pending,
            AuthorizationState::Valid(_) => AuthorizationStatus::Valid,
        }
    }

    /// The identifier as the order has it, with the `*.` of a wildcard.
    pub fn ordered(&self) -> Identifier {
        let Identifier { kind, value, .. } = self.identifier.clone();
        match self.wildcard {
            true => Identifier::new(kind, format!("*.{value}")),
            false => Identifier::new(kind, value),
        }
    }

    /// How it was proven, if it counts at a time.
    pub fn proof(&self, now: DateTime<Utc>) -> Option<&Proof> {
        match &self.state {
            AuthorizationState::Valid(proof) if now < self.expires_at => Some(proof),
            _ => None,
        }
    }
}

impl OrderRecord {
    /// An order that nobody has finalized.
    pub fn new(
        account: AccountId,
        created_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
        authorizations: Vec<AuthorizationRecord>,
        permit: ChallengeId,
    ) -> Self {
        Self {
            account,
            created_at,
            expires_at,
            authorizations,
            replaces: None,
            permit,
            progress: Progress::Open,
        }
    }

    /// An authorisation ahead of any order.
    pub fn pre_authorization(
        account: AccountId,
        created_at: DateTime<Utc>,
        authorization: AuthorizationRecord,
        permit: ChallengeId,
    ) -> Self {
        let expires_at = authorization.expires_at;
        let mut record = Self::new(account, created_at, expires_at, vec![authorization], permit);
        record.progress = Progress::PreAuthorization;
        record
    }

    /// Whether it is no order but an authorisation ahead of any.
    pub fn is_pre_authorization(&self) -> bool {
        matches!(self.progress, Progress::PreAuthorization)
    }

    /// Its status at a time. An authorisation ahead of any order is pending as long as it can be proven, and never ready.
    pub fn status(&self, now: DateTime<Utc>) -> OrderStatus {
        match self.progress {
            Progress::PreAuthorization => {
                let pending =
                    |it: &AuthorizationRecord| it.status(now) == AuthorizationStatus::Pending;
                match self.authorizations.iter().any(pending) {
                    true => OrderStatus::Pending,
                    false => OrderStatus::Invalid,
                }
            }
            Progress::Issued { .. } => OrderStatus::Valid,
            Progress::Finalizing { .. } => OrderStatus::Processing,
            Progress::Failed { .. } => OrderStatus::Invalid,
            Progress::Open if now >= self.expires_at => OrderStatus::Invalid,
            Progress::Open => {
                let mut statuses = self.authorizations.iter().map(|it| it.status(now));
                let status = |valid, status| match (valid, status) {
                    (OrderStatus::Invalid, _) => OrderStatus::Invalid,
                    (valid, AuthorizationStatus::Valid) => valid,
                    (_, AuthorizationStatus::Pending) => OrderStatus::Pending,
                    _ => OrderStatus::Invalid,
                };
                match statuses.len() {
                    0 => OrderStatus::Invalid,
                    _ => statuses.by_ref().fold(OrderStatus::Ready, status),
                }
            }
        }
    }

    /// Whether something can still become of it at a time: it is pending, ready or processing.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        matches!(
            self.status(now),
            OrderStatus::Pending | OrderStatus::Ready | OrderStatus::Processing
        )
    }

    /// The first moment at which it [is open](Self::is_open) no longer, as it stands; `None` where it never is. For a
    /// store that looks for open orders.
    pub fn open_until(&self) -> Option<DateTime<Utc>> {
        if !self.is_open(DateTime::<Utc>::MIN_UTC) {
            return None;
        }
        Some(match self.progress {
            Progress::Open | Progress::PreAuthorization => {
                let ends = self.authorizations.iter().map(|it| it.expires_at);
                ends.fold(self.expires_at, Ord::min)
            }
            _ => DateTime::<Utc>::MAX_UTC,
        })
    }

    /// Whether it can come to nothing any more, so that what it was to replace is free again.
    pub fn has_failed(&self, now: DateTime<Utc>) -> bool {
        self.status(now) == OrderStatus::Invalid
    }

    /// Whose enrolment it is, for events: the device in the words of its authorizer, or the host names.
    pub fn label(&self) -> String {
        let names = self.authorizations.iter().map(|it| match &it.device {
            Some(device) => device.label.clone(),
            None => it.ordered().value,
        });
        names.collect::<Vec<_>>().join(", ")
    }

    /// The serial number of its certificate.
    pub fn serial(&self) -> Option<&[u8]> {
        match &self.progress {
            Progress::Issued { serial, .. } => Some(serial),
            _ => None,
        }
    }

    /// The fingerprints of the keys that were attested in it, valid or not any more.
    pub fn attested_keys(&self) -> impl Iterator<Item = [u8; 32]> + '_ {
        self.authorizations
            .iter()
            .filter_map(|authorization| match &authorization.state {
                AuthorizationState::Valid(proof) => proof.attested.as_ref(),
                _ => None,
            })
            .map(|attested| attested.fingerprint)
    }

    /// Until when it has to be kept: a week beyond the end of its certificate, whose owner it tells, so that one that has
    /// just ended can still be replaced; and else a week beyond its own end, so that what has happened to it can be read; an
    /// authorisation ahead of any order as long after it counts.
    pub fn keep_until(&self) -> DateTime<Utc> {
        let end = match self.progress {
            Progress::Issued { not_after, .. } => not_after,
            Progress::PreAuthorization => {
                let ends = self.authorizations.iter().map(|it| it.expires_at);
                ends.fold(self.expires_at, Ord::max)
            }
            _ => self.expires_at,
        };
        end.checked_add_signed(TimeDelta::days(7)).unwrap_or(end)
    }
}

mod permit {
    use serde::{Deserializer, Serializer};

    use crate::{acme::store::bytes32, store::ChallengeId};

    pub(super) fn serialize<S: Serializer>(
        id: &ChallengeId,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        bytes32::serialize(id.as_bytes(), serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ChallengeId, D::Error> {
        bytes32::deserialize(deserializer).map(ChallengeId::from_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_open_exactly_until_it_says() {
        let now = DateTime::UNIX_EPOCH;
        let hour = TimeDelta::hours(1);
        let name = || Identifier::permanent_identifier("device 7");
        let authorization = |ends, state: &AuthorizationState| {
            let mut record = AuthorizationRecord::new(name(), now + hour * ends, Vec::new());
            record.state = state.clone();
            record
        };
        let states = [
            AuthorizationState::Pending,
            AuthorizationState::Valid(Proof::new(now)),
            AuthorizationState::Invalid,
            AuthorizationState::Deactivated,
        ];
        let error = crate::acme::problem::Problem::default();
        let progresses = [
            Progress::Open,
            Progress::Finalizing {
                csr: Vec::new(),
                at: now,
            },
            Progress::Failed { error },
        ];
        for state in &states {
            let (account, permit) = (
                AccountId::from_bytes([1; 16]),
                ChallengeId::from_bytes([7; 32]),
            );
            let ahead = authorization(4, state);
            let ahead = OrderRecord::pre_authorization(account, now, ahead, permit);
            for at in 0..6 {
                let at = now + hour * at;
                let open = ahead.open_until().is_some_and(|until| at < until);
                assert_eq!(open, ahead.is_open(at), "{ahead:?} at {at}");
                assert_eq!(
                    open,
                    *state == AuthorizationState::Pending && at < now + hour * 4
                );
            }
            assert_eq!(ahead.keep_until(), now + hour * 4 + TimeDelta::days(7));
        }
        for one in &states {
            for other in &states {
                for progress in &progresses {
                    let account = AccountId::from_bytes([1; 16]);
                    let permit = ChallengeId::from_bytes([7; 32]);
                    let both = vec![authorization(2, one), authorization(4, other)];
                    let mut order = OrderRecord::new(account, now, now + hour * 3, both, permit);
                    order.progress = progress.clone();
                    for at in 0..6 {
                        let at = now + hour * at;
                        let open = order.open_until().is_some_and(|until| at < until);
                        assert_eq!(open, order.is_open(at), "{order:?} at {at}");
                    }
                }
            }
        }
    }
}
