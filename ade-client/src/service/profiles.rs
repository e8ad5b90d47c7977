//! Profiles: defined with Apple, remembered here, given to devices and taken from them.
//!
//! Apple can neither change nor delete a profile. What is replaced or removed here stays with Apple,
//! where it does no harm; so does a profile whose definition was answered and never recorded.

use mdm_transport::BuildError;

use super::{AdeService, Refusal};
use crate::{
    Error,
    endpoint::DefineProfile,
    model::Profile,
    record::{AccountId, AccountRecord, ProfileRecord},
    store::{Changes, Loaded, Reads},
};

/// How many profiles are read at once.
const PAGE: usize = 500;

impl AdeService {
    /// Defines a profile with Apple and remembers it. `shared_ipad_max_users` is the most users of a
    /// Shared iPad, which Apple has no key for.
    ///
    /// An error says that nothing is remembered; Apple may know the profile nevertheless, which does
    /// no harm.
    ///
    /// # Errors
    /// [`Error::Build`] where the profile names devices: those want it by
    /// [`AdeService::want_profile`]. Else what Apple answers.
    pub async fn define_profile(
        &self,
        account: &AccountId,
        profile: Profile,
        shared_ipad_max_users: Option<u32>,
    ) -> Result<ProfileRecord, Error> {
        let defined = self.define(account, profile, shared_ipad_max_users).await?;
        self.step(account, Reads::account(), move |_, _| {
            Ok((remember(&defined), defined.clone()))
        })
        .await
    }

    /// Defines a profile that takes the place of another: devices that want the former one get it,
    /// and so do new ones if the former was the default.
    ///
    /// # Errors
    /// [`Refusal::NoProfile`] and [`Refusal::ProfileReplaced`] about the former one, and as
    /// [`AdeService::define_profile`].
    pub async fn replace_profile(
        &self,
        account: &AccountId,
        old: &str,
        profile: Profile,
        shared_ipad_max_users: Option<u32>,
    ) -> Result<ProfileRecord, Error> {
        usable(&self.profile(account, old).await?)?;
        let defined = self.define(account, profile, shared_ipad_max_users).await?;
        let old = old.to_owned();
        self.step(account, Self::reads(&old), move |mut record, loaded| {
            let mut former = known(&loaded, &old)?.clone();
            usable(&former)?;
            let mut changes = remember(&defined);
            if defined.uuid == old {
                return Ok((changes, defined.clone()));
            }
            former.replaced_by = Some(defined.uuid.clone());
            changes.profiles.push(former);
            if record.default_profile.as_ref() == Some(&old) {
                record.default_profile = Some(defined.uuid.clone());
            }
            // The worker goes through the devices.
            record.replaced_profiles.insert(old.clone());
            changes.account = Some(record);
            Ok((changes, defined.clone()))
        })
        .await
    }

    /// Forgets a profile. Apple keeps it: devices that have it, keep it too.
    ///
    /// # Errors
    /// [`Refusal::NoProfile`]; [`Refusal::ProfileInUse`] while devices want it, also released ones
    /// that are still remembered, or it is the default; [`Refusal::ReplacesProfile`] while the
    /// profile that it replaces is remembered.
    pub async fn remove_profile(&self, account: &AccountId, uuid: &str) -> Result<(), Error> {
        // A profile replaces another from its beginning or never, so this list can only shrink.
        let replaced = self.replaced_by(account, uuid).await?;
        let uuid = uuid.to_owned();
        let reads = Self::reads(&uuid).with(|reads| {
            reads.profiles.extend(replaced.clone());
            reads.wanting = Some(uuid.clone());
        });
        self.step(account, reads, move |record, loaded| {
            known(&loaded, &uuid)?;
            let devices = loaded.counts.wanting;
            let default_profile = record.default_profile.as_ref() == Some(&uuid);
            if devices > 0 || default_profile {
                return Err(Refusal::ProfileInUse {
                    devices,
                    default_profile,
                });
            }
            if let Some(former) = replaced
                .iter()
                .find(|old| loaded.profiles.contains_key(*old))
            {
                return Err(Refusal::ReplacesProfile(former.clone()));
            }
            let forget = vec![uuid.clone()];
            Ok((Changes::default().with(|c| c.forget_profiles = forget), ()))
        })
        .await
    }

    /// Sets the profile that new serial numbers get; none for leaving them alone. Devices that are
    /// known already want what they wanted.
    ///
    /// # Errors
    /// [`Refusal::NoProfile`], [`Refusal::ProfileReplaced`].
    pub async fn set_default_profile(
        &self,
        account: &AccountId,
        uuid: Option<&str>,
    ) -> Result<(), Error> {
        let uuid = uuid.map(str::to_owned);
        let reads = Reads::account().with(|reads| reads.profiles.extend(uuid.clone()));
        self.step(account, reads, move |record, loaded| {
            if let Some(uuid) = &uuid {
                usable(known(&loaded, uuid)?)?;
            }
            let changed = AccountRecord {
                default_profile: uuid.clone(),
                ..record
            };
            Ok((Changes::account(changed), ()))
        })
        .await
    }

    /// One profile.
    ///
    /// # Errors
    /// [`Refusal::NoProfile`].
    pub async fn profile(&self, account: &AccountId, uuid: &str) -> Result<ProfileRecord, Error> {
        let uuid = uuid.to_owned();
        self.step(account, Self::reads(&uuid), move |_, loaded| {
            Ok((Changes::default(), known(&loaded, &uuid)?.clone()))
        })
        .await
    }

    async fn define(
        &self,
        account: &AccountId,
        mut profile: Profile,
        shared_ipad_max_users: Option<u32>,
    ) -> Result<ProfileRecord, Error> {
        if profile.devices.as_ref().is_some_and(|d| !d.is_empty()) {
            return Err(
                BuildError::invalid("devices", "must be empty: devices want a profile").into(),
            );
        }
        // Apple's answer to somebody who asked for a profile, which may be what this one is made of.
        profile.profile_uuid = None;
        let client = self.client(account).await?;
        let defined = client.send(&DefineProfile::new(profile.clone())).await?;
        let now = self.inner.clock.now();
        let mut record = ProfileRecord::new(defined.profile_uuid, profile, now);
        record.shared_ipad_max_users = shared_ipad_max_users;
        Ok(record)
    }

    async fn replaced_by(&self, account: &AccountId, uuid: &str) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self
                .store()
                .profiles(account, after.as_deref(), PAGE)
                .await?;
            let Some(last) = page.last() else {
                return Ok(found);
            };
            after = Some(last.uuid.clone());
            let replaced = page
                .into_iter()
                .filter(|profile| profile.replaced_by.as_deref() == Some(uuid));
            found.extend(replaced.map(|profile| profile.uuid));
        }
    }

    fn reads(uuid: &str) -> Reads {
        Reads::account().with(|reads| reads.profiles = vec![uuid.to_owned()])
    }
}

fn remember(profile: &ProfileRecord) -> Changes {
    Changes::default().with(|changes| changes.profiles = vec![profile.clone()])
}

pub(super) fn known<'a>(loaded: &'a Loaded, uuid: &str) -> Result<&'a ProfileRecord, Refusal> {
    let profile = loaded.profiles.get(uuid);
    profile.ok_or_else(|| Refusal::NoProfile(uuid.to_owned()))
}

pub(super) fn usable(profile: &ProfileRecord) -> Result<(), Refusal> {
    match &profile.replaced_by {
        Some(by) => Err(Refusal::ProfileReplaced { by: by.clone() }),
        None => Ok(()),
    }
}
