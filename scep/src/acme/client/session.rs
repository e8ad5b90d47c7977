//! What an account does, one exchange each (RFC 8555 sections 7.1.2 to 7.6).

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use mdm_pki::{Certificate, CertificateRequest, PublicKey, RevocationReason, Signer};
use mdm_transport::HttpTransport;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    CertificateChain, ChallengeResponse, Client, Error, Signing,
    chain::MAX_ALTERNATES,
    exchange::{Answer, Expected},
};
use crate::acme::{
    identifier::Identifier,
    jwk::{Jwk, JwkError},
    jws::{Algorithm, Header, KeyRef, UnsignedJws},
    resource::{
        Account, AccountStatus, AccountUpdate, Authorization, AuthorizationUpdate, Challenge,
        Finalize, KeyChange, NewAuthorization, NewOrder, Order, OrderList,
    },
};

/// An account at a server, with the key that signs for it.
pub struct Session<T> {
    pub(super) client: Client<T>,
    signer: Arc<dyn Signer>,
    jwk: Jwk,
    url: String,
}

/// An object of the server's and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Located<V> {
    /// Where it is.
    pub url: String,
    /// What it is.
    pub value: V,
    /// When to ask again at the earliest.
    pub retry_after: Option<Duration>,
}

impl<V: DeserializeOwned> Located<V> {
    pub(super) fn read(answer: &Answer, url: String, what: &'static str) -> Result<Self, Error> {
        Ok(Self {
            value: answer.json(what)?,
            retry_after: answer.retry_after,
            url,
        })
    }
}

impl<T: HttpTransport> Session<T> {
    pub(super) fn new(
        client: Client<T>,
        signer: Arc<dyn Signer>,
        url: String,
    ) -> Result<Self, Error> {
        Ok(Self {
            jwk: Jwk::new(signer.public_key())?,
            client,
            signer,
            url,
        })
    }

    /// The account's URL, to be kept with its key.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The account's key.
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// The account as the server has it.
    ///
    /// # Errors
    /// That of the exchange.
    pub async fn account(&self) -> Result<Account, Error> {
        let answer = self.post_as_get(&self.url, Expected::Json).await?;
        answer.json("account")
    }

    /// Changes contacts, or agrees to new terms (RFC 8555 section 7.3.2).
    ///
    /// # Errors
    /// [`Error::Refused`] for contacts that the server does not take.
    pub async fn update(&self, update: &AccountUpdate) -> Result<Account, Error> {
        let answer = self.post(&self.url, update, Expected::Json).await?;
        answer.json("account")
    }

    /// Gives the account up for good (RFC 8555 section 7.3.6).
    ///
    /// # Errors
    /// That of the exchange.
    pub async fn deactivate(&self) -> Result<Account, Error> {
        let update = AccountUpdate::default()
            .with(|update| update.status = Some(AccountStatus::Deactivated));
        self.update(&update).await
    }

    /// The URLs of the account's orders, from all pages of the list that
    /// [`Settings::pages`](super::Settings::pages) allows.
    ///
    /// # Errors
    /// [`Error::NotOffered`] of a server that shows no list.
    pub async fn orders(&self) -> Result<Vec<String>, Error> {
        let first = self.account().await?.orders;
        let mut next = Some(first.ok_or(Error::NotOffered("a list of orders"))?);
        let mut orders = Vec::new();
        for _ in 0..self.client.inner.settings.pages {
            let Some(url) = next else { break };
            let answer = self.post_as_get(&url, Expected::Json).await?;
            orders.extend(answer.json::<OrderList>("list of orders")?.orders);
            next = answer.links("next").next().map(ToOwned::to_owned);
        }
        Ok(orders)
    }

