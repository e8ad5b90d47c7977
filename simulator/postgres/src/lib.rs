//! A PostgreSQL server of one's own for tests and comparisons: in a new folder, on a Unix socket and a
//! free port of the loopback address, gone with the program that started it, also where that is killed.
//!
//! Needs Debian's package `postgresql`, or its programs in `PATH`; Linux. As root it runs as the user that
//! Debian made for it, since it refuses to be root.
//!
//! ```
//! use mdm_scratch_postgres::Server;
//!
//! let Some(server) = Server::builder().start()? else {
//!     return Ok(()); // There is no PostgreSQL here.
//! };
//! server.create("books")?;
//! assert_eq!(server.ask("books", "SELECT 6 * 7")?, "42");
//! assert!(server.address("books").contains("dbname=books"));
//! # Ok::<(), mdm_scratch_postgres::Error>(())
//! ```

mod process;
mod programs;

use std::{
    env, fs, io,
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use programs::Programs;

/// The superuser of every server here. It needs no password on the socket.
pub const USER: &str = "mdm";

/// What [`USER`] has to say over TCP.
pub const PASSWORD: &str = "correct horse battery";

/// Where files are kept in memory.
const MEMORY: &str = "/dev/shm";

/// What some hundred databases take there.
const ENOUGH: u64 = 4 << 30;

/// A running server with its folder. When it is dropped, or its program ends however, the server is stopped
/// and the folder removed.
#[derive(Debug)]
pub struct Server {
    programs: Programs,
    folder: PathBuf,
    port: u16,
    /// Stops the server when its standard input ends.
    _guard: Child,
}

/// How a server is started.
#[derive(Debug, Default)]
#[must_use]
pub struct Builder {
    in_memory: bool,
    settings: Vec<(String, String)>,
    files: Vec<(String, String)>,
}

/// Why there is no server, or why it does not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or a process could not be made.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// One of PostgreSQL's programs failed.
    #[error("{program}: {said}")]
    Failed {
        /// Its name.
        program: &'static str,
        /// What it wrote, or what the server's log says.
        said: String,
    },
}

impl Builder {
    /// A line of `postgresql.conf`: `fsync`, `off`. A text value comes with its quotes.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Keeps everything in memory, where that has room, and waits for no disk: for tests that make a database each, which
    /// is a thousand files. What is committed still outlives [`Server::kill`].
    pub fn in_memory(mut self) -> Self {
        self.in_memory = true;
        self.setting("fsync", "off")
            .setting("max_wal_size", "'256MB'")
    }

    /// A file in the server's folder that the server may read and nobody else, such as the key of its
    /// certificate. A [`setting`](Self::setting) names it by its path from the data's folder: `'../server.key'`.
    pub fn file(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.files.push((name.into(), text.into()));
        self
    }

    /// Makes a new server with no database of ours and starts it; `None` where PostgreSQL is not installed.
    ///
    /// # Errors
    /// [`Error`] where it is, and does not start.
    pub fn start(self) -> Result<Option<Server>, Error> {
        let Some(programs) = Programs::find()? else {
            return Ok(None);
        };
        let memory = Path::new(MEMORY);
        let server = match self.in_memory && room(memory).is_some_and(|room| room >= ENOUGH) {
            true => Server::within(memory, programs)?,
            false => Server::within(&env::temp_dir(), programs)?,
        };
        server.initialise(&self)?;
        server.begin().map(Some)
    }
}

impl Server {
    /// Begins a server with the settings that PostgreSQL has by itself, `fsync` and `synchronous_commit`
    /// included, and 200 connections.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// How `libpq` is told to reach this database over the Unix socket, as [`USER`].
    pub fn address(&self, database: &str) -> String {
        let (folder, port) = (self.folder.display(), self.port);
        format!("host={folder} port={port} user={USER} dbname={database}")
    }

