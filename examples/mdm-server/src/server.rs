//! The server put together: database, authority, service, portal, workers, listeners.

use std::{
    future::Future,
    ops::Deref,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use mdm_sdk::{
    ade::{AdeService, AdeStore},
    core::{Clock, Secret, SystemClock, Topic},
    pki::{self, Certificate, DigestAlgorithm},
    protocol::enroll::DeviceAuthorities,
    scep::{self, acme},
    service::{
        MdmSignature, Sealed, Service,
        delivery::{EventPace, Webhook},
        entry::{AccountDriven, Portal, TicketKeys, Urls},
        identity::{Both, Either, IdentitySource, MutualTls, Network, ProxyHeader},
        push::PushPace,
    },
    tls::{ClientAuth, ServerConfig},
};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::{
    admin::{self, Metrics},
    assignment,
    authority::Authority,
    bodies::Bodies,
    books::Books,
    config::{self, ClientCertificates, Config},
    database::Database,
    enroll::{Door, Profiles},
    error::Error,
    filevault,
    handed::Handed,
    issued::Pins,
    peer::Proxies,
    push,
    renewal::{self, Pace},
    routes,
    schedule::{Inventory, Schedule},
    sign_in::SignInPage,
    transport::{USER_AGENT, transport},
    vault::{self, Vault},
    web::Web,
};

/// Fewest characters of the admin API's token.
const TOKEN: usize = 32;

/// What requests are answered with. Clones share everything.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// The parts of [`App`].
pub(crate) struct Parts {
    pub(crate) service: Service,
    pub(crate) portal: Portal,
    /// Who signs people in, if anybody does.
    pub(crate) sign_in: Option<SignInPage>,
    pub(crate) authority: Authority,
    pub(crate) acme: Option<Arc<acme::Server>>,
    pub(crate) ade: AdeService,
    /// Whom a device has to trust that Apple points here.
    pub(crate) anchors: Vec<Certificate>,
    pub(crate) metrics: Metrics,
    /// What the authority has issued.
    pub(crate) books: Books,
    /// What devices send, on its way in.
    pub(crate) bodies: Bodies,
    /// When devices are made to renew their identities, if they are.
    pub(crate) renewal: Option<Pace>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) token: Secret<String>,
    pub(crate) push_ends: Option<chrono::DateTime<chrono::Utc>>,
    /// Whom Macs encrypt their recovery keys for.
    pub(crate) recovery: Option<Certificate>,
    pub(crate) started: Instant,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// How long a worker has to finish what it is doing once the server stops.
const GRACE: Duration = Duration::from_secs(10);

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The server, with its listeners bound.
pub(crate) struct Server {
    app: App,
    devices: Web,
    admin: Web,
    database: Database,
    /// What ends by itself once the server stops.
    workers: Vec<Work>,
    /// What is cut off: it has nothing to finish.
    endless: Vec<Work>,
    stopping: watch::Sender<bool>,
    has_ade: bool,
}

impl Server {
    /// Opens everything; nothing is answered and nothing done yet.
    pub(crate) async fn open(mut config: Config) -> Result<Self, Error> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let keys = vault::sealing_keys(&config.sealing)?;
        vault::create_private(&config.data)?;
        let token = admin_token(&config)?;
        let (devices, admin) = bind(&config).await?;
        config.bound(devices.address()?);
        let devices = devices.behind(proxies(&config)?);

        let database = Database::open(&config).await?;
        let vault = Vault::new(database.vault(), keys.clone());
        vault.take_over(&config.data).await?;
        let authority = Authority::open(&config, &vault, database.books(), clock.clone()).await?;
        let devices = match tls(&config, &authority.root)? {
            Some(tls) => devices.tls(tls),
            None => devices,
        };
        let assigned = assignment::Sealed::new(database.assignment(), keys.clone());
        let ade = ade_service(&config, assigned)?;

        let (stopping, _) = watch::channel(false);
        let (mut workers, mut endless): (Vec<Work>, Vec<Work>) = Default::default();
        let renewal = Pace::new(&config.scep, authority.root.not_after());
        let (identity, renewals) = match (identity(&config, &authority.root)?, renewal) {
            (identity, None) => (identity, None),
            (identity, Some(pace)) => {
                let (watch, renewals) = renewal::watch(identity, pace);
                (Arc::new(watch) as Arc<dyn IdentitySource>, Some(renewals))
            }
        };
        let books = Books::new(&database);
        let mut service = Service::builder(
            Sealed::new(database.service(), keys),
            clock.clone(),
            identity,
        )
        .pins(Pins(books.clone()))
        .admission(Door {
            assigned: database.assignment(),
            any_device: config.enrollment.any_device,
            accounts: config.accounts.clone(),
            books: books.clone(),
        });
        let mut push_ends = None;
        let topic = match &config.push {
            None => configured_topic(&config)?,
            Some(settings) => {
                let certificate = push::certificate(settings, &vault).await?;
                push_ends = Some(certificate.not_after());
                let topic = certificate.topic().clone();
                let (pusher, connections) = push::pusher(settings, certificate)?;
                service = service.pusher(pusher);
                endless.push(Box::pin(connections.run()));
                topic
            }
        };
        let mut recovery = None;
        if let Some(settings) = &config.filevault {
            let found = filevault::identities(settings, &config, &vault, clock.now()).await?;
            recovery = Some(found.current.certificate);
            service = service.filevault(found.current.key);
            for former in found.former {
                service = service.former_filevault(former.certificate, former.key);
            }
        }
        let service = service.build();
        let node = node(&config)?;
        if let Some(worker) = service.push_worker(PushPace::default()) {
            workers.push(Box::pin(worker.run_until(stopped(&stopping))));
        }
        for (name, webhook) in &config.webhooks {
            let key = format!("webhooks.{name}");
            let transport = transport(&format!("{key}.roots"), webhook.roots.as_deref())?;
            let secret = config::secret(
                &format!("{key}.key"),
                webhook.key.as_ref(),
                webhook.key_file.as_deref(),
            )?;
            let secret = Secret::new(secret.expose().as_bytes().to_vec());
            let receiver = Webhook::new(transport, clock.clone(), &webhook.url, secret)
                .map_err(Error::in_setting(&key))?;
            let name = format!("webhook/{name}");
            let worker = service.event_worker(name, &node, receiver, EventPace::default());
            workers.push(Box::pin(worker.run_until(stopped(&stopping))));
        }
        let metrics = Metrics::default();
        if config.schedule.inventory_hours > 0 {
            let inventory = Inventory::new(service.clone());
            let worker = service.event_worker("inventory", &node, inventory, EventPace::default());
            workers.push(Box::pin(worker.run_until(stopped(&stopping))));
        }
        let mut anchors = roots(&config)?;
        anchors.push(authority.root.clone());
        let acme = crate::acme::server(
            &config,
            &authority,
            &database,
            &service,
            &vault,
            clock.clone(),
        );
        let acme = acme.await?;
        let profiles = profiles(&config, &authority, database.books(), topic, clock.clone())?;
        let (portal, sign_in) = portal(&config, &service, &vault, profiles.clone()).await?;
        let app = App(Arc::new(Parts {
            service,
            portal,
            sign_in,
            authority,
            acme,
            ade,
            anchors,
            metrics,
            books,
            bodies: Bodies::new(config.listen.body_megabytes.saturating_mul(1 << 20)),
            renewal,
            clock,
            token,
            push_ends,
            recovery,
            started: Instant::now(),
        }));
        if let Some(renewals) = renewals {
            endless.push(Box::pin(renewals.run(app.clone(), profiles)));
        }
        let schedule = Schedule::new(app.clone(), config.schedule.clone(), node);
        workers.push(Box::pin(schedule.run(stopped(&stopping))));
        Ok(Self {
            app,
            devices,
            admin,
            database,
            workers,
            endless,
            stopping,
            has_ade: config.ade.is_some(),
        })
    }

    /// Serves until `stop` is ready; then what was begun is answered, the workers end, and the database is
    /// closed.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>) {
        if let (Ok(devices), Ok(admin)) = (self.devices.address(), self.admin.address()) {
            tracing::info!(%devices, %admin, "listening");
        }
        let stopping = self.stopping;
        let mut workers: JoinSet<()> = self.workers.into_iter().collect();
        let mut endless: JoinSet<()> = self.endless.into_iter().collect();
        let assignment = {
            let (ade, stopped) = (self.app.clone(), stopped(&stopping));
            let has_ade = self.has_ade;
            async move {
                if has_ade {
                    ade.ade.run(stopped).await;
                }
            }
        };
        let stop = async {
            stop.await;
            tracing::info!("stopping");
            stopping.send_replace(true);
        };
        tokio::join!(
            self.devices
                .serve(routes::devices(self.app.clone()), stopped(&stopping)),
            self.admin
                .serve(admin::routes(self.app.clone()), stopped(&stopping)),
            assignment,
            stop,
        );
        // Their leases are given back. What takes longer, and pushes, another run takes over.
        let all_done = async { while workers.join_next().await.is_some() {} };
        if timeout(GRACE, all_done).await.is_err() {
            tracing::warn!("work was cut off that took too long");
        }
        workers.shutdown().await;
        endless.shutdown().await;
        drop(self.app);
        self.database.close().await;
        tracing::info!("stopped");
    }
}

