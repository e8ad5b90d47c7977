//! An order from its beginning, or from where it was left, to the certificate.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::Clock;
use mdm_pki::CertificateRequest;
use mdm_transport::HttpTransport;
use serde::de::DeserializeOwned;

use super::{
    CertificateChain, Error, Located, Offer, Session, Settings, Solver,
    exchange::{Answer, Expected},
};
use crate::acme::{
    identifier::Identifier,
    problem::ErrorType,
    resource::{
        Authorization, AuthorizationStatus, Challenge, ChallengeStatus, NewOrder, Order,
        OrderStatus,
    },
};

impl<T: HttpTransport> Session<T> {
    /// Places an order and takes it to its certificate.
    ///
    /// Whoever wants to take the order up again after a crash places it with [`new_order`](Self::new_order), keeps its URL
    /// and goes on with [`complete`](Self::complete).
    ///
    /// # Errors
    /// As those two.
    pub async fn obtain(
        &self,
        order: &NewOrder,
        csr: &CertificateRequest,
        solver: &dyn Solver,
    ) -> Result<CertificateChain, Error> {
        let order = self.new_order(order).await?;
        self.complete(&order.url, csr, solver).await
    }

    /// Proves an identifier ahead of any order (RFC 8555 section 7.4.1).
    ///
    /// # Errors
    /// As [`new_authorization`](Self::new_authorization); [`Error::Authorization`], [`Error::Unsolved`] and [`Error::Solver`] where
    /// it is not proven.
    pub async fn pre_authorize(
        &self,
        identifier: &Identifier,
        solver: &dyn Solver,
    ) -> Result<Located<Authorization>, Error> {
        let mut patience = Patience::new(&self.client.inner.clock, &self.client.inner.settings);
        let made = self.new_authorization(identifier).await?;
        let urls = std::slice::from_ref(&made.url);
        self.prove(urls, solver, &mut patience).await?;
        self.look(&made.url, "authorization", &mut patience).await
    }

    /// Takes the order of this URL to its certificate from wherever it is: proves what is not proven, sends the CSR where it
    /// was not sent, waits as long as the server asks, and fetches the certificate.
    ///
    /// # Errors
    /// [`Error::Authorization`], [`Error::Unsolved`] and [`Error::Solver`] where an identifier is not proven;
    /// [`Error::Order`] for an order that came to nothing; [`Error::Certificate`] where the order was finalized with
    /// another CSR before. After [`Error::Pending`] and every other that [is temporary](Error::is_temporary) the same may
    /// be called again.
    pub async fn complete(
        &self,
        url: &str,
        csr: &CertificateRequest,
        solver: &dyn Solver,
    ) -> Result<CertificateChain, Error> {
        let key = csr.public_key()?;
        let mut patience = Patience::new(&self.client.inner.clock, &self.client.inner.settings);
        let (mut proven, mut finalized) = (false, false);
        let mut order: Located<Order> = self.look(url, "order", &mut patience).await?;
        loop {
            order = match order.value.status {
                OrderStatus::Pending if !proven => {
                    let urls = &order.value.authorizations;
                    self.prove(urls, solver, &mut patience).await?;
                    proven = true;
                    self.look(url, "order", &mut patience).await?
                }
                OrderStatus::Ready if !finalized => {
                    finalized = true;
                    match self.finalize(&order, csr).await {
                        Ok(order) => order,
                        // Somebody else, or this program before it stopped, was faster.
                        Err(error) if error.is(&ErrorType::OrderNotReady) => {
                            self.look(url, "order", &mut patience).await?
                        }
                        Err(error) => return Err(error),
                    }
                }
                OrderStatus::Valid => {
                    let url = order.value.certificate.as_deref();
                    let url = url.ok_or(Error::Missing("certificate of a valid order"))?;
                    let answer = self.ask(url, Expected::Chain, &mut patience).await?;
                    return CertificateChain::from_answer(&answer, &key);
                }
                OrderStatus::Pending | OrderStatus::Ready | OrderStatus::Processing => {
                    patience.wait(order.retry_after).await?;
                    self.look(url, "order", &mut patience).await?
                }
                status => {
                    return Err(Error::Order {
                        status,
                        problem: order.value.error.map(Box::new),
                    });
                }
            };
        }
    }

