//! Two proofs of identity.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::Request;
use mdm_pki::Certificate;

use super::{IdentityError, IdentitySource};

/// Asks for two proofs, of one certificate: such as the connection's and the message's.
#[derive(Debug, Clone)]
pub struct Both<A, B>(pub A, pub B);

#[async_trait]
impl<A: IdentitySource, B: IdentitySource> IdentitySource for Both<A, B> {
    async fn identify(
        &self,
        request: &Request<Bytes>,
        now: DateTime<Utc>,
    ) -> Result<Certificate, IdentityError> {
        let first = self.0.identify(request, now).await?;
        let second = self.1.identify(request, now).await?;
        agreed(first, second)
    }
}

/// Asks for one of two proofs. Where both are there, both have to hold and be of one certificate: a
/// proof that fails is not made good by another.
///
/// For the time in which a fleet moves from one to the other.
#[derive(Debug, Clone)]
pub struct Either<A, B>(pub A, pub B);

#[async_trait]
impl<A: IdentitySource, B: IdentitySource> IdentitySource for Either<A, B> {
    async fn identify(
        &self,
        request: &Request<Bytes>,
        now: DateTime<Utc>,
    ) -> Result<Certificate, IdentityError> {
        let first = self.0.identify(request, now).await;
        let second = self.1.identify(request, now).await;
        match (first, second) {
            (Ok(first), Ok(second)) => agreed(first, second),
            (Ok(found), Err(IdentityError::Missing)) | (Err(IdentityError::Missing), Ok(found)) => {
                Ok(found)
            }
            (Err(IdentityError::Missing), Err(why)) | (Err(why), _) | (_, Err(why)) => Err(why),
        }
    }
}

fn agreed(first: Certificate, second: Certificate) -> Result<Certificate, IdentityError> {
    if first == second {
        Ok(first)
    } else {
        Err(IdentityError::Disagreement)
    }
}
