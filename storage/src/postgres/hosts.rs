//! Several hosts in one address: the first that takes us, each within its share of the time.

use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use deadpool_postgres::Connect;
use tokio::task::JoinHandle;
use tokio_postgres::{
    Client, Config, Error,
    config::{Host, LoadBalanceHosts, TargetSessionAttrs},
};

type Connecting<'a> =
    Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'a>>;

/// Asks one host after the other. One that takes connections and then says nothing, as a machine does whose disk has
/// gone, does not keep the next from being asked.
pub(super) struct EachHost<C> {
    connect: C,
    hosts: Vec<Config>,
    share: Duration,
    /// Whom to begin with, where the load is to be spread.
    first: Option<AtomicUsize>,
}

impl<C> EachHost<C> {
    /// The hosts of this address, to be asked within `patience` altogether. Of several, only one that takes writes will
    /// do, unless the address asks for one that does not.
    pub(super) fn new(connect: C, config: &mut Config, patience: Duration) -> Self {
        let hosts = config.get_hosts().len().max(config.get_hostaddrs().len());
        let share = match u32::try_from(hosts) {
            // The last one has what the others leave.
            Ok(hosts @ 2..) => patience / hosts.saturating_add(1),
            _ => patience,
        };
        config.connect_timeout(share);
        if hosts > 1 && config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let spread = config.get_load_balance_hosts() == LoadBalanceHosts::Random;
        Self {
            connect,
            hosts: split(config),
            share,
            first: spread.then(AtomicUsize::default),
        }
    }
}

impl<C: Connect> Connect for EachHost<C> {
    fn connect(&self, _: &Config) -> Connecting<'_> {
        let first = self.first.as_ref();
        let first = first.map_or(0, |first| first.fetch_add(1, Ordering::Relaxed));
        let count = self.hosts.len().max(1);
        Box::pin(async move {
            let mut hosts = self.hosts.iter().cycle().skip(first % count).take(count);
            let Some(mut host) = hosts.next() else {
                // The driver says that there is none.
                return self.connect.connect(&Config::new()).await;
            };
            for next in hosts {
                let asked = tokio::time::timeout(self.share, self.connect.connect(host));
                match asked.await {
                    Ok(Ok(connected)) => return Ok(connected),
                    Ok(Err(error)) => tracing::debug!(%error, "a host does not take us"),
                    Err(_) => tracing::debug!("a host does not answer"),
                }
                host = next;
            }
            self.connect.connect(host).await
        })
    }
}

/// The address of each host by itself. One whose lists do not belong together is left to the driver to refuse.
fn split(config: &Config) -> Vec<Config> {
    let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
    let ports = config.get_ports();
    let count = hosts.len().max(addresses.len());
    let fit = |length| length == 0 || length == count;
    if !fit(hosts.len()) || !fit(addresses.len()) || !(fit(ports.len()) || ports.len() == 1) {
        return vec![config.clone()];
    }
    let one = |at| {
        let mut one = without_hosts(config);
        match hosts.get(at) {
            Some(Host::Tcp(name)) => drop(one.host(name)),
            #[cfg(unix)]
            Some(Host::Unix(path)) => drop(one.host_path(path)),
            None => {}
        }
        if let Some(address) = addresses.get(at) {
            one.hostaddr(*address);
        }
        if let Some(port) = ports.get(at).or_else(|| ports.first()) {
            one.port(*port);
        }
        one
    };
    (0..count).map(one).collect()
}

/// Everything that an address says but where.
fn without_hosts(config: &Config) -> Config {
    let mut one = Config::new();
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(database) = config.get_dbname() {
        one.dbname(database);
    }
    if let Some(options) = config.get_options() {
        one.options(options);
    }
    if let Some(name) = config.get_application_name() {
        one.application_name(name);
    }
    if let Some(timeout) = config.get_connect_timeout() {
        one.connect_timeout(*timeout);
    }
    if let Some(timeout) = config.get_tcp_user_timeout() {
        one.tcp_user_timeout(*timeout);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one.ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .target_session_attrs(config.get_target_session_attrs())
        .load_balance_hosts(config.get_load_balance_hosts());
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = "user=mdm password=hunter2 dbname=mdm options='-c x=1' application_name=name \
         connect_timeout=3 tcp_user_timeout=4 keepalives=0 keepalives_idle=5 keepalives_interval=6 \
         keepalives_retries=7 sslmode=require sslnegotiation=direct channel_binding=disable \
         target_session_attrs=read-only load_balance_hosts=random";

    fn config(hosts: &str) -> Config {
        format!("{hosts} {REST}").parse().unwrap()
    }

    #[test]
    fn each_host_has_all_that_the_address_says() {
        for (together, apart) in [
            (
                "host=a,/run/pg port=1,2",
                vec!["host=a port=1", "host=/run/pg port=2"],
            ),
            (
                "host=a,b port=1 hostaddr=::1,127.0.0.1",
                vec![
                    "host=a port=1 hostaddr=::1",
                    "host=b port=1 hostaddr=127.0.0.1",
                ],
            ),
            ("host=a,b", vec!["host=a", "host=b"]),
            ("host=a", vec!["host=a"]),
            ("host=a,b port=1,2,3", vec!["host=a,b port=1,2,3"]),
        ] {
            let apart: Vec<_> = apart.into_iter().map(config).collect();
            assert_eq!(split(&config(together)), apart, "{together}");
        }
    }

    #[test]
    fn of_several_hosts_one_that_writes_is_wanted_unless_the_address_says_otherwise() {
        for (address, wanted) in [
            ("host=a", TargetSessionAttrs::Any),
            ("host=a,b", TargetSessionAttrs::ReadWrite),
            (
                "host=a,b target_session_attrs=read-only",
                TargetSessionAttrs::ReadOnly,
            ),
        ] {
            let mut config = address.parse().unwrap();
            let hosts = EachHost::new((), &mut config, Duration::from_secs(6));
            assert!(
                hosts
                    .hosts
                    .iter()
                    .all(|host| host.get_target_session_attrs() == wanted),
                "{address}"
            );
        }
    }
}
