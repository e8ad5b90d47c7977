//! Accounts: made, looked up, changed, given up, with another key (RFC 8555 section 7.3).

use bytes::Bytes;
use http::{Request, StatusCode};

use super::{
    AcmeEvent, Server,
    reply::{Reply, Stop},
    request::{Caller, Signed, Signer, deactivated, peer},
    route::Route,
};
use crate::{
    acme::{
        json,
        jwk::Jwk,
        jws::{ExternalAccountBinding, FlattenedJws, Jws, JwsError},
        problem::ErrorType,
        resource::{Account, AccountStatus, AccountUpdate, KeyChange, NewAccount, OrderList},
        store::{AccountId, AccountRecord, AccountWritten, OrderId},
    },
    limit::Scope,
    store::StoreError,
};

/// How often a step is decided again that another one has overtaken.
pub(super) const ATTEMPTS: usize = 5;

impl Server {
    pub(super) async fn new_account(
        &self,
        signed: &Signed,
        request: &Request<Bytes>,
        below_segment: bool,
    ) -> Result<Reply, Stop> {
        let Signer::Key(key) = &signed.signer else {
            return Err(Stop::malformed(
                "a new account is asked for with its own key",
            ));
        };
        let asked: NewAccount = signed.read()?;
        if let Some(id) = self.store.account_of_key(&key.thumbprint()).await? {
            return self.existing(&id).await;
        }
        if asked.only_return_existing {
            let detail = "there is no account of this key";
            return Err(Stop::new(ErrorType::AccountDoesNotExist, detail));
        }
        self.limit(Scope::NewAccount, peer(request)).await?;
        if let Some(terms) = &self.policy.terms_of_service
            && !asked.terms_of_service_agreed
        {
            let detail = "the terms of service have to be agreed to";
            let stop = Stop::new(ErrorType::UserActionRequired, detail);
            let link = (terms.clone(), "terms-of-service");
            return Err(stop.with(|refused| refused.link = Some(link)));
        }
        self.check_contacts(&asked.contact)?;
        let external = match &asked.external_account_binding {
            Some(binding) => Some(self.external_account(binding, key, &signed.url).await?),
            None if self.external.is_required() && !below_segment => {
                let detail = "a new account needs an external account binding";
                return Err(Stop::new(ErrorType::ExternalAccountRequired, detail));
            }
            None => None,
        };
        let mut record = AccountRecord::new((**key).clone(), self.clock.now());
        record.contacts = asked.contact;
        record.terms_of_service_agreed = asked.terms_of_service_agreed;
        record.external = external;
        record.external_binding = asked.external_account_binding;
        let id = AccountId::random()?;
        match self.store.insert_account(id, record.clone()).await? {
            AccountWritten::Written => {
                self.observe(&AcmeEvent::AccountMade {
                    account: &id,
                    external: record.external.as_deref(),
                });
                self.account_reply(StatusCode::CREATED, &id, &record)
            }
            // It came twice at once.
            AccountWritten::KeyTaken(other) => self.existing(&other).await,
            AccountWritten::ExternalTaken => Err(Stop::new(
                ErrorType::Unauthorized,
                "the external account is bound already",
            )),
            AccountWritten::Conflict => Err(StoreError::Exists.into()),
        }
    }

    async fn existing(&self, id: &AccountId) -> Result<Reply, Stop> {
        match self.store.account(id).await? {
            Some(kept) if kept.record.status == AccountStatus::Valid => {
                self.account_reply(StatusCode::OK, id, &kept.record)
            }
            _ => Err(deactivated()),
        }
    }

    fn account_reply(
        &self,
        status: StatusCode,
        id: &AccountId,
        record: &AccountRecord,
    ) -> Result<Reply, Stop> {
        let account = Account::new(record.status.clone()).with(|account| {
            account.contact.clone_from(&record.contacts);
            account.terms_of_service_agreed = record.terms_of_service_agreed;
            account.orders = Some(self.base.url(&Route::Orders(*id, None)));
            account
                .external_account_binding
                .clone_from(&record.external_binding);
        });
        let url = self.base.url(&Route::Account(*id));
        Ok(Reply::json(status, &account)?.location(url))
    }

    async fn external_account(
        &self,
        binding: &FlattenedJws,
        key: &Jwk,
        url: &str,
    ) -> Result<String, Stop> {
        let refused = || {
            let detail = "the external account is not known, or its key did not sign";
            Stop::new(ErrorType::Unauthorized, detail)
        };
        let Some(accounts) = self.external.accounts() else {
            return Err(Stop::malformed("accounts are not bound to others here"));
        };
        let binding = ExternalAccountBinding::parse(binding, &self.limits.jws)?;
        let Some(external) = accounts.key(binding.kid()).await? else {
            return Err(refused());
        };
        binding.verify(&external, key, url).map_err(|error| {
            match error {
                // Who is unknown and who has another key is told alike.
                JwsError::Signature => refused(),
                other => other.into(),
            }
        })?;
        Ok(external.kid().to_owned())
    }

