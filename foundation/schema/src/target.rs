//! The device that a document is meant for.

use std::{error, fmt, str::FromStr};

use crate::version::OsVersion;

macro_rules! closed_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal $(| $alias:literal)*),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The value's name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = InvalidTarget;

            /// Takes the name in any case.
            fn from_str(text: &str) -> Result<Self, InvalidTarget> {
                $(if text.eq_ignore_ascii_case($text) $(|| text.eq_ignore_ascii_case($alias))* {
                    return Ok(Self::$variant);
                })+
                Err(InvalidTarget::new(text))
            }
        }
    };
}

closed_enum! {
    /// A system of Apple's. The schema counts iPadOS as iOS.
    Platform {
        /// iOS and iPadOS.
        Ios = "iOS" | "iPadOS",
        /// macOS.
        MacOs = "macOS" | "OSX",
        /// tvOS.
        TvOs = "tvOS",
        /// visionOS.
        VisionOs = "visionOS",
        /// watchOS.
        WatchOs = "watchOS",
    }
}

closed_enum! {
    /// How the device came under management (`allowed-enrollments` in the schema).
    Enrollment {
        /// Device enrolment: by profile, by account, or automated.
        Device = "device-enrollment" | "device",
        /// User enrolment: the user's own device, with a managed part.
        User = "user-enrollment" | "user",
        /// No server: the document is installed by hand.
        Local = "local",
    }
}

closed_enum! {
    /// Whom a document addresses (`allowed-scopes` in the schema).
    Channel {
        /// The device.
        Device = "device-channel" | "system",
        /// A user of it: on the Mac, or on a Shared iPad.
        User = "user-channel",
    }
}

/// A device that a document is checked against.
///
/// As text: `ios:18.2,supervised,user-enrollment,user-channel,shared-ipad`, platform and version
/// first, the rest in any order. The words are those of [`Enrollment`] and [`Channel`], and
/// `supervised`, `shared-ipad`, `automated` (or `ade`, `dep`) and `not-user-approved`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Target {
    /// The system.
    pub platform: Platform,
    /// Its version.
    pub version: OsVersion,
    /// Whether the device is supervised.
    pub supervised: bool,
    /// How it is enrolled.
    pub enrollment: Enrollment,
    /// Whether it came under management by Automated Device Enrollment (`requiresdep` in the schema).
    pub automated: bool,
    /// Whether its user approved the enrolment (`userapprovedmdm` in the schema). An automated one
    /// counts as approved.
    pub user_approved: bool,
    /// Which channel the document comes through.
    pub channel: Channel,
    /// Whether it is a Shared iPad.
    pub shared_ipad: bool,
}

impl Target {
    /// An unsupervised device in device enrolment that its user approved, addressed on its device
    /// channel.
    pub fn new(platform: Platform, version: OsVersion) -> Self {
        Self {
            platform,
            version,
            supervised: false,
            enrollment: Enrollment::Device,
            automated: false,
            user_approved: true,
            channel: Channel::Device,
            shared_ipad: false,
        }
    }

    /// Sets what `new` leaves at its default.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.platform.as_str(), self.version)?;
        if self.supervised {
            f.write_str(",supervised")?;
        }
        if self.enrollment != Enrollment::Device {
            write!(f, ",{}", self.enrollment)?;
        }
        if self.automated {
            f.write_str(",automated")?;
        }
        if !self.user_approved {
            f.write_str(",not-user-approved")?;
        }
        if self.channel != Channel::Device {
            write!(f, ",{}", self.channel)?;
        }
        if self.shared_ipad {
            f.write_str(",shared-ipad")?;
        }
        Ok(())
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let mut words = text.split(',').map(str::trim);
        let first = words.next().unwrap_or_default();
        let (platform, version) = first
            .split_once(':')
            .ok_or_else(|| InvalidTarget::new(first))?;
        let version = version.parse().map_err(|_| InvalidTarget::new(version))?;
        let mut target = Self::new(platform.trim().parse()?, version);
        for word in words {
            match word.to_ascii_lowercase().as_str() {
                "supervised" => target.supervised = true,
                "automated" | "ade" | "dep" => target.automated = true,
                "not-user-approved" => target.user_approved = false,
                "shared-ipad" => target.shared_ipad = true,
                _ => match word.parse() {
                    Ok(enrollment) => target.enrollment = enrollment,
                    Err(_) => target.channel = word.parse()?,
                },
            }
        }
        Ok(target)
    }
}

/// A word that is no part of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidTarget {
    /// The word.
    pub word: String,
}

impl InvalidTarget {
    fn new(word: &str) -> Self {
        Self { word: word.into() }
    }
}

impl fmt::Display for InvalidTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no part of a target: system and version first, then terms, as in \
             ios:18.2,supervised,user-channel",
            self.word
        )
    }
}

impl error::Error for InvalidTarget {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_reads_back_from_its_text() {
        let version = "18.2".parse().unwrap();
        let full = Target::new(Platform::Ios, version).with(|t| {
            t.supervised = true;
            t.enrollment = Enrollment::User;
            t.automated = true;
            t.user_approved = false;
            t.channel = Channel::User;
            t.shared_ipad = true;
        });
        for target in [full, Target::new(Platform::MacOs, version)] {
            assert_eq!(target.to_string().parse(), Ok(target));
        }
    }

    #[test]
    fn versions_of_every_form_are_read() {
        for text in ["0", "4.2.6", "16.1", "16", "18.2b3", "18.2a", "13.4.1 (a)"] {
            let text = format!("macOS:{text}");
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for bound in ["n/a", "all"] {
            let error = format!("iOS:{bound}").parse::<Target>().unwrap_err();
            assert_eq!(error.word, bound, "no device has this version");
        }
    }

    #[test]
    fn an_automated_enrolment_goes_by_three_names() {
        for word in ["automated", "ade", "DEP"] {
            let target: Target = format!("tvos:18.0,{word}").parse().unwrap();
            assert!(target.automated);
            assert_eq!(target.to_string(), "tvOS:18.0,automated");
        }
    }

    #[test]
    fn ipados_counts_as_ios_and_case_does_not_matter() {
        let target: Target = "IPADOS:17.0, Supervised , device".parse().unwrap();
        assert_eq!(target.platform, Platform::Ios);
        assert!(target.supervised);
        assert_eq!(target.enrollment, Enrollment::Device);
    }

    #[test]
    fn a_wrong_word_is_named() {
        for (text, word) in [
            ("ios", "ios"),
            ("beos:5", "beos"),
            ("ios:x", "x"),
            ("ios:18,shiny", "shiny"),
            ("", ""),
        ] {
            assert_eq!(text.parse::<Target>().unwrap_err().word, word);
        }
    }

    #[test]
    fn every_name_reads_back() {
        for platform in Platform::ALL {
            assert_eq!(platform.as_str().parse(), Ok(*platform));
        }
        for enrollment in Enrollment::ALL {
            assert_eq!(enrollment.as_str().parse(), Ok(*enrollment));
        }
        for channel in Channel::ALL {
            assert_eq!(channel.as_str().parse(), Ok(*channel));
        }
    }
}
