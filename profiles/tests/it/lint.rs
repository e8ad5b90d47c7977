//! What a lint finds: for each rule a profile that breaks just it.

#[cfg(feature = "crypto")]
mod certificates;
mod report;

use std::collections::BTreeSet;

use mdm_profiles::{
    Profile,
    lint::{LintOptions, Report, lint, rules},
    predict::Installer,
};

use crate::given::{payload, profile, profile_with};

const WIFI: &str = "com.apple.wifi.managed";
const RESTRICTIONS: &str = "com.apple.applicationaccess";
const SCEP: &str = "com.apple.security.scep";
const SSID: &str = "<key>SSID_STR</key><string>Office</string>";

pub(crate) fn options() -> LintOptions {
    let now = "2026-11-05T09:00:00Z".parse().unwrap();
    LintOptions::new(now).with(|options| options.encrypted = true)
}

fn one(payload_type: &str, keys: &str) -> Profile {
    profile(&[payload(payload_type, "one", 1, keys)])
}

/// The keys in dictionaries within each other.
fn nested(keys: &[&str], value: &str) -> String {
    match keys {
        [] => value.to_owned(),
        [key] => format!("<key>{key}</key>{value}"),
        [key, rest @ ..] => format!("<key>{key}</key><dict>{}</dict>", nested(rest, value)),
    }
}

/// A profile that breaks one rule, for a device or for any.
struct Case {
    rule: &'static str,
    path: String,
    target: Option<&'static str>,
    profile: Profile,
}

fn case(rule: &'static str, path: &str, target: Option<&'static str>, profile: Profile) -> Case {
    let path = path.to_owned();
    Case {
        rule,
        path,
        target,
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
        Case {
            rule,
            path,
            target: None,
            profile,
        }
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

fn report(case: &Case) -> Report {
    let target = case.target.map(|target| target.parse().unwrap());
    lint(
        &case.profile,
        &options().with(|options| options.targets.extend(target)),
    )
}

#[test]
fn each_rule_is_found_exactly_once_where_just_it_is_broken() {
    let cases = schema_cases()
        .into_iter()
        .chain(top_level_cases())
        .chain(weak_cases());
    let mut wrong = Vec::new();
    for case in cases {
        let found = report(&case);
        let told = found.findings.iter().map(|f| (f.rule.id, f.path.as_str()));
        if !told.eq([(case.rule, case.path.as_str())]) {
            wrong.push(format!(
                "{} at {}: {:#?}",
                case.rule, case.path, found.findings
            ));
            continue;
        }
        let finding = &found.findings[0];
        for text in [
            &*finding.message,
            finding.rule.reason,
            &*finding.fix,
            finding.rule.source,
        ] {
            assert!(!text.is_empty(), "{finding:?}");
        }
        if let (Some(target), [found]) = (case.target, &*finding.targets) {
            assert_eq!(target.parse(), found.parse::<mdm_schema::Target>());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_rule_is_without_a_case() {
    let cases = schema_cases()
        .into_iter()
        .chain(top_level_cases())
        .chain(weak_cases());
    let mut tried: BTreeSet<_> = cases.map(|case| case.rule).collect();
    tried.extend([
        // Below, and in `certificates`.
        "secret-in-clear",
        "certificate-expired",
        "certificate-expires",
        "certificate-not-yet-valid",
        "certificate-unreadable",
        "certificate-weak-key",
        // What the check of a profile never says, but may one day.
        "combine-type",
        "misplaced",
        "unreadable",
    ]);
    let rules: BTreeSet<_> = rules().iter().map(|rule| rule.id).collect();
    assert_eq!(tried, rules);
}

#[test]
fn a_secret_in_clear_is_found_where_it_stands_and_never_shown() {
    let keys = |secret: &str| format!("{SSID}<key>Password</key><string>{secret}</string>");
    let in_clear = options().with(|options| options.encrypted = false);
    let by_hand = in_clear
        .clone()
        .with(|options| options.delivery = Installer::Manual);
    let found = lint(&one(WIFI, &keys("hunter2")), &by_hand);
    assert_eq!(found.findings.len(), 1);
    assert_eq!(found.findings[0].rule.id, "secret-in-clear");
    assert_eq!(found.findings[0].path, "PayloadContent[0].Password");
    let shown = format!(
        "{found:?} {} {}",
        found.findings[0],
        serde_json::to_string(&found).unwrap()
    );
    assert!(!shown.contains("hunter2"));

    let by_server = lint(&one(WIFI, &keys("hunter2")), &in_clear);
    assert!(by_server.findings[0].severity < found.findings[0].severity);
    assert!(lint(&one(WIFI, &keys("hunter2")), &options()).is_clean());
    assert!(lint(&one(WIFI, &keys("")), &by_hand).is_clean());
    let unknown = "<key>Server</key><string>a</string><key>ApiToken</key><string>hunter2</string>";
    assert_eq!(
        lint(&one("com.example.agent", unknown), &by_hand)
            .findings
            .len(),
        1
    );
}

#[test]
fn what_several_targets_share_is_told_once() {
    let restrictions = one(
        RESTRICTIONS,
        "<key>allowAutoCorrection</key><false/><key>Novel</key><true/>",
    );
    let targets = ["ios:18.2", "ios:18.3", "ios:18.2,supervised"];
    let options = options().with(|options| {
        options
            .targets
            .extend(targets.map(|target| target.parse().unwrap()));
    });
    let found = lint(&restrictions, &options);
    let told: Vec<_> = found
        .findings
        .iter()
        .map(|f| (f.rule.id, f.targets.len()))
        .collect();
    assert_eq!(told, [("supervision", 2), ("unknown-key", 3)]);
}

#[test]
fn installed_by_hand_a_profile_has_other_objections() {
    let lock = one(
        "com.apple.app.lock",
        "<key>App</key><dict><key>Identifier</key><string>a</string></dict>",
    );
    let supervised = options().target("ios:18.2,supervised".parse().unwrap());
    let by_hand = supervised
        .clone()
        .with(|options| options.delivery = Installer::Manual);
    let rules = |options: &LintOptions| {
        lint(&lock, options)
            .findings
            .iter()
            .map(|f| f.rule.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(rules(&supervised), [""; 0]);
    let by_hand = rules(&by_hand);
    assert!(
        by_hand.is_empty() || by_hand == ["enrollment"],
        "{by_hand:?}"
    );
}

#[test]
fn rules_can_be_left_out_and_the_worst_comes_first() {
    let both = one(
        WIFI,
        "<key>SSID_STR</key><string>a</string><key>EncryptionType</key><string>WEP</string><key>PayloadCertificateUUID</key><string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D77</string>",
    );
    let told = |options: &LintOptions| {
        lint(&both, options)
            .findings
            .iter()
            .map(|f| f.rule.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&options()), ["reference", "weak-wifi"]);
    let without = options().with(|options| options.without.push("reference".into()));
    assert_eq!(told(&without), ["weak-wifi"]);
}

#[test]
fn a_deprecated_key_names_the_declaration_only_to_a_device_that_takes_it() {
    let restrictions = one(RESTRICTIONS, "<key>forceOnDeviceOnlyDictation</key><true/>");
    let fix = |target: &str| {
        let found = lint(&restrictions, &options().target(target.parse().unwrap()));
        found.findings[0].fix.to_string()
    };
    let declaration = "set ForceOnDeviceOnlyDictation of the declaration com.apple.configuration.intelligence.settings";
    assert_eq!(fix("ios:26.4,supervised"), declaration);
    assert_ne!(fix("ios:26.4"), declaration);
    assert_ne!(fix("watchos:26.4"), declaration);
}
