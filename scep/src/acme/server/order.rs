//! Orders: made, asked for, finalized, and their certificates fetched (RFC 8555 section 7.4).

use std::collections::HashSet;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, StatusCode};
use mdm_core::Secret;
use mdm_pki::random;

use super::{
    AcmeEvent, Server,
    account::{ATTEMPTS, overtaken},
    reply::{Reply, Stop},
    request::{Caller, Signed, peer},
    route::Route,
};
use crate::{
    acme::{
        ari::CertId,
        attest::{DeviceQuery, ExpectedDevice, general_name},
        identifier::{Identifier, IdentifierType},
        problem::{ErrorType, Problem},
        resource::{ChallengeType, Finalize, NewOrder, OrderStatus},
        store::{
            AuthorizationRecord, Kept, OfferedChallenge, OrderCommitted, OrderId, OrderInserted,
            OrderRecord, Progress, Token,
        },
        validate::is_host_name,
    },
    authorize::{CsrRefusal, CsrRules, Finalizable},
    limit::{Scope, Who},
    store::{ChallengeId, ChallengeRecord, StoreError},
};

/// What an order is for.
enum Asked {
    /// Host names, each with whether it is a wildcard.
    Hosts(Vec<(String, bool)>),
    /// One device.
    Device(Identifier),
}

impl Server {
    pub(super) async fn new_order(
        &self,
        signed: &Signed,
        request: &Request<Bytes>,
        segment: Option<&Secret<String>>,
    ) -> Result<Reply, Stop> {
        let caller = signed.caller()?;
        self.limit(Scope::NewOrder, peer(request)).await?;
        let account = caller.id.to_string();
        self.limit(Scope::NewOrder, Who::Account(&account)).await?;
        let asked: NewOrder = signed.read()?;
        if asked.not_before.is_some() || asked.not_after.is_some() {
            return Err(Stop::malformed("the server chooses the validity itself"));
        }
        if asked.profile.is_some() {
            let kind = ErrorType::from("urn:ietf:params:acme:error:invalidProfile");
            return Err(Stop::new(kind, "the server has no profiles"));
        }
        let now = self.clock.now();
        let expires_at = after(now, self.policy.order_lifetime);
        let authorizations = match self.check_identifiers(&asked.identifiers)? {
            Asked::Hosts(hosts) => {
                self.check_bound(caller)?;
                let mut proven = self.proven_ahead(&caller.id, &hosts, now).await?;
                let authorization = |(host, wildcard): (String, bool)| {
                    let ahead = (!wildcard).then(|| proven.remove(&host)).flatten();
                    ahead.map_or_else(|| self.host(host, wildcard, expires_at), Ok)
                };
                hosts
                    .into_iter()
                    .map(authorization)
                    .collect::<Result<_, _>>()?
            }
            Asked::Device(identifier) => {
                let device = self.expected(&identifier, caller, segment, now).await?;
                let token = Token::random()?;
                let challenge = OfferedChallenge::new(ChallengeType::DeviceAttest01, token);
                let mut authorization =
                    AuthorizationRecord::new(identifier, expires_at, vec![challenge]);
                authorization.device = Some(device);
                vec![authorization]
            }
        };
        let permit = ChallengeId::from_bytes(random::<32>()?);
        // It ends with what was proven ahead of it.
        let ends = authorizations
            .iter()
            .map(|it: &AuthorizationRecord| it.expires_at);
        let expires_at = ends.fold(expires_at, Ord::min);
        let mut record = OrderRecord::new(caller.id, now, expires_at, authorizations, permit);
        if let Some(replaces) = asked.replaces {
            self.check_replaces(&replaces, &record).await?;
            record.replaces = Some(replaces);
        }
        let id = self.insert(&record).await?;
        self.observe(&AcmeEvent::Ordered {
            order: &id,
            account: &caller.id,
            label: &record.label(),
        });
        self.order_reply(StatusCode::CREATED, &id, &record)
    }

    /// Keeps a new record, if the account has not too many.
    pub(super) async fn insert(&self, record: &OrderRecord) -> Result<OrderId, Stop> {
        let id = OrderId::random()?;
        let open = self.limits.open_orders;
        let inserted = match self.store.insert_order(id, record.clone(), open).await {
            Err(StoreError::Full { .. }) => {
                self.store.forget(self.clock.now()).await?;
                self.store.insert_order(id, record.clone(), open).await?
            }
            other => other?,
        };
        match inserted {
            OrderInserted::Inserted => Ok(id),
            OrderInserted::TooManyOpen => {
                let detail = "the account has too many open orders";
                let stop = Stop::new(ErrorType::RateLimited, detail);
                let after = Some(self.policy.retry_after);
                Err(stop.with(|refused| refused.retry_after = after))
            }
            OrderInserted::Replaced => {
                let detail = "another order replaces the certificate already";
                Err(Stop::new(ErrorType::AlreadyReplaced, detail))
            }
        }
    }

