//! A look at the settings and at every file that they name, without a database and without listening.

use std::collections::BTreeMap;

use mdm_sdk::{apns::PushCertificate, core::Topic, protocol::enroll::DeviceAuthorities};

use crate::{
    account, acme,
    config::{self, Config},
    error::Error,
    filevault, logs, server, transport, vault,
};

/// Everything that is wrong, each naming its key.
pub(crate) fn problems(config: &Config) -> Vec<Error> {
    let mut found = Vec::new();
    let mut look = |looked: Result<(), Error>| found.extend(looked.err());
    look(vault::sealing_keys(&config.sealing).map(drop));
    look(server::admin_token(config).map(drop));
    look(logs::filter(&config.log).map(drop));
    look(server::networks(config).map(drop));
    if let Some(files) = &config.listen.tls {
        look(config::identity("listen.tls", files).map(drop));
    }
    let enrollment = &config.enrollment;
    if let Some(files) = &enrollment.signer {
        look(config::identity("enrollment.signer", files).map(drop));
    }
    look(server::roots(config).map(drop));
    look(device_authorities(config));
    if let Some(accounts) = &config.accounts {
        look(account::check(&accounts.users));
    }
    if let Some(topic) = &enrollment.topic {
        let parsed = topic.parse::<Topic>().map(drop);
        look(parsed.map_err(Error::in_setting("enrollment.topic")));
    }
    if let Some(push) = &config.push {
        look(config::both("push", &push.certificate, &push.key).and_then(push_certificate));
        look(config::roots("push.roots", push.roots.as_deref()).map(drop));
    }
    if let Some(files) = &config.filevault {
        look(filevault::files(files).map(drop));
    }
    if let Some(settings) = &config.acme {
        look(acme::verifier(settings).map(drop));
    }
    for (key, roots) in others(config) {
        look(transport::transport(&key, roots.as_deref()).map(drop));
    }
    for (name, webhook) in &config.webhooks {
        let key = format!("webhooks.{name}.key");
        let (value, file) = (webhook.key.as_ref(), webhook.key_file.as_deref());
        look(config::secret(&key, value, file).map(drop));
    }
    found
}

fn device_authorities(config: &Config) -> Result<(), Error> {
    let key = "enrollment.device_authorities";
    let found = config::roots(key, config.enrollment.device_authorities.as_deref())?;
    match found.is_empty() {
        true => Ok(()),
        false => {
            let authorities = DeviceAuthorities::new(found).map(drop);
            authorities.map_err(Error::in_setting(key))
        }
    }
}

fn push_certificate(files: Option<config::Identity>) -> Result<(), Error> {
    let Some(files) = files else { return Ok(()) };
    let certificate = PushCertificate::new(config::identity("push", &files)?);
    certificate
        .map(drop)
        .map_err(Error::in_setting("push.certificate"))
}

/// Whom others are trusted by, by their keys.
fn others(config: &Config) -> BTreeMap<String, Option<std::path::PathBuf>> {
    let mut others: BTreeMap<_, _> = config
        .webhooks
        .iter()
        .map(|(name, webhook)| (format!("webhooks.{name}.roots"), webhook.roots.clone()))
        .collect();
    if let Some(ade) = &config.ade {
        others.insert("ade.roots".to_owned(), ade.roots.clone());
    }
    others
}
