//! Settings that are allowed and unwise.

use mdm_plist::{Dictionary, Value};
use mdm_schema::{Severity, path};

use super::{Finding, rule};
use crate::{payload::RawPayload, profile::Profile};

/// A setting that is unwise with these values.
struct Weak {
    rule: &'static str,
    payload_type: &'static str,
    /// The keys that lead to it.
    keys: &'static [&'static str],
    values: Values,
    message: &'static str,
}

/// The values that are unwise.
enum Values {
    Texts(&'static [&'static str]),
    Numbers(&'static [i64]),
    Below(i64),
    Is(bool),
    Any,
}

impl Values {
    fn contain(&self, value: &Value) -> bool {
        let number = value.as_signed_integer();
        match self {
            Self::Texts(texts) => value.as_string().is_some_and(|text| texts.contains(&text)),
            Self::Numbers(numbers) => number.is_some_and(|number| numbers.contains(&number)),
            Self::Below(bound) => number.is_some_and(|number| number < *bound),
            Self::Is(wanted) => value.as_boolean() == Some(*wanted),
            Self::Any => value.as_string() != Some(""),
        }
    }
}

macro_rules! weak {
    ($($rule:literal $payload_type:literal $($key:literal)/+ = $values:expr => $message:literal;)+) => {
        static WEAK: &[Weak] = &[$(Weak {
            rule: $rule,
            payload_type: $payload_type,
            keys: &[$($key),+],
            values: $values,
            message: $message,
        }),+];
    };
}

const DES: Values = Values::Texts(&["DES", "3DES"]);
const SHA1: Values = Values::Texts(&["SHA1-96", "SHA1-160"]);
const GROUPS: Values = Values::Numbers(&[1, 2, 5]);
const OLD_TLS: Values = Values::Texts(&["1.0", "1.1"]);
const OFF: Values = Values::Is(false);
const ON: Values = Values::Is(true);