    /// Where external accounts are required, host names are for those that are bound alone.
    pub(super) fn check_bound(&self, caller: &Caller) -> Result<(), Stop> {
        if self.external.is_required() && caller.account.record.external.is_none() {
            let detail = "the account is not bound to an external one";
            return Err(Stop::new(ErrorType::ExternalAccountRequired, detail));
        }
        Ok(())
    }

    /// What can be said of the identifiers by themselves.
    fn check_identifiers(&self, identifiers: &[Identifier]) -> Result<Asked, Stop> {
        if identifiers.is_empty() || identifiers.len() > self.limits.identifiers {
            let detail = format!("an order has 1 to {} identifiers", self.limits.identifiers);
            return Err(Stop::malformed(detail));
        }
        let different: HashSet<_> = identifiers.iter().map(Identifier::folded).collect();
        if different.len() < identifiers.len() {
            return Err(Stop::malformed("an identifier stands there twice"));
        }
        if let [alone] = identifiers
            && self.is_device(&alone.kind)
        {
            self.check_device(alone)?;
            return Ok(Asked::Device(alone.clone()));
        }
        let mut hosts = Vec::new();
        let mut problems = Vec::new();
        for identifier in identifiers {
            match self.check_host(identifier) {
                Ok(host) => hosts.push(host),
                Err((kind, detail)) => {
                    problems.push(Problem::new(kind, detail).with(|problem| {
                        problem.identifier = Some(identifier.clone());
                    }));
                }
            }
        }
        match problems.len() {
            0 => Ok(Asked::Hosts(hosts)),
            // RFC 8555 section 6.7.1: one problem for each identifier, and one around them.
            1 => Err(problems.remove(0).with(|it| it.identifier = None).into()),
            _ => {
                let compound = Problem::new(ErrorType::Compound, "several identifiers");
                let compound = compound.with(|compound| compound.subproblems = problems);
                Err(compound.into())
            }
        }
    }

    fn is_device(&self, kind: &IdentifierType) -> bool {
        self.devices.is_some()
            && match kind {
                IdentifierType::PermanentIdentifier => true,
                IdentifierType::HardwareModule => self.policy.hardware_module,
                _ => false,
            }
    }

    fn check_device(&self, identifier: &Identifier) -> Result<(), Stop> {
        let value = &identifier.value;
        let fits = (1..=self.limits.identifier).contains(&value.len());
        let plain = fits && !value.chars().any(char::is_control);
        match plain && general_name(identifier).is_some() {
            true => Ok(()),
            false => Err(Stop::malformed("the identifier is too long or malformed")),
        }
    }

    pub(super) fn check_host(
        &self,
        identifier: &Identifier,
    ) -> Result<(String, bool), (ErrorType, &'static str)> {
        if self.is_device(&identifier.kind) {
            let detail = "a device stands alone in its order";
            return Err((ErrorType::RejectedIdentifier, detail));
        }
        let offered = self.http.is_some() || self.dns.is_some();
        if identifier.kind != IdentifierType::Dns || !offered {
            let detail = "identifiers of this kind are not taken";
            return Err((ErrorType::UnsupportedIdentifier, detail));
        }
        let value = identifier.folded().value;
        let (host, wildcard) = match value.strip_prefix("*.") {
            Some(host) => (host, true),
            None => (value.as_str(), false),
        };
        if value.len() > self.limits.identifier || !is_host_name(host) {
            let detail = "this is no host name";
            return Err((ErrorType::Malformed, detail));
        }
        if wildcard && self.dns.is_none() {
            let detail = "wildcards are not taken";
            return Err((ErrorType::RejectedIdentifier, detail));
        }
        Ok((host.to_owned(), wildcard))
    }

    pub(super) fn host(
        &self,
        host: String,
        wildcard: bool,
        expires_at: DateTime<Utc>,
    ) -> Result<AuthorizationRecord, Stop> {
        let mut challenges = Vec::new();
        // RFC 8555 section 8: each challenge has a token of its own. A file proves nothing of other hosts.
        if self.http.is_some() && !wildcard {
            let token = Token::random()?;
            challenges.push(OfferedChallenge::new(ChallengeType::Http01, token));
        }
        if self.dns.is_some() {
            let token = Token::random()?;
            challenges.push(OfferedChallenge::new(ChallengeType::Dns01, token));
        }
        let mut authorization =
            AuthorizationRecord::new(Identifier::dns(host), expires_at, challenges);
        authorization.wildcard = wildcard;
        Ok(authorization)
    }

