//! The databases of every side, with the same enrolments and the same commands in them.

use std::{fs, net::SocketAddr, path::PathBuf, thread, time::Instant};

use chrono::Utc;
use mdm_protocol::EnrollmentId;
use mdm_scratch_postgres::Server;
use mdm_service::{
    queue::{Enqueued, NewCommand},
    store::CommandStore,
};
use mdm_storage::SqliteStore;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    Failure,
    client::Line,
    devices::{Devices, REQUEST_TYPE, command, udid, uuid},
    nanomdm,
    process::Running,
    serve,
};

/// How many enrol at a time, and how many commands are queued in one step.
const AT_A_TIME: usize = 8;
const STEP: usize = 1000;

/// A server and its database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Sqlite,
    Postgres,
    Nanomdm,
}

impl Side {
    pub(crate) const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::Nanomdm];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::Nanomdm => "nanomdm",
        }
    }

    /// The name of its database that the others are copies of.
    fn base(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "ours",
            Self::Nanomdm => "theirs",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self, Failure> {
        let found = Self::ALL
            .into_iter()
            .find(|side| side.name().eq_ignore_ascii_case(name));
        Ok(found.ok_or("there are sqlite, postgresql and nanomdm")?)
    }
}

pub(crate) struct World {
    pub(crate) devices: Devices,
    pub(crate) postgres: Server,
    pub(crate) runtime: Runtime,
    pub(crate) ca: PathBuf,
    folder: TempDir,
}

/// What it took to enrol everybody.
pub(crate) struct Enrolled {
    pub(crate) rate: f64,
    /// Bytes that the server's memory and its database grew by.
    pub(crate) resident: f64,
    pub(crate) stored: f64,
}

impl World {
    pub(crate) fn new(devices: usize) -> Result<Self, Failure> {
        let postgres = Server::builder().start()?;
        let folder = TempDir::new()?;
        let ca = folder.path().join("ca.pem");
        let devices = Devices::new(devices)?;
        fs::write(&ca, devices.authority.to_pem())?;
        Ok(Self {
            devices,
            postgres: postgres.ok_or("PostgreSQL is missing: install Debian's postgresql")?,
            runtime: Runtime::new()?,
            ca,
            folder,
        })
    }