/// Ready once the server stops.
fn stopped(stopping: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stopping = stopping.subscribe();
    async move {
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }
}

async fn bind(config: &Config) -> Result<(Web, Web), Error> {
    let listen = &config.listen;
    let longest = Duration::from_secs(listen.request_seconds.max(1).into());
    let most = listen.max_connections;
    let devices = Web::bind("listen.address", listen.address, most, longest).await?;
    let admin = Web::bind("admin.address", config.admin.address, 64, longest).await?;
    Ok((devices, admin))
}

/// TLS for devices. Whoever shows a certificate shows one of the authority's: another is turned away at once, and a
/// browser has none that would fit.
fn tls(config: &Config, root: &Certificate) -> Result<Option<ServerConfig>, Error> {
    let Some(files) = &config.listen.tls else {
        return Ok(None);
    };
    let identity = config::identity("listen.tls", files)?;
    let tls = ServerConfig::builder(identity).alpn(&["http/1.1"]);
    let tls = match config.listen.client_certificates {
        None => tls,
        Some(_) => tls.client_auth(ClientAuth::Optional {
            roots: vec![root.clone()],
        }),
    };
    tls.build().map(Some).map_err(Error::part("TLS"))
}

pub(crate) fn admin_token(config: &Config) -> Result<Secret<String>, Error> {
    let admin = &config.admin;
    let token = config::secret(
        "admin.token",
        admin.token.as_ref(),
        admin.token_file.as_deref(),
    )?;
    if token.expose().len() < TOKEN {
        let problem = format!("has fewer than {TOKEN} characters");
        return Err(Error::setting("admin.token", problem));
    }
    Ok(token)
}