    /// The device behind an identifier. One that is not known is refused.
    async fn expected(
        &self,
        identifier: &Identifier,
        caller: &Caller,
        segment: Option<&Secret<String>>,
        now: DateTime<Utc>,
    ) -> Result<ExpectedDevice, Stop> {
        let refused = || {
            let detail = "no certificate is issued for this identifier";
            Stop::new(ErrorType::RejectedIdentifier, detail)
        };
        let devices = self.devices.as_ref().ok_or_else(refused)?;
        let query = DeviceQuery {
            identifier,
            path: segment,
            account: &caller.id,
            now,
            ordered_at: now,
        };
        let expected = devices.authorizer.expect(&query).await?;
        expected.ok_or_else(refused)
    }

    /// Asks once more whether the device may have its certificate.
    async fn confirm(
        &self,
        caller: &Caller,
        record: &OrderRecord,
        now: DateTime<Utc>,
    ) -> Result<(), Stop> {
        for authorization in &record.authorizations {
            let (Some(devices), Some(device)) = (&self.devices, &authorization.device) else {
                continue;
            };
            let query = DeviceQuery {
                identifier: &authorization.identifier,
                path: None,
                account: &caller.id,
                now,
                ordered_at: record.created_at,
            };
            if !devices.authorizer.confirm(&query, device).await? {
                let detail = "no certificate is issued for this identifier any more";
                return Err(Stop::new(ErrorType::Unauthorized, detail));
            }
        }
        Ok(())
    }

    /// RFC 9773 section 5: the certificate is of the same account and has a name in common with the order.
    async fn check_replaces(&self, replaces: &CertId, record: &OrderRecord) -> Result<(), Stop> {
        let refused = || Stop::malformed("the certificate cannot be replaced by this order");
        if !self.is_ours(replaces) {
            return Err(refused());
        }
        let id = self.store.order_of_certificate(replaces.serial()).await?;
        let earlier = match id {
            Some(id) => self.store.order(&id).await?,
            None => None,
        };
        let earlier = earlier.map(|kept| kept.record).ok_or_else(refused)?;
        let shares = |authorization: &AuthorizationRecord| {
            let mut earlier = earlier.authorizations.iter();
            earlier.any(|it| it.ordered() == authorization.ordered())
        };
        let fits = earlier.account == record.account && record.authorizations.iter().any(shares);
        fits.then_some(()).ok_or_else(refused)
    }

    /// Whether the name of a certificate is one of the authority's.
    pub(super) fn is_ours(&self, name: &CertId) -> bool {
        let issuer = self.authority.chain().first();
        issuer
            .and_then(|issuer| issuer.subject_key_id())
            .is_some_and(|key| key == name.authority_key_id())
    }

    fn order_reply(
        &self,
        status: StatusCode,
        id: &OrderId,
        record: &OrderRecord,
    ) -> Result<Reply, Stop> {
        let order = self.order_view(id, record, self.clock.now());
        let waits = order.status == OrderStatus::Processing;
        Ok(Reply::json(status, &order)?
            .location(self.base.url(&Route::Order(*id)))
            .retry_after(waits.then_some(self.policy.retry_after)))
    }

    /// The order, if it is of the account that asks.
    pub(super) async fn own_order(
        &self,
        caller: &Caller,
        id: &OrderId,
    ) -> Result<Kept<OrderRecord>, Stop> {
        let kept = self.own_record(caller, id).await?;
        match kept.record.is_pre_authorization() {
            true => Err(Stop::not_yours()),
            false => Ok(kept),
        }
    }

    /// The order or the authorisation ahead of any, if it is of the account that asks.
    pub(super) async fn own_record(
        &self,
        caller: &Caller,
        id: &OrderId,
    ) -> Result<Kept<OrderRecord>, Stop> {
        let kept = self.store.order(id).await?;
        kept.filter(|kept| kept.record.account == caller.id)
            .ok_or_else(Stop::not_yours)
    }

    pub(super) async fn order(&self, signed: &Signed, id: &OrderId) -> Result<Reply, Stop> {
        let caller = signed.caller()?;
        signed.only_gets()?;
        let kept = self.own_order(caller, id).await?;
        let kept = self.advance(id, kept, &caller.account.record).await?;
        self.order_reply(StatusCode::OK, id, &kept.record)
    }

