//! What clients see of an order and its parts.

use chrono::{DateTime, Utc};

use super::{Server, route::Route};
use crate::acme::{
    resource::{Authorization, Challenge, ChallengeStatus, Order, OrderStatus},
    store::{AuthorizationState, OfferedChallenge, OfferedState, OrderId, OrderRecord, Progress},
};

impl Server {
    pub(super) fn order_view(
        &self,
        id: &OrderId,
        record: &OrderRecord,
        now: DateTime<Utc>,
    ) -> Order {
        let identifiers = record
            .authorizations
            .iter()
            .map(|it| it.ordered())
            .collect();
        let finalize = self.base.url(&Route::Finalize(*id));
        Order::new(record.status(now), identifiers, finalize).with(|order| {
            order.expires = Some(record.expires_at);
            order.error = match &record.progress {
                Progress::Failed { error } => Some(error.clone()),
                _ if order.status == OrderStatus::Invalid => {
                    let challenges = record.authorizations.iter().flat_map(|it| &it.challenges);
                    challenges.into_iter().find_map(|it| match &it.state {
                        OfferedState::Invalid { error } => Some(error.clone()),
                        _ => None,
                    })
                }
                _ => None,
            };
            order.authorizations = (0..record.authorizations.len())
                .map(|index| self.base.url(&Route::Authorization(*id, index)))
                .collect();
            if order.status == OrderStatus::Valid {
                order.certificate = Some(self.base.url(&Route::Certificate(*id, 0)));
            }
            order.replaces.clone_from(&record.replaces);
        })
    }

    /// The authorisation of this index, if the order has it.
    pub(super) fn authorization_view(
        &self,
        id: &OrderId,
        record: &OrderRecord,
        index: usize,
        now: DateTime<Utc>,
    ) -> Option<Authorization> {
        let authorization = record.authorizations.get(index)?;
        // RFC 8555 section 7.1.4: once it is decided, the challenge that decided it.
        let shown = |challenge: &OfferedChallenge| match authorization.state {
            AuthorizationState::Valid(_) => matches!(challenge.state, OfferedState::Valid { .. }),
            AuthorizationState::Invalid => matches!(challenge.state, OfferedState::Invalid { .. }),
            AuthorizationState::Pending | AuthorizationState::Deactivated => true,
        };
        let challenges = authorization.challenges.iter().enumerate();
        let challenges = challenges
            .filter(|(_, challenge)| shown(challenge))
            .map(|(number, challenge)| {
                let url = self.base.url(&Route::Challenge(*id, index, number));
                challenge_view(challenge, url)
            })
            .collect();
        let identifier = authorization.identifier.clone();
        let status = authorization.status(now);
        Some(
            Authorization::new(identifier, status, challenges).with(|view| {
                view.expires = Some(authorization.expires_at);
                view.wildcard = authorization.wildcard;
            }),
        )
    }
}

pub(super) fn challenge_view(challenge: &OfferedChallenge, url: String) -> Challenge {
    let kind = challenge.kind.clone();
    Challenge::new(kind, url, challenge.token.as_str()).with(|view| {
        (view.status, view.validated, view.error) = match &challenge.state {
            OfferedState::Pending => (ChallengeStatus::Pending, None, None),
            OfferedState::Processing { error, .. } => {
                (ChallengeStatus::Processing, None, error.clone())
            }
            OfferedState::Valid { at } => (ChallengeStatus::Valid, Some(*at), None),
            OfferedState::Invalid { error } => {
                (ChallengeStatus::Invalid, None, Some(error.clone()))
            }
        };
    })
}
