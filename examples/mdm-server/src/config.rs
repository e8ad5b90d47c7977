//! Settings: a TOML file, and over it the environment. `MDM_SERVER_SCEP__LEGACY_DES=true` is `legacy_des` of
//! `[scep]`; two underscores lead into a table.

use std::{fs, net::SocketAddr, ops::RangeInclusive, path::Path};

use toml::{Table, Value};

mod files;
mod limits;
mod settings;

pub(crate) use files::{both, identity, roots, secret, text};
pub(crate) use settings::{
    AccountDriven, Accounts, Acme, ClientCertificates, Config, FileVault, Identity, Log, LogFormat,
    ProxyHeader, Push, Scep, Schedule, Sealing,
};

use crate::error::{Error, told};

/// What every variable of ours begins with.
const PREFIX: &str = "MDM_SERVER_";

/// Keys whose values are text whatever they look like: an error about another type would show them.
const SECRETS: &[&str] = &["key", "token"];

impl Config {
    /// Reads the file, if there is one, and `environment` over it.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let mut table = match file {
            None => Table::new(),
            Some(path) => {
                let text = fs::read_to_string(path).map_err(Error::file(path))?;
                text.parse()
                    .map_err(|error| Error::toml(path, &text, &error))?
            }
        };
        for (name, value) in environment {
            if let Some(name) = name.strip_prefix(PREFIX) {
                set(&mut table, &name.to_ascii_lowercase(), value)?;
            } else if name == "DATABASE_URL" {
                let key = "database_url".to_owned();
                table.entry(key).or_insert(Value::String(value));
            }
        }
        let config: Self =
            serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
                let key = match error.path().to_string() {
                    path if path == "." => "settings".to_owned(),
                    path => path,
                };
                // The reader's own words name the key a second time, on a line of its own.
                let problem = error.inner().to_string();
                let problem = problem.lines().next().unwrap_or_default();
                Error::setting(key, without_value(problem))
            })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Error> {
        let url: http::Uri = self.public_url.parse().map_err(|error| {
            Error::setting("public_url", told(&error as &dyn std::error::Error))
        })?;
        let is_base = url.scheme_str() == Some("https")
            && url.authority().is_some()
            && matches!(url.path(), "" | "/")
            && url.query().is_none();
        if !is_base {
            let problem = "has to be https://NAME, without a path: devices take no other";
            return Err(Error::setting("public_url", problem));
        }
        for (key, value, bounds) in self.bounded() {
            if !bounds.contains(&value) {
                let (least, most) = bounds.into_inner();
                let problem = format!("is not between {least} and {most}");
                return Err(Error::setting(key, problem));
            }
        }
        let scep = &self.scep;
        if scep
            .renew_days
            .is_some_and(|days| days >= scep.validity_days)
        {
            let problem =
                "is not less than scep.validity_days: each new identity would be renewed at once";
            return Err(Error::setting("scep.renew_days", problem));
        }
        let shows = self.listen.client_certificates.is_some();
        if shows && self.listen.tls.is_none() {
            let problem = "asks for what is shown in TLS: listen.tls is missing";
            return Err(Error::setting("listen.client_certificates", problem));
        }
        let is_told = self
            .proxy
            .as_ref()
            .is_some_and(|proxy| proxy.client_certificate.is_some());
        if shows && is_told {
            let problem = "is told by a proxy, or shown here: not both";
            return Err(Error::setting("proxy.client_certificate", problem));
        }
        let accounts = self.accounts.as_ref();
        if accounts.is_some_and(|accounts| accounts.account_driven.is_some())
            && self.enrollment.device_authorities.is_none()
        {
            let problem = "is missing: it tells what devices sign in account-driven enrolment";
            return Err(Error::setting("enrollment.device_authorities", problem));
        }
        if !self.admin.allow_remote && !self.admin.address.ip().is_loopback() {
            let problem =
                "is no address of this machine alone; admin.allow_remote takes it all the same";
            return Err(Error::setting("admin.address", problem));
        }
        Ok(())
    }

    /// The numbers that are not taken as they come, by their keys, with the least and the most.
    fn bounded(&self) -> [(&'static str, u32, RangeInclusive<u32>); 8] {
        // A hundred years and ten: far from where times end.
        const DAYS: u32 = 36_500;
        const HOURS: u32 = 87_600;
        const ANY: RangeInclusive<u32> = 1..=u32::MAX;
        let (scep, schedule, limits) = (&self.scep, &self.schedule, &self.limits);
        let (inventory, kept) = (schedule.inventory_hours, schedule.keep_commands_days);
        let connections = u32::try_from(self.listen.max_connections);
        let connections = connections.unwrap_or(u32::MAX);
        [
            ("scep.validity_days", scep.validity_days, 1..=DAYS),
            ("scep.challenge_hours", scep.challenge_hours, 1..=HOURS),
            ("schedule.inventory_hours", inventory, 0..=HOURS),
            ("schedule.keep_commands_days", kept, 0..=DAYS),
            ("listen.max_connections", connections, 1..=1 << 20),
            ("limits.requests_per_peer", limits.requests_per_peer, ANY),
            (
                "limits.identities_per_peer",
                limits.identities_per_peer,
                ANY,
            ),
            ("limits.accounts_per_peer", limits.accounts_per_peer, ANY),
        ]
    }

    /// Where the public URL names port 0, it is the one that was bound.
    pub(crate) fn bound(&mut self, address: SocketAddr) {
        let url = self.public_url.parse::<http::Uri>().ok();
        let authority = url.as_ref().and_then(http::Uri::authority);
        if let Some(authority) = authority.filter(|it| it.port_u16() == Some(0)) {
            self.public_url = format!("https://{}:{}", authority.host(), address.port());
        }
    }

    /// The server's address for devices, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        self.public_url.trim_end_matches('/')
    }
}

/// What is wrong with a value, without the value: it may be a secret at the wrong place.
fn without_value(problem: &str) -> String {
    let shows = ["invalid type", "invalid value", "unknown variant"];
    match problem.split_once(", expected ") {
        Some((found, expected)) if shows.iter().any(|it| found.starts_with(it)) => {
            format!("is not {expected}")
        }
        _ => problem.to_owned(),
    }
}

/// Sets the key that a variable names. What looks like a number, a truth value or a list is one.
fn set(table: &mut Table, name: &str, value: String) -> Result<(), Error> {
    let mut path: Vec<&str> = name.split("__").collect();
    let last = path.pop().unwrap_or_default();
    let mut table = table;
    for (depth, key) in path.iter().enumerate() {
        let inner = table
            .entry((*key).to_owned())
            .or_insert_with(|| Value::Table(Table::new()));
        table = inner.as_table_mut().ok_or_else(|| {
            let upper = path.get(..=depth).unwrap_or_default().join(".");
            Error::setting(upper, "is no table, and a variable leads into it")
        })?;
    }
    let is_plain = !SECRETS.contains(&last)
        && (matches!(value.as_str(), "true" | "false")
            || value.starts_with('[')
            || value.parse::<u32>().is_ok());
    let value = match format!("value = {value}").parse::<Table>() {
        Ok(mut parsed) if is_plain => parsed.remove("value").unwrap_or(Value::String(value)),
        _ => Value::String(value),
    };
    table.insert(last.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests;
