use mdm_pki::RevocationReason;
use serde::{Serialize, de::DeserializeOwned};

use super::*;
use crate::acme::{
    identifier::Identifier,
    problem::{ErrorType, Problem},
};

/// Reads JSON, and sees that what is written is read as the same.
fn read<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(json: &str) -> T {
    let value: T = serde_json::from_str(json).unwrap();
    let again = serde_json::to_string(&value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&again).unwrap(), value, "{again}");
    value
}

#[test]
fn a_directory_is_read_with_what_is_optional_and_what_is_unknown() {
    let directory: Directory = read(
        r#"{"newNonce": "https://ca.example/n", "newAccount": "https://ca.example/a", "newOrder": "https://ca.example/o",
            "revokeCert": "https://ca.example/r", "renewalInfo": "https://ca.example/ari", "Zx81": "https://x.example",
            "meta": {"externalAccountRequired": true, "caaIdentities": ["ca.example"], "profiles": {"short": "six days"},
                     "termsOfService": "https://ca.example/tos"}}"#,
    );
    assert!(directory.meta.external_account_required && directory.key_change.is_none());
    assert_eq!(
        directory.renewal_info.as_deref(),
        Some("https://ca.example/ari")
    );
    assert_eq!(directory.meta.profiles["short"], "six days");
    let small: Directory = read(r#"{"newNonce": "n", "newAccount": "a", "newOrder": "o"}"#);
    assert_eq!(small, Directory::new("n", "a", "o"));
    assert!(serde_json::from_str::<Directory>("{}").is_err());
}

