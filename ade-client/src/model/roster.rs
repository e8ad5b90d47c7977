//! The roster of Apple School Manager: classes, courses, people, locations.
//!
//! <https://developer.apple.com/documentation/devicemanagement/roster-management>

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{
    loose::loose,
    page::{Cursor, Page},
    time::Time,
};

/// A kind of record in the roster.
pub trait RosterRecord: private::Sealed {
    /// Where Apple documents that its records are fetched; `/sync` behind it for the changes.
    const PATH: &'static str;
}

mod private {
    use serde::Deserializer;

    /// A record is read by this crate alone.
    pub trait Sealed: Sized {
        fn page<'de, D: Deserializer<'de>>(from: D) -> Result<super::RosterPage<Self>, D::Error>;
    }
}

/// A page of the roster.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RosterPage<T> {
    /// The records, in Apple's order. One `unique_identifier` may occur several times in a sync.
    pub records: Vec<T>,
    /// Where to go on; at most 512 characters, and of use for 7 days.
    pub cursor: Option<Cursor>,
    /// Whether the next page is ready now.
    pub more_to_follow: bool,
    /// Up to when the page is complete, where Apple says so.
    pub fetched_until: Option<Time>,
    /// Items of the list that are no objects.
    pub unreadable: Vec<Value>,
    /// Keys without a name here.
    pub extra: Map<String, Value>,
}

impl<'de, T: RosterRecord> Deserialize<'de> for RosterPage<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::page(deserializer)
    }
}

impl<T> From<Page<T>> for RosterPage<T> {
    fn from(page: Page<T>) -> Self {
        Self {
            records: page.items.fitting,
            cursor: page.cursor,
            more_to_follow: page.more_to_follow.unwrap_or_default(),
            fetched_until: page.fetched_until,
            unreadable: page.items.odd,
            extra: page.extra,
        }
    }
}

macro_rules! record {
    ($name:ident, $key:literal, $path:literal) => {
        impl private::Sealed for $name {
            fn page<'de, D: Deserializer<'de>>(from: D) -> Result<RosterPage<Self>, D::Error> {
                Page::read(from, $key).map(RosterPage::from)
            }
        }

        impl RosterRecord for $name {
            const PATH: &'static str = $path;
        }
    };
}

record!(RosterClass, "classes", "/roster/class");
record!(RosterCourse, "courses", "/roster/class/course");
record!(RosterPerson, "persons", "/roster/class/person");
record!(RosterLocation, "locations", "/roster/class/location");

loose! {
    /// A class.
    pub struct RosterClass {
        /// Apple's identifier.
        unique_identifier: String,
        /// The organization's own identifier.
        source_system_identifier: String,
        /// The name in Apple School Manager.
        name: String,
        /// The name that teachers gave it, which devices show.
        class_display_name: String,
        /// The icon that teachers chose.
        class_icon_identifier: String,
        /// The class's number.
        class_number: String,
        /// Where it is held.
        room: String,
        /// The course that it belongs to.
        course: BaseRosterCourse,
        /// The place that it belongs to.
        location: BaseRosterLocation,
        /// Its teachers, as `unique_identifier` of people.
        instructor_unique_identifiers: Vec<String>,
        /// Its students, as `unique_identifier` of people.
        student_unique_identifiers: Vec<String>,
        /// Whether it takes place.
        status: String,
        /// Who made the record.
        source: String,
        /// When the record changed.
        op_date: Time,
    }
}

loose! {
    /// A course, of which classes are held.
    pub struct RosterCourse {
        /// Apple's identifier.
        unique_identifier: String,
        /// The organization's own identifier.
        source_system_identifier: String,
        /// The name.
        name: String,
        /// The course's number.
        course_number: String,
        /// Whether it takes place.
        status: String,
        /// Who made the record.
        source: String,
        /// When the record changed.
        op_date: Time,
    }
}

loose! {
    /// A course as its classes name it.
    pub struct BaseRosterCourse {
        /// Apple's identifier.
        unique_identifier: String,
        /// The name.
        name: String,
    }
}

loose! {
    /// A student or a teacher.
    pub struct RosterPerson {
        /// Apple's identifier.
        unique_identifier: String,
        /// The organization's own identifier.
        source_system_identifier: String,
        /// The whole name.
        name: String,
        /// The given name.
        first_name: String,
        /// The middle name.
        middle_name: String,
        /// The family name.
        last_name: String,
        /// The Managed Apple Account.
        managed_apple_id: String,
        /// The address for mail.
        email_address: String,
        /// The identifier that Apple School Manager shows.
        person_id: String,
        /// The user's name in the student information system.
        sis_username: String,
        /// The grade of a student.
        grade: String,
        /// How strong the passcode is: `complex`, `four` or `six`.
        passcode_type: String,
        /// Whether somebody else's identity provider signs the person in.
        is_federated_auth: bool,
        /// Whether the account may be used.
        status: String,
        /// Who made the record.
        source: String,
        /// When the record changed.
        op_date: Time,
    }
}

loose! {
    /// A place, such as a school.
    pub struct RosterLocation {
        /// Apple's identifier.
        unique_identifier: String,
        /// The organization's own identifier.
        source_system_identifier: String,
        /// The name.
        name: String,
        /// Whether it is in use.
        status: String,
        /// Who made the record.
        source: String,
        /// When the record changed.
        op_date: Time,
    }
}

loose! {
    /// A place as its classes name it.
    pub struct BaseRosterLocation {
        /// Apple's identifier.
        unique_identifier: String,
        /// The name.
        name: String,
    }
}
