//! A server of one's own in a folder of its own, gone when the test program is.

use std::{
    fs,
    io::Write as _,
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use chrono::{TimeDelta, Utc};
use mdm_core::Secret;
use mdm_pki::{Certificate, CertificateBuilder, GeneralName, KeySpec, KeyUsage, Name, PrivateKey};
use mdm_storage::{PostgresStore, postgres::Options};
use tokio_postgres::{Client, NoTls};

/// What connections over TCP have to say.
pub(super) const PASSWORD: &str = "correct horse battery";

/// A server with its folder.
pub(super) struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    /// Who runs it, where we may not.
    user: Option<(String, String)>,
    pub(super) port: u16,
    /// Who says that it is localhost.
    pub(super) root: Certificate,
    /// Ends the server when its standard input does, which is when we do.
    _guard: Child,
}

/// A database of one's own.
pub(super) struct Database {
    pub(super) cluster: &'static Cluster,
    pub(super) name: String,
}

/// A new database on the server that all tests share; `None`, once said so, where there is no PostgreSQL.
pub(super) async fn database() -> Option<Database> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    let cluster = SHARED.get_or_init(Cluster::start).as_ref()?;
    Some(cluster.database().await)
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
        let Some(programs) = programs() else {
            let required = std::env::var("REQUIRE_PEERS").as_deref() == Ok("1");
            assert!(!required, "PostgreSQL is missing");
            eprintln!("skipped: PostgreSQL is missing");
            return None;
        };
        let folder = tempfile::Builder::new()
            .prefix("pg")
            .tempdir()
            .unwrap()
            .keep();
        // The server refuses to be root.
        let user = (fs::metadata(&folder).unwrap().uid() == 0).then(|| {
            let (user, group) = postgres();
            chown(&folder, Some(user), Some(group)).unwrap();
            (user.to_string(), group.to_string())
        });
        let (root, leaf, key) = certificates();
        let mut cluster = Self {
            _guard: guard(&programs, &folder, user.as_ref()),
            programs,
            folder,
            user,
            port: 0,
            root,
        };
        cluster.initialise(&leaf, &key);
        for _ in 0..5 {
            let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            cluster.port = listener.local_addr().unwrap().port();
            drop(listener);
            // Somebody else may have taken it meanwhile.
            if cluster.run() {
                return Some(cluster);
            }
        }
        panic!("{}", cluster.log());
    }

    fn initialise(&self, leaf: &Certificate, key: &PrivateKey) {
        let password = self.file("password", PASSWORD);
        let mut command = self.command("initdb");
        command.arg("--pgdata").arg(self.data());
        command.args([
            "--username=mdm",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ]);
        command.args(["--auth-local=trust", "--auth-host=scram-sha-256"]);
        command.arg(format!("--pwfile={}", password.display()));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        self.file("server.crt", &leaf.to_pem());
        self.file("server.key", &key.to_pkcs8_pem().unwrap());
        let folder = self.folder.display();
        let settings = format!(
            "unix_socket_directories = '{folder}'
             listen_addresses = '127.0.0.1'
             max_connections = 200
             ssl = on
             ssl_cert_file = '{folder}/server.crt'
             ssl_key_file = '{folder}/server.key'\n"
        );
        let path = self.data().join("postgresql.conf");
        let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(settings.as_bytes()).unwrap();
    }

    /// Starts the server, again after a kill, and says whether it runs.
    pub(super) fn run(&self) -> bool {
        let mut command = self.command("pg_ctl");
        command.arg("--pgdata").arg(self.data());
        command.arg("--log").arg(self.folder.join("log"));
        command.arg("--options").arg(format!("-p {}", self.port));
        command.args(["--wait", "--silent", "start"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null()).status().unwrap().success()
    }

    /// Ends all processes of the server where they are.
    pub(super) fn kill(&self) {
        let lock = self.data().join("postmaster.pid");
        let text = fs::read_to_string(&lock).unwrap();
        let server = text.lines().next().unwrap();
        let mut processes = Vec::new();
        for entry in fs::read_dir("/proc").unwrap() {
            let process = entry.unwrap().file_name().into_string().unwrap();
            if state(&process).is_some_and(|(_, parent)| parent == server) {
                processes.push(process);
            }
        }
        processes.push(server.to_owned());
        // It stands still first, so that it does not tell the others.
        let script = "kill -STOP \"$0\"; kill -9 \"$@\"; true";
        let mut command = Command::new("sh");
        command.args(["-c", script, server]).args(&processes);
        assert!(command.stderr(Stdio::null()).status().unwrap().success());
        let ended = |it: &String| state(it).is_none_or(|(state, _)| state == "Z");
        while !processes.iter().all(ended) {
            std::thread::yield_now();
        }
        // Whoever is dead and not yet buried counts as running.
        fs::remove_file(lock).unwrap();
        fs::remove_file(self.socket().with_extension(format!("{}.lock", self.port))).unwrap();
    }

    pub(super) async fn database(&'static self) -> Database {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let client = self.client("postgres").await;
        let create = format!("CREATE DATABASE {name}");
        client.batch_execute(&create).await.unwrap();
        Database {
            cluster: self,
            name,
        }
    }

    pub(super) fn address(&self, database: &str) -> String {
        let (folder, port) = (self.folder.display(), self.port);
        format!("host={folder} port={port} user=mdm dbname={database}")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port))
    }

    pub(super) async fn client(&self, database: &str) -> Client {
        let connected = tokio_postgres::connect(&self.address(database), NoTls).await;
        let (client, connection) = connected.unwrap_or_else(|_| panic!("{}", self.log()));
        tokio::spawn(connection);
        client
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A file that the server may read and nobody else.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((user, group)) = &self.user {
            chown(&path, user.parse().ok(), group.parse().ok()).unwrap();
        }
        path
    }

    fn command(&self, program: &str) -> Command {
        let words = words(&self.programs.join(program), self.user.as_ref());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(&self.folder);
        command
    }
}

