//! Many accounts with their devices, kept in step with Apple.
//!
//! | To | ask |
//! |---|---|
//! | link an account, renew its token, end it | `add_account`, `stage_key`, `install_token`, `clear_token`, `remove_account` |
//! | say what devices are to have | `define_profile`, `set_default_profile`, `want_profile`, `set_tags`, `set_user` |
//! | have it done | `run`; or `tick`, `work` and `sync`, which `run` is made of |
//! | take a device that enrols over | `hand_over` |
//! | part with one | `unassign`, `give_up` |
//! | tell a person | `warnings`, `export`, and an [`Observer`] |
//!
//! ```
//! use std::sync::Arc;
//!
//! use ade_client::{
//!     AdeService, MemoryAdeStore, model::Profile, record::AccountId, service::Installing,
//! };
//! use bytes::Bytes;
//! use mdm_core::{ManualClock, SerialNumber};
//! use mdm_transport::transport_fn;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Stands for Apple, so that this runs without it.
//! let apple = transport_fn(|request: http::Request<Bytes>| async move {
//!     let answer = match request.uri().path() {
//!         "/session" => r#"{"auth_session_token":"s1"}"#,
//!         "/account" => r#"{"server_name":"MDM","server_uuid":"5A1C"}"#,
//!         "/profile" => r#"{"profile_uuid":"88FC"}"#,
//!         "/profile/devices" => r#"{"profile_uuid":"88FC","devices":{"C02AAAAAAAAA":"SUCCESS"}}"#,
//!         "/server/devices" => {
//!             r#"{"devices":[{"serial_number":"C02AAAAAAAAA"}],"cursor":"c1","more_to_follow":false}"#
//!         }
//!         _ => r#"{"devices":[],"cursor":"c2","more_to_follow":false}"#,
//!     };
//!     Ok(http::Response::new(Bytes::from_static(answer.as_bytes())))
//! });
//! let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse()?));
//! let service =
//!     AdeService::builder(MemoryAdeStore::new(), apple, clock, "example-mdm/1.0").build();
//!
//! let account = AccountId::new("head-office")?;
//! service.add_account(&account).await?;
//! // What was in the token file; `install_token` opens the file itself, with the staged key.
//! let token = br#"{"consumer_key":"CK_1","consumer_secret":"CS_1",
//!                  "access_token":"AT_1","access_secret":"AS_1"}"#;
//! service.install_token_json(&account, token, Installing::SameServer).await?;
//!
//! let profile = Profile::new("Staff", "https://mdm.example.com/enrol");
//! let profile = service.define_profile(&account, profile, None).await?;
//! service.set_default_profile(&account, Some(&profile.uuid)).await?;
//!
//! let report = service.work(&account).await?;
//! assert_eq!(report.assigned.assigned, 1);
//! let serial: SerialNumber = "C02AAAAAAAAA".parse()?;
//! let device = service.store().device(&account, &serial).await?.ok_or("not stored")?;
//! assert_eq!(device.lacks(), None);
//! # Ok(())
//! # }
//! ```

mod assigner;
mod export;
mod give_up;
mod hand_over;
mod lease;
mod link;
mod observe;
mod profiles;
mod refusal;
mod replacement;
mod report;
mod round;
mod step;
mod trouble;
mod unassign;
mod wants;
mod warnings;
mod worker;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use mdm_core::Clock;
use mdm_transport::{HttpTransport, RetryPolicy};

pub use export::ExportFormat;
pub use give_up::{ActionError, GiveUpActions, NotReleased};
pub use hand_over::HandOver;
pub use link::Installing;
pub use refusal::Refusal;
pub use report::{AssignCounts, SyncReport, TickReport, WorkReport};
pub use warnings::Warning;

use crate::{
    Client, Error, Policy, ServerToken,
    client::APPLE,
    progress::Observer,
    record::{AccountId, AccountRecord},
    store::{AdeStore, Changes, Loaded, Reads},
};

/// The accounts of one program over one store. Clones share everything.
#[derive(Clone)]
pub struct AdeService {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn AdeStore>,
    transport: Arc<dyn HttpTransport>,
    clock: Arc<dyn Clock>,
    user_agent: String,
    base: String,
    retry: RetryPolicy,
    policy: Policy,
    node: String,
    observer: Option<Arc<dyn Observer>>,
    working: lease::Working,
    /// One client, and with it one session, for each account's token.
    clients: Mutex<Clients>,
}

type Clients = BTreeMap<AccountId, (ServerToken, Client)>;