    /// Gives the account another key (RFC 8555 section 7.3.5), and sees that the server takes what it signs. Where an
    /// answer gets lost, [`Client::find_account`] tells which key the account has.
    ///
    /// # Errors
    /// [`Error::Refused`] for a key that has an account already, [`Error::NotOffered`].
    pub async fn change_key(&self, new: Arc<dyn Signer>) -> Result<Self, Error> {
        let directory = self.client.directory().await?;
        let url = directory.key_change.as_deref();
        let url = url.ok_or(Error::NotOffered("keyChange"))?;
        let url = self.client.inner.url.named(url)?.to_string();
        let changed = Self::new(self.client.clone(), new, self.url.clone())?;
        let algorithm = Algorithm::for_key(changed.jwk.key()).ok_or(JwkError::Unsupported)?;
        let header = Header::new(algorithm, KeyRef::Jwk(changed.jwk.clone()), url.as_str());
        let change = KeyChange::new(&self.url, self.jwk.clone());
        let change = serde_json::to_vec(&change).map_err(|_| Error::Missing("key"))?;
        let inner = UnsignedJws::new(&header, &change)?
            .sign_with(&*changed.signer)
            .await?;
        self.post(&url, &inner, Expected::Nothing).await?;
        // pebble answers 200 also where it has left the key as it was.
        changed.account().await?;
        Ok(changed)
    }

    /// Places an order. Its URL is to be kept: with it, and the CSR, the order can be taken up again.
    ///
    /// # Errors
    /// [`Error::Refused`] for identifiers that the server does not certify; [`Error::Identifiers`] where it made an order
    /// for others.
    pub async fn new_order(&self, order: &NewOrder) -> Result<Located<Order>, Error> {
        let directory = self.client.directory().await?;
        let answer = self
            .post(&directory.new_order, order, Expected::Json)
            .await?;
        let location = answer.location.clone().ok_or(Error::Missing("Location"))?;
        self.client.inner.url.named(&location)?;
        let placed: Located<Order> = Located::read(&answer, location, "order")?;
        match folded(&placed.value.identifiers) == folded(&order.identifiers) {
            true => Ok(placed),
            false => Err(Error::Identifiers {
                found: placed.value.identifiers,
            }),
        }
    }

    /// The order of this URL.
    ///
    /// # Errors
    /// That of the exchange.
    pub async fn order(&self, url: &str) -> Result<Located<Order>, Error> {
        let answer = self.post_as_get(url, Expected::Json).await?;
        Located::read(&answer, url.to_owned(), "order")
    }

    /// The authorization of this URL.
    ///
    /// # Errors
    /// That of the exchange.
    pub async fn authorization(&self, url: &str) -> Result<Located<Authorization>, Error> {
        let answer = self.post_as_get(url, Expected::Json).await?;
        Located::read(&answer, url.to_owned(), "authorization")
    }

    /// Asks for an authorization ahead of any order (RFC 8555 section 7.4.1), which later orders of the account find. No wildcard
    /// can be authorized so.
    ///
    /// # Errors
    /// [`Error::NotOffered`] by most servers; [`Error::Refused`]; [`Error::Identifiers`] where it is for another identifier.
    pub async fn new_authorization(
        &self,
        identifier: &Identifier,
    ) -> Result<Located<Authorization>, Error> {
        let directory = self.client.directory().await?;
        let url = directory.new_authz.as_deref();
        let url = url.ok_or(Error::NotOffered("newAuthz"))?;
        let request = NewAuthorization::new(identifier.clone());
        let answer = self.post(url, &request, Expected::Json).await?;
        let location = answer.location.clone().ok_or(Error::Missing("Location"))?;
        self.client.inner.url.named(&location)?;
        let made: Located<Authorization> = Located::read(&answer, location, "authorization")?;
        match made.value.identifier.folded() == identifier.folded() {
            true => Ok(made),
            false => Err(Error::Identifiers {
                found: vec![made.value.identifier],
            }),
        }
    }

