//! What has gone wrong in other servers of ACME and verifiers of attestations, and the test that it does not here.

const ACCOUNTS: &str = include_str!("acme_server/accounts.rs");
const ATTESTATION: &str = include_str!("acme_server/attestation.rs");
const FAULTS: &str = include_str!("acme_server/faults.rs");
const FINALIZE: &str = include_str!("acme_server/finalize.rs");
const HOSTS: &str = include_str!("acme_server/hosts.rs");
const MUTATION: &str = include_str!("acme_server/mutation.rs");
const ORDERS: &str = include_str!("acme_server/orders.rs");
const REQUESTS: &str = include_str!("acme_server/requests.rs");
const REVOCATION: &str = include_str!("acme_server/revocation.rs");

/// What happened, where its test stands, and the test.
const INCIDENTS: &[(&str, &str, &str)] = &[
    (
        "attestations without freshness were taken; and expired ones, such as a device's certificate had signed, for \
         another key, with a broken signature",
        ATTESTATION,
        "q06_no_defect_of_an_attestation_passes",
    ),
    (
        "the freshness of another token was taken",
        ATTESTATION,
        "the_answer_to_another_token_is_refused",
    ),
    (
        "a chain of DeviceInformation was replayed into ACME",
        ATTESTATION,
        "an_attestation_of_device_information_is_none_for_acme",
    ),
    (
        "a blank serial number was equal to a blank one",
        ATTESTATION,
        "a_blank_serial_number_is_nobodys_and_no_user_enrolment",
    ),
    (
        "an unknown posture passed for a good one",
        ATTESTATION,
        "only_a_state_that_is_known_to_be_good_passes",
    ),
    (
        "an attested key was enrolled again",
        ATTESTATION,
        "a_key_that_was_attested_before_is_found",
    ),
    (
        "devices that answer without attestation were let through in silence",
        ATTESTATION,
        "an_answer_without_attestation_is_refused_unless_the_device_is_known_not_to_attest",
    ),
    (
        "CVE-2026-40097 and an index into an empty chain: an attestation stopped the process",
        ATTESTATION,
        "what_is_no_statement_is_refused_and_stops_nothing",
    ),
    (
        "the key of the CSR was not the attested one",
        FINALIZE,
        "q06_a_csr_has_to_be_for_the_attested_key_and_the_proven_names",
    ),
    (
        "VU#971035: what was proven for one identity was used for another",
        ATTESTATION,
        "the_device_has_to_be_the_expected_one",
    ),
    (
        "replay: the same request at once got several certificates",
        FINALIZE,
        "fifty_parallel_finalizes_end_in_one_certificate",
    ),
    (
        "no proof of possession: a CSR with a broken signature got a certificate",
        MUTATION,
        "no_changed_byte_of_a_csr_yields_a_certificate",
    ),
    (
        "an altered request got a certificate",
        MUTATION,
        "no_changed_byte_of_a_finalize_yields_a_certificate",
    ),
    (
        "orders and authorisations of other accounts were finalized",
        ORDERS,
        "nothing_of_an_order_is_another_accounts_and_that_it_exists_is_not_told",
    ),
    (
        "the proof of another account counted",
        HOSTS,
        "the_answer_of_another_account_proves_nothing",
    ),
    (
        "a nonce was taken twice",
        REQUESTS,
        "a_nonce_is_good_for_one_request_and_for_an_hour",
    ),
    (
        "a nonce was taken twice at once",
        REQUESTS,
        "fifty_parallel_requests_with_one_nonce_are_one_request",
    ),
    (
        "`alg: none`, HS256, another URL",
        REQUESTS,
        "a_header_that_is_not_as_it_should_be_is_refused",
    ),
    (
        "the public key served as the key of a MAC",
        REQUESTS,
        "a_mac_with_the_public_key_is_no_signature",
    ),
    (
        "ADCS#115: a forged revocation was believed",
        REVOCATION,
        "a_forged_revocation_revokes_nothing",
    ),
    (
        "an external account was bound by somebody else",
        ACCOUNTS,
        "an_external_account_is_bound_once_by_its_key",
    ),
    (
        "a process that ended lost a certificate, or issued it again",
        FAULTS,
        "a_fault_at_any_step_loses_no_certificate_and_doubles_none",
    ),
];

#[test]
fn every_incident_has_its_test() {
    for (incident, file, test) in INCIDENTS {
        let attribute = "#[tokio::test]\nasync fn";
        assert!(
            file.contains(&format!("{attribute} {test}()")),
            "{incident}: {test}"
        );
    }
}
