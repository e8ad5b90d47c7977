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
    source: "Apple, device-management schema",
};

/// An attribute of Apple's schema, which its pages repeat.
macro_rules! schema {
    ($attribute:literal) => {
        concat!("Apple, device-management schema: ", $attribute)
    };
}

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
    "certificate-weak-signature":
        "signatures over MD5 and SHA-1 can be forged, and Apple's systems no longer trust them in TLS",
        "issue the certificate again, signed with SHA-256 or above",
        "RFC 9155; NIST SP 800-131A; Apple, Requirements for trusted certificates";
    "channel":
        "the device refuses what comes through the wrong channel",
        "send the payload through the channel that takes it",
        schema!("device-channel, user-channel, allowed-scopes");
    "conflict":
        "the two values cannot both hold",
        "take one of them away",
        "Apple, page TopLevel: IsEncrypted; device-management schema: subkeys of one key";
    "consent-default":
        "whose language is not among them sees the first agreement there is",
        "add the key default",
        "Apple, page TopLevel: ConsentText";
    "deprecated":
        "a later system ignores it or refuses the payload",
        "leave it out for these devices",
        schema!("deprecated");
    "development-push":
        "push certificates from Apple's portal work with the production service only",
        "leave UseDevelopmentAPNS out",
        "Apple, page MDM: UseDevelopmentAPNS";
    "duplicate":
        "the device takes one of the two, or neither",
        "give each payload an identifier and a UUID of its own",
        "Apple, page CommonPayloadKeys: PayloadIdentifier, PayloadUUID";
    "enrollment":
        "the device refuses what its kind of enrolment does not allow, on iOS the whole profile",
        "leave it out for these devices, or put it into a profile of its own",
        schema!("userenrollment, allowed-enrollments, requiresdep, userapprovedmdm, allowmanualinstall");
    "enum":
        "the device does not know the value",
        "take one of the values that Apple lists",
        schema!("rangelist");
    "expired":
        "the device shows the profile as no longer valid and offers an update",
        "set a later PayloadExpirationDate, or leave it out",
        "Apple, page TopLevel: PayloadExpirationDate";
    "format":
        "the device does not understand the text",
        "write it as Apple's page says",
        schema!("format");
    "misplaced":
        "the device does not look for it there",
        "move it to where Apple's page has it",
        "Apple, page TopLevel";
    "not-available":
        "the device ignores it or refuses the payload",
        "leave it out for these devices",
        schema!("introduced");
    "range":
        "the device refuses the value or takes another one",
        "take a value within the bounds",
        schema!("range");
    "reference":
        "the device cannot find what the payload needs, and refuses the profile",
        "add the payload to this profile, or name the UUID of the right one",
        "Apple, pages of the payloads: keys that name a PayloadUUID";
    "removal-date-passed":
        "the device removes the profile as soon as it is installed",
        "set a later RemovalDate, or leave it out",
        "Apple, page TopLevel: RemovalDate";
    "removal-password-missing":
        "the profile asks for a removal password and brings none",
        "add a payload com.apple.profileRemovalPassword, or leave HasRemovalPasscode out",
        "Apple, pages TopLevel and ProfileRemovalPassword: HasRemovalPasscode";
    "removed":
        "the device no longer knows it",
        "leave it out for these devices",
        schema!("removed");
    "required":
        "without it the device refuses the profile",
        "add the key",
        schema!("presence");
    "secret-in-clear":
        "whoever gets hold of the profile can read it",
        "encrypt the profile to the device, or send it through MDM only",
        "Apple, Configuration Profile Reference, section Encrypted Profiles";
    "single-instance":
        "the device takes one payload of this type",
        "put the settings into one payload",
        schema!("multiple");
    "supervision":
        "the device ignores or refuses it while it is not supervised",
        "leave it out for these devices, or supervise them",
        schema!("supervised");
    "target-device-type":
        "the profile says that it is for other devices",
        "set TargetDeviceType to the devices that it is for, or leave it out",
        "Apple, page TopLevel: TargetDeviceType";
    "type":
        "the device refuses a value of another type, and so does Apple Business Manager",
        "write the value in the type that Apple lists",
        schema!("type");
    "unknown-key":
        "the device ignores it: a misspelt setting is no setting",
        "correct the spelling, or take it out",
        schema!("key");
    "unknown-payload":
        "a misspelt payload sets nothing: a Mac takes it for preferences of a domain of that name",
        "correct the spelling, or leave it where software of that name reads it",
        schema!("payloadtype");
    "use-declaration":
        "a declaration has taken its place, and a later system knows only that",
        "send the declaration to devices that take it",
        schema!("deprecated, with a declaration of the same meaning");
    "weak-backup":
        "a backup that is not encrypted can be read by whoever has the computer",
        "set forceEncryptedBackup to true, or leave it out",
        "Apple, page Restrictions: forceEncryptedBackup; CIS Apple iOS Benchmark";
    "weak-directory":
        "traffic with the directory can be read or changed on the way",
        "take allow or require",
        "Apple, page DirectoryService: ADPacketSign, ADPacketEncrypt; dsconfigad(8)";
    "weak-eap-server":
        "without a name or an authority for the server any access point can ask for the password",
        "set TLSTrustedServerNames or PayloadCertificateAnchorUUID",
        "Apple, page WiFi: TLSTrustedServerNames, PayloadCertificateAnchorUUID; RFC 5216, section 5.3";
    "weak-eap-trust":
        "the user may accept the certificate of an access point that is none of yours",
        "set TLSAllowTrustExceptions to false",
        "Apple, page WiFi: TLSAllowTrustExceptions";
    "weak-firewall":
        "the firewall is turned off",
        "set EnableFirewall to true",
        "Apple, page Firewall: EnableFirewall; CIS Apple macOS Benchmark";
    "weak-gatekeeper":
        "software of any origin runs",
        "set EnableAssessment to true",
        "Apple, page SystemPolicyControl: EnableAssessment; CIS Apple macOS Benchmark";
    "weak-guest":
        "anybody can use the Mac",
        "set DisableGuestAccount to true",
        "Apple, page Accounts: EnableGuestAccount; CIS Apple macOS Benchmark";
    "weak-ike":
        "the algorithm can be broken",
        "take AES-256-GCM or AES-256, SHA2-256, and group 14 or above",
        "Apple, page VPN: IKEv2; RFC 8247; NIST SP 800-131A";
    "weak-key-size":
        "keys of RSA below 2048 bits can be broken",
        "set 2048 or more; a SCEP payload that says nothing asks for 1024",
        "Apple, pages SCEP and ACMECertificate: Keysize, KeySize; NIST SP 800-131A";
    "weak-login":
        "the Mac is open to whoever turns it on",
        "leave the automatic login out",
        "Apple, page LoginWindow: AutologinUsername; CIS Apple macOS Benchmark";
    "weak-passcode":
        "a passcode that is short or simple is soon guessed",
        "ask for six characters or more, and set allowSimple to false",
        "Apple, page Passcode: allowSimple, minLength; CIS Apple iOS Benchmark";
    "weak-scep-authority":
        "over HTTP anybody on the way can be the authority, and gets the challenge",
        "set CAFingerprint, or take a URL of https",
        "Apple, page SCEP: CAFingerprint; RFC 8894, section 2.2";
    "weak-screen-lock":
        "a Mac that was left alone is open",
        "set askForPassword to true",
        "Apple, page Screensaver: askForPassword; CIS Apple macOS Benchmark";
    "weak-tls":
        "TLS 1.0 and 1.1 are withdrawn",
        "take 1.2 or 1.3",
        "Apple, pages WiFi and VPN: TLSMinimumVersion; RFC 8996";
    "weak-tls-prompt":
        "the user may accept any certificate",
        "set allowUntrustedTLSPrompt to false",
        "Apple, page Restrictions: allowUntrustedTLSPrompt; CIS Apple iOS Benchmark";
    "weak-transport":
        "the password of the account goes over the network in clear",
        "set it to true",
        "Apple, pages of the account payloads: the keys that end in SSL; RFC 8314";
    "weak-wifi":
        "what goes over the air can be read or changed",
        "take WPA2 or WPA3",
        "Apple, page WiFi: EncryptionType; Recommended settings for Wi-Fi routers and access points";
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

    #[test]
    fn every_rule_names_its_reason_its_fix_and_whose_word_it_is() {
        for rule in RULES {
            for text in [rule.reason, rule.fix] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{}", rule.id);
            }
            let known = ["Apple", "RFC ", "NIST "];
            let named = known.iter().any(|known| rule.source.contains(known));
            assert!(named, "{}: {}", rule.id, rule.source);
            // What is unwise is a key of Apple's, and its page is named.
            assert!(!rule.id.starts_with("weak-") || rule.source.contains("Apple, page"));
        }
    }
}
