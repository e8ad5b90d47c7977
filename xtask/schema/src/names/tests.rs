use super::*;

#[test]
fn keys_become_fields() {
    for (key, field) in [
        ("UDID", "udid"),
        ("MDMOptions", "mdm_options"),
        ("WiFiMAC", "wifi_mac"),
        ("iTunesStoreID", "itunes_store_id"),
        ("eSIMServerURL", "esim_server_url"),
        (
            "forceITunesStorePasswordEntry",
            "force_itunes_store_password_entry",
        ),
        (
            "deniedICCIDsForiMessageFaceTime",
            "denied_iccids_for_imessage_facetime",
        ),
        ("SupportsiOSAppInstalls", "supports_ios_app_installs"),
        ("PermittedURLs", "permitted_urls"),
        ("MCCAndMNCs", "mcc_and_mncs"),
        ("SALTED-SHA512-PBKDF2", "salted_sha512_pbkdf2"),
        ("Key Usage", "key_usage"),
        ("_removed", "removed"),
        ("dNSName", "dns_name"),
        (
            "com.apple.EnergySaver.desktop.ACPower",
            "energy_saver_desktop_ac_power",
        ),
        ("IPv4", "ipv4"),
        ("HTTP3RelayURL", "http3_relay_url"),
        ("OAuthSignInURL", "oauth_sign_in_url"),
        ("AirPort.menu", "airport_menu"),
        ("softwareupdate-reason", "software_update_reason"),
        ("CCPMPPE128Enabled", "ccp_mppe128_enabled"),
    ] {
        assert_eq!(snake(key), field, "{key}");
    }
}

#[test]
fn a_field_that_would_be_a_keyword_has_an_underscore_behind_it() {
    assert_eq!(
        (snake("Type").as_str(), snake("Where").as_str()),
        ("type_", "where_")
    );
    assert_eq!(snake("Kind"), "kind");
}

#[test]
fn titles_and_wire_names_become_types_and_constants() {
    for (title, name, constant) in [
        ("EraseDevice", "EraseDevice", "ERASE_DEVICE"),
        ("Wi-Fi", "WiFi", "WIFI"),
        ("Account:CalDAV", "AccountCalDav", "ACCOUNT_CALDAV"),
        (
            "Software Update:Enforcement:Specific",
            "SoftwareUpdateEnforcementSpecific",
            "SOFTWARE_UPDATE_ENFORCEMENT_SPECIFIC",
        ),
        (
            "device.identifier.udid",
            "DeviceIdentifierUdid",
            "DEVICE_IDENTIFIER_UDID",
        ),
        (
            "Certificate (PKCS #12)",
            "CertificatePkcs12",
            "CERTIFICATE_PKCS12",
        ),
        ("Network:VPN:IKEV2", "NetworkVpnIkev2", "NETWORK_VPN_IKEV2"),
        (
            "Extensible Single Sign-On (Kerberos)",
            "ExtensibleSingleSignOnKerberos",
            "EXTENSIBLE_SINGLE_SIGN_ON_KERBEROS",
        ),
    ] {
        assert_eq!(pascal(title), name, "{title}");
        assert_eq!(screaming(&pascal(title)), constant, "{title}");
    }
}

#[test]
fn every_spelling_is_found_again_in_a_name() {
    for (wire, snake_case, spelling) in SPELLINGS {
        assert_eq!(words(wire).join("_"), *snake_case, "{wire}");
        assert_eq!(words(spelling).join("_"), *snake_case, "{spelling}");
        assert_eq!(pascal(wire), *spelling, "{wire}");
    }
}

#[test]
fn spellings_are_not_found_inside_of_other_words() {
    assert_eq!(snake("PasscodeSIM"), "passcode_sim");
    assert_eq!(snake("VisioSetting"), "visio_setting");
    assert_eq!(snake("OSVersion"), "os_version");
}

#[test]
fn values_become_variants() {
    for (of, text, name) in [
        ("ObliterationBehavior", "DoNotObliterate", "DoNotObliterate"),
        ("TlsMinimumVersion", "1.2", "V1_2"),
        ("EncryptionAlgorithm", "AES-128-GCM", "Aes128Gcm"),
        ("IntegrityAlgorithm", "SHA2-256", "Sha2_256"),
        (
            "LdapSearchSettingScope",
            "LDAPSearchSettingScopeBase",
            "Base",
        ),
        (
            "TokenServiceType",
            "com.apple.watch.pairing",
            "WatchPairing",
        ),
        ("CacheStatus", "LOWSPACE", "LowSpace"),
        ("SecureBootLevel", "not supported", "NotSupported"),
        ("Anything", "", "Empty"),
        ("Anything", "self", "SelfValue"),
        ("ProgramID", "com.apple.cloudvpp", "CloudVpp"),
        ("Code", "Code1", "Code1"),
    ] {
        assert_eq!(variant(of, text), name, "{text}");
    }
    assert_eq!(number_variant("-1"), "ValueMinus1");
    assert_eq!(number_variant("1.5"), "Value1_5");
    assert_eq!(number_variant("2.0"), "Value2");
}

#[test]
fn elements_are_named_by_what_they_are_and_not_by_their_place() {
    for (array, key, name) in [
        ("Queries", "QueriesItem", "Query"),
        ("Errors", "_Errors", "Error"),
        (
            "CertificateList",
            "CertificateListItem",
            "CertificateListItem",
        ),
        (
            "AutoSetupAdminAccounts",
            "AutoSetupAdminAccountItem",
            "AutoSetupAdminAccount",
        ),
        ("Rules", "RulesElement", "Rule"),
        (
            "TunnelConfigurations",
            "TunnelConfigurationElement",
            "TunnelConfiguration",
        ),
        (
            "AutoLaunchedApplicationDictionary-managed",
            "LoginItem",
            "LoginItem",
        ),
        ("AddressBook", "IdentityDict", "Identity"),
        (
            "ReducedSecurity",
            "ReducedSecurityItems",
            "ReducedSecurityItem",
        ),
        ("Relays", "Relay", "Relay"),
        ("cache-details", "detail-item", "DetailItem"),
    ] {
        assert_eq!(element(array, key), name, "{key}");
    }
}

#[test]
fn structures_lose_what_says_only_that_they_are_structures() {
    for (structure_type, name) in [
        ("AppConfigDictionary", "AppConfig"),
        ("RangesItem", "Range"),
        ("OnDemandRulesElement", "OnDemandRule"),
        ("PowerSettings", "PowerSettings"),
        ("EnergySaver Schedule", "EnergySaverSchedule"),
        ("IconItem", "IconItem"),
        ("Dictionary", "Dictionary"),
    ] {
        assert_eq!(structure(structure_type), name, "{structure_type}");
    }
}

#[test]
fn words_that_say_nothing_alone_are_known() {
    assert!(is_vague("Type") && is_vague("className") && is_vague("state"));
    assert!(!is_vague("EraseDevice"));
}