    /// Its port on `127.0.0.1`, where [`USER`] has to say [`PASSWORD`].
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port))
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Makes a database. Its name is used as it is.
    ///
    /// # Errors
    /// [`Error::Failed`] if there is one of that name.
    pub fn create(&self, database: &str) -> Result<(), Error> {
        let create = format!("CREATE DATABASE {database}");
        self.ask("postgres", &create).map(drop)
    }

    /// Makes a database that is the copy of another, to which nobody is connected.
    ///
    /// # Errors
    /// [`Error::Failed`] if there is one of that name, or somebody uses the other.
    pub fn copy(&self, database: &str, from: &str) -> Result<(), Error> {
        let create = format!("CREATE DATABASE {database} TEMPLATE {from}");
        self.ask("postgres", &create).map(drop)
    }

    /// Runs one statement through `psql` and tells what came back: rows in lines, columns between `|`.
    ///
    /// # Errors
    /// [`Error::Failed`] with what the server has against it.
    pub fn ask(&self, database: &str, sql: &str) -> Result<String, Error> {
        let mut psql = self.programs.command("psql", &self.folder);
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet"]);
        psql.args(["--set=ON_ERROR_STOP=1", "--command", sql]);
        let said = succeed("psql", psql.arg(self.address(database)))?;
        Ok(said.trim_end().to_owned())
    }

    /// Runs a script of statements through `psql`.
    ///
    /// # Errors
    /// [`Error::Failed`] with what the server has against it; what was before it stays.
    pub fn run_script(&self, database: &str, sql: &str) -> Result<(), Error> {
        let script = self.file("script.sql", sql)?;
        let mut psql = self.programs.command("psql", &self.folder);
        psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file"]);
        succeed("psql", psql.arg(script).arg(self.address(database))).map(drop)
    }

    /// The server's processes: the one that all others come from, and these.
    pub fn processes(&self) -> Vec<u32> {
        let first = process::first(&self.data());
        first.map_or_else(Vec::new, process::family)
    }

    /// Ends all of its processes where they are, as a power cut would.
    ///
    /// # Errors
    /// [`Error::Io`] if it does not run.
    pub fn kill(&self) -> Result<(), Error> {
        let first = process::first(&self.data()).ok_or(io::ErrorKind::NotFound.into());
        let killed = first.and_then(process::kill);
        killed.map_err(Error::io("kill"))?;
        // Whoever is dead and not yet buried counts as running.
        let lock = self.socket().with_extension(format!("{}.lock", self.port));
        for file in [process::lock(&self.data()), lock] {
            fs::remove_file(&file).map_err(Error::io(file.display()))?;
        }
        Ok(())
    }

    /// Starts it again after [`kill`](Self::kill); returns once it takes connections.
    ///
    /// # Errors
    /// [`Error::Failed`] with its log.
    pub fn run(&self) -> Result<(), Error> {
        let mut start = self.programs.command("pg_ctl", &self.folder);
        start.arg("--pgdata").arg(self.data());
        start.arg("--log").arg(self.folder.join("log"));
        start.arg("--options").arg(format!("-p {}", self.port));
        start.args(["--wait", "--silent", "start"]);
        start.stdin(Stdio::null()).stdout(Stdio::null());
        let status = start.stderr(Stdio::null()).status();
        match status.map_err(Error::io("pg_ctl"))?.success() {
            true => Ok(()),
            false => Err(self.failed("pg_ctl")),
        }
    }

    /// Makes a copy that follows this server and takes no writes, until it is [promoted](Self::promote); returns once
    /// it takes connections. It has this server's settings, and no TLS.
    ///
    /// # Errors
    /// [`Error`] where it does not come up.
    pub fn standby(&self) -> Result<Self, Error> {
        let beside = self.folder.parent().unwrap_or(&self.folder);
        let standby = Self::within(beside, self.programs.clone())?;
        let mut copy = self.programs.command("pg_basebackup", &standby.folder);
        copy.arg("--pgdata").arg(standby.data());
        copy.arg("--dbname").arg(self.address("postgres"));
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        succeed("pg_basebackup", &mut copy)?;
        let folder = format!("'{}'", standby.folder.display());
        standby.set([("unix_socket_directories", folder.as_str()), ("ssl", "off")])?;
        standby.begin()
    }

    /// Has a [`standby`](Self::standby) take writes from now on; returns once it does.
    ///
    /// # Errors
    /// [`Error::Failed`] for a server that is none.
    pub fn promote(&self) -> Result<(), Error> {
        let mut promote = self.programs.command("pg_ctl", &self.folder);
        promote.arg("--pgdata").arg(self.data());
        succeed("pg_ctl", promote.args(["--wait", "promote"])).map(drop)
    }

    /// A folder of its own in this one, with nothing in it yet.
    fn within(folder: &Path, programs: Programs) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("pg").tempdir_in(folder);
        let folder = folder.map_err(Error::io("a folder"))?.keep();
        programs.own(&folder)?;
        Ok(Self {
            _guard: programs.guard(&folder)?,
            programs,
            folder,
            port: 0,
        })
    }

    /// Starts it on a port of its own.
    fn begin(mut self) -> Result<Self, Error> {
        // Somebody else may take the port before the server does.
        for _ in 0..5 {
            self.port = free_port().map_err(Error::io("a free port"))?;
            if self.run().is_ok() {
                return Ok(self);
            }
        }
        Err(self.failed("pg_ctl"))
    }

    fn initialise(&self, told: &Builder) -> Result<(), Error> {
        let password = self.file("password", PASSWORD)?;
        let mut initdb = self.programs.command("initdb", &self.folder);
        initdb.arg("--pgdata").arg(self.data());
        initdb.arg(format!("--username={USER}"));
        initdb.args(["--encoding=UTF8", "--no-locale", "--no-sync"]);
        initdb.args(["--auth-local=trust", "--auth-host=scram-sha-256"]);
        initdb.arg(format!("--pwfile={}", password.display()));
        succeed("initdb", &mut initdb)?;
        for (name, text) in &told.files {
            self.file(name, text)?;
        }
        let folder = format!("'{}'", self.folder.display());
        let own = [
            ("unix_socket_directories", folder.as_str()),
            ("listen_addresses", "'127.0.0.1'"),
            ("max_connections", "200"),
        ];
        let more = told.settings.iter();
        let more = more.map(|(name, value)| (name.as_str(), value.as_str()));
        self.set(own.into_iter().chain(more))
    }

    /// Settings that hold from the next start on. Of two of one name the last holds.
    fn set<'a>(&self, settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), Error> {
        let path = self.data().join("postgresql.conf");
        let mut text = fs::read_to_string(&path).map_err(Error::io(path.display()))?;
        for (name, value) in settings {
            text.push_str(&format!("{name} = {value}\n"));
        }
        fs::write(&path, text).map_err(Error::io(path.display()))
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A file that the server may read and nobody else.
    fn file(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = self.folder.join(name);
        let written = fs::write(&path, text).and_then(|()| {
            let owner = fs::Permissions::from_mode(0o600);
            fs::set_permissions(&path, owner)
        });
        written.map_err(Error::io(path.display()))?;
        self.programs.own(&path)?;
        Ok(path)
    }

    fn failed(&self, program: &'static str) -> Error {
        let said = self.log();
        Error::Failed { program, said }
    }
}

impl Error {
    fn io(what: impl ToString) -> impl FnOnce(io::Error) -> Self {
        let what = what.to_string();
        move |source| Self::Io { what, source }
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Runs a program to its end and tells what it wrote.
fn succeed(program: &'static str, command: &mut Command) -> Result<String, Error> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(Error::io(program))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(Error::Failed {
            program,
            said: text(&output.stderr),
        }),
    }
}

/// How many bytes still go into a folder, if it is there.
fn room(folder: &Path) -> Option<u64> {
    let mut df = Command::new("df");
    df.args(["--block-size=1", "--output=avail"]).arg(folder);
    let said = succeed("df", &mut df).ok()?;
    said.lines().nth(1)?.trim().parse().ok()
}

/// Whose file that is.
fn owner(path: &Path) -> io::Result<u32> {
    Ok(fs::metadata(path)?.uid())
}

fn give(path: &Path, user: u32, group: u32) -> Result<(), Error> {
    chown(path, Some(user), Some(group)).map_err(Error::io(path.display()))
}
