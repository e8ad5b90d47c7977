//! Authorisations and their challenges (RFC 8555 section 7.5).

use std::error::Error;

use http::StatusCode;
use serde::Deserialize;

use super::{
    AcmeEvent, Server,
    account::{ATTEMPTS, overtaken},
    order::after,
    reply::{Reply, Stop},
    request::{Caller, Signed},
    route::Route,
    view::challenge_view,
};
use crate::acme::{
    attest::{AttestationRefusal, ExpectedDevice},
    json,
    problem::{ErrorType, Problem},
    resource::{AuthorizationStatus, AuthorizationUpdate, ChallengeType, OrderStatus},
    store::{
        AttestedProof, AuthorizationRecord, AuthorizationState, Kept, OfferedState, OrderCommitted,
        OrderId, OrderRecord, Proof, Token,
    },
};

impl Server {
    pub(super) async fn authorization(
        &self,
        signed: &Signed,
        id: &OrderId,
        index: usize,
    ) -> Result<Reply, Stop> {
        let caller = signed.caller()?;
        let kept = self.own_record(caller, id).await?;
        if kept.record.authorizations.get(index).is_none() {
            return Err(Stop::not_yours());
        }
        let kept = if signed.is_post_as_get() {
            self.advance(id, kept, &caller.account.record).await?
        } else {
            let update: AuthorizationUpdate = signed.read()?;
            if update.status != AuthorizationStatus::Deactivated {
                let detail = "an authorization can only be deactivated";
                return Err(Stop::malformed(detail));
            }
            self.deactivate(caller, id, kept, index).await?
        };
        let now = self.clock.now();
        let view = self.authorization_view(id, &kept.record, index, now);
        let view = view.ok_or_else(Stop::not_yours)?;
        Reply::json(StatusCode::OK, &view)
    }

    async fn deactivate(
        &self,
        caller: &Caller,
        id: &OrderId,
        mut kept: Kept<OrderRecord>,
        index: usize,
    ) -> Result<Kept<OrderRecord>, Stop> {
        for _ in 0..ATTEMPTS {
            if kept.record.status(self.clock.now()) == OrderStatus::Processing {
                // Its certificate may be on its way, from another node too. Only once that is decided is anything given up,
                // or one node could hold the order for failed whose certificate another has issued.
                kept = self.advance(id, kept, &caller.account.record).await?;
                if kept.record.status(self.clock.now()) == OrderStatus::Processing {
                    let detail = "the order is being processed";
                    let stop = Stop::new(ErrorType::ServerInternal, detail);
                    let later = stop.status(StatusCode::SERVICE_UNAVAILABLE);
                    let after = Some(self.policy.retry_after);
                    return Err(later.with(|refused| refused.retry_after = after));
                }
            }
            let mut record = kept.record.clone();
            let Some(authorization) = record.authorizations.get_mut(index) else {
                return Err(Stop::not_yours());
            };
            match authorization.status(self.clock.now()) {
                AuthorizationStatus::Pending | AuthorizationStatus::Valid => {
                    authorization.state = AuthorizationState::Deactivated;
                }
                _ => return Ok(kept),
            }
            match self
                .store
                .commit_order(id, kept.version, record.clone())
                .await?
            {
                OrderCommitted::Committed(version) => return Ok(Kept::new(record, version)),
                _ => kept = self.own_record(caller, id).await?,
            }
        }
        Err(overtaken())
    }

    pub(super) async fn challenge(
        &self,
        signed: &Signed,
        id: &OrderId,
        index: usize,
        number: usize,
    ) -> Result<Reply, Stop> {
        let caller = signed.caller()?;
        let mut kept = self.own_record(caller, id).await?;
        if !signed.is_post_as_get() {
            kept = self
                .answer(signed.payload(), caller, id, kept, index, number)
                .await?;
        }
        let kept = self.advance(id, kept, &caller.account.record).await?;
        let authorization = kept.record.authorizations.get(index);
        let challenge = authorization.and_then(|it| it.challenges.get(number));
        let challenge = challenge.ok_or_else(Stop::not_yours)?;
        let url = self.base.url(&Route::Challenge(*id, index, number));
        let waits = matches!(challenge.state, OfferedState::Processing { .. });
        let up = self.base.url(&Route::Authorization(*id, index));
        Ok(
            Reply::json(StatusCode::OK, &challenge_view(challenge, url))?
                .link(up, "up")
                .retry_after(waits.then_some(self.policy.retry_after)),
        )
    }

    /// The client says that it is ready, or what its device attests. Once a challenge is decided this changes nothing: an
    /// answer may have been lost.
    async fn answer(
        &self,
        payload: &[u8],
        caller: &Caller,
        id: &OrderId,
        mut kept: Kept<OrderRecord>,
        index: usize,
        number: usize,
    ) -> Result<Kept<OrderRecord>, Stop> {
        for _ in 0..ATTEMPTS {
            let Some(step) = self.decide(payload, &kept.record, index, number)? else {
                return Ok(kept);
            };
            let mut refusal = step.refusal;
            let mut record = step.record;
            let mut written = self
                .store
                .commit_order(id, kept.version, record.clone())
                .await?;
            if written == OrderCommitted::KeyUsed {
                let used = AttestationRefusal::KeyUsed {
                    label: record.label(),
                };
                record = kept.record.clone();
                refuse(&mut record, index, number, &used);
                refusal = Some(used);
                written = self
                    .store
                    .commit_order(id, kept.version, record.clone())
                    .await?;
            }
            match written {
                OrderCommitted::Committed(version) => {
                    self.tell(id, &record, index, refusal.as_ref());
                    return Ok(Kept::new(record, version));
                }
                _ => kept = self.own_record(caller, id).await?,
            }
        }
        Err(overtaken())
    }