impl AdeService {
    /// Starts with the parts that nobody else can choose. `user_agent` is what Apple sees, such as
    /// `example-mdm/1.0`.
    pub fn builder(
        store: impl AdeStore + 'static,
        transport: impl HttpTransport + 'static,
        clock: Arc<dyn Clock>,
        user_agent: &str,
    ) -> AdeServiceBuilder {
        AdeServiceBuilder {
            store: Arc::new(store),
            transport: Arc::new(transport),
            clock,
            user_agent: user_agent.to_owned(),
            base: APPLE.to_owned(),
            retry: RetryPolicy::default(),
            policy: Policy::default(),
            node: "node".to_owned(),
            observer: None,
        }
    }

    /// The rules that hold.
    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    /// The store.
    pub fn store(&self) -> &dyn AdeStore {
        &*self.inner.store
    }

    /// One account.
    ///
    /// # Errors
    /// [`Refusal::NoAccount`], or [`Error::Store`] if the store cannot answer.
    pub async fn account(&self, account: &AccountId) -> Result<AccountRecord, Error> {
        let record = self.inner.store.account(account).await?;
        Ok(record.ok_or_else(|| Refusal::NoAccount(account.clone()))?)
    }

    /// The client for the account's token, the same one as long as the token is.
    ///
    /// # Errors
    /// [`Refusal::NoToken`] and what [`AdeService::account`] gives.
    pub async fn client(&self, account: &AccountId) -> Result<Client, Error> {
        let record = self.account(account).await?;
        let credentials = record.credentials.ok_or(Refusal::NoToken)?;
        self.client_for(account, credentials.token)
    }

    fn client_for(&self, account: &AccountId, token: ServerToken) -> Result<Client, Error> {
        let mut clients = self
            .inner
            .clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((known, client)) = clients.get(account)
            && *known == token
        {
            return Ok(client.clone());
        }
        let client = self.new_client(token.clone())?;
        clients.insert(account.clone(), (token, client.clone()));
        Ok(client)
    }

    fn new_client(&self, token: ServerToken) -> Result<Client, Error> {
        let inner = &self.inner;
        Client::builder(
            Arc::clone(&inner.transport),
            Arc::clone(&inner.clock),
            token,
            &inner.user_agent,
        )
        .base_url(&inner.base)
        .retry(inner.retry)
        .build()
    }

    /// One atomic step on an account that is there.
    async fn step<T, F>(&self, account: &AccountId, reads: Reads, decide: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(AccountRecord, Loaded) -> Result<(Changes, T), Refusal> + Send + Sync + 'static,
    {
        let id = account.clone();
        step::run(self.store(), account, reads, move |mut loaded| {
            let record = loaded.account.take();
            decide(
                record.ok_or_else(|| Refusal::NoAccount(id.clone()))?,
                loaded,
            )
        })
        .await
    }
}

impl fmt::Debug for AdeService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdeService")
            .field("store", &self.inner.store)
            .field("node", &self.inner.node)
            .finish_non_exhaustive()
    }
}

/// Settings of an [`AdeService`].
#[must_use]
pub struct AdeServiceBuilder {
    store: Arc<dyn AdeStore>,
    transport: Arc<dyn HttpTransport>,
    clock: Arc<dyn Clock>,
    user_agent: String,
    base: String,
    retry: RetryPolicy,
    policy: Policy,
    node: String,
    observer: Option<Arc<dyn Observer>>,
}

impl AdeServiceBuilder {
    /// Talks to another service than [`APPLE`], such as a fake one.
    pub fn base_url(mut self, url: &str) -> Self {
        self.base = url.to_owned();
        self
    }

    /// When single requests are sent again. [`RetryPolicy::default`] unless set.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// How often Apple is asked. [`Policy::default`] unless set.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// This node's name among those that share the store; each has its own. Default `node`, right
    /// where there is only one.
    pub fn node(mut self, name: &str) -> Self {
        self.node = name.to_owned();
        self
    }

    /// Who is told how far syncs are, and by [`AdeService::tick`] and [`AdeService::run`] what came of
    /// the work and which warnings are new.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The service; nothing is read or sent yet.
    pub fn build(self) -> AdeService {
        AdeService {
            inner: Arc::new(Inner {
                store: self.store,
                transport: self.transport,
                clock: self.clock,
                user_agent: self.user_agent,
                base: self.base,
                retry: self.retry,
                policy: self.policy,
                node: self.node,
                observer: self.observer,
                working: lease::Working::default(),
                clients: Mutex::new(BTreeMap::new()),
            }),
        }
    }
}

impl fmt::Debug for AdeServiceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdeServiceBuilder")
            .field("node", &self.node)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