    /// Where a database of this name is.
    pub(crate) fn address(&self, side: Side, name: &str) -> String {
        match side {
            Side::Sqlite => self.file(name).display().to_string(),
            Side::Postgres | Side::Nanomdm => self.postgres.address(name),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.sqlite"))
    }

    /// Makes the side's database, through its server, with every device enrolled.
    pub(crate) fn enrol(&self, side: Side, messages: &[[Vec<u8>; 2]]) -> Result<Enrolled, Failure> {
        let base = side.base();
        if side != Side::Sqlite {
            self.postgres.create(base)?;
        }
        if side == Side::Nanomdm {
            self.postgres.run_script(base, &nanomdm::schema()?)?;
        }
        let server = Running::start(side, &self.address(side, base), &self.ca)?;
        let resident = server.resident()?;
        let stored = match side {
            // It makes its file first.
            Side::Sqlite => 0.0,
            Side::Postgres | Side::Nanomdm => self.size(side)?,
        };
        let began = Instant::now();
        let share = messages.len().div_ceil(AT_A_TIME).max(1);
        thread::scope(|scope| {
            let lines = messages.chunks(share);
            let lines: Vec<_> = lines
                .map(|messages| scope.spawn(|| say(server.address, messages)))
                .collect();
            lines.into_iter().try_for_each(|line| {
                let said = line.join().map_err(|_| "a thread panicked");
                said?
            })
        })?;
        let rate = messages.len() as f64 / began.elapsed().as_secs_f64();
        let resident = server.resident()? - resident;
        drop(server);
        Ok(Enrolled {
            rate,
            resident,
            stored: self.size(side)? - stored,
        })
    }

    /// Queues the same commands for the first so many devices.
    pub(crate) fn queue(&self, side: Side, devices: usize, each: usize) -> Result<(), Failure> {
        let address = self.address(side, side.base());
        match side {
            Side::Nanomdm => {
                let script = nanomdm::queue(devices, each)?;
                self.postgres.run_script(side.base(), &script)?;
            }
            Side::Sqlite => self.runtime.block_on(async {
                let store = SqliteStore::open(&address).await?;
                enqueue(&store, commands(devices, each)?).await?;
                store.close().await;
                Ok::<_, Failure>(())
            })?,
            Side::Postgres => self.runtime.block_on(async {
                let store = serve::postgres(&address, 1).await?;
                enqueue(&store, commands(devices, each)?).await?;
                store.close();
                Ok::<_, Failure>(())
            })?,
        }
        if side != Side::Sqlite {
            self.postgres.ask(side.base(), "VACUUM ANALYZE")?;
        }
        Ok(())
    }

    /// A copy of the side's database; tells where it is.
    pub(crate) fn copy(&self, side: Side, name: &str) -> Result<String, Failure> {
        match side {
            Side::Sqlite => {
                fs::copy(self.file(side.base()), self.file(name))?;
            }
            Side::Postgres | Side::Nanomdm => {
                self.postgres.copy(name, side.base())?;
                self.postgres.ask(name, "CHECKPOINT")?;
            }
        }
        // What the copy has yet to write is not for the run to wait for.
        nix::unistd::sync();
        Ok(self.address(side, name))
    }

    /// Throws a copy away.
    pub(crate) fn discard(&self, side: Side, name: &str) -> Result<(), Failure> {
        if side == Side::Sqlite {
            let file = self.file(name).display().to_string();
            fs::remove_file(&file)?;
            for log in ["-wal", "-shm"].map(|end| format!("{file}{end}")) {
                // Who closes the file removes them.
                let _ = fs::remove_file(log);
            }
            return Ok(());
        }
        let drop = format!("DROP DATABASE {name} WITH (FORCE)");
        self.postgres.ask("postgres", &drop)?;
        Ok(())
    }

    /// Bytes of the side's database, which nobody uses.
    fn size(&self, side: Side) -> Result<f64, Failure> {
        let base = side.base();
        if side == Side::Sqlite {
            // Takes the log into the file.
            self.runtime.block_on(async {
                SqliteStore::open(self.file(base)).await?.close().await;
                Ok::<_, Failure>(())
            })?;
            return Ok(fs::metadata(self.file(base))?.len() as f64);
        }
        let size = "SELECT pg_database_size(current_database())";
        Ok(self.postgres.ask(base, size)?.parse()?)
    }
}

fn say(address: SocketAddr, messages: &[[Vec<u8>; 2]]) -> Result<(), Failure> {
    let mut line = Line::new(address)?;
    for message in messages.iter().flatten() {
        line.ask(message)?;
    }
    Ok(())
}

/// The commands of the first so many devices, each device's in its order.
pub(crate) fn commands(devices: usize, each: usize) -> Result<Vec<NewCommand>, Failure> {
    let now = Utc::now();
    let mut all = Vec::with_capacity(devices * each);
    for device in 0..devices {
        let id = EnrollmentId::device(udid(device))?;
        for n in 0..each {
            let uuid = uuid(device, n);
            let body = command(&uuid);
            all.push(NewCommand::new(id.clone(), uuid, REQUEST_TYPE, body, now));
        }
    }
    Ok(all)
}

/// Queues all of them, so many in one step.
pub(crate) async fn enqueue(
    store: &dyn CommandStore,
    commands: Vec<NewCommand>,
) -> Result<(), Failure> {
    for step in commands.chunks(STEP) {
        let answers = store.enqueue(step.to_vec()).await?;
        let is_queued = |answer: &Enqueued| matches!(answer, Enqueued::Queued(_));
        if !answers.iter().all(is_queued) {
            return Err("a command was not queued".into());
        }
    }
    Ok(())
}
