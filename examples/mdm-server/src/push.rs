//! Push: the certificate, of which a sealed copy is kept, and the connections.

use mdm_sdk::{
    apns::{self, PushCertificate},
    push::{ApnsConnections, ApnsPusher},
    tls::Roots,
};

use crate::{
    config::{self, Push},
    error::Error,
    vault::Vault,
};

/// The push certificate, from its files or else from the sealed copy.
pub(crate) async fn certificate(settings: &Push, vault: &Vault) -> Result<PushCertificate, Error> {
    let (certificate, key) = (&settings.certificate, &settings.key);
    let Some(identity) = vault.identity("push", certificate, key).await? else {
        let problem = "is missing, and no sealed copy is in the database";
        return Err(Error::setting("push.certificate", problem));
    };
    PushCertificate::new(identity).map_err(Error::in_setting("push.certificate"))
}

/// Who pushes with it.
pub(crate) fn pusher(
    settings: &Push,
    certificate: PushCertificate,
) -> Result<(ApnsPusher, ApnsConnections), Error> {
    let roots = config::roots("push.roots", settings.roots.as_deref())?;
    let service = match &settings.host {
        None => apns::Config::production(),
        Some(host) => apns::Config::new(host, settings.port),
    };
    let service = match roots.is_empty() {
        true => service,
        false => service.roots(Roots::Only(roots)),
    };
    ApnsPusher::new(&service, [certificate]).map_err(Error::part("push"))
}
