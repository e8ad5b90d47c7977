//! Every rule, with its reason, its fix and where it comes from.

use serde::Serialize;

/// What a lint looks for, and why.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rule {
    /// Its name: lower case, with hyphens. Never changes.
    #[serde(rename = "rule")]
    pub id: &'static str,
    /// Why it is there, in a sentence without a full stop.
    pub reason: &'static str,
    /// What to do about it, in general.
    #[serde(skip)]
    pub fix: &'static str,
    /// Where it comes from.
    pub source: &'static str,
}

/// Every rule there is, in the order of their names.
pub fn rules() -> &'static [Rule] {
    RULES
}

/// The rule of this name; of a name that is none, the one for what is not known.
pub(super) fn named(id: &str) -> &'static Rule {
    let found = RULES.binary_search_by(|rule| rule.id.cmp(id)).ok();
    found.and_then(|place| RULES.get(place)).unwrap_or(&OTHER)
}

/// The rule for what the check against the schema found.
pub(super) fn of(rule: mdm_schema::Rule) -> &'static Rule {
    named(rule.as_str())
}

static OTHER: Rule = Rule {
    id: "other",
    reason: "the profile is not as Apple describes it",
    fix: "compare it with Apple's page",
    source: SCHEMA,
};

const SCHEMA: &str = "Apple, device-management schema";
const CIS_IOS: &str = "CIS Apple iOS Benchmark";
const CIS_MACOS: &str = "CIS Apple macOS Benchmark";

macro_rules! rules {
    ($($id:literal: $reason:literal, $fix:literal, $source:expr;)+) => {
        static RULES: &[Rule] = &[
            $(Rule { id: $id, reason: $reason, fix: $fix, source: $source }),+
        ];
    };
}