weak! {
    "development-push" "com.apple.mdm" "UseDevelopmentAPNS" = ON => "pushes go through the development service";
    "weak-backup" "com.apple.applicationaccess" "forceEncryptedBackup" = OFF => "backups need not be encrypted";
    "weak-directory" "com.apple.DirectoryService.managed" "ADPacketEncrypt" = Values::Texts(&["disable"]) => "packets are not encrypted";
    "weak-directory" "com.apple.DirectoryService.managed" "ADPacketSign" = Values::Texts(&["disable"]) => "packets are not signed";
    "weak-eap-trust" "com.apple.wifi.managed" "EAPClientConfiguration"/"TLSAllowTrustExceptions" = ON => "lets the user trust another server";
    "weak-firewall" "com.apple.security.firewall" "EnableFirewall" = OFF => "turns the firewall off";
    "weak-gatekeeper" "com.apple.systempolicy.control" "EnableAssessment" = OFF => "turns Gatekeeper off";
    "weak-guest" "com.apple.MCX" "EnableGuestAccount" = ON => "allows a guest account";
    "weak-ike" "com.apple.vpn.managed" "IKEv2"/"ChildSecurityAssociationParameters"/"DiffieHellmanGroup" = GROUPS => "is a group that is too small";
    "weak-ike" "com.apple.vpn.managed" "IKEv2"/"ChildSecurityAssociationParameters"/"EncryptionAlgorithm" = DES => "is a cipher that can be broken";
    "weak-ike" "com.apple.vpn.managed" "IKEv2"/"ChildSecurityAssociationParameters"/"IntegrityAlgorithm" = SHA1 => "is a digest that can be broken";
    "weak-ike" "com.apple.vpn.managed" "IKEv2"/"IKESecurityAssociationParameters"/"DiffieHellmanGroup" = GROUPS => "is a group that is too small";
    "weak-ike" "com.apple.vpn.managed" "IKEv2"/"IKESecurityAssociationParameters"/"EncryptionAlgorithm" = DES => "is a cipher that can be broken";
    "weak-ike" "com.apple.vpn.managed" "IKEv2"/"IKESecurityAssociationParameters"/"IntegrityAlgorithm" = SHA1 => "is a digest that can be broken";
    "weak-login" "com.apple.loginwindow" "AutologinUsername" = Values::Any => "logs a user in by itself";
    "weak-passcode" "com.apple.mobiledevice.passwordpolicy" "allowSimple" = ON => "allows passcodes such as 1234";
    "weak-passcode" "com.apple.mobiledevice.passwordpolicy" "minLength" = Values::Below(6) => "allows passcodes of fewer than six characters";
    "weak-screen-lock" "com.apple.screensaver" "askForPassword" = OFF => "asks for no password when the screen saver ends";
    "weak-tls" "com.apple.vpn.managed" "IKEv2"/"TLSMinimumVersion" = OLD_TLS => "allows a version of TLS that is withdrawn";
    "weak-tls" "com.apple.wifi.managed" "EAPClientConfiguration"/"TLSMinimumVersion" = OLD_TLS => "allows a version of TLS that is withdrawn";
    "weak-tls-prompt" "com.apple.applicationaccess" "allowUntrustedTLSPrompt" = ON => "lets the user trust any server";
    "weak-transport" "com.apple.caldav.account" "CalDAVUseSSL" = OFF => "goes without TLS";
    "weak-transport" "com.apple.carddav.account" "CardDAVUseSSL" = OFF => "goes without TLS";
    "weak-transport" "com.apple.eas.account" "SSL" = OFF => "goes without TLS";
    "weak-transport" "com.apple.ews.account" "ExternalSSL" = OFF => "goes without TLS";
    "weak-transport" "com.apple.ews.account" "SSL" = OFF => "goes without TLS";
    "weak-transport" "com.apple.ldap.account" "LDAPAccountUseSSL" = OFF => "goes without TLS";
    "weak-transport" "com.apple.mail.managed" "IncomingMailServerUseSSL" = OFF => "goes without TLS";
    "weak-transport" "com.apple.mail.managed" "OutgoingMailServerUseSSL" = OFF => "goes without TLS";
    "weak-transport" "com.apple.subscribedcalendar.account" "SubCalAccountUseSSL" = OFF => "goes without TLS";
    "weak-wifi" "com.apple.wifi.managed" "EncryptionType" = Values::Texts(&["None"]) => "encrypts nothing";
    "weak-wifi" "com.apple.wifi.managed" "EncryptionType" = Values::Texts(&["WEP", "WPA"]) => "is an encryption that can be broken";
}

pub(super) fn check(profile: &Profile, findings: &mut Vec<Finding>) {
    for (place, payload) in profile.numbered() {
        let at = path::index("PayloadContent", place);
        let mut note = |id: &str, keys: &[&str], message: &'static str| {
            let path = keys.iter().fold(at.clone(), |at, key| path::join(&at, key));
            findings.push(Finding::new(
                rule::named(id),
                path,
                Severity::Warning,
                message,
            ));
        };
        let own = payload.payload_type().unwrap_or_default();
        for weak in WEAK.iter().filter(|weak| weak.payload_type == own) {
            if lookup(payload.keys(), weak.keys).is_some_and(|value| weak.values.contain(value)) {
                note(weak.rule, weak.keys, weak.message);
            }
        }
        match own {
            "com.apple.wifi.managed" => eap(&payload, &mut note),
            "com.apple.security.scep" => scep(&payload, &mut note),
            "com.apple.security.acme" => acme(&payload, &mut note),
            _ => {}
        }
    }
}

fn lookup<'a>(keys: &'a Dictionary, path: &[&str]) -> Option<&'a Value> {
    let (last, outer) = path.split_last()?;
    let inner = |keys: &'a Dictionary, key: &&str| keys.get(key)?.as_dictionary();
    outer.iter().try_fold(keys, inner)?.get(last)
}

