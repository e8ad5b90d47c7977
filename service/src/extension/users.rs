//! Users of a Mac who log in: whether they are managed, and how they prove who they are (Q15).

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::Secret;
use mdm_pki::{DigestAlgorithm, digest::constant_time_eq, hmac};
use mdm_protocol::checkin::{
    UserAuthenticate,
    digest::{DigestChallenge, DigestResponse},
};

use super::Caller;
use crate::Unavailable;

/// Says whether a user who logs in to a Mac is managed.
#[async_trait]
pub trait UserPolicy: fmt::Debug + Send + Sync {
    /// The answer to a `UserAuthenticate`. The first of a login has no `DigestResponse`; the second, which
    /// follows a [`Challenge`](UserAnswer::Challenge), has one, and it may be empty.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be told now.
    async fn answer(
        &self,
        caller: &Caller<'_>,
        request: &UserAuthenticate,
    ) -> Result<UserAnswer, Unavailable>;
}

/// What `UserAuthenticate` is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserAnswer {
    /// 410: the user is not managed at this login. Also for a wrong digest, since 401 would make the
    /// whole Mac unenrol.
    NotManaged,
    /// 200 with a `DigestChallenge`; an empty one asks for no digest.
    Challenge(String),
    /// 200 to the second message, with an `AuthToken` or with no body.
    Accepted(Option<Secret<String>>),
}

/// Manages every user without asking for a password: an empty challenge, then an empty 200.
#[derive(Debug, Clone, Copy, Default)]
pub struct EveryUser;

#[async_trait]
impl UserPolicy for EveryUser {
    async fn answer(
        &self,
        _: &Caller<'_>,
        request: &UserAuthenticate,
    ) -> Result<UserAnswer, Unavailable> {
        Ok(match request.digest_response {
            None => UserAnswer::Challenge(String::new()),
            Some(_) => UserAnswer::Accepted(None),
        })
    }
}

/// A directory that knows the users' passwords as HTTP Digest wants them.
#[async_trait]
pub trait PasswordDigests: fmt::Debug + Send + Sync {
    /// What [`password_digest`](mdm_protocol::checkin::digest::password_digest) makes of the user's
    /// password; `None` for a user who is not managed.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be told now.
    async fn password_digest(
        &self,
        username: &str,
        realm: &str,
    ) -> Result<Option<Secret<String>>, Unavailable>;
}

/// Manages the users who know their password: HTTP Digest (RFC 2617).
///
/// The nonce holds its time and who it is for under a key, so that nothing has to be kept between the two
/// messages and any node answers the second. It serves for five minutes, on that Mac, for that user.
pub struct DigestUsers<P> {
    passwords: P,
    realm: String,
    key: Secret<Vec<u8>>,
}

impl<P: PasswordDigests> DigestUsers<P> {
    /// Asks for the users' passwords of `realm`. All nodes need the same `key`: 32 random bytes.
    pub fn new(passwords: P, realm: impl Into<String>, key: Secret<Vec<u8>>) -> Self {
        Self {
            passwords,
            realm: realm.into(),
            key,
        }
    }

    fn nonce(&self, caller: &Caller<'_>, at: DateTime<Utc>) -> Result<String, Unavailable> {
        let text = format!("{}:{}", at.timestamp(), caller.sender.id);
        let mac = hmac(DigestAlgorithm::Sha256, self.key.expose(), text.as_bytes());
        let mac = mac.map_err(Unavailable::new)?;
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("{}-{hex}", at.timestamp()))
    }

    fn is_fresh(&self, caller: &Caller<'_>, nonce: &str) -> Result<bool, Unavailable> {
        let made = nonce
            .split_once('-')
            .and_then(|(seconds, _)| seconds.parse().ok())
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let Some(made) = made else {
            return Ok(false);
        };
        let age = caller.sender.at.signed_duration_since(made);
        let expected = self.nonce(caller, made)?;
        let is_ours = constant_time_eq(expected.as_bytes(), nonce.as_bytes());
        Ok(is_ours && age >= -NONCE_LIFETIME && age <= NONCE_LIFETIME)
    }
}

const NONCE_LIFETIME: TimeDelta = TimeDelta::minutes(5);

impl<P: fmt::Debug> fmt::Debug for DigestUsers<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestUsers")
            .field("passwords", &self.passwords)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<P: PasswordDigests> UserPolicy for DigestUsers<P> {
    async fn answer(
        &self,
        caller: &Caller<'_>,
        request: &UserAuthenticate,
    ) -> Result<UserAnswer, Unavailable> {
        let Some(response) = &request.digest_response else {
            let nonce = self.nonce(caller, caller.sender.at)?;
            let challenge = DigestChallenge::new(&self.realm, nonce);
            return Ok(UserAnswer::Challenge(challenge.to_string()));
        };
        let Ok(response) = response.expose().parse::<DigestResponse>() else {
            return Ok(UserAnswer::NotManaged);
        };
        // The password has to be that of who logs in.
        let name = request.user_short_name.as_deref();
        let is_user = name.is_none_or(|name| name == response.username);
        if !is_user || response.realm != self.realm || !self.is_fresh(caller, &response.nonce)? {
            return Ok(UserAnswer::NotManaged);
        }
        let password = self
            .passwords
            .password_digest(&response.username, &self.realm);
        let knows = match password.await? {
            Some(password) => response.is_made_with(&password).map_err(Unavailable::new)?,
            None => false,
        };
        Ok(match knows {
            true => UserAnswer::Accepted(None),
            false => UserAnswer::NotManaged,
        })
    }
}