    /// Gives an authorization up (RFC 8555 section 7.5.2).
    ///
    /// # Errors
    /// That of the exchange.
    pub async fn deactivate_authorization(
        &self,
        url: &str,
    ) -> Result<Located<Authorization>, Error> {
        let update = AuthorizationUpdate::deactivate();
        let answer = self.post(url, &update, Expected::Json).await?;
        Located::read(&answer, url.to_owned(), "authorization")
    }

    /// Responds to the challenge of this URL (RFC 8555 section 7.5.1).
    ///
    /// # Errors
    /// [`Error::Refused`] for an attestation that the server does not believe.
    pub async fn respond(
        &self,
        url: &str,
        response: ChallengeResponse,
    ) -> Result<Located<Challenge>, Error> {
        let answer = self.post(url, &response.payload(), Expected::Json).await?;
        Located::read(&answer, url.to_owned(), "challenge")
    }

    /// Asks for the certificate of an order that is ready (RFC 8555 section 7.4).
    ///
    /// # Errors
    /// [`Error::Refused`] for a CSR that does not fit the order.
    pub async fn finalize(
        &self,
        order: &Located<Order>,
        csr: &CertificateRequest,
    ) -> Result<Located<Order>, Error> {
        let request = Finalize::new(csr.to_der());
        let answer = self
            .post(&order.value.finalize, &request, Expected::Json)
            .await?;
        Located::read(&answer, order.url.clone(), "order")
    }

    /// The certificate of this URL, which an order or an alternate of another chain names.
    ///
    /// # Errors
    /// [`Error::Certificate`] for one of another key, [`Error::Content`] for what is no chain.
    pub async fn certificate(&self, url: &str, key: &PublicKey) -> Result<CertificateChain, Error> {
        let answer = self.post_as_get(url, Expected::Chain).await?;
        CertificateChain::from_answer(&answer, key)
    }

    /// The same certificate with another of its chains, the first one that is preferred (RFC 8555 section 7.4.2); `None` where none is.
    /// The chain at hand is not asked about.
    ///
    /// # Errors
    /// That of the exchange; [`Error::Certificate`] for a chain of another certificate.
    pub async fn alternate(
        &self,
        chain: &CertificateChain,
        prefers: impl Fn(&CertificateChain) -> bool,
    ) -> Result<Option<CertificateChain>, Error> {
        let key = chain.leaf.public_key()?;
        for url in chain.alternates.iter().take(MAX_ALTERNATES) {
            let other = self.certificate(url, &key).await?;
            if other.leaf != chain.leaf {
                return Err(Error::Certificate("is another one than that of the order"));
            }
            if prefers(&other) {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    /// Revokes a certificate that the account was issued or is authorized for (RFC 8555 section 7.6).
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::NotOffered`].
    pub async fn revoke(
        &self,
        certificate: &Certificate,
        reason: Option<RevocationReason>,
    ) -> Result<(), Error> {
        self.client
            .revoke(&self.signing(), certificate, reason)
            .await
    }

    async fn post<P: Serialize + Sync>(
        &self,
        url: &str,
        payload: &P,
        expected: Expected,
    ) -> Result<Answer, Error> {
        let signing = self.signing();
        self.client.post(&signing, url, payload, expected).await
    }

    pub(super) async fn post_as_get(&self, url: &str, expected: Expected) -> Result<Answer, Error> {
        let signing = self.signing();
        self.client.post_bytes(&signing, url, b"", expected).await
    }

    fn signing(&self) -> Signing<'_> {
        Signing {
            signer: &*self.signer,
            key: KeyRef::Kid(self.url.clone()),
        }
    }
}

/// Identifiers as a set: a server may put them in another order.
fn folded(identifiers: &[Identifier]) -> HashSet<Identifier> {
    identifiers.iter().map(Identifier::folded).collect()
}

impl<T> fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("client", &self.client)
            .field("jwk", &self.jwk)
            .finish_non_exhaustive()
    }
}
