//! Every pairing with a program of others, what became of it, and the test that shows it. GetCert, GetCRL and CertPoll are
//! offered by no server at hand, and GetCert and GetCRL by no client but jscep's: for these, openssl's programs with DER made
//! by hand stand in.

use Outcome::{NotOffered, Refused, Works};

/// What becomes of a pairing.
enum Outcome {
    /// It works, with the policy as it is.
    Works,
    /// One side refuses, in these words, unless the policy is changed as said; nothing, where that does not help.
    Refused(&'static str, Option<&'static str>),
    /// The peer has no such thing.
    NotOffered,
}

/// The peer, which side of it, the message, what became of it, and where that is shown: source and test.
type Pairing = (
    &'static str,
    Side,
    &'static str,
    Outcome,
    Option<(&'static str, &'static str)>,
);

#[derive(PartialEq)]
enum Side {
    TheirClient,
    TheirServer,
}
use Side::{TheirClient, TheirServer};

const MICROMDM: &str = include_str!("micromdm.rs");
const CERTMONGER: &str = include_str!("certmonger.rs");
const STRONGSWAN: &str = include_str!("strongswan.rs");
const STEP_CA: &str = include_str!("stepca.rs");
const DEVICE: &str = include_str!("acme_peers_device.rs");
const JSCEP: &str = include_str!("jscep.rs");
const PEBBLE: &str = include_str!("acme_peers.rs");
const ACME_CLIENTS: &str = include_str!("acme_server/peers.rs");
const RECORDED: &str = include_str!("recorded.rs");
const OCSP: &str = include_str!("ocsp.rs");

const MICROMDM_CLIENT: &str = "their_client_enrols_at_our_server_by_policy_alone";
const MICROMDM_SERVER: &str = "our_client_enrols_at_their_server_by_policy_alone";
const STRONGSWAN_CLIENT: &str = "their_client_enrols_at_our_server_in_triple_des_by_policy_alone";
const STEP_CA_SERVER: &str = "our_client_enrols_at_step_ca_by_policy_alone";
const STEP_CA_ACME: &str = "our_client_enrols_with_an_attested_key_at_step_ca";
const OPENSSL_SERVER: &str = "our_client_asks_a_server_made_of_openssls_programs";