    /// What an answer makes of an order; nothing where it changes nothing.
    fn decide(
        &self,
        payload: &[u8],
        record: &OrderRecord,
        index: usize,
        number: usize,
    ) -> Result<Option<Step>, Stop> {
        let now = self.clock.now();
        let authorization = record.authorizations.get(index);
        let challenge = authorization.and_then(|it| it.challenges.get(number));
        let (Some(authorization), Some(challenge)) = (authorization, challenge) else {
            return Err(Stop::not_yours());
        };
        let waits = record.status(now) == OrderStatus::Pending
            && authorization.status(now) == AuthorizationStatus::Pending
            && challenge.state == OfferedState::Pending;
        if !waits {
            return Ok(None);
        }
        let mut changed = record.clone();
        let refusal = match (&challenge.kind, &authorization.device) {
            (ChallengeType::DeviceAttest01, Some(device)) => {
                match self.examine(device, &challenge.token, payload)? {
                    Ok(proof) => {
                        let expires_at = after(now, self.policy.authorization_lifetime);
                        prove(&mut changed, index, number, proof, expires_at);
                        None
                    }
                    Err(refusal) => {
                        refuse(&mut changed, index, number, &refusal);
                        Some(refusal)
                    }
                }
            }
            _ => {
                json::read::<Ready>(payload)
                    .map_err(|_| Stop::malformed("the answer is no object"))?;
                let state = OfferedState::Processing {
                    attempts: 0,
                    due_at: now,
                    error: None,
                };
                set(&mut changed, index, number, state);
                None
            }
        };
        Ok(Some(Step {
            record: changed,
            refusal,
        }))
    }

    fn examine(
        &self,
        device: &ExpectedDevice,
        token: &Token,
        payload: &[u8],
    ) -> Result<Result<Proof, AttestationRefusal>, Stop> {
        let now = self.clock.now();
        let Some(devices) = &self.devices else {
            let error = crate::Error::Configuration("an order of a device, and no devices");
            return Err(Stop::Unavailable(error));
        };
        Ok(devices
            .examine(device, token, payload, now)?
            .map(|answered| {
                let mut proof = Proof::new(now);
                proof.attested = answered.key().map(|key| {
                    let spki = key.public_key().to_spki_der();
                    AttestedProof::new(spki, *key.fingerprint().as_bytes())
                });
                proof
            }))
    }

    /// Tells the operator what has become of an authorisation, if it is decided.
    pub(super) fn tell(
        &self,
        order: &OrderId,
        record: &OrderRecord,
        index: usize,
        refusal: Option<&AttestationRefusal>,
    ) {
        let Some(authorization) = record.authorizations.get(index) else {
            return;
        };
        let label = &record.label();
        let failed = authorization
            .challenges
            .iter()
            .find_map(|it| match &it.state {
                OfferedState::Invalid { error } => Some(error),
                _ => None,
            });
        match (&authorization.state, refusal, failed) {
            (AuthorizationState::Valid(proof), ..) => self.observe(&AcmeEvent::Proven {
                order,
                label,
                attested: proof.attested.is_some(),
            }),
            (AuthorizationState::Invalid, Some(cause), _) => {
                let cause = &chain(cause);
                self.observe(&AcmeEvent::NotProven {
                    order,
                    label,
                    cause,
                });
            }
            (AuthorizationState::Invalid, None, Some(cause)) => {
                let cause = &cause.to_string();
                self.observe(&AcmeEvent::NotProven {
                    order,
                    label,
                    cause,
                });
            }
            _ => {}
        }
    }
}

/// The answer to a challenge that the server looks at itself (RFC 8555 section 7.5.1): an object, in which nothing is
/// looked for.
#[derive(Deserialize)]
struct Ready {}

/// What an answer makes of an order.
struct Step {
    record: OrderRecord,
    refusal: Option<AttestationRefusal>,
}

/// An error with what caused it, in one line.
fn chain(error: &AttestationRefusal) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn change(record: &mut OrderRecord, index: usize, change: impl FnOnce(&mut AuthorizationRecord)) {
    if let Some(authorization) = record.authorizations.get_mut(index) {
        change(authorization);
    }
}

/// Sets a challenge's state.
pub(super) fn set(record: &mut OrderRecord, index: usize, number: usize, state: OfferedState) {
    change(record, index, |authorization| {
        if let Some(challenge) = authorization.challenges.get_mut(number) {
            challenge.state = state;
        }
    });
}

/// Makes an authorisation valid by one of its challenges.
pub(super) fn prove(
    record: &mut OrderRecord,
    index: usize,
    number: usize,
    proof: Proof,
    expires_at: chrono::DateTime<chrono::Utc>,
) {
    set(record, index, number, OfferedState::Valid { at: proof.at });
    change(record, index, |authorization| {
        authorization.state = AuthorizationState::Valid(proof);
        authorization.expires_at = expires_at;
    });
}

/// Makes an authorisation invalid by one of its challenges.
pub(super) fn fail(record: &mut OrderRecord, index: usize, number: usize, error: Problem) {
    set(record, index, number, OfferedState::Invalid { error });
    change(record, index, |authorization| {
        authorization.state = AuthorizationState::Invalid;
    });
}

/// What an attestation was refused for is the operator's to know: the client could try out what passes.
fn refuse(record: &mut OrderRecord, index: usize, number: usize, refusal: &AttestationRefusal) {
    let detail = match refusal {
        AttestationRefusal::Malformed { .. } => "the answer is malformed",
        AttestationRefusal::Unattested { .. } => "the device has to attest its key",
        _ => "the attestation is not accepted",
    };
    let error = Problem::new(ErrorType::BadAttestationStatement, detail);
    fail(record, index, number, error);
}