rules! {
    "certificate-expired":
        "what it protects or proves stops working, or never worked",
        "put the renewed certificate in its place",
        "RFC 5280, section 4.1.2.5";
    "certificate-expires":
        "the profile has to reach every device again before the certificate ends",
        "renew the certificate and send the profile again",
        "RFC 5280, section 4.1.2.5";
    "certificate-not-yet-valid":
        "a device that installs it now does not accept the certificate",
        "wait, or issue the certificate with an earlier beginning",
        "RFC 5280, section 4.1.2.5";
    "certificate-unreadable":
        "the device cannot import it, and refuses the profile",
        "take the certificate as DER or PEM; a PKCS #12 file with its own password",
        "Apple, pages of the certificate payloads";
    "certificate-weak-key":
        "keys of RSA below 2048 bits can be broken, and Apple's systems no longer trust them in TLS",
        "issue the certificate for a key of RSA with 2048 bits or more, or of P-256",
        "NIST SP 800-131A; Apple, Requirements for trusted certificates";
    "channel":
        "the device refuses what comes through the wrong channel",
        "send the payload through the channel that takes it",
        SCHEMA;
    "combine-type":
        "it is open which of the values counts",
        "set the key in one place",
        SCHEMA;
    "conflict":
        "the two values cannot both hold",
        "take one of them away",
        SCHEMA;
    "consent-default":
        "whose language is not among them sees the first agreement there is",
        "add the key default",
        "Apple, page TopLevel";
    "deprecated":
        "a later system ignores it or refuses the payload",
        "leave it out for these devices",
        SCHEMA;
    "development-push":
        "push certificates from Apple's portal work with the production service only",
        "leave UseDevelopmentAPNS out",
        "Apple, page MDM";
    "duplicate":
        "the device takes one of the two, or neither",
        "give each payload an identifier and a UUID of its own",
        SCHEMA;
    "enrollment":
        "the device refuses what its kind of enrolment does not allow, on iOS the whole profile",
        "leave it out for these devices, or put it into a profile of its own",
        SCHEMA;
    "enum":
        "the device does not know the value",
        "take one of the values that Apple lists",
        SCHEMA;
    "expired":
        "the device shows the profile as no longer valid and offers an update",
        "set a later PayloadExpirationDate, or leave it out",
        "Apple, page TopLevel";
    "format":
        "the device does not understand the text",
        "write it as Apple's page says",
        SCHEMA;
    "misplaced":
        "the device does not look for it there",
        "move it to where Apple's page has it",
        SCHEMA;
    "not-available":
        "the device ignores it or refuses the payload",
        "leave it out for these devices",
        SCHEMA;
    "range":
        "the device refuses the value or takes another one",
        "take a value within the bounds",
        SCHEMA;
    "reference":
        "the device cannot find what the payload needs, and refuses the profile",
        "add the payload to this profile, or name the UUID of the right one",
        SCHEMA;
    "removal-date-passed":
        "the device removes the profile as soon as it is installed",
        "set a later RemovalDate, or leave it out",
        "Apple, page TopLevel";
    "removal-password-missing":
        "the profile asks for a removal password and brings none",
        "add a payload com.apple.profileRemovalPassword, or leave HasRemovalPasscode out",
        "Apple, pages TopLevel and ProfileRemovalPassword";
    "removed":
        "the device no longer knows it",
        "leave it out for these devices",
        SCHEMA;
    "required":
        "without it the device refuses the profile",
        "add the key",
        SCHEMA;
    "secret-in-clear":
        "whoever gets hold of the profile can read it",
        "encrypt the profile to the device, or send it through MDM only",
        "Apple, Configuration Profile Reference, section Encrypted Profiles";
    "single-instance":
        "the device takes one payload of this type",
        "put the settings into one payload",
        SCHEMA;
    "supervision":
        "the device ignores or refuses it while it is not supervised",
        "leave it out for these devices, or supervise them",
        SCHEMA;
    "target-device-type":
        "the profile says that it is for other devices",
        "set TargetDeviceType to the devices that it is for, or leave it out",
        "Apple, page TopLevel";
    "type":
        "the device refuses a value of another type, and so does Apple Business Manager",
        "write the value in the type that Apple lists",
        SCHEMA;
    "unknown-key":
        "the device ignores it: a misspelt setting is no setting",
        "correct the spelling, or take it out",
        SCHEMA;
    "unreadable":
        "the bytes are not what they should be",
        "put the right bytes there",
        SCHEMA;
    "use-declaration":
        "a declaration has taken its place, and a later system knows only that",
        "send the declaration to devices that take it",
        "Apple, device-management schema: deprecated, with a declaration of the same meaning";
    "weak-backup":
        "a backup that is not encrypted can be read by whoever has the computer",
        "set forceEncryptedBackup to true, or leave it out",
        CIS_IOS;
    "weak-directory":
        "traffic with the directory can be read or changed on the way",
        "take allow or require",
        "Apple, dsconfigad(8): packetsign, packetencrypt";
    "weak-eap-server":
        "without a name or an authority for the server any access point can ask for the password",
        "set TLSTrustedServerNames or PayloadCertificateAnchorUUID",
        "Apple, page WiFi; RFC 5216, section 5.3";
    "weak-eap-trust":
        "the user may accept the certificate of an access point that is none of yours",
        "set TLSAllowTrustExceptions to false",
        "Apple, page WiFi";
    "weak-firewall":
        "the firewall is turned off",
        "set EnableFirewall to true",
        CIS_MACOS;
    "weak-gatekeeper":
        "software of any origin runs",
        "set EnableAssessment to true",
        CIS_MACOS;
    "weak-guest":
        "anybody can use the Mac",
        "set DisableGuestAccount to true",
        CIS_MACOS;
    "weak-ike":
        "the algorithm can be broken",
        "take AES-256-GCM or AES-256, SHA2-256, and group 14 or above",
        "RFC 8247; NIST SP 800-131A";
    "weak-key-size":
        "keys of RSA below 2048 bits can be broken",
        "set 2048 or more; a SCEP payload that says nothing asks for 1024",
        "NIST SP 800-131A; Apple, page SCEP";
    "weak-login":
        "the Mac is open to whoever turns it on",
        "leave the automatic login out",
        CIS_MACOS;
    "weak-passcode":
        "a passcode that is short or simple is soon guessed",
        "ask for six characters or more, and set allowSimple to false",
        CIS_IOS;
    "weak-scep-authority":
        "over HTTP anybody on the way can be the authority, and gets the challenge",
        "set CAFingerprint, or take a URL of https",
        "RFC 8894, section 2.2";
    "weak-screen-lock":
        "a Mac that was left alone is open",
        "set askForPassword to true",
        CIS_MACOS;
    "weak-tls":
        "TLS 1.0 and 1.1 are withdrawn",
        "take 1.2 or 1.3",
        "RFC 8996";
    "weak-tls-prompt":
        "the user may accept any certificate",
        "set allowUntrustedTLSPrompt to false",
        CIS_IOS;
    "weak-transport":
        "the password of the account goes over the network in clear",
        "set it to true",
        "RFC 8314";
    "weak-wifi":
        "what goes over the air can be read or changed",
        "take WPA2 or WPA3",
        "Apple, Recommended settings for Wi-Fi routers and access points";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_found_by_their_names() {
        assert!(RULES.is_sorted_by_key(|rule| rule.id));
        for rule in RULES {
            assert_eq!(named(rule.id), rule);
        }
        assert_eq!(named("no-such-rule").id, "other");
    }
}
