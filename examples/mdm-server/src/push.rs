//! Push: the certificate, of which a sealed copy is kept, and the connections.

use mdm_sdk::{
    apns::{self, PushCertificate},
    push::{ApnsConnections, ApnsPusher},
    tls::Roots,
};

use crate::{
    config::{self, Identity, Push},
    error::Error,
    vault::{self, Vault},
};

/// The name of the sealed copy.
const COPY: &str = "push";

/// The push certificate, from its files or else from the sealed copy.
pub(crate) async fn certificate(settings: &Push, vault: &Vault) -> Result<PushCertificate, Error> {
    let identity = match (&settings.certificate, &settings.key) {
        (Some(certificate), Some(key)) => {
            let files = Identity {
                certificate: certificate.clone(),
                key: key.clone(),
            };
            let identity = config::identity("push.certificate", &files)?;
            let copy = vault::to_pem(&identity)?;
            vault.replace(COPY, copy.expose()).await?;
            identity
        }
        (None, None) => match vault.get(COPY).await? {
            Some(copy) => vault::from_pem(&copy)?,
            None => {
                let problem = "is missing, and no sealed copy is in the database";
                return Err(Error::setting("push.certificate", problem));
            }
        },
        (Some(_), None) => return Err(Error::setting("push.key", "is missing")),
        (None, Some(_)) => return Err(Error::setting("push.certificate", "is missing")),
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
