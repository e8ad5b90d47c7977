//! A reference MDM server to start from: `mdm-service` over SQLite or PostgreSQL behind axum, with SCEP, the ways in, push,
//! webhooks, device assignment, and an API for the vendor's own people and programs.

mod account;
mod acme;
mod admin;
mod assignment;
mod authority;
mod backup;
mod bodies;
mod books;
mod check;
mod config;
mod database;
mod enroll;
mod error;
mod filevault;
mod handed;
mod issued;
mod logs;
mod peer;
mod push;
mod renewal;
mod reseal;
mod routes;
mod schedule;
mod server;
mod sign_in;
mod transport;
mod vault;
mod web;

use std::{
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use mdm_sdk::{core::Secret, pki::seal::SealingKey};

use crate::{config::Config, error::Error, server::Server};

/// A reference MDM server.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    /// The settings, TOML. The environment stands over them: MDM_SERVER_SCEP__LEGACY_DES=true is legacy_des in the
    /// table scep.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Serves until SIGTERM or Ctrl-C.
    Serve,
    /// Reads the settings and every file that they name, and says by its key what cannot be used.
    Check,
    /// Makes a sealing key and writes it to a file that is not there yet.
    NewKey {
        /// The file.
        file: PathBuf,
    },
    /// Reads a password from standard input, and prints the user's line for the file of users.
    User {
        /// What the user signs in with.
        name: String,
        /// The user's Managed Apple Account, which account-driven enrolment needs.
        #[arg(long, value_name = "ACCOUNT")]
        managed_apple_account: Option<String>,
    },
    /// Copies everything into a new directory while the server runs. Secrets stay sealed: keep the key elsewhere.
    Backup {
        /// The directory, which is not there yet.
        to: PathBuf,
    },
    /// Seals everything anew that a former key has sealed, under the newest one, while the server runs. It may be killed
    /// and run again; once it has nothing left to do, the former key can go.
    Reseal,
    /// Puts a backup into the data directory, which is empty. The server does not run.
    Restore {
        /// The directory of the backup.
        from: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "mdm-server: {}", error::told(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Error> {
    let settings = || load(cli.config.as_deref());
    match cli.task {
        Task::Serve => {
            let config = settings()?;
            logs::begin(&config.log)?;
            runtime()?.block_on(async {
                let stop = interrupted()?;
                Server::open(config).await?.run(stop).await;
                Ok(())
            })
        }
        Task::Check => {
            let mut problems = check::problems(&settings()?);
            let last = problems.pop();
            for problem in problems {
                let _ = writeln!(io::stderr(), "mdm-server: {}", error::told(&problem));
            }
            last.map_or(Ok(()), Err)
        }
        Task::NewKey { file } => {
            let key = SealingKey::generate().map_err(Error::part("making a key"))?;
            vault::write_new(&file, key.to_base64().expose().as_bytes())
        }
        Task::User {
            name,
            managed_apple_account,
        } => {
            let mut password = String::new();
            let typed = io::stdin().lock().read_line(&mut password);
            typed.map_err(Error::part("reading the password"))?;
            let password = Secret::new(password.trim_end_matches(['\r', '\n']).to_owned());
            let line = account::line(&name, managed_apple_account.as_deref(), &password)?;
            writeln!(io::stdout(), "{line}").map_err(Error::part("printing"))
        }
        Task::Backup { to } => runtime()?.block_on(backup::backup(&settings()?, &to)),
        Task::Reseal => runtime()?.block_on(reseal::reseal(&settings()?)),
        Task::Restore { from } => runtime()?.block_on(backup::restore(&settings()?, &from)),
    }
}

fn load(file: Option<&Path>) -> Result<Config, Error> {
    // A name or value that is no Unicode cannot be ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Config::load(file, environment)
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Runtime::new().map_err(Error::part("the runtime"))
}

/// Ready once somebody wants the server to stop.
fn interrupted() -> Result<impl Future<Output = ()>, Error> {
    #[cfg(unix)]
    let mut terminated = {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate()).map_err(Error::part("signals"))?
    };
    Ok(async move {
        let interrupt = async {
            let _ = tokio::signal::ctrl_c().await;
        };
        #[cfg(unix)]
        tokio::select! {
            _ = terminated.recv() => {}
            () = interrupt => {}
        }
        #[cfg(not(unix))]
        interrupt.await;
    })
}
