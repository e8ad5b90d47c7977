//! Property lists that a server really reads, made here: the same bytes on every run.

use std::fmt::Write;

/// How many applications make [`application_list`] about 200 KB.
const APPLICATIONS: usize = 500;

/// A device's answer to `DeviceInformation`, about 4 KB.
#[must_use]
pub fn device_information() -> String {
    let mut body = String::new();
    for (key, value) in STRINGS {
        string(&mut body, 2, key, value);
    }
    for key in TRUE {
        line(&mut body, 2, format_args!("<key>{key}</key>"));
        line(&mut body, 2, format_args!("<true/>"));
    }
    for (key, value) in REALS {
        line(&mut body, 2, format_args!("<key>{key}</key>"));
        line(&mut body, 2, format_args!("<real>{value}</real>"));
    }
    line(&mut body, 2, format_args!("<key>CellularTechnology</key>"));
    line(&mut body, 2, format_args!("<integer>0</integer>"));
    line(&mut body, 2, format_args!("<key>LastCloudBackupDate</key>"));
    line(
        &mut body,
        2,
        format_args!("<date>2026-08-01T04:05:06Z</date>"),
    );
    line(&mut body, 2, format_args!("<key>PushToken</key>"));
    line(&mut body, 2, format_args!("<data>"));
    line(
        &mut body,
        2,
        format_args!("3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu8="),
    );
    line(&mut body, 2, format_args!("</data>"));
    for (key, values) in NESTED {
        line(&mut body, 2, format_args!("<key>{key}</key>"));
        line(&mut body, 2, format_args!("<dict>"));
        for (key, value) in *values {
            string(&mut body, 3, key, value);
        }
        line(&mut body, 2, format_args!("</dict>"));
    }
    response("QueryResponses", "dict", &body)
}

/// A device's answer to `InstalledApplicationList`, about 200 KB.
#[must_use]
pub fn application_list() -> String {
    let mut body = String::new();
    for n in 0..APPLICATIONS {
        line(&mut body, 2, format_args!("<dict>"));
        string(
            &mut body,
            3,
            "Identifier",
            &format!("com.example.suite.app-{n:04}"),
        );
        string(&mut body, 3, "Name", &format!("Example &amp; Sons App {n}"));
        string(
            &mut body,
            3,
            "Version",
            &format!("{}.{}", 1 + n % 17, n % 10),
        );
        string(
            &mut body,
            3,
            "ShortVersion",
            &format!("{}.{}.{}", 1 + n % 17, n % 10, n % 7),
        );
        line(&mut body, 3, format_args!("<key>BundleSize</key>"));
        line(
            &mut body,
            3,
            format_args!("<integer>{}</integer>", 1_048_576 + n * 4_099),
        );
        line(&mut body, 3, format_args!("<key>DynamicSize</key>"));
        line(
            &mut body,
            3,
            format_args!("<integer>{}</integer>", n * 8_191),
        );
        line(&mut body, 3, format_args!("<key>IsValidated</key>"));
        let validated = if n % 5 == 0 { "<false/>" } else { "<true/>" };
        line(&mut body, 3, format_args!("{validated}"));
        line(&mut body, 2, format_args!("</dict>"));
    }
    response("InstalledApplicationList", "array", &body)
}

/// The envelope around an answer, as Apple's own writer lays it out.
fn response(key: &str, element: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n\
         \t<key>CommandUUID</key>\n\t<string>6B0F1C9E-2C2E-4B9C-9A55-5C6B7C0F9C11</string>\n\
         \t<key>{key}</key>\n\t<{element}>\n{body}\t</{element}>\n\
         \t<key>Status</key>\n\t<string>Acknowledged</string>\n\
         \t<key>UDID</key>\n\t<string>7A1C3C52-9F55-5D0E-8B43-3C6C5E8C7F21</string>\n\
         </dict>\n</plist>\n"
    )
}

fn string(body: &mut String, depth: usize, key: &str, value: &str) {
    line(body, depth, format_args!("<key>{key}</key>"));
    line(body, depth, format_args!("<string>{value}</string>"));
}

