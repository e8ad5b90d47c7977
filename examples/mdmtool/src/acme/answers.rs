//! How challenges are answered: by a device's attestation, or by a web server of this program's own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use mdm_scep::acme::{
    client::{ChallengeResponse, Offer, Solver, SolverError},
    resource::ChallengeType,
};

use crate::web::{Site, status};

/// Answers challenges with what there is.
#[derive(Debug)]
pub(super) struct Answers {
    attestation: Option<Vec<u8>>,
    unattested: bool,
    shown: Option<Shown>,
    wanted: Mutex<Option<Offer>>,
}

/// The files of `http-01`: what is to be found under which path.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown(Arc<Mutex<HashMap<String, String>>>);

/// The key has to be attested first.
#[derive(Debug, thiserror::Error)]
#[error("the key has to be attested first")]
struct Unattested;

impl Answers {
    /// Answers with the key's attestation in CBOR, or as a device that cannot attest; and on the web server, if there
    /// is one.
    pub(super) fn new(
        attestation: Option<Vec<u8>>,
        unattested: bool,
        shown: Option<Shown>,
    ) -> Self {
        Self {
            attestation,
            unattested,
            shown,
            wanted: Mutex::default(),
        }
    }

    /// The challenge that wants an attestation, if that is what there was not.
    pub(super) fn wanted(&self) -> Option<Offer> {
        let wanted = self.wanted.lock();
        wanted.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Solver for Answers {
    async fn solve(&self, offer: &Offer) -> Result<Option<ChallengeResponse>, SolverError> {
        Ok(match (&offer.kind, &self.attestation, &self.shown) {
            (ChallengeType::DeviceAttest01, Some(attestation), _) => {
                Some(ChallengeResponse::Attestation(attestation.clone()))
            }
            (ChallengeType::DeviceAttest01, None, _) if self.unattested => {
                Some(ChallengeResponse::Ready)
            }
            (ChallengeType::DeviceAttest01, None, _) => {
                let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
                *wanted = Some(offer.clone());
                return Err(Unattested.into());
            }
            (ChallengeType::Http01, _, Some(shown)) => {
                shown.put(offer.http_path(), offer.key_authorization.clone());
                Some(ChallengeResponse::Ready)
            }
            _ => None,
        })
    }
}

impl Shown {
    fn put(&self, path: String, content: String) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.insert(path, content);
    }
}

#[async_trait]
impl Site for Shown {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match shown.get(request.uri().path()) {
            Some(content) => Response::new(content.clone().into()),
            None => status(StatusCode::NOT_FOUND),
        }
    }
}
