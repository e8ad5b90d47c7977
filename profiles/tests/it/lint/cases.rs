//! For each rule, profiles that break just it.

use mdm_profiles::Profile;

use super::{RESTRICTIONS, SCEP, SSID, WIFI, one};
use crate::given::{decode, frame, payload, profile, profile_with};

/// The keys in dictionaries within each other.
fn nested(keys: &[&str], value: &str) -> String {
    match keys {
        [] => value.to_owned(),
        [key] => format!("<key>{key}</key>{value}"),
        [key, rest @ ..] => format!("<key>{key}</key><dict>{}</dict>", nested(rest, value)),
    }
}

/// A profile that breaks one rule, for a device or for any.
pub(super) struct Case {
    pub(super) rule: &'static str,
    pub(super) path: String,
    pub(super) target: Option<&'static str>,
    /// Whether it is sent as it is; else it will be encrypted.
    pub(super) in_clear: bool,
    pub(super) profile: Profile,
}

pub(super) fn case(
    rule: &'static str,
    path: &str,
    target: Option<&'static str>,
    profile: Profile,
) -> Case {
    let path = path.to_owned();
    Case {
        rule,
        path,
        target,
        in_clear: false,
        profile,
    }
}

fn schema_cases() -> Vec<Case> {
    let at = |key: &str| format!("PayloadContent[0].{key}");
    let versionless =
        payload(WIFI, "one", 1, SSID).replace("<key>PayloadVersion</key><integer>1</integer>", "");
    let mdm =
        "<key>IdentityCertificateUUID</key><string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D02</string>
        <key>Topic</key><string>com.apple.mgmt.External.a</string>
        <key>ServerURL</key><string>https://mdm.example.com/mdm</string>
        <key>ManagedAppleID</key><string>anna@example.com</string>";
    let scep = "<key>PayloadContent</key><dict><key>URL</key><string>https://example.com</string>
        <key>Keysize</key><integer>2048</integer></dict>";
    let firewall = |name: &str, uuid: u8| {
        payload(
            "com.apple.security.firewall",
            name,
            uuid,
            "<key>EnableFirewall</key><true/>",
        )
    };
    let encrypted =
        "<key>IsEncrypted</key><true/><key>EncryptedPayloadContent</key><data>AA==</data>";
    vec![
        case(
            "required",
            &at("PayloadVersion"),
            None,
            profile(&[versionless]),
        ),
        case(
            "type",
            &at("SSID_STR"),
            None,
            one(WIFI, "<key>SSID_STR</key><true/>"),
        ),
        case(
            "enum",
            &at("EncryptionType"),
            None,
            one(
                WIFI,
                &format!("{SSID}<key>EncryptionType</key><string>WPA9</string>"),
            ),
        ),
        case(
            "range",
            &at("tilesize"),
            None,
            one(
                "com.apple.dock",
                "<key>tilesize</key><integer>400</integer>",
            ),
        ),
        case("format", &at("PayloadUUID"), None, {
            profile(&[payload(WIFI, "one", 1, SSID).replace("0F5A4D4E-", "")])
        }),
        case(
            "unknown-key",
            "Novel",
            None,
            profile_with("<key>Novel</key><true/>", &[]),
        ),
        case("duplicate", "PayloadContent[1].PayloadIdentifier", None, {
            profile(&[payload(WIFI, "one", 1, SSID), payload(WIFI, "one", 2, SSID)])
        }),
        case("duplicate", "PayloadContent[1].PayloadUUID", None, {
            profile(&[payload(WIFI, "one", 1, SSID), payload(WIFI, "two", 1, SSID)])
        }),
        case(
            "conflict",
            "PayloadContent",
            None,
            profile_with(encrypted, &[]),
        ),
        case("reference", &at("PayloadCertificateUUID"), None, {
            one(
                WIFI,
                &format!(
                    "{SSID}<key>PayloadCertificateUUID</key><string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D77</string>"
                ),
            )
        }),
        case(
            "not-available",
            "PayloadContent[0]",
            Some("ios:18.2"),
            one("com.apple.dock", ""),
        ),
        case(
            "deprecated",
            "PayloadContent[0]",
            Some("macos:15.2"),
            one("com.apple.systempreferences", ""),
        ),
        case(
            "removed",
            "PayloadContent[0].ManagedAppleID",
            Some("ios:18.2,user-enrollment"),
            {
                profile(&[
                    payload("com.apple.mdm", "one", 1, mdm),
                    payload(SCEP, "two", 2, scep),
                ])
            },
        ),
        case(
            "supervision",
            &at("allowAutoCorrection"),
            Some("ios:18.2"),
            one(RESTRICTIONS, "<key>allowAutoCorrection</key><false/>"),
        ),
        case(
            "channel",
            "PayloadContent[0]",
            Some("macos:15.2,user-channel"),
            profile(&[firewall("one", 1)]),
        ),
        case(
            "enrollment",
            &at("allowCamera"),
            Some("ios:18.2,user-enrollment"),
            one(RESTRICTIONS, "<key>allowCamera</key><false/>"),
        ),
        case(
            "single-instance",
            "PayloadContent[1]",
            Some("macos:15.2"),
            profile(&[
                payload("com.apple.dock", "one", 1, ""),
                payload("com.apple.dock", "two", 2, ""),
            ]),
        ),
        case(
            "use-declaration",
            &at("forceOnDeviceOnlyDictation"),
            Some("ios:26.4,supervised"),
            one(RESTRICTIONS, "<key>forceOnDeviceOnlyDictation</key><true/>"),
        ),
        case(
            "unknown-payload",
            &at("PayloadType"),
            None,
            one("com.apple.wifi.manged", SSID),
        ),
        case(
            "unknown-payload",
            &at("PayloadType"),
            Some("ios:18.2"),
            one("com.example.agent", ""),
        ),
        case("misplaced", "Wrapped", None, {
            decode(&format!(
                "<key>Wrapped</key><dict><key>PayloadContent</key><array/>{}</dict>",
                frame("Configuration", "profile", 0xFF)
            ))
        }),
        Case {
            in_clear: true,
            ..case("secret-in-clear", &at("Password"), None, {
                let keys = format!("{SSID}<key>Password</key><string>hunter2</string>");
                one(WIFI, &keys)
            })
        },
        case(
            "use-declaration",
            "PayloadContent[0]",
            Some("macos:27.0,supervised"),
            one("com.apple.AssetCache.managed", ""),
        ),
    ]
}