    /// Responds to a challenge of every authorization that has none that is responded to, then waits for all of them.
    async fn prove(
        &self,
        urls: &[String],
        solver: &dyn Solver,
        patience: &mut Patience<'_>,
    ) -> Result<(), Error> {
        const WHAT: &str = "authorization";
        for url in urls {
            let found = self.look::<Authorization>(url, WHAT, patience).await?;
            if is_open(&found.value)? && !is_responded_to(&found.value) {
                self.solve(&found.value, solver).await?;
            }
        }
        for url in urls {
            loop {
                let found = self.look::<Authorization>(url, WHAT, patience).await?;
                if !is_open(&found.value)? {
                    break;
                }
                patience.wait(found.retry_after).await?;
            }
        }
        Ok(())
    }

    /// The object of this URL, asked for until failures have passed.
    async fn look<V: DeserializeOwned>(
        &self,
        url: &str,
        what: &'static str,
        patience: &mut Patience<'_>,
    ) -> Result<Located<V>, Error> {
        let answer = self.ask(url, Expected::Json, patience).await?;
        Located::read(&answer, url.to_owned(), what)
    }

    async fn ask(
        &self,
        url: &str,
        expected: Expected,
        patience: &mut Patience<'_>,
    ) -> Result<Answer, Error> {
        loop {
            match self.post_as_get(url, expected).await {
                Err(error) => patience.bear(error).await?,
                outcome => return outcome,
            }
        }
    }

    async fn solve(&self, authorization: &Authorization, solver: &dyn Solver) -> Result<(), Error> {
        let challenges = &authorization.challenges;
        for challenge in challenges {
            if challenge.status != ChallengeStatus::Pending {
                continue;
            }
            let Some(offer) = Offer::new(authorization, challenge, self.jwk())? else {
                continue;
            };
            let solved = solver.solve(&offer).await;
            let solved = solved.map_err(|error| Error::Solver(Arc::from(error)))?;
            if let Some(response) = solved {
                self.respond(&challenge.url, response).await?;
                return Ok(());
            }
        }
        Err(Error::Unsolved {
            identifier: authorization.identifier.clone(),
            offered: challenges.iter().map(|it| it.kind.clone()).collect(),
        })
    }
}

/// Whether it still waits: `false` for a valid one, an error for one that came to nothing.
fn is_open(authorization: &Authorization) -> Result<bool, Error> {
    let challenges = &authorization.challenges;
    let is_invalid = |challenge: &Challenge| challenge.status == ChallengeStatus::Invalid;
    // step-ca leaves it pending with nothing left that could be solved.
    let is_over = !challenges.is_empty() && challenges.iter().all(is_invalid);
    match &authorization.status {
        AuthorizationStatus::Pending if !is_over => Ok(true),
        AuthorizationStatus::Valid => Ok(false),
        status => Err(Error::Authorization {
            identifier: authorization.identifier.clone(),
            status: status.clone(),
            problem: authorization.problem().cloned().map(Box::new),
        }),
    }
}

fn is_responded_to(authorization: &Authorization) -> bool {
    authorization
        .challenges
        .iter()
        .any(|challenge| challenge.status == ChallengeStatus::Processing)
}

/// How long it is still waited.
struct Patience<'a> {
    clock: &'a dyn Clock,
    interval: Duration,
    until: DateTime<Utc>,
}

/// The shortest wait, whatever the server says.
const LEAST: Duration = Duration::from_millis(250);

impl<'a> Patience<'a> {
    fn new(clock: &'a Arc<dyn Clock>, settings: &Settings) -> Self {
        let until = TimeDelta::from_std(settings.patience)
            .ok()
            .and_then(|patience| clock.now().checked_add_signed(patience));
        Self {
            clock: &**clock,
            interval: settings.interval,
            until: until.unwrap_or(DateTime::<Utc>::MAX_UTC),
        }
    }

    /// Waits as long as the server asks, or gives up at once where that is too long.
    async fn wait(&mut self, retry_after: Option<Duration>) -> Result<(), Error> {
        let left = (self.until - self.clock.now()).to_std().unwrap_or_default();
        let wait = retry_after.unwrap_or(self.interval).max(LEAST);
        if wait > left {
            return Err(Error::Pending { retry_after });
        }
        self.clock.sleep(wait).await;
        Ok(())
    }

    /// Waits after a failure that passes by itself; any other is the outcome.
    async fn bear(&mut self, error: Error) -> Result<(), Error> {
        match error.is_temporary() {
            true => self
                .wait(error.retry_after())
                .await
                .map_err(|_impatient| error),
            false => Err(error),
        }
    }
}