    fn check_contacts(&self, contacts: &[String]) -> Result<(), Stop> {
        if contacts.len() > self.limits.contacts {
            let detail = format!("more than {} contacts", self.limits.contacts);
            return Err(Stop::new(ErrorType::InvalidContact, detail));
        }
        for contact in contacts {
            // The scheme of a URL is of either case (RFC 3986 section 3.1).
            let Some((scheme, address)) = contact.split_once(':') else {
                return Err(Stop::new(ErrorType::InvalidContact, "a contact is no URL"));
            };
            if !scheme.eq_ignore_ascii_case("mailto") {
                let detail = "contacts are mailto URLs";
                return Err(Stop::new(ErrorType::UnsupportedContact, detail));
            }
            // RFC 8555 section 7.3: one address and no header fields.
            let plain = address.bytes().all(|byte| {
                byte.is_ascii_graphic() && !matches!(byte, b',' | b'?' | b'<' | b'>' | b'"')
            });
            let whole = address
                .rsplit_once('@')
                .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
            if contact.len() > self.limits.contact || !plain || !whole {
                let detail = "a contact is no mailto URL of one address";
                return Err(Stop::new(ErrorType::InvalidContact, detail));
            }
        }
        Ok(())
    }

    pub(super) async fn account(&self, signed: &Signed, id: &AccountId) -> Result<Reply, Stop> {
        let caller = own_account(signed, id)?;
        if signed.is_post_as_get() {
            return self.account_reply(StatusCode::OK, id, &caller.account.record);
        }
        let update: AccountUpdate = signed.read()?;
        if let Some(contacts) = &update.contact {
            self.check_contacts(contacts)?;
        }
        let deactivates = match &update.status {
            None | Some(AccountStatus::Valid) => false,
            Some(AccountStatus::Deactivated) => true,
            Some(_) => return Err(Stop::malformed("an account can only be deactivated")),
        };
        let mut kept = caller.account.clone();
        for _ in 0..ATTEMPTS {
            let mut record = kept.record;
            if let Some(contacts) = &update.contact {
                record.contacts.clone_from(contacts);
            }
            record.terms_of_service_agreed |= update.terms_of_service_agreed.unwrap_or_default();
            if deactivates {
                record.status = AccountStatus::Deactivated;
            }
            let written = self.store.update_account(id, kept.version, record.clone());
            if written.await? == AccountWritten::Written {
                if deactivates {
                    self.observe(&AcmeEvent::AccountDeactivated { account: id });
                }
                return self.account_reply(StatusCode::OK, id, &record);
            }
            kept = self.store.account(id).await?.ok_or_else(deactivated)?;
            // What overtook may have changed the key or the status, on which this request stands.
            if kept.record.key != caller.account.record.key
                || kept.record.status != AccountStatus::Valid
            {
                return Err(deactivated());
            }
        }
        Err(overtaken())
    }

    pub(super) async fn orders(
        &self,
        signed: &Signed,
        id: &AccountId,
        before: Option<&OrderId>,
    ) -> Result<Reply, Stop> {
        own_account(signed, id)?;
        signed.only_gets()?;
        let page = self.limits.page.max(1);
        let orders = self.store.orders(id, before, page).await?;
        let now = self.clock.now();
        // RFC 8555 section 7.1.2.1: without those that are invalid.
        let urls = orders
            .iter()
            .filter(|(_, order)| !order.has_failed(now) && !order.is_pre_authorization())
            .map(|(id, _)| self.base.url(&Route::Order(*id)))
            .collect();
        let reply = Reply::json(StatusCode::OK, &OrderList::new(urls))?;
        Ok(match orders.last() {
            Some((last, _)) if orders.len() == page => {
                reply.link(self.base.url(&Route::Orders(*id, Some(*last))), "next")
            }
            _ => reply,
        })
    }

    pub(super) async fn key_change(&self, signed: &Signed) -> Result<Reply, Stop> {
        let caller = signed.caller()?;
        let inner = Jws::parse_inner(signed.payload(), &self.limits.jws)?.verify_own_key()?;
        if inner.header.url != signed.url {
            return Err(Stop::malformed("the inner request is for another URL"));
        }
        let change: KeyChange = json::read(&inner.payload)
            .map_err(|_| Stop::malformed("the inner payload is no change of a key"))?;
        let (id, kept) = (&caller.id, &caller.account);
        if change.account != self.base.url(&Route::Account(*id)) {
            return Err(Stop::malformed("the inner request is for another account"));
        }
        if change.old_key != kept.record.key {
            return Err(Stop::malformed("the old key is not the account's"));
        }
        let mut record = kept.record.clone();
        record.key = inner.key;
        if record.key == kept.record.key {
            return Err(self.key_taken(id));
        }
        match self
            .store
            .update_account(id, kept.version, record.clone())
            .await?
        {
            AccountWritten::Written => {
                self.observe(&AcmeEvent::KeyChanged { account: id });
                self.account_reply(StatusCode::OK, id, &record)
            }
            AccountWritten::KeyTaken(other) => Err(self.key_taken(&other)),
            AccountWritten::Conflict | AccountWritten::ExternalTaken => Err(overtaken()),
        }
    }

    /// RFC 8555 section 7.3.5: a conflict, and whose the key is.
    fn key_taken(&self, owner: &AccountId) -> Stop {
        let url = self.base.url(&Route::Account(*owner));
        Stop::malformed("the new key is an account's already")
            .status(StatusCode::CONFLICT)
            .with(|refused| refused.location = Some(url))
    }
}

/// The caller, if the resource is of its own account.
fn own_account<'s>(signed: &'s Signed, id: &AccountId) -> Result<&'s Caller, Stop> {
    let caller = signed.caller()?;
    match caller.id == *id {
        true => Ok(caller),
        false => Err(Stop::not_yours()),
    }
}

pub(super) fn overtaken() -> Stop {
    StoreError::unavailable("other changes keep overtaking this one").into()
}