    pub(super) async fn finalize(&self, signed: &Signed, id: &OrderId) -> Result<Reply, Stop> {
        let caller = signed.caller()?;
        let account = caller.id.to_string();
        self.limit(Scope::Enrolment, Who::Account(&account)).await?;
        let kept = self.own_order(caller, id).await?;
        let asked: Finalize = signed.read()?;
        if asked.csr.len() > self.limits.csr {
            let detail = format!("the CSR is longer than {} bytes", self.limits.csr);
            return Err(Stop::new(ErrorType::BadCsr, detail));
        }
        let kept = self.accept(caller, id, kept, &asked.csr).await?;
        let kept = self.advance(id, kept, &caller.account.record).await?;
        self.order_reply(StatusCode::OK, id, &kept.record)
    }

    /// The order with this CSR, which it takes once it is ready, and no other from then on.
    async fn accept(
        &self,
        caller: &Caller,
        id: &OrderId,
        mut kept: Kept<OrderRecord>,
        asked: &[u8],
    ) -> Result<Kept<OrderRecord>, Stop> {
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            match &kept.record.progress {
                // The very same request again: an answer may have been lost.
                Progress::Finalizing { csr, .. } | Progress::Issued { csr, .. } if csr == asked => {
                    return Ok(kept);
                }
                _ if kept.record.status(now) != OrderStatus::Ready => {
                    let detail = "the order is not ready to be finalized";
                    return Err(Stop::new(ErrorType::OrderNotReady, detail));
                }
                _ => {}
            }
            self.check_csr(&kept.record, asked, Some(caller), now)
                .map_err(|refusal| Stop::new(ErrorType::BadCsr, refusal.to_string()))?;
            self.confirm(caller, &kept.record, now).await?;
            self.keep_permit(&kept.record, now).await?;
            let mut record = kept.record.clone();
            record.progress = Progress::Finalizing {
                csr: asked.to_vec(),
                at: now,
            };
            let committed = self.store.commit_order(id, kept.version, record.clone());
            match committed.await? {
                OrderCommitted::Committed(version) => return Ok(Kept::new(record, version)),
                // Another request was first: whether it was the same is looked at again.
                _ => kept = self.own_order(caller, id).await?,
            }
        }
        Err(overtaken())
    }

    /// Holds a CSR against an order, with the identifiers that were proven at that time.
    pub(super) fn check_csr(
        &self,
        record: &OrderRecord,
        csr: &[u8],
        caller: Option<&Caller>,
        at: DateTime<Utc>,
    ) -> Result<Finalizable, CsrRefusal> {
        let authority = self.authority.chain().iter();
        let mut taken: Vec<_> = authority.flat_map(|it| it.public_key().ok()).collect();
        // RFC 8555 section 11.1: the account's key gets no certificate.
        taken.extend(caller.map(|caller| caller.account.record.key.key().clone()));
        let rules = CsrRules {
            rsa_bits: (self.policy.min_rsa_bits, self.policy.max_rsa_bits),
            taken: &taken,
        };
        Finalizable::check(record, csr, at, &rules)
    }

    /// Keeps the order's permit, which its certificate will spend. Made before the order is finalized and never after,
    /// so that one which was spent and forgotten does not come back.
    async fn keep_permit(&self, record: &OrderRecord, now: DateTime<Utc>) -> Result<(), Stop> {
        let id = record.permit;
        let permit = ChallengeRecord::new(record.label(), now, permit_end(record));
        match self.permits.insert_challenge(id, permit.clone()).await {
            Ok(()) | Err(StoreError::Exists) => Ok(()),
            Err(StoreError::Full { .. }) => {
                // Expired ones are kept for a day only so that they can be told from unknown ones.
                self.permits.forget_challenges(now).await?;
                match self.permits.insert_challenge(id, permit).await {
                    Ok(()) | Err(StoreError::Exists) => Ok(()),
                    Err(error) => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// When the permit of an order ends, at which a store that is full may forget it: a day after the order, which may have
/// been finalized in its last moment and wait for an authority that is away.
fn permit_end(record: &OrderRecord) -> DateTime<Utc> {
    let end = record.expires_at;
    end.checked_add_signed(TimeDelta::days(1)).unwrap_or(end)
}

pub(super) fn after(now: DateTime<Utc>, duration: std::time::Duration) -> DateTime<Utc> {
    TimeDelta::from_std(duration)
        .ok()
        .and_then(|duration| now.checked_add_signed(duration))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