const PAIRINGS: &[Pairing] = &[
    (
        "micromdm 2.1.0 (Debian), 2.3.0",
        TheirClient,
        "PKCSReq",
        Refused("badAlg: SHA-1, then single DES", Some("sha1, legacy_des")),
        Some((MICROMDM, MICROMDM_CLIENT)),
    ),
    (
        "micromdm 2.1.0 (Debian), 2.3.0",
        TheirClient,
        "RenewalReq",
        Refused("badAlg: SHA-1, then single DES", Some("sha1, legacy_des")),
        Some((
            MICROMDM,
            "their_client_renews_at_our_server_by_policy_alone",
        )),
    ),
    (
        "micromdm 2.1.0 (Debian), 2.3.0",
        TheirClient,
        "CertPoll, GetCert, GetCRL, GetNextCACert",
        NotOffered,
        None,
    ),
    (
        "micromdm 2.1.0 (Debian)",
        TheirServer,
        "PKCSReq",
        Refused(
            "Error::Algorithm: SHA-1, then single DES",
            Some("sha1, legacy_des"),
        ),
        Some((MICROMDM, MICROMDM_SERVER)),
    ),
    (
        "micromdm 2.3.0",
        TheirServer,
        "PKCSReq",
        Refused(
            "Error::Algorithm: SHA-1, then single DES",
            Some("sha1, legacy_des"),
        ),
        Some((
            MICROMDM,
            "our_client_enrols_at_their_newest_server_by_policy_alone",
        )),
    ),
    (
        "micromdm 2.1.0 (Debian), 2.3.0",
        TheirServer,
        "CertPoll, GetCert, GetCRL, GetNextCACert",
        NotOffered,
        None,
    ),
    (
        "certmonger",
        TheirClient,
        "PKCSReq",
        Works,
        Some((
            CERTMONGER,
            "certmonger_enrols_with_a_one_time_challenge_and_renews",
        )),
    ),
    (
        "certmonger",
        TheirClient,
        "PKCSReq signed by the certificate to be renewed",
        Works,
        Some((
            CERTMONGER,
            "certmonger_enrols_with_a_one_time_challenge_and_renews",
        )),
    ),
    (
        "certmonger",
        TheirClient,
        "CertPoll",
        Refused(
            "the client: PKCS7 routines::no content, since PENDING has none",
            None,
        ),
        Some((CERTMONGER, "certmonger_takes_no_answer_that_says_to_wait")),
    ),
    ("certmonger", TheirClient, "RenewalReq", NotOffered, None),
    (
        "certmonger",
        TheirClient,
        "GetCert, GetCRL, GetNextCACert",
        NotOffered,
        None,
    ),
    (
        "strongSwan 5.9.8",
        TheirClient,
        "PKCSReq in AES or under SHA-256",
        Refused("the client: not supported by CA", None),
        Some((STRONGSWAN, STRONGSWAN_CLIENT)),
    ),
    (
        "strongSwan 5.9.8",
        TheirClient,
        "PKCSReq in Triple DES under SHA-512",
        Refused("badAlg: Triple DES", Some("triple_des")),
        Some((STRONGSWAN, STRONGSWAN_CLIENT)),
    ),
    (
        "strongSwan 5.9.8",
        TheirClient,
        "RenewalReq",
        Refused(
            "the client: Renewal operation not supported by SCEP server",
            None,
        ),
        Some((STRONGSWAN, "their_client_does_not_see_that_we_renew")),
    ),
    (
        "strongSwan 5.9.8",
        TheirClient,
        "CertPoll",
        Refused("badAlg: Triple DES", Some("triple_des")),
        Some((STRONGSWAN, "their_client_polls_until_a_person_has_decided")),
    ),
    (
        "strongSwan 5.9.8",
        TheirClient,
        "GetCert, GetCRL, GetNextCACert",
        NotOffered,
        None,
    ),
    (
        "jscep 2.5.8",
        TheirClient,
        "PKCSReq, RenewalReq, GetCert, GetCRL",
        Works,
        Some((
            JSCEP,
            "their_client_enrols_asks_what_there_is_to_ask_and_renews",
        )),
    ),
    (
        "jscep 2.5.8",
        TheirClient,
        "GetNextCACert",
        Refused(
            "the client takes the signer's certificate for the next",
            None,
        ),
        Some((
            JSCEP,
            "their_client_enrols_asks_what_there_is_to_ask_and_renews",
        )),
    ),
    (
        "jscep 2.5.8",
        TheirClient,
        "CertPoll",
        Works,
        Some((JSCEP, "their_client_polls_until_a_person_has_decided")),
    ),
    // Of a server it has classes to build one of, and no program.
    ("jscep 2.5.8", TheirServer, "all messages", NotOffered, None),
    (
        "step-ca 0.30.2, set to AES",
        TheirServer,
        "PKCSReq",
        Refused("Error::Algorithm: SHA-1", Some("sha1")),
        Some((STEP_CA, STEP_CA_SERVER)),
    ),
    (
        "step-ca 0.30.2, set to AES",
        TheirServer,
        "RenewalReq",
        Refused("the server: it wants a challenge", None),
        Some((STEP_CA, STEP_CA_SERVER)),
    ),
    (
        "step-ca 0.30.2",
        TheirServer,
        "PKCSReq",
        Refused(
            "Error::Algorithm: SHA-1, then single DES",
            Some("sha1, legacy_des"),
        ),
        Some((STEP_CA, STEP_CA_SERVER)),
    ),
    (
        "step-ca 0.30.2",
        TheirServer,
        "CertPoll, GetCert, GetCRL, GetNextCACert",
        NotOffered,
        None,
    ),
    (
        "step-ca 0.30.2",
        TheirServer,
        "device-attest-01, by serial number",
        Works,
        Some((DEVICE, STEP_CA_ACME)),
    ),
    (
        "step-ca 0.30.2",
        TheirServer,
        "device-attest-01, by an identifier of the server's choice",
        Refused("the server: badAttestationStatement", None),
        Some((DEVICE, STEP_CA_ACME)),
    ),
    (
        "pebble 2.10, 2.4 (Debian)",
        TheirServer,
        "accounts with every kind of key",
        Works,
        Some((
            PEBBLE,
            "accounts_with_every_kind_of_key_are_made_found_changed_and_given_up",
        )),
    ),
    (
        "pebble 2.10, 2.4 (Debian)",
        TheirServer,
        "external accounts",
        Works,
        Some((PEBBLE, "an_external_account_is_bound_with_its_key_alone")),
    ),
    (
        "pebble 2.10, 2.4 (Debian)",
        TheirServer,
        "http-01, alternate chains, list of orders",
        Works,
        Some((
            PEBBLE,
            "an_order_goes_from_its_beginning_to_a_certificate_and_can_be_taken_up",
        )),
    ),
    (
        "pebble 2.10, 2.4 (Debian)",
        TheirServer,
        "key change",
        Works,
        Some((PEBBLE, "an_account_changes_its_key")),
    ),
    (
        "pebble 2.10, 2.4 (Debian)",
        TheirServer,
        "an authorisation given up",
        Works,
        Some((PEBBLE, "an_authorization_is_given_up")),
    ),
    (
        "pebble 2.10, 2.4 (Debian)",
        TheirServer,
        "revocation by account and by key",
        Works,
        Some((PEBBLE, "certificates_are_revoked_by_account_and_by_key")),
    ),
    (
        "pebble 2.10",
        TheirServer,
        "renewal information, replaces",
        Works,
        Some((PEBBLE, "renewal_is_advised_and_a_certificate_replaced_once")),
    ),
    (
        "pebble 2.4 (Debian)",
        TheirServer,
        "renewal information, replaces",
        NotOffered,
        None,
    ),
    (
        "pebble 2.10, 2.4 (Debian)",
        TheirServer,
        "device-attest-01",
        Refused("the server: it knows no permanent-identifier", None),
        Some((PEBBLE, "a_device_is_refused_by_a_server_of_host_names")),
    ),
    (
        "certbot 2.1",
        TheirClient,
        "http-01, external accounts, renewal, revocation, account given up",
        Works,
        Some((ACME_CLIENTS, "certbot_enrols_renews_revokes_and_leaves")),
    ),
    (
        "certbot 2.1",
        TheirClient,
        "device-attest-01",
        NotOffered,
        None,
    ),
    (
        "lego 4.9",
        TheirClient,
        "http-01, external accounts, renewal, revocation",
        Works,
        Some((ACME_CLIENTS, "lego_enrols_renews_and_revokes")),
    ),
    (
        "lego 4.9",
        TheirClient,
        "account given up, device-attest-01",
        NotOffered,
        None,
    ),
    (
        "instant-acme 0.8.5",
        TheirClient,
        "http-01, renewal information, key change, revocation",
        Works,
        Some((DEVICE, "their_client_enrols_by_http_01_and_revokes")),
    ),
    (
        "instant-acme 0.8.5",
        TheirClient,
        "device-attest-01",
        Works,
        Some((
            DEVICE,
            "their_client_enrols_with_an_attested_key_and_without_a_good_one_does_not",
        )),
    ),
    (
        "openssl's programs, by hand",
        TheirClient,
        "GetCert, GetCRL (recorded)",
        Works,
        Some((
            RECORDED,
            "our_server_answers_a_recorded_get_cert_and_get_crl",
        )),
    ),
    (
        "openssl's programs, by hand",
        TheirClient,
        "CertPoll (recorded)",
        Works,
        Some((RECORDED, "our_server_answers_a_recorded_cert_poll")),
    ),
    (
        "openssl's programs, by hand",
        TheirServer,
        "GetCert, GetCRL, CertPoll (recorded)",
        Works,
        Some((RECORDED, "recorded_answers_are_read_down_to_what_they_hold")),
    ),
    (
        "openssl's programs, by hand",
        TheirServer,
        "GetCert, GetCRL, CertPoll",
        Works,
        Some((RECORDED, OPENSSL_SERVER)),
    ),
    (
        "openssl ocsp",
        TheirClient,
        "OCSP over HTTP",
        Works,
        Some((OCSP, "openssl_asks_about_a_certificate_over_http")),
    ),
];

#[test]
fn every_pairing_that_was_tried_has_its_test() {
    for (peer, side, message, outcome, shown) in PAIRINGS {
        let row = format!("{peer}, {message}");
        let tried = matches!(outcome, Works | Refused(..));
        assert_eq!(tried, shown.is_some(), "{row}");
        let Some((source, test)) = shown else {
            continue;
        };
        assert!(
            source.contains(&format!("fn {test}(")),
            "{row}: no test {test}"
        );
        let named = match side {
            TheirClient => "their_client certmonger certbot lego openssl_asks our_server",
            TheirServer => "our_client recorded_answers",
        };
        let begins = named.split(' ').any(|begin| test.starts_with(begin));
        // Of pebble there is a server alone.
        let fits = match *source == PEBBLE {
            true => *side == TheirServer,
            false => begins,
        };
        assert!(fits, "{row}: {test} is about the other side");
        if let Refused(words, by) = outcome {
            assert!(!words.is_empty());
            for field in by.iter().flat_map(|by| by.split(", ")) {
                assert!(
                    source.contains(&format!("policy.{field} = true")),
                    "{row}: {field}"
                );
            }
        }
    }
}
