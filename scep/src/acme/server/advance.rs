//! Moves an order on: looks at host names that wait to be looked at, and has the certificate issued that was asked for.
//!
//! Each step is decided on a version of the order and committed for that version alone. A process may end anywhere: the
//! next request for the order begins where the last commit stands, and the permit decides that there is one certificate.

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::Certificate;

use super::{
    AcmeEvent, Server,
    account::overtaken,
    authorization::{fail, prove, set},
    order::after,
    reply::Stop,
};
use crate::{
    acme::{
        problem::{ErrorType, Problem},
        resource::{ChallengeType, OrderStatus},
        store::{
            AccountRecord, AuthorizationState, Kept, OfferedState, OrderCommitted, OrderId,
            OrderRecord, Progress, Proof,
        },
        validate::{Seen, look_up},
    },
    authorize::{CsrRefusal, request_id},
    ca::{IssueError, Issued},
    error::Error,
    store::RequestId,
};

/// How many other changes may overtake one request's steps.
const OVERTAKEN: usize = 10;

/// What has become of a CSR.
enum Outcome {
    Certificate(Certificate),
    /// There will be no certificate, for this reason, of which the client is told this.
    Failed(String, Problem),
}

impl Server {
    /// Takes all steps of an order of this account that can be taken now.
    pub(super) async fn advance(
        &self,
        id: &OrderId,
        kept: Kept<OrderRecord>,
        account: &AccountRecord,
    ) -> Result<Kept<OrderRecord>, Stop> {
        if self.next(&kept.record).is_none() {
            return Ok(kept);
        }
        // One at a time on this node saves looks and signatures; between nodes the commits decide.
        let _turn = self.gates.pass(kept.record.permit).await;
        let mut kept = self.reload(id).await?;
        let (mut looks, mut changes) = (0, 0);
        while changes <= OVERTAKEN {
            let Some(next) = self.next(&kept.record) else {
                return Ok(kept);
            };
            let (record, outcome) = match next {
                Next::Look(..) if looks == self.limits.looks.max(1) => return Ok(kept),
                Next::Look(index, number) => {
                    looks += 1;
                    let looked = self.look(&kept.record, index, number, account).await?;
                    (looked, None)
                }
                Next::Issue => match self.issue(id, &kept.record).await {
                    Ok((record, outcome)) => (record, Some(outcome)),
                    Err(Stop::Unavailable(error)) => {
                        // The order says that it is being processed, and the client asks again.
                        self.observe(&AcmeEvent::Unavailable { error: &error });
                        return Ok(kept);
                    }
                    Err(stop) => return Err(stop),
                },
            };
            match self
                .store
                .commit_order(id, kept.version, record.clone())
                .await?
            {
                OrderCommitted::Committed(version) => {
                    kept = Kept::new(record, version);
                    match (next, outcome) {
                        (Next::Look(index, _), _) => self.tell(id, &kept.record, index, None),
                        (Next::Issue, outcome) => self.tell_outcome(id, &kept.record, outcome),
                    }
                }
                _ => {
                    changes += 1;
                    kept = self.reload(id).await?;
                }
            }
        }
        Err(overtaken())
    }

    async fn reload(&self, id: &OrderId) -> Result<Kept<OrderRecord>, Stop> {
        self.store.order(id).await?.ok_or_else(Stop::not_yours)
    }

    fn next(&self, record: &OrderRecord) -> Option<Next> {
        let now = self.clock.now();
        match record.status(now) {
            OrderStatus::Processing => return Some(Next::Issue),
            OrderStatus::Pending => {}
            _ => return None,
        }
        for (index, authorization) in record.authorizations.iter().enumerate() {
            if authorization.state != AuthorizationState::Pending {
                continue;
            }
            for (number, challenge) in authorization.challenges.iter().enumerate() {
                if matches!(challenge.state, OfferedState::Processing { due_at, .. } if due_at <= now)
                {
                    return Some(Next::Look(index, number));
                }
            }
        }
        None
    }

