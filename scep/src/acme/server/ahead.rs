//! Authorisations ahead of any order (RFC 8555 section 7.4.1), and the orders that find them.
//!
//! Each is a record of its own in the shape of an order: so it is proven, given up and forgotten as those in orders are, and no
//! store has to know of it. An order takes over what it finds, in the state of that moment.

use std::collections::HashMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Request, StatusCode};
use mdm_pki::random;

use super::{
    AcmeEvent, Server,
    order::after,
    reply::{Reply, Stop},
    request::{Signed, peer},
    route::Route,
};
use crate::{
    acme::{
        problem::ErrorType,
        resource::NewAuthorization,
        store::{AccountId, AuthorizationRecord, OrderId, OrderRecord},
    },
    limit::{Scope, Who},
    store::ChallengeId,
};

/// How many orders are read at once in search of authorisations.
const PAGE: usize = 100;

impl Server {
    /// Whether authorisations are made ahead of orders: of host names alone, for a device attests the key of one order.
    pub(super) fn authorizes_ahead(&self) -> bool {
        self.policy.pre_authorization && (self.http.is_some() || self.dns.is_some())
    }

    pub(super) async fn new_authorization(
        &self,
        signed: &Signed,
        request: &Request<Bytes>,
    ) -> Result<Reply, Stop> {
        let caller = signed.caller()?;
        self.limit(Scope::NewOrder, peer(request)).await?;
        let account = caller.id.to_string();
        self.limit(Scope::NewOrder, Who::Account(&account)).await?;
        let NewAuthorization { identifier, .. } = signed.read()?;
        let (host, wildcard) = self
            .check_host(&identifier)
            .map_err(|(kind, detail)| Stop::new(kind, detail))?;
        if wildcard {
            // Section 7.4.1: the identifier is the one in the certificate, and a wildcard is none that can be proven.
            let detail = "a wildcard is authorised in its order alone";
            return Err(Stop::new(ErrorType::RejectedIdentifier, detail));
        }
        self.check_bound(caller)?;
        let now = self.clock.now();
        let expires_at = after(now, self.policy.order_lifetime);
        let authorization = self.host(host, false, expires_at)?;
        let permit = ChallengeId::from_bytes(random::<32>()?);
        let record = OrderRecord::pre_authorization(caller.id, now, authorization, permit);
        let id = self.insert(&record).await?;
        self.observe(&AcmeEvent::PreAuthorization {
            order: &id,
            account: &caller.id,
            label: &record.label(),
        });
        let view = self.authorization_view(&id, &record, 0, now);
        let view = view.ok_or_else(Stop::not_yours)?;
        let url = self.base.url(&Route::Authorization(id, 0));
        Ok(Reply::json(StatusCode::CREATED, &view)?.location(url))
    }

    /// What this account has proven of these hosts ahead of an order, and of each what lasts longest.
    pub(super) async fn proven_ahead(
        &self,
        account: &AccountId,
        hosts: &[(String, bool)],
        now: DateTime<Utc>,
    ) -> Result<HashMap<String, AuthorizationRecord>, Stop> {
        let mut found: HashMap<String, AuthorizationRecord> = HashMap::new();
        if !self.authorizes_ahead() {
            return Ok(found);
        }
        let wanted = |name: &str| {
            hosts
                .iter()
                .any(|(host, wildcard)| host == name && !wildcard)
        };
        let mut before: Option<OrderId> = None;
        let mut searched = 0;
        while searched < self.limits.searched_orders {
            let page = PAGE.min(self.limits.searched_orders - searched);
            let orders = self.store.orders(account, before.as_ref(), page).await?;
            let ahead = orders.iter().filter(|(_, it)| it.is_pre_authorization());
            for authorization in ahead.flat_map(|(_, it)| &it.authorizations) {
                let name = &authorization.identifier.value;
                if authorization.proof(now).is_none() || !wanted(name) {
                    continue;
                }
                let longer =
                    |known: &AuthorizationRecord| known.expires_at >= authorization.expires_at;
                if !found.get(name).is_some_and(longer) {
                    found.insert(name.clone(), authorization.clone());
                }
            }
            searched += orders.len();
            match orders.last() {
                Some((last, _)) if orders.len() == page => before = Some(*last),
                _ => break,
            }
        }
        Ok(found)
    }
}
