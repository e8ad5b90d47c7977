//! Connections, and steps that are asked for over them.

use std::{net::IpAddr, time::Duration};

use deadpool_postgres::{
    Client, ConfigConnectImpl, Hook, HookError, Manager, ManagerConfig, Object, Pool,
    RecyclingMethod, Runtime,
};
use mdm_core::{Secret, StoreError, StoreErrorKind};
use mdm_tls::ClientConfig;
use tokio_postgres::{
    Config, NoTls, Row,
    config::{Host, SslMode},
    types::ToSql,
};

use super::{
    Limits, Options,
    error::{lost_a_race, pool_error, store_error},
    hosts::EachHost,
    tls::VerifyFull,
};

/// What a statement is asked with.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A pool of connections with its limits.
#[derive(Clone)]
pub(super) struct Engine {
    pool: Pool,
    /// Beyond it a connection that has not answered counts as lost.
    patience: Duration,
    attempts: usize,
    #[cfg_attr(not(feature = "scep"), expect(dead_code))]
    limits: Limits,
}

impl Engine {
    /// Connects to nothing yet.
    pub(super) fn start(address: &Secret<String>, options: Options) -> Result<Self, StoreError> {
        // What the driver says about an address may repeat a part of it.
        let Ok(mut config) = address.expose().parse::<Config>() else {
            return Err(StoreError::with_source(
                StoreErrorKind::Other,
                "the address cannot be read",
            ));
        };
        config.tcp_user_timeout(options.statement_timeout.saturating_mul(2));
        if config.get_application_name().is_none() {
            config.application_name("mdm-storage");
        }
        let session = session(options.statement_timeout);
        let pool = Pool::builder(manager(config, options.tls, options.acquire_timeout)?)
            .max_size(options.connections.get())
            .wait_timeout(Some(options.acquire_timeout))
            .create_timeout(Some(options.acquire_timeout))
            .recycle_timeout(Some(options.acquire_timeout))
            .runtime(Runtime::Tokio1)
            .post_create(Hook::async_fn(move |client, _| {
                let session = session.clone();
                Box::pin(async move {
                    let begun = client.batch_execute(&session).await;
                    begun.map_err(HookError::Backend)
                })
            }))
            .build()
            .map_err(|error| StoreError::with_source(StoreErrorKind::Other, error))?;
        Ok(Self {
            pool,
            patience: options.statement_timeout.saturating_mul(2),
            attempts: options.attempts.get(),
            limits: options.limits,
        })
    }

    #[cfg(feature = "scep")]
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }

    /// A connection of one's own.
    pub(super) async fn client(&self) -> Result<Client, StoreError> {
        self.pool.get().await.map_err(pool_error)
    }

    /// What a statement answers. It is a transaction by itself, and asked again where it lost a race.
    pub(super) async fn rows(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut attempt = 1;
        loop {
            let client = self.client().await?;
            let asked = async {
                let statement = client.prepare_cached(sql).await?;
                client.query(&statement, parameters).await
            };
            let answer = match tokio::time::timeout(self.patience, asked).await {
                Ok(answer) => answer,
                Err(_) => return Err(self.given_up(client)),
            };
            match answer {
                Err(error) if lost_a_race(&error) && attempt < self.attempts => attempt += 1,
                Err(error) => return Err(self.failed(client, store_error(error))),
                Ok(rows) => return Ok(rows),
            }
        }
    }

    /// Beyond it a connection that has not answered counts as lost.
    #[cfg(feature = "ade")]
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Ends a connection that does not answer: nobody shall wait behind what is still on its way there, or for a server
    /// that is gone.
    pub(super) fn given_up(&self, client: Client) -> StoreError {
        self.turn_from(client);
        StoreError::with_source(StoreErrorKind::Unreachable, "no answer in time")
    }

    /// A step's error. A server that takes no writes any more is one that another has taken over from: the next step
    /// looks for that one.
    pub(super) fn failed(&self, client: Client, error: StoreError) -> StoreError {
        if error.kind() == StoreErrorKind::ReadOnly {
            self.turn_from(client);
        }
        error
    }

    /// Lets go of this connection and of those that nobody uses: they lead to the same server.
    fn turn_from(&self, client: Client) {
        drop(Object::take(client));
        self.pool.retain(|_, _| false);
    }

    /// The first row of what a statement answers.
    pub(super) async fn row(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, parameters).await?.into_iter().next())
    }

    /// The row of a statement that answers one.
    #[cfg(any(feature = "ade", feature = "service"))]
    pub(super) async fn one(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Row, StoreError> {
        let row = self.row(sql, parameters).await?;
        row.ok_or_else(|| super::error::unreadable("no row"))
    }
}

/// What every session begins with: the isolation that the steps are written for, and commits that are on the disk when
/// they are answered, also where the server is set otherwise. Plans are kept as long as the connection: one that was made
/// for an empty table must not walk it when it has grown.
fn session(statement_timeout: Duration) -> String {
    let milliseconds = i32::try_from(statement_timeout.as_millis()).unwrap_or(i32::MAX);
    format!(
        "SET default_transaction_isolation TO 'read committed';
         SET statement_timeout = {};
         SET idle_in_transaction_session_timeout = '2min';
         SET enable_seqscan = off;
         SET jit = off;
         SELECT set_config('synchronous_commit', 'on', false)
         WHERE current_setting('synchronous_commit') = 'off'",
        milliseconds.max(1)
    )
}

fn manager(
    mut config: Config,
    tls: Option<ClientConfig>,
    patience: Duration,
) -> Result<Manager, StoreError> {
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let plain = config.get_ssl_mode() == SslMode::Disable
        || is_local(&config, false)
        || (tls.is_none() && is_local(&config, true));
    if plain {
        config.ssl_mode(SslMode::Disable);
        let connect = EachHost::new(ConfigConnectImpl { tls: NoTls }, &mut config, patience);
        return Ok(Manager::from_connect(config, connect, recycling));
    }
    let tls = match tls {
        Some(tls) => tls,
        None => ClientConfig::builder()
            .build()
            .map_err(|error| StoreError::with_source(StoreErrorKind::Other, error))?,
    };
    // No server gets around it by saying that it cannot.
    config.ssl_mode(SslMode::Require);
    let tls = VerifyFull(tls);
    let connect = EachHost::new(ConfigConnectImpl { tls }, &mut config, patience);
    Ok(Manager::from_connect(config, connect, recycling))
}

/// Whether nothing leaves this machine, or not even this machine's files.
fn is_local(config: &Config, loopback: bool) -> bool {
    let stays = |address: &IpAddr| loopback && address.is_loopback();
    config.get_hostaddrs().iter().all(stays)
        && config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) if name == "localhost" => loopback,
            Host::Tcp(name) => name.parse().is_ok_and(|address| stays(&address)),
            #[cfg(unix)]
            Host::Unix(_) => true,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_read_is_not_repeated() {
        let address = Secret::new("host=db password=hunter 2".to_owned());
        let Err(error) = Engine::start(&address, Options::default()) else {
            panic!("taken");
        };
        assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
    }

    #[test]
    fn only_what_stays_on_this_machine_is_local() {
        let local = |address: &str| is_local(&address.parse().unwrap(), true);
        assert!(local("host=/run/postgresql"));
        assert!(local("host=localhost"));
        assert!(local("postgresql://mdm@[::1]:5433/mdm"));
        assert!(!is_local(&"host=localhost".parse().unwrap(), false));
        assert!(!local("host=db.example.com"));
        assert!(!local("host=localhost,db.example.com"));
        assert!(!local("host=localhost hostaddr=192.0.2.1"));
    }
}