fn top_level_cases() -> Vec<Case> {
    let case = |rule, key: &str, value: &str| {
        case(
            rule,
            key,
            Some("ios:18.2"),
            profile_with(&format!("<key>{key}</key>{value}"), &[]),
        )
    };
    let past = "<date>2026-11-05T09:00:00Z</date>";
    vec![
        case("removal-password-missing", "HasRemovalPasscode", "<true/>"),
        case("removal-date-passed", "RemovalDate", past),
        case("expired", "PayloadExpirationDate", past),
        case(
            "consent-default",
            "ConsentText",
            "<dict><key>de</key><string>Ja?</string></dict>",
        ),
        case(
            "target-device-type",
            "TargetDeviceType",
            "<integer>5</integer>",
        ),
    ]
}

fn weak_cases() -> Vec<Case> {
    let string = |text: &str| format!("<string>{text}</string>");
    let of = |rule, payload_type: &str, keys: &[&str], value: &str, more: &str| {
        let path = format!("PayloadContent[0].{}", keys.join("."));
        let profile = one(payload_type, &format!("{}{more}", nested(keys, value)));
        case(rule, &path, None, profile)
    };
    let (on, off) = ("<true/>", "<false/>");
    let scep = |content: &str| format!("<dict><key>URL</key>{content}</dict>");
    let size = "<key>Keysize</key><integer>2048</integer>";
    let vpn = |keys: &str| {
        format!("<key>VPNType</key><string>IKEv2</string><key>UserDefinedName</key><string>Office</string>
            <key>IKEv2</key><dict><key>RemoteAddress</key><string>a</string><key>LocalIdentifier</key><string>b</string>
            <key>RemoteIdentifier</key><string>c</string><key>AuthenticationMethod</key><string>None</string>{keys}</dict>")
    };
    let mut cases = vec![
        of("weak-backup", RESTRICTIONS, &["forceEncryptedBackup"], off, ""),
        of("weak-tls-prompt", RESTRICTIONS, &["allowUntrustedTLSPrompt"], on, ""),
        of("weak-firewall", "com.apple.security.firewall", &["EnableFirewall"], off, ""),
        of("weak-gatekeeper", "com.apple.systempolicy.control", &["EnableAssessment"], off, ""),
        of("weak-guest", "com.apple.MCX", &["EnableGuestAccount"], on, ""),
        of("weak-login", "com.apple.loginwindow", &["AutologinUsername"], &string("anna"), ""),
        of("weak-passcode", "com.apple.mobiledevice.passwordpolicy", &["allowSimple"], on, ""),
        of("weak-passcode", "com.apple.mobiledevice.passwordpolicy", &["minLength"], "<integer>4</integer>", ""),
        of("weak-screen-lock", "com.apple.screensaver", &["askForPassword"], off, "<key>moduleName</key><string>Flurry</string>"),
        of("weak-wifi", WIFI, &["EncryptionType"], &string("None"), SSID),
        of("weak-wifi", WIFI, &["EncryptionType"], &string("WEP"), SSID),
        of("weak-wifi", WIFI, &["EncryptionType"], &string("WPA"), SSID),
        of("weak-key-size", SCEP, &["PayloadContent"], &scep(&string("https://example.com")), ""),
        of("weak-scep-authority", SCEP, &["PayloadContent"], &scep(&format!("{}{size}", string("HTTP://example.com"))), ""),
        case("weak-key-size", "PayloadContent[0].PayloadContent.Keysize", None, {
            let keys = scep(&format!("{}{}", string("https://example.com"), size.replace("2048", "1024")));
            one(SCEP, &format!("<key>PayloadContent</key>{keys}"))
        }),
        of("weak-key-size", "com.apple.security.acme", &["KeySize"], "<integer>1024</integer>", "
            <key>KeyType</key><string>RSA</string><key>DirectoryURL</key><string>https://example.com</string>
            <key>ClientIdentifier</key><string>a</string><key>HardwareBound</key><false/>
            <key>Subject</key><array><array><array><string>CN</string><string>a</string></array></array></array>"),
    ];
    for key in ["ADPacketEncrypt", "ADPacketSign"] {
        let more = format!("<key>HostName</key><string>a</string><key>{key}Flag</key><true/>");
        cases.push(of(
            "weak-directory",
            "com.apple.DirectoryService.managed",
            &[key],
            &string("disable"),
            &more,
        ));
    }
    let eap = |keys: &str| {
        format!(
            "{SSID}<key>EAPClientConfiguration</key><dict><key>AcceptEAPTypes</key><array><integer>25</integer></array>{keys}</dict>"
        )
    };
    let server = "<key>TLSTrustedServerNames</key><array><string>a.example.com</string></array>";
    let inside = "PayloadContent[0].EAPClientConfiguration";
    for (rule, path, keys) in [
        ("weak-eap-server", String::new(), String::new()),
        (
            "weak-eap-trust",
            ".TLSAllowTrustExceptions".to_owned(),
            format!("{server}<key>TLSAllowTrustExceptions</key><true/>"),
        ),
        (
            "weak-tls",
            ".TLSMinimumVersion".to_owned(),
            format!("{server}<key>TLSMinimumVersion</key><string>1.1</string>"),
        ),
    ] {
        cases.push(case(
            rule,
            &format!("{inside}{path}"),
            None,
            one(WIFI, &eap(&keys)),
        ));
    }
    for (key, value) in [
        ("EncryptionAlgorithm", string("3DES")),
        ("IntegrityAlgorithm", string("SHA1-160")),
        ("DiffieHellmanGroup", "<integer>2</integer>".to_owned()),
    ] {
        for parameters in [
            "IKESecurityAssociationParameters",
            "ChildSecurityAssociationParameters",
        ] {
            let path = format!("PayloadContent[0].IKEv2.{parameters}.{key}");
            let profile = one(
                "com.apple.vpn.managed",
                &vpn(&nested(&[parameters, key], &value)),
            );
            cases.push(case("weak-ike", &path, None, profile));
        }
    }
    let old = one(
        "com.apple.vpn.managed",
        &vpn("<key>TLSMinimumVersion</key><string>1.0</string>"),
    );
    cases.push(case(
        "weak-tls",
        "PayloadContent[0].IKEv2.TLSMinimumVersion",
        None,
        old,
    ));
    let mail = "<key>EmailAccountType</key><string>EmailTypeIMAP</string>
        <key>IncomingMailServerAuthentication</key><string>EmailAuthNone</string>
        <key>IncomingMailServerHostName</key><string>a</string>
        <key>OutgoingMailServerAuthentication</key><string>EmailAuthNone</string>
        <key>OutgoingMailServerHostName</key><string>a</string>";
    for (payload_type, key, more) in [
        (
            "com.apple.caldav.account",
            "CalDAVUseSSL",
            "<key>CalDAVHostName</key><string>a</string>",
        ),
        (
            "com.apple.carddav.account",
            "CardDAVUseSSL",
            "<key>CardDAVHostName</key><string>a</string>",
        ),
        (
            "com.apple.eas.account",
            "SSL",
            "<key>Host</key><string>a</string>",
        ),
        (
            "com.apple.ews.account",
            "SSL",
            "<key>Host</key><string>a</string>",
        ),
        (
            "com.apple.ews.account",
            "ExternalSSL",
            "<key>Host</key><string>a</string>",
        ),
        (
            "com.apple.ldap.account",
            "LDAPAccountUseSSL",
            "<key>LDAPAccountHostName</key><string>a</string>",
        ),
        ("com.apple.mail.managed", "IncomingMailServerUseSSL", mail),
        ("com.apple.mail.managed", "OutgoingMailServerUseSSL", mail),
        (
            "com.apple.subscribedcalendar.account",
            "SubCalAccountUseSSL",
            "<key>SubCalAccountHostName</key><string>a</string>",
        ),
    ] {
        cases.push(of("weak-transport", payload_type, &[key], off, more));
    }
    cases.push(case("development-push", "PayloadContent[0].UseDevelopmentAPNS", None, {
        let mdm = "<key>IdentityCertificateUUID</key><string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D02</string>
            <key>Topic</key><string>com.apple.mgmt.External.a</string>
            <key>ServerURL</key><string>https://mdm.example.com/mdm</string>
            <key>UseDevelopmentAPNS</key><true/>";
        let acme = payload("com.apple.security.pkcs12", "two", 2, "<key>PayloadContent</key><data>AA==</data>");
        profile(&[payload("com.apple.mdm", "one", 1, mdm), acme])
    }));
    cases
}

/// A case for every rule that needs no certificate.
pub(super) fn all() -> impl Iterator<Item = Case> {
    let cases = schema_cases().into_iter();
    cases.chain(top_level_cases()).chain(weak_cases())
}