#[test]
fn an_order_is_read_whatever_its_status() {
    let order: Order = read(
        r#"{"status": "invalid", "expires": "2026-01-05T14:09:07.99Z",
            "identifiers": [{"type": "permanent-identifier", "value": "C02XK0AAJGH5"}],
            "notBefore": "2026-01-01T00:04:00+04:00", "authorizations": ["https://ca.example/z/1"],
            "error": {"type": "urn:ietf:params:acme:error:badCSR", "detail": "weak"},
            "finalize": "https://ca.example/f", "replaces": "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", "profile": "short"}"#,
    );
    assert_eq!(order.status, OrderStatus::Invalid);
    assert_eq!(order.not_before, "2025-12-31T20:04:00Z".parse().ok());
    assert_eq!(order.error.map(|error| error.kind), Some(ErrorType::BadCsr));
    let order: Order = read(r#"{"status":"sleeping","identifiers":[],"finalize":"f"}"#);
    assert_eq!(order.status.as_str(), "sleeping");
    assert!(serde_json::from_str::<Order>(r#"{"status":"valid","identifiers":[]}"#).is_err());
}

#[test]
fn what_is_not_set_is_not_written() {
    let json = |value: &dyn erased::Json| value.json();
    for (value, expected) in [
        (&NewAccount::default() as &dyn erased::Json, "{}"),
        (&AccountUpdate::default(), "{}"),
        (&AttestationResponse::default(), "{}"),
        (
            &AttestationResponse::new([0xfb, 0xff]),
            r#"{"attObj":"-_8"}"#,
        ),
        (
            &AuthorizationUpdate::deactivate(),
            r#"{"status":"deactivated"}"#,
        ),
        (&OrderList::default(), r#"{"orders":[]}"#),
        (&Finalize::new([0xfb]), r#"{"csr":"-w"}"#),
        (&RevokeCert::new([0xfb], None), r#"{"certificate":"-w"}"#),
        (
            &NewOrder::new([Identifier::dns("a.example")]),
            r#"{"identifiers":[{"type":"dns","value":"a.example"}]}"#,
        ),
        (&Account::new(AccountStatus::Valid), r#"{"status":"valid"}"#),
    ] {
        assert_eq!(json(value), expected);
    }
}

mod erased {
    pub(super) trait Json {
        fn json(&self) -> String;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> String {
            serde_json::to_string(self).unwrap()
        }
    }
}

#[test]
fn an_account_request_carries_its_binding() {
    let request: NewAccount = read(
        r#"{"contact":["mailto:ada@example.com"],"termsOfServiceAgreed":true,
            "externalAccountBinding":{"protected":"e30","payload":"e30","signature":"AA"}}"#,
    );
    assert!(request.terms_of_service_agreed && request.external_account_binding.is_some());
    let general = r#"{"externalAccountBinding":{"payload":"e30","signatures":[]}}"#;
    assert!(serde_json::from_str::<NewAccount>(general).is_err());
    // A server tells it in whatever form: the account is one all the same.
    let told = r#"{"status":"valid","externalAccountBinding":{"payload":"e30","signatures":[]}}"#;
    let account: Account = read(told);
    assert_eq!(account, Account::new(AccountStatus::Valid));
}

#[test]
fn what_is_null_or_a_time_that_is_not_set_is_not_asked_for() {
    let request: NewAccount =
        read(r#"{"contact":null,"termsOfServiceAgreed":null,"onlyReturnExisting":null}"#);
    assert_eq!(request, NewAccount::default());
    let account: Account = read(r#"{"status":"valid","contact":null}"#);
    assert_eq!(account, Account::new(AccountStatus::Valid));
    // As smallstep's client writes it.
    let order: NewOrder = read(
        r#"{"identifiers":[{"type":"dns","value":"a.example"}],
            "notBefore":"0001-01-01T00:00:00Z","notAfter":"0001-01-01T00:00:00Z"}"#,
    );
    assert_eq!(order, NewOrder::new([Identifier::dns("a.example")]));
    let order: NewOrder = read(r#"{"identifiers":[],"notAfter":"2026-01-01T00:00:00Z"}"#);
    assert!(order.not_after.is_some());
}

#[test]
fn challenges_of_every_type_are_read() {
    let authorization: Authorization = read(
        r#"{"identifier":{"type":"dns","value":"a.example"},"status":"invalid","expires":"2026-01-01T00:00:00Z",
            "wildcard":true,"challenges":[
            {"type":"http-01","url":"https://ca.example/c/1","status":"pending","token":"t"},
            {"type":"device-attest-01","url":"https://ca.example/c/2","status":"valid","token":"t",
             "validated":"2026-01-01T00:00:00Z"},
            {"type":"dns-persist-01","url":"https://ca.example/c/3","status":"invalid","issuer-domain-names":["x"],
             "error":{"type":"urn:ietf:params:acme:error:dns","detail":"no"}}]}"#,
    );
    assert_eq!(
        authorization.challenges[1].kind,
        ChallengeType::DeviceAttest01
    );
    assert_eq!(authorization.challenges[2].kind.as_str(), "dns-persist-01");
    assert_eq!(authorization.challenges[2].token, None);
    assert_eq!(
        authorization.problem().map(|it| &it.kind),
        Some(&ErrorType::Dns)
    );
    let problem = Problem::new(ErrorType::Dns, "no").with(|problem| problem.status = None);
    assert_eq!(authorization.problem(), Some(&problem));
}

#[test]
fn a_response_without_attestation_is_told_from_a_broken_one() {
    let empty: AttestationResponse = read("{}");
    assert_eq!(empty.att_obj, None);
    let whole: AttestationResponse = read(r#"{"attObj":"oGA","error":"x"}"#);
    assert_eq!(whole.att_obj.as_deref(), Some(&[0xa0, 0x60][..]));
    for broken in [
        r#"{"attObj":null}"#,
        r#"{"attObj":"oGA="}"#,
        r#"{"attObj":[]}"#,
    ] {
        assert!(
            serde_json::from_str::<AttestationResponse>(broken).is_err(),
            "{broken}"
        );
    }
}

#[test]
fn reasons_for_a_revocation_are_judged() {
    for (json, reason) in [
        (
            r#"{"certificate":"AA"}"#,
            Some(RevocationReason::Unspecified),
        ),
        (
            r#"{"certificate":"AA","reason":4}"#,
            Some(RevocationReason::Superseded),
        ),
        (r#"{"certificate":"AA","reason":7}"#, None),
        (r#"{"certificate":"AA","reason":8}"#, None),
    ] {
        assert_eq!(read::<RevokeCert>(json).reason(), reason, "{json}");
    }
    assert!(serde_json::from_str::<RevokeCert>(r#"{"certificate":"AA","reason":-1}"#).is_err());
}
