//! What is wanted of devices: a profile, tags, a user; and forgetting them.
//!
//! Nothing here talks to Apple: the assigner gives a device the profile that it wants.

use std::collections::BTreeSet;

use mdm_core::SerialNumber;

use super::{
    AdeService, Refusal,
    profiles::{known, usable},
};
use crate::{
    Error,
    record::{AccountId, DeviceRecord, GiveUpStep},
    store::{Changes, Loaded, Reads},
};

/// How many devices one step changes at most.
pub(super) const CHUNK: usize = 1000;

/// The most bytes of a device's tags and user together: they are written with every change of it.
const MOST_WORDS: usize = 16 * 1024;

impl AdeService {
    /// Sets the profile that devices are to have; none leaves them alone, with the profile that they
    /// have. A device that was given up and is still the account's is in use again with that.
    ///
    /// Up to 1000 devices change in one step, more in one step after the other. A step in which one
    /// device is refused changes none of its devices; those of the steps before have changed.
    ///
    /// # Errors
    /// [`Refusal::NoProfile`], [`Refusal::ProfileReplaced`], [`Refusal::NoDevice`],
    /// [`Refusal::Released`], [`Refusal::GivingUp`].
    pub async fn want_profile(
        &self,
        account: &AccountId,
        devices: &[SerialNumber],
        uuid: Option<&str>,
    ) -> Result<(), Error> {
        let now = self.inner.clock.now();
        for chunk in devices.chunks(CHUNK) {
            let uuid = uuid.map(str::to_owned);
            let serials = chunk.to_vec();
            let reads =
                Reads::devices(chunk.to_vec()).with(|reads| reads.profiles.extend(uuid.clone()));
            self.step(account, reads, move |_, mut loaded| {
                if let Some(uuid) = &uuid {
                    usable(known(&loaded, uuid)?)?;
                }
                let mut changed = Vec::new();
                for mut device in own(&mut loaded, &serials)? {
                    let before = (device.wanted_profile.clone(), device.give_up.is_some());
                    if uuid.is_some() {
                        in_use_again(&mut device)?;
                    }
                    device.wanted_profile.clone_from(&uuid);
                    if before != (uuid.clone(), device.give_up.is_some()) {
                        device.settle(now);
                        changed.push(device);
                    }
                }
                Ok((Changes::devices(changed), ()))
            })
            .await?;
        }
        Ok(())
    }

    /// Sets the device's tags.
    ///
    /// # Errors
    /// [`Refusal::NoDevice`]; [`Refusal::TooLong`] if tags and user take more than 16 KiB together.
    pub async fn set_tags(
        &self,
        account: &AccountId,
        device: &SerialNumber,
        tags: BTreeSet<String>,
    ) -> Result<(), Error> {
        self.change(account, device, move |device| {
            device.tags.clone_from(&tags);
            bounded(device)
        })
        .await
    }

    /// Sets the user that the device is meant for.
    ///
    /// # Errors
    /// As [`AdeService::set_tags`].
    pub async fn set_user(
        &self,
        account: &AccountId,
        device: &SerialNumber,
        user: Option<&str>,
    ) -> Result<(), Error> {
        let user = user.map(str::to_owned);
        self.change(account, device, move |device| {
            device.user.clone_from(&user);
            bounded(device)
        })
        .await
    }

    /// Forgets devices, as for an account whose token will not come back. One that is still assigned
    /// to the server comes back with the next full fetch, without tags, user and wanted profile, and
    /// gets the default profile. Serial numbers that are not known do no harm.
    ///
    /// # Errors
    /// [`Refusal::NoAccount`].
    pub async fn forget_devices(
        &self,
        account: &AccountId,
        devices: &[SerialNumber],
    ) -> Result<(), Error> {
        for chunk in devices.chunks(CHUNK) {
            let serials = chunk.to_vec();
            self.step(account, Reads::account(), move |_, _| {
                let serials = serials.clone();
                Ok((Changes::default().with(|c| c.forget_devices = serials), ()))
            })
            .await?;
        }
        Ok(())
    }

    /// One step on one device that is known; gives what `change` gives.
    pub(super) async fn change<T, F>(
        &self,
        account: &AccountId,
        device: &SerialNumber,
        change: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&mut DeviceRecord) -> Result<T, Refusal> + Send + Sync + 'static,
    {
        let now = self.inner.clock.now();
        let serial = device.clone();
        let reads = Reads::devices(vec![serial.clone()]);
        self.step(account, reads, move |_, mut loaded| {
            let mut device = take(&mut loaded, &serial)?;
            let before = device.clone();
            let told = change(&mut device)?;
            device.settle(now);
            let changed = (device != before).then_some(device);
            Ok((Changes::devices(changed.into_iter().collect()), told))
        })
        .await
    }
}

fn bounded(device: &DeviceRecord) -> Result<(), Refusal> {
    let words = device.tags.iter().chain(&device.user);
    match words.map(String::len).sum::<usize>() > MOST_WORDS {
        true => Err(Refusal::TooLong { most: MOST_WORDS }),
        false => Ok(()),
    }
}

/// A device that is known.
fn take(loaded: &mut Loaded, serial: &SerialNumber) -> Result<DeviceRecord, Refusal> {
    let device = loaded.devices.remove(serial);
    device.ok_or_else(|| Refusal::NoDevice(serial.clone()))
}

/// Devices that are the account's, each once, in the order of their serial numbers.
pub(super) fn own(
    loaded: &mut Loaded,
    serials: &[SerialNumber],
) -> Result<Vec<DeviceRecord>, Refusal> {
    let serials: BTreeSet<_> = serials.iter().collect();
    let mut devices = Vec::with_capacity(serials.len());
    for serial in serials {
        let device = take(loaded, serial)?;
        if !device.is_present() {
            return Err(Refusal::Released(serial.clone()));
        }
        devices.push(device);
    }
    Ok(devices)
}

/// Refuses a device that is being given up; one that was, no longer is.
fn in_use_again(device: &mut DeviceRecord) -> Result<(), Refusal> {
    let next = device.give_up.as_ref().map(|give_up| give_up.next);
    match next {
        None => {}
        Some(GiveUpStep::Done) => device.give_up = None,
        Some(_) => return Err(Refusal::GivingUp(device.serial_number.clone())),
    }
    Ok(())
}