fn line(body: &mut String, depth: usize, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(body, "{:\t<depth$}{text}", "");
}

const STRINGS: &[(&str, &str)] = &[
    ("BluetoothMAC", "f0:18:98:0a:1b:2c"),
    ("BuildVersion", "26A5123a"),
    ("DeviceID", "7A1C3C52-9F55-5D0E-8B43-3C6C5E8C7F21"),
    ("DeviceName", "Library iMac &amp; Scanner 12"),
    ("EthernetMAC", "f0:18:98:0a:1b:2d"),
    ("HostName", "library-12.example.org"),
    ("LocalHostName", "library-12"),
    ("Model", "MacBookPro18,3"),
    ("ModelName", "MacBook Pro"),
    ("ModelNumber", "Z15G000XYZ/A"),
    ("OSVersion", "26.1"),
    ("ProductName", "MacBookPro18,3"),
    ("SerialNumber", "C02EXAMPLE12"),
    ("SoftwareUpdateDeviceID", "J314sAP"),
    ("SupplementalBuildVersion", "26A5123a"),
    ("TimeZone", "Europe/Berlin"),
    ("UDID", "7A1C3C52-9F55-5D0E-8B43-3C6C5E8C7F21"),
    ("WiFiMAC", "f0:18:98:0a:1b:2e"),
    ("iTunesStoreAccountHash", "3yJ9cVjHq8l0m5n2b7v4x1z6"),
    ("ProvisioningUDID", "00006000-000A1B2C3D4E5F60"),
];

const TRUE: &[&str] = &[
    "AppAnalyticsEnabled",
    "AwaitingConfiguration",
    "DiagnosticSubmissionEnabled",
    "HasBattery",
    "IsActivationLockEnabled",
    "IsActivationLockSupported",
    "IsAppleSilicon",
    "IsCloudBackupEnabled",
    "IsDeviceLocatorServiceEnabled",
    "IsDoNotDisturbInEffect",
    "IsMDMLostModeEnabled",
    "IsMultiUser",
    "IsSupervised",
    "PINRequiredForDeviceLock",
    "PINRequiredForEraseDevice",
    "SupportsLOMDevice",
    "SupportsiOSAppInstalls",
    "SystemIntegrityProtectionEnabled",
    "XsanConfiguration",
    "iTunesStoreAccountIsActive",
];

const REALS: &[(&str, f64)] = &[
    ("AvailableDeviceCapacity", 412.381_263_732_910_16),
    ("BatteryLevel", 0.870_000_004_768_371_6),
    ("DeviceCapacity", 494.384_795_188_903_8),
];

const NESTED: &[(&str, &[(&str, &str)])] = &[
    (
        "OrganizationInfo",
        &[
            ("OrganizationAddress", "1 Example Way&#10;10115 Berlin"),
            ("OrganizationEmail", "help@example.org"),
            ("OrganizationMagic", "2D5F1A0C-7E5C-4C39-8A1B-0D6E5B8C9F10"),
            ("OrganizationName", "Example Library"),
            ("OrganizationPhone", "+49 30 5550100"),
        ],
    ),
    (
        "OSUpdateSettings",
        &[
            (
                "CatalogURL",
                "https://swscan.example.com/content/catalogs/index.sucatalog",
            ),
            ("DefaultCatalog", "yes"),
            ("PreviousScanResult", "2"),
        ],
    ),
    (
        "AccessibilitySettings",
        &[
            ("TextSize", "3"),
            ("VoiceOverEnabled", "no"),
            ("ZoomEnabled", "no"),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_have_the_sizes_they_are_named_by() {
        let small = device_information().len();
        assert!((3_500..=4_500).contains(&small), "{small} bytes");
        let large = application_list().len();
        assert!((190_000..=210_000).contains(&large), "{large} bytes");
    }

    #[test]
    fn documents_are_the_same_bytes_every_time() {
        assert_eq!(device_information(), device_information());
        assert!(device_information().starts_with("<?xml"));
    }
}
