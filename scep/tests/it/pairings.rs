//! Every pairing with a program of others, what became of it, and the test that shows it. GetCert, GetCRL and CertPoll are
//! offered by no server at hand, and GetCert and GetCRL by no client but jscep's: for these, openssl's programs with DER made
//! by hand stand in.

use Outcome::{NotOffered, NotTried, Refused, Works};

/// What becomes of a pairing.
enum Outcome {
    /// It works, with the policy as it is.
    Works,
    /// One side refuses, in these words, unless the policy is changed as said; nothing, where that does not help.
    Refused(&'static str, Option<&'static str>),
    /// The peer has no such thing.
    NotOffered,
    /// The peer has it, and nobody has tried.
    NotTried,
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
    ("certmonger", TheirClient, "CertPoll", NotTried, None),
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
            TheirClient => "their_client certmonger openssl_asks our_server",
            TheirServer => "our_client recorded_answers",
        };
        let begins = named.split(' ').any(|begin| test.starts_with(begin));
        assert!(begins, "{row}: {test} is about the other side");
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