/// An enterprise network whose server nobody is asked to prove.
fn eap(payload: &RawPayload<'_>, note: &mut impl FnMut(&str, &[&str], &'static str)) {
    let key = "EAPClientConfiguration";
    let Some(Value::Dictionary(eap)) = payload.keys().get(key) else {
        return;
    };
    let named = ["TLSTrustedServerNames", "PayloadCertificateAnchorUUID"]
        .iter()
        .any(|key| {
            eap.get(key)
                .and_then(Value::as_array)
                .is_some_and(|list| !list.is_empty())
        });
    // EAP-SIM and EAP-AKA, 18 and 23, prove the network without a certificate.
    let types = eap.get("AcceptEAPTypes").and_then(Value::as_array);
    let mut types = types
        .into_iter()
        .flatten()
        .filter_map(Value::as_signed_integer);
    if !named && types.any(|kind| ![18, 23, 50].contains(&kind)) {
        note(
            "weak-eap-server",
            &[key],
            "does not say which server to trust",
        );
    }
}

fn scep(payload: &RawPayload<'_>, note: &mut impl FnMut(&str, &[&str], &'static str)) {
    let key = "PayloadContent";
    let Some(Value::Dictionary(scep)) = payload.keys().get(key) else {
        return;
    };
    match scep.get("Keysize").map(Value::as_signed_integer) {
        None => note(
            "weak-key-size",
            &[key],
            "says nothing of the key, which then has 1024 bits",
        ),
        Some(Some(bits)) if (1..2048).contains(&bits) => {
            note("weak-key-size", &[key, "Keysize"], "is too short for RSA");
        }
        Some(_) => {}
    }
    let url = scep
        .get("URL")
        .and_then(Value::as_string)
        .unwrap_or_default();
    let plain = url
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("http://"));
    if plain && !scep.contains_key("CAFingerprint") {
        note(
            "weak-scep-authority",
            &[key],
            "does not say which authority to trust",
        );
    }
}

fn acme(payload: &RawPayload<'_>, note: &mut impl FnMut(&str, &[&str], &'static str)) {
    let text = |key: &str| payload.keys().get(key).and_then(Value::as_string);
    let bits = payload
        .keys()
        .get("KeySize")
        .and_then(Value::as_signed_integer);
    if text("KeyType") == Some("RSA") && bits.is_some_and(|bits| (1..2048).contains(&bits)) {
        note("weak-key-size", &["KeySize"], "is too short for RSA");
    }
}

#[cfg(test)]
mod tests {
    use mdm_schema::{Kind, schemas};

    use super::*;

    #[test]
    fn every_setting_stands_in_apples_tables() {
        for weak in WEAK {
            let path = weak.keys.join("/");
            let known = schemas(Kind::Payload)
                .iter()
                .filter(|schema| schema.is_called(weak.payload_type))
                .any(|schema| schema.key(&path).is_some());
            assert!(known, "{} {path}", weak.payload_type);
            assert_ne!(rule::named(weak.rule).id, "other", "{}", weak.rule);
        }
    }

    #[test]
    fn every_value_of_every_setting_is_found_once_where_it_stands() {
        for weak in WEAK {
            for value in values(&weak.values) {
                let mut payload = weak.keys.iter().rev().fold(value, |inner, key| {
                    Value::Dictionary([(*key, inner)].into_iter().collect())
                });
                let keys = payload.as_dictionary_mut().unwrap();
                keys.insert("PayloadType".into(), weak.payload_type.into());
                let mut profile = Dictionary::new();
                profile.insert("PayloadType".into(), "Configuration".into());
                profile.insert("PayloadContent".into(), Value::Array(vec![payload]));
                let (profile, _) = Profile::from_dictionary(profile).unwrap();

                let mut findings = Vec::new();
                check(&profile, &mut findings);
                let path = format!("PayloadContent[0].{}", weak.keys.join("."));
                let told = findings.iter().map(|f| (f.rule.id, f.path.as_str()));
                assert!(told.eq([(weak.rule, path.as_str())]), "{findings:?}");
            }
        }
    }

    /// Every value of a list, and one of a range.
    fn values(values: &Values) -> Vec<Value> {
        match values {
            Values::Texts(texts) => texts.iter().map(|text| Value::from(*text)).collect(),
            Values::Numbers(numbers) => numbers.iter().map(|n| Value::from(*n)).collect(),
            Values::Below(bound) => vec![(bound - 1).into()],
            Values::Is(wanted) => vec![(*wanted).into()],
            Values::Any => vec!["anna".into()],
        }
    }
}