/// How devices prove who they are: by signing, by what they show in TLS, or through the proxy.
fn identity(config: &Config, root: &Certificate) -> Result<Arc<dyn IdentitySource>, Error> {
    let issuers = vec![root.clone()];
    let signature = MdmSignature::new(issuers.clone()).map_err(Error::part("identities"))?;
    if let Some(counts) = config.listen.client_certificates {
        let shown = MutualTls::new(&issuers).map_err(Error::part("identities"))?;
        return Ok(match counts {
            ClientCertificates::Either => Arc::new(Either(shown, signature)),
            ClientCertificates::Both => Arc::new(Both(shown, signature)),
            ClientCertificates::Only => Arc::new(shown),
        });
    }
    let Some(proxy) = &config.proxy else {
        return Ok(Arc::new(signature));
    };
    let networks = networks(config)?;
    let header = match proxy.client_certificate {
        None => return Ok(Arc::new(signature)),
        Some(config::ProxyHeader::ClientCert) => ProxyHeader::client_cert(&issuers, networks),
        Some(config::ProxyHeader::Envoy) => ProxyHeader::envoy(&issuers, networks),
        Some(config::ProxyHeader::Pem) => {
            let name = proxy.header.parse();
            let name = name.map_err(Error::in_setting("proxy.header"))?;
            ProxyHeader::pem(name, &issuers, networks)
        }
    };
    let header = header.map_err(Error::part("identities"))?;
    Ok(Arc::new(Either(header, signature)))
}

/// The networks of the proxy.
pub(crate) fn networks(config: &Config) -> Result<Vec<Network>, Error> {
    let networks = config.proxy.iter().flat_map(|proxy| &proxy.trusted);
    let networks = networks.map(|network| network.parse()).collect();
    Result::map_err(networks, Error::in_setting("proxy.trusted"))
}

/// Who tells whom they serve.
fn proxies(config: &Config) -> Result<Proxies, Error> {
    let proxy = config.proxy.as_ref();
    Ok(Proxies(match proxy.is_some_and(|it| it.forwarded_for) {
        true => networks(config)?,
        false => Vec::new(),
    }))
}