/// How a program of PostgreSQL is called.
fn words(program: &Path, user: Option<&(String, String)>) -> Vec<String> {
    let program = program.display().to_string();
    match user {
        None => vec![program],
        Some((user, group)) => {
            let (user, group) = (format!("--reuid={user}"), format!("--regid={group}"));
            let setpriv = ["setpriv".to_owned(), user, group];
            let clear = "--clear-groups".to_owned();
            setpriv.into_iter().chain([clear, program]).collect()
        }
    }
}

/// The state of a process, and its parent: what stands behind its name, which is in brackets.
fn state(process: &str) -> Option<(String, String)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut words = stat.rsplit(") ").next()?.split(' ').map(str::to_owned);
    Some((words.next()?, words.next()?))
}

/// Also where the test program is killed.
fn guard(programs: &Path, folder: &Path, user: Option<&(String, String)>) -> Child {
    let script = "trap '' INT TERM HUP; cat; folder=$1; shift; \"$@\"; rm -rf \"$folder\"";
    Command::new("sh")
        .args(["-c", script, "guard"])
        .arg(folder)
        .args(words(&programs.join("pg_ctl"), user))
        .arg("--pgdata")
        .arg(folder.join("data"))
        .args(["--mode=immediate", "stop"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The folder of the newest PostgreSQL that is installed as Debian does, or of the one in `PATH`.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut versions: Vec<_> = versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin")))
        })
        .collect();
    versions.sort();
    let debian = versions.into_iter().rev().map(|(_, path)| path);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<_> = std::env::split_paths(&path).collect();
    debian
        .chain(path)
        .find(|path| path.join("initdb").exists() && path.join("pg_ctl").exists())
}

/// User and group that Debian runs it as.
fn postgres() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let user = users.lines().find(|line| line.starts_with(name))?;
        let mut columns = user.split(':').skip(2);
        Some((columns.next()?.parse().ok()?, columns.next()?.parse().ok()?))
    };
    find("postgres:").or_else(|| find("nobody:")).unwrap()
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
