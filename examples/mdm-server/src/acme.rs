//! ACME beside SCEP, by the same authority: identities for keys of which Apple attests in what device they lie.

use std::sync::Arc;

use async_trait::async_trait;
use mdm_sdk::{
    core::{Clock, Secret, SerialNumber},
    pki::{self, attestation::Verifier},
    scep::{
        self,
        acme::{
            DeviceAuthorizer, DeviceIdentity, DeviceQuery, ExpectedDevice, Server,
            identifier::IdentifierType,
        },
        store::StoreError,
    },
    service::{EnrollmentStatus, Service, store::EnrollmentFilter},
};

use crate::{
    authority::Authority,
    config::{self, Config},
    database::Database,
    error::Error,
    vault::Vault,
};

/// What may stand before the serial number in an identifier, and so in the certificate's name.
const PREFIX: &str = "serial:";

/// Enrolments of one serial number that are looked at.
const MOST: usize = 16;

/// The server of ACME, where the settings name whom attestations end at.
pub(crate) async fn server(
    config: &Config,
    authority: &Authority,
    database: &Database,
    service: &Service,
    vault: &Vault,
    clock: Arc<dyn Clock>,
) -> Result<Option<Arc<Server>>, Error> {
    let Some(settings) = &config.acme else {
        return Ok(None);
    };
    let verifier = verifier(settings)?;
    // All nodes take the nonces of each.
    let nonces = vault.get_or_make("acme-nonces", || {
        let key = pki::random::<32>().map_err(Error::part("randomness"))?;
        Ok(Secret::new(key.to_vec()))
    });
    let nonces = <[u8; 32]>::try_from(nonces.await?.expose().as_slice());
    let nonces = nonces.map_err(Error::part("the key of nonces"))?;
    let base = format!("{}/acme", config.base());
    let base = base.parse().map_err(Error::in_setting("public_url"))?;
    let server = Server::builder(
        authority.ca.clone(),
        database.books(),
        database.orders(),
        clock,
        base,
    )
    .nonce_key(Secret::new(nonces))
    .devices(Arc::new(Invited(service.clone())), verifier)
    .build();
    server
        .map(|server| Some(Arc::new(server)))
        .map_err(|error: scep::Error| Error::part("ACME")(error))
}

/// Whom attestations end at.
pub(crate) fn verifier(settings: &config::Acme) -> Result<Verifier, Error> {
    let key = "acme.attestation_roots";
    let roots = config::roots(key, Some(&settings.attestation_roots))?;
    Verifier::new(&roots).map_err(Error::in_setting(key))
}

/// Expects who was invited, by the path that the profile names (`/acme/e/INVITATION/directory`), and who is enrolled. The
/// identifier is the serial number, which the device has to attest, and the only name that gets into the certificate.
#[derive(Debug)]
struct Invited(Service);

impl Invited {
    async fn is_expected(
        &self,
        serial_number: &SerialNumber,
        query: &DeviceQuery<'_>,
    ) -> Result<bool, StoreError> {
        let store = self.0.store();
        if let Some(path) = query.path {
            let found = store.invitation(path.expose()).await;
            let is_for_it = found
                .map_err(StoreError::unavailable)?
                .is_some_and(|invitation| {
                    let bound = invitation.serial_number.as_ref();
                    invitation.expires_at > query.now
                        && bound.is_none_or(|bound| bound == serial_number)
                });
            if is_for_it {
                return Ok(true);
            }
        }
        let filter = EnrollmentFilter::new().with(|filter| {
            filter.serial_number = Some(serial_number.clone());
            filter.devices_only = true;
        });
        let found = store.enrollments(&filter, None, MOST).await;
        let is_here = |status| status != EnrollmentStatus::Disabled;
        let found = found.map_err(StoreError::unavailable)?;
        Ok(found.iter().any(|enrollment| is_here(enrollment.status)))
    }
}

#[async_trait]
impl DeviceAuthorizer for Invited {
    async fn expect(&self, query: &DeviceQuery<'_>) -> Result<Option<ExpectedDevice>, StoreError> {
        if query.identifier.kind != IdentifierType::PermanentIdentifier {
            return Ok(None);
        }
        let name = query.identifier.value.as_str();
        let Ok(serial_number) = name
            .strip_prefix(PREFIX)
            .unwrap_or(name)
            .parse::<SerialNumber>()
        else {
            return Ok(None);
        };
        if !self.is_expected(&serial_number, query).await? {
            return Ok(None);
        }
        let label = serial_number.to_string();
        let identity = DeviceIdentity::SerialNumber(serial_number);
        Ok(Some(ExpectedDevice::new(label, identity)))
    }
}
