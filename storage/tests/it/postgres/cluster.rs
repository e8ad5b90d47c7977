//! A server of one's own in a folder of its own, gone when the test program is.

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use chrono::{TimeDelta, Utc};
use mdm_core::Secret;
use mdm_pki::{Certificate, CertificateBuilder, GeneralName, KeySpec, KeyUsage, Name, PrivateKey};
use mdm_scratch_postgres::{Builder, Server};
use mdm_storage::{PostgresStore, postgres::Options};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

pub(super) use mdm_scratch_postgres::PASSWORD;

/// What every new database is a copy of.
const TEMPLATE: &str = "migrated";

/// A server that speaks TLS.
pub(super) struct Cluster {
    server: Server,
    /// Made when the first one asks for it.
    template: OnceCell<()>,
    pub(super) port: u16,
    /// Who says that it is localhost.
    pub(super) root: Certificate,
}

/// A database of one's own.
pub(super) struct Database {
    pub(super) cluster: &'static Cluster,
    pub(super) name: String,
}

/// A new database on the server that all tests share, of the newest schema; `None`, once said so, where there is
/// no PostgreSQL.
pub(super) async fn database() -> Option<Database> {
    Some(shared()?.database().await)
}

/// The same with nothing in it, for those that look at how the schema gets there.
pub(super) async fn empty_database() -> Option<Database> {
    Some(shared()?.empty_database().await)
}

/// Nobody ends it before its time, so it needs no disk.
fn shared() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    let start = || Cluster::start_with(Builder::in_memory);
    SHARED.get_or_init(start).as_ref()
}

impl Database {
    /// Over the Unix socket.
    pub(super) fn address(&self) -> Secret<String> {
        Secret::new(self.cluster.address(&self.name))
    }

    pub(super) async fn open(&self) -> PostgresStore {
        self.open_with(Options::default()).await
    }

    pub(super) async fn open_with(&self, options: Options) -> PostgresStore {
        let store = PostgresStore::connect(&self.address(), options).await;
        store.unwrap()
    }

    /// Asks without a store in between.
    pub(super) async fn client(&self) -> Client {
        self.cluster.client(&self.name).await
    }

    pub(super) async fn number(&self, sql: &str) -> i64 {
        self.client()
            .await
            .query_one(sql, &[])
            .await
            .unwrap()
            .get(0)
    }
}

impl Cluster {
    /// `None`, once said so, where there is no PostgreSQL.
    pub(super) fn start() -> Option<Self> {
        Self::start_with(|server| server)
    }

    fn start_with(settings: impl FnOnce(Builder) -> Builder) -> Option<Self> {
        let (root, leaf, key) = certificates();
        let server = settings(Server::builder())
            .file("server.crt", leaf.to_pem())
            .file("server.key", key.to_pkcs8_pem().unwrap().to_string())
            .setting("ssl", "on")
            .setting("ssl_cert_file", "'../server.crt'")
            .setting("ssl_key_file", "'../server.key'")
            .start()
            .unwrap();
        let Some(server) = server else {
            let required = std::env::var("REQUIRE_PEERS").as_deref() == Ok("1");
            assert!(!required, "PostgreSQL is missing");
            eprintln!("skipped: PostgreSQL is missing");
            return None;
        };
        let port = server.port();
        Some(Self {
            server,
            template: OnceCell::new(),
            port,
            root,
        })
    }

    /// Starts the server again after a kill, and says whether it runs.
    pub(super) fn run(&self) -> bool {
        self.server.run().is_ok()
    }

    /// Ends all processes of the server where they are.
    pub(super) fn kill(&self) {
        self.server.kill().unwrap();
    }

    /// A new database of the newest schema, which is made once and copied.
    pub(super) async fn database(&'static self) -> Database {
        let migrated = async || {
            self.create(TEMPLATE, "template1").await;
            let address = Secret::new(self.address(TEMPLATE));
            let store = PostgresStore::connect(&address, Options::default()).await;
            store.unwrap().close();
        };
        self.template.get_or_init(migrated).await;
        self.copy(TEMPLATE).await
    }

    /// A new database with nothing in it.
    pub(super) async fn empty_database(&'static self) -> Database {
        self.copy("template1").await
    }

    async fn copy(&'static self, template: &str) -> Database {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.create(&name, template).await;
        Database {
            cluster: self,
            name,
        }
    }

    async fn create(&self, name: &str, template: &str) {
        let client = self.client("postgres").await;
        let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
        client.batch_execute(&create).await.unwrap();
    }

    pub(super) fn address(&self, database: &str) -> String {
        self.server.address(database)
    }

    pub(super) fn socket(&self) -> std::path::PathBuf {
        self.server.socket()
    }

    pub(super) async fn client(&self, database: &str) -> Client {
        let connected = tokio_postgres::connect(&self.address(database), NoTls).await;
        let (client, connection) = connected.unwrap_or_else(|_| panic!("{}", self.log()));
        tokio::spawn(connection);
        client
    }

    pub(super) fn log(&self) -> String {
        self.server.log()
    }
}

/// A root, and what it says of the name localhost.
fn certificates() -> (Certificate, Certificate, PrivateKey) {
    let key = || PrivateKey::generate(KeySpec::P256).unwrap();
    let (root_key, key) = (key(), key());
    let begin = |name: &str, key: &PrivateKey| {
        let now = Utc::now();
        CertificateBuilder::new(Name::from_common_name(name), key.public_key())
            .validity(now - TimeDelta::days(1), now + TimeDelta::days(1))
    };
    let root = begin("root", &root_key).ca(None);
    let root = root
        .key_usage(KeyUsage::KEY_CERT_SIGN)
        .self_signed(&root_key);
    let root = root.unwrap();
    let leaf = begin("server", &key)
        .san(GeneralName::Dns("localhost".to_owned()))
        .extended_key_usage(&[mdm_pki::oid::SERVER_AUTH])
        .sign(&root, &root_key)
        .unwrap();
    (root, leaf, key)
}