/// The roots that devices shall trust.
pub(crate) fn roots(config: &Config) -> Result<Vec<Certificate>, Error> {
    config::roots("enrollment.roots", config.enrollment.roots.as_deref())
}

fn configured_topic(config: &Config) -> Result<Topic, Error> {
    let topic = config.enrollment.topic.as_ref().ok_or_else(|| {
        Error::setting(
            "push.certificate",
            "is missing, and enrollment.topic too: a profile names the push certificate's topic",
        )
    })?;
    tracing::warn!("without a push certificate no device is told to call");
    topic.parse().map_err(Error::in_setting("enrollment.topic"))
}

fn profiles(
    config: &Config,
    authority: &Authority,
    books: Arc<dyn scep::Store>,
    topic: Topic,
    clock: Arc<dyn Clock>,
) -> Result<Profiles, Error> {
    Ok(Profiles {
        identifier: config.enrollment.identifier.clone(),
        organization: config.organization.clone(),
        topic,
        scep_url: format!("{}/scep", config.base()),
        roots: roots(config)?,
        signer: authority.signer.clone(),
        challenges: authority.challenges.clone(),
        lifetime: config.scep.challenge_lifetime(),
        handed: Arc::new(Handed::new(books)),
        description: config
            .accounts
            .as_ref()
            .and_then(|it| it.description.clone()),
        clock,
    })
}

async fn portal(
    config: &Config,
    service: &Service,
    vault: &Vault,
    profiles: Profiles,
) -> Result<(Portal, Option<SignInPage>), Error> {
    let base = config.base();
    let settings = &config.enrollment;
    let urls = Urls::new(format!("{base}/enroll"), format!("{base}/mdm"));
    // Of its own: some clients send check-in messages without the content type that tells them from reports.
    let urls = urls.and_then(|urls| urls.check_in_at(format!("{base}/checkin")));
    let urls = urls.map_err(Error::in_setting("public_url"))?;
    let tickets = vault.get_or_make("tickets", || {
        let key = pki::random::<32>().map_err(Error::part("randomness"))?;
        Ok(Secret::new(key.to_vec()))
    });
    let tickets = tickets.await?;
    let sign_in = config.accounts.as_ref().map(|accounts| {
        let key = pki::hmac(
            DigestAlgorithm::Sha256,
            tickets.expose(),
            b"mdm-server sign-in",
        );
        let key = Secret::new(key.map_err(Error::part("the sign-in page"))?);
        let clock = profiles.clock.clone();
        SignInPage::new(accounts, &config.organization, base, key, clock)
    });
    let sign_in = sign_in.transpose()?;
    let mut portal = Portal::builder(service, profiles, urls, TicketKeys::new(tickets));
    if let Some(page) = &sign_in {
        portal = portal.sign_in(page.clone());
    }
    let offered = config.accounts.as_ref();
    if let Some(offer) = offered.and_then(|it| it.account_driven.as_ref()) {
        portal = portal.account_driven(AccountDriven::new(offer.offers.into()));
    }
    let key = "enrollment.device_authorities";
    let authorities = config::roots(key, settings.device_authorities.as_deref())?;
    if !authorities.is_empty() {
        let authorities = DeviceAuthorities::new(authorities);
        portal = portal.devices(authorities.map_err(Error::in_setting(key))?);
    }
    Ok((portal.build(), sign_in))
}

/// Device assignment over the same database.
fn ade_service(config: &Config, store: impl AdeStore + 'static) -> Result<AdeService, Error> {
    let settings = config.ade.clone().unwrap_or_default();
    let transport = transport("ade.roots", settings.roots.as_deref())?;
    let ade = AdeService::builder(store, transport, Arc::new(SystemClock), USER_AGENT);
    Ok(match &settings.url {
        None => ade.build(),
        Some(url) => ade.base_url(url).build(),
    })
}

/// A name for this process among others on the same database. It stays, so that after a restart nobody waits for
/// what the process had leased before; no other data directory has it.
fn node(config: &Config) -> Result<String, Error> {
    let path = config.data.join("node");
    match std::fs::read_to_string(&path) {
        Ok(name) if !name.is_empty() => return Ok(name),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::file(path)(error)),
    }
    let random = pki::random::<8>().map_err(Error::part("randomness"))?;
    let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    vault::write_whole(&path, name.as_bytes())?;
    Ok(name)
}
