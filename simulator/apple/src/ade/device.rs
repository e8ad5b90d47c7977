//! One device: what does not change about it is shared, what its profile does is beside.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{config::Shapes, generated::Generated, render::Object, timestamp};

/// Cheap to clone, since the log keeps each device as it was.
#[derive(Debug, Clone)]
pub(super) struct Device {
    pub(super) serial: Arc<str>,
    pub(super) attributes: Attributes,
    pub(super) status: Status,
    pub(super) profile_uuid: Option<Arc<str>>,
    pub(super) assign_time: Option<DateTime<Utc>>,
    pub(super) push_time: Option<DateTime<Utc>>,
    pub(super) assigned_date: DateTime<Utc>,
}

#[derive(Debug, Clone)]
pub(super) enum Attributes {
    Generated(Generated),
    /// As a test gave them. What cannot be read as what it should be stays here as well, and is
    /// told as it stands.
    Given(Arc<Map<String, Value>>),
}

/// profile_status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Empty,
    Assigned,
    Pushed,
    Removed,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Assigned => "assigned",
            Self::Pushed => "pushed",
            Self::Removed => "removed",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Empty, Self::Assigned, Self::Pushed, Self::Removed]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

/// What the service keeps itself about a profile.
const PROFILE_KEYS: [&str; 4] = [
    "profile_uuid",
    "profile_status",
    "profile_assign_time",
    "profile_push_time",
];

impl Device {
    pub(super) fn new(serial: Arc<str>, attributes: Attributes, now: DateTime<Utc>) -> Self {
        Self {
            serial,
            attributes,
            status: Status::Empty,
            profile_uuid: None,
            assign_time: None,
            push_time: None,
            assigned_date: now,
        }
    }

    /// Takes over what these raw attributes say.
    pub(super) fn absorb(&mut self, changes: Map<String, Value>) {
        let mut given = self.given();
        for (key, value) in changes {
            if key == "serial_number" {
                continue;
            }
            given.remove(&key);
            if !self.absorb_known(&key, &value) {
                given.insert(key, value);
            }
        }
        self.attributes = Attributes::Given(Arc::new(given));
    }

    fn absorb_known(&mut self, key: &str, value: &Value) -> bool {
        let Some(text) = value.as_str() else {
            return false;
        };
        let time = || {
            DateTime::parse_from_rfc3339(text)
                .ok()
                .map(|time| time.to_utc())
        };
        match key {
            "profile_uuid" => self.profile_uuid = Some(text.into()),
            "profile_status" => match Status::read(text) {
                Some(status) => self.status = status,
                None => return false,
            },
            "profile_assign_time" => match time() {
                Some(time) => self.assign_time = Some(time),
                None => return false,
            },
            "profile_push_time" => match time() {
                Some(time) => self.push_time = Some(time),
                None => return false,
            },
            "device_assigned_date" => match time() {
                Some(time) => self.assigned_date = time,
                None => return false,
            },
            _ => return false,
        }
        true
    }

    /// The attributes as a map, generated ones written out.
    fn given(&self) -> Map<String, Value> {
        match &self.attributes {
            Attributes::Given(given) => Map::clone(given),
            Attributes::Generated(generated) => {
                let mut out = Vec::new();
                let mut object = Object::open(&mut out, u32::MAX);
                generated.write(&mut object, &Shapes::default());
                object.close();
                serde_json::from_slice(&out).unwrap_or_default()
            }
        }
    }

    /// Assigns a profile, or takes it away.
    pub(super) fn set_profile(&mut self, profile_uuid: Option<Arc<str>>, now: DateTime<Utc>) {
        self.forget_given_profile();
        self.status = match profile_uuid {
            Some(_) => Status::Assigned,
            None => Status::Empty,
        };
        self.assign_time = profile_uuid.is_some().then_some(now);
        self.profile_uuid = profile_uuid;
        self.push_time = None;
    }

    pub(super) fn push(&mut self, now: DateTime<Utc>) {
        self.forget_given_profile();
        self.status = Status::Pushed;
        self.push_time = Some(now);
    }

    /// Assigned to the same server again: the profile is gone, its name is still told.
    pub(super) fn reassign(&mut self, now: DateTime<Utc>) {
        self.assigned_date = now;
        if self.profile_uuid.is_some() {
            self.forget_given_profile();
            self.status = Status::Removed;
        }
    }

    fn forget_given_profile(&mut self) {
        if let Attributes::Given(given) = &mut self.attributes
            && PROFILE_KEYS.iter().any(|key| given.contains_key(*key))
        {
            let given = Arc::make_mut(given);
            for key in PROFILE_KEYS {
                given.remove(key);
            }
        }
    }

    /// The profile that the device would get now.
    pub(super) fn profile(&self) -> Option<&Arc<str>> {
        matches!(self.status, Status::Assigned | Status::Pushed)
            .then_some(self.profile_uuid.as_ref())
            .flatten()
    }

    pub(super) fn write(&self, object: &mut Object<'_>, shapes: &Shapes) {
        object.text("serial_number", &self.serial);
        let given = match &self.attributes {
            Attributes::Given(given) => {
                for (key, value) in given.iter() {
                    object.value(key, value);
                }
                Some(given)
            }
            Attributes::Generated(generated) => {
                generated.write(object, shapes);
                None
            }
        };
        let mut own = |key: &str, value: &str| {
            if !given.is_some_and(|given| given.contains_key(key)) {
                object.text(key, value);
            }
        };
        let assigned_by = if shapes.assigned_by_minus_one {
            "-1"
        } else {
            "admin@example.com"
        };
        own("device_assigned_by", assigned_by);
        own("device_assigned_date", &timestamp(self.assigned_date));
        match self.status {
            Status::Empty if shapes.empty_profile_status => own("profile_status", ""),
            status => own("profile_status", status.as_str()),
        }
        if let Some(uuid) = &self.profile_uuid {
            own("profile_uuid", uuid);
        }
        for (key, time) in [
            ("profile_assign_time", self.assign_time),
            ("profile_push_time", self.push_time),
        ] {
            match time {
                Some(time) => own(key, &timestamp(time)),
                None if shapes.empty_times => own(key, ""),
                None => {}
            }
        }
    }
}
