//! ACME beside SCEP, by the same authority: identities for keys of which Apple attests in what device they lie.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
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
    service::{Enrollment, EnrollmentStatus, Service, store::EnrollmentFilter},
};

use crate::{
    authority::Authority,
    books::PREFIX,
    config::{self, Config},
    database::Database,
    error::Error,
    issued::IssuedFor,
    vault::Vault,
};

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
    .rate_limit(config.limits.buckets())
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
/// identifier is the serial number, which the device has to attest. No other name gets into the certificate but one that tells
/// by whose profile it was ordered, which alone can renew what a device has.
#[derive(Debug)]
struct Invited(Service);

impl Invited {
    /// The enrolments of devices with this serial number.
    async fn enrolled(&self, serial_number: &SerialNumber) -> Result<Vec<Enrollment>, StoreError> {
        let filter = EnrollmentFilter::new().with(|filter| {
            filter.serial_number = Some(serial_number.clone());
            filter.devices_only = true;
        });
        let found = self.0.store().enrollments(&filter, None, MOST).await;
        found.map_err(StoreError::unavailable)
    }

    /// Whether this invitation is for the device, and nobody has spent it.
    async fn is_invited(
        &self,
        name: &str,
        serial_number: &SerialNumber,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let found = self.0.store().invitation(name).await;
        let found = found.map_err(StoreError::unavailable)?;
        Ok(found.is_some_and(|invitation| {
            let bound = invitation.serial_number.as_ref();
            let is_open = invitation.spent_by.is_none() && invitation.expires_at > now;
            is_open && bound.is_none_or(|bound| bound == serial_number)
        }))
    }
}

#[async_trait]
impl DeviceAuthorizer for Invited {
    async fn expect(&self, query: &DeviceQuery<'_>) -> Result<Option<ExpectedDevice>, StoreError> {
        let Some(serial_number) = serial_number(query) else {
            return Ok(None);
        };
        let mut here = self.enrolled(&serial_number).await?;
        here.retain(is_here);
        let link = match query.path {
            None => None,
            Some(path) => {
                let (name, link) = (path.expose(), link(path.expose())?);
                let mut is_its = self.is_invited(name, &serial_number, query.now).await?;
                for last in here.iter().filter_map(|it| it.invitation.as_deref()) {
                    is_its |= self::link(last)? == link;
                }
                is_its.then_some(link)
            }
        };
        if link.is_none() && here.is_empty() {
            return Ok(None);
        }
        let mut expected = ExpectedDevice::new(
            serial_number.to_string(),
            DeviceIdentity::SerialNumber(serial_number),
        );
        expected.names = link.iter().map(IssuedFor::alternative_name).collect();
        Ok(Some(expected))
    }

    /// Not if an enrolment was taken back since the order was made, and there is no other.
    async fn confirm(
        &self,
        query: &DeviceQuery<'_>,
        _: &ExpectedDevice,
    ) -> Result<bool, StoreError> {
        let Some(serial_number) = serial_number(query) else {
            return Ok(false);
        };
        let found = self.enrolled(&serial_number).await?;
        let is_over = |it: &Enrollment| it.disabled_at.is_some_and(|at| at >= query.ordered_at);
        Ok(found.iter().any(is_here) || !found.iter().any(is_over))
    }
}

fn is_here(enrollment: &Enrollment) -> bool {
    enrollment.status != EnrollmentStatus::Disabled
}

fn link(invitation: &str) -> Result<IssuedFor, StoreError> {
    IssuedFor::link(invitation).map_err(StoreError::unavailable)
}

/// The serial number that an order is for.
fn serial_number(query: &DeviceQuery<'_>) -> Option<SerialNumber> {
    if query.identifier.kind != IdentifierType::PermanentIdentifier {
        return None;
    }
    let name = query.identifier.value.as_str();
    name.strip_prefix(PREFIX).unwrap_or(name).parse().ok()
}