    /// Looks at a host name once.
    async fn look(
        &self,
        record: &OrderRecord,
        index: usize,
        number: usize,
        account: &AccountRecord,
    ) -> Result<OrderRecord, Stop> {
        let authorization = record.authorizations.get(index).ok_or_else(overtaken)?;
        let challenge = authorization.challenges.get(number).ok_or_else(overtaken)?;
        let OfferedState::Processing { attempts, .. } = challenge.state else {
            return Err(overtaken());
        };
        let host = &authorization.identifier.value;
        let token = challenge.token.as_str();
        let key_authorization = account.key.key_authorization(token);
        let seen = match (&challenge.kind, &self.http, &self.dns) {
            (ChallengeType::Http01, Some(http), _) => {
                http.look(host, token, &key_authorization).await
            }
            (ChallengeType::Dns01, _, Some(dns)) => {
                look_up(&**dns, host, &key_authorization).await?
            }
            // It was offered by a server that was set up in another way.
            _ => Seen::Wrong(Problem::new(
                ErrorType::ServerInternal,
                "challenges of this kind are looked at no longer",
            )),
        };
        let now = self.clock.now();
        let attempts = attempts.saturating_add(1);
        let mut changed = record.clone();
        match seen {
            Seen::Met => {
                let expires_at = after(now, self.policy.authorization_lifetime);
                prove(&mut changed, index, number, Proof::new(now), expires_at);
            }
            Seen::Nothing(error) if attempts < self.policy.validation_attempts => {
                let wait = self.policy.validation_interval.saturating_mul(attempts);
                let state = OfferedState::Processing {
                    attempts,
                    due_at: after(now, wait).max(now + TimeDelta::milliseconds(1)),
                    error: Some(error),
                };
                set(&mut changed, index, number, state);
            }
            Seen::Nothing(error) | Seen::Wrong(error) => {
                fail(&mut changed, index, number, error);
            }
        }
        Ok(changed)
    }

    /// The order with its certificate, or without hope of one.
    async fn issue(
        &self,
        id: &OrderId,
        record: &OrderRecord,
    ) -> Result<(OrderRecord, Outcome), Stop> {
        let Progress::Finalizing { csr, at } = &record.progress else {
            return Err(overtaken());
        };
        let outcome = self.outcome(id, record, csr, *at).await?;
        let mut changed = record.clone();
        changed.progress = match &outcome {
            Outcome::Certificate(certificate) => Progress::Issued {
                csr: csr.clone(),
                serial: certificate.serial().to_vec(),
                not_after: certificate.not_after(),
            },
            Outcome::Failed(_, error) => Progress::Failed {
                error: error.clone(),
            },
        };
        Ok((changed, outcome))
    }

    /// Tells the operator how an order ended. Whoever commits the end tells it, so that it is told once.
    fn tell_outcome(&self, order: &OrderId, record: &OrderRecord, outcome: Option<Outcome>) {
        let label = &record.label();
        match outcome {
            Some(Outcome::Certificate(certificate)) => self.observe(&AcmeEvent::Issued {
                order,
                label,
                certificate: &certificate,
            }),
            Some(Outcome::Failed(cause, _)) => self.observe(&AcmeEvent::NotIssued {
                order,
                label,
                cause: &cause,
            }),
            None => {}
        }
    }

    async fn outcome(
        &self,
        id: &OrderId,
        record: &OrderRecord,
        csr: &[u8],
        at: DateTime<Utc>,
    ) -> Result<Outcome, Stop> {
        if let Some(earlier) = self.spent(record, request_id(id, csr)?).await? {
            return Ok(Outcome::Certificate(earlier));
        }
        let finalizable = match self.check_csr(record, csr, None, at) {
            Ok(finalizable) => finalizable,
            // It held when the order was finalized; since then an authorisation was given up.
            Err(refusal) => return Ok(refused(&refusal)),
        };
        let key = finalizable.public_key()?;
        let authorized = finalizable.authorize(id, record, self.clock.now())?;
        let certificate = match self.authority.issue(authorized).await {
            Ok(Issued::New(certificate) | Issued::Earlier(certificate)) => certificate,
            Err(IssueError::Refused(reason)) => {
                let detail = "the authority refuses the request";
                let problem = Problem::new(ErrorType::BadCsr, detail);
                return Ok(Outcome::Failed(reason, problem));
            }
            Err(error @ IssueError::Conflict) => {
                let detail = "the order's permission is gone";
                let problem = Problem::new(ErrorType::ServerInternal, detail);
                return Ok(Outcome::Failed(error.to_string(), problem));
            }
            Err(error) => return Err(error.into()),
        };
        // An authority of the embedder that mixes up its certificates must not be believed.
        match certificate.public_key()?.same_key(&key) {
            true => Ok(Outcome::Certificate(certificate)),
            false => Err(Error::Certificate("is of another key").into()),
        }
    }

    /// The certificate that the order's permit was spent for, if that was done before a process ended.
    async fn spent(
        &self,
        record: &OrderRecord,
        request: RequestId,
    ) -> Result<Option<Certificate>, Stop> {
        let permit = self.permits.challenge(&record.permit).await?;
        let spent = permit.and_then(|permit| permit.spent);
        Ok(spent
            .filter(|spent| spent.request == request)
            .map(|spent| spent.certificate))
    }
}

/// A step that an order can take.
#[derive(Clone, Copy)]
enum Next {
    /// The challenge of this authorisation and number is looked at.
    Look(usize, usize),
    /// The certificate is issued.
    Issue,
}

fn refused(refusal: &CsrRefusal) -> Outcome {
    let text = refusal.to_string();
    Outcome::Failed(text.clone(), Problem::new(ErrorType::BadCsr, text))
}
