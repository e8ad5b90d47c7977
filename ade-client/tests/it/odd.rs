//! Whatever comes, nothing panics and no device goes without a result.

use ade_client::{
    Error,
    endpoint::{
        ActivationLock, AssignProfile, DisownDevices, FetchDevices, FetchProfile, FetchRoster,
        GetAccount, GetBetaEnrollmentTokens, GetDeviceDetails, GetReplacementDetails,
        RemoveProfile,
    },
    model::{Device, RosterClass},
};
use bytes::Bytes;
use http::Response;
use mdm_transport::ApiRequest;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

const KEYS: &str = "serial_number|devices|response_status|cursor|more_to_follow|imei|op_type|op_date|\
                    color|is_replacement_device|wifi_mac_address|profile_uuid|retry_after_seconds|\
                    urls|limit|maximum|classes|course|betaEnrollmentTokens|token|\
                    skip_setup_items|anchor_certs|[a-z]{1,3}";

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        "(SUCCESS|FAILED|added|iPad||[ -~]{0,6})".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            object(inner).prop_map(Value::from),
        ]
    })
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(KEYS, value, 0..6).prop_map(Map::from_iter)
}

fn read<R: ApiRequest<Error = Error>>(
    request: &R,
    status: u16,
    body: &Bytes,
) -> Option<R::Response> {
    let response = Response::builder()
        .status(status)
        .body(body.clone())
        .unwrap();
    request.from_http(response).ok()
}

fn read_all(status: u16, body: &Bytes) {
    let sent = serials(2);
    let device = || sent[0].clone();
    if let Some(answer) = read(&GetDeviceDetails::new(sent.clone()), status, body) {
        assert_eq!(answer.devices.len(), 2);
    }
    if let Some(answer) = read(&DisownDevices::new(sent.clone()), status, body) {
        assert_eq!(answer.devices.len(), 2);
    }
    if let Some(answer) = read(&RemoveProfile::new(sent.clone()), status, body) {
        assert_eq!(answer.devices.len(), 2);
    }
    if let Some(answer) = read(&AssignProfile::new("P", sent.clone()), status, body) {
        assert_eq!(answer.devices.len(), 2);
    }
    read(&FetchDevices::first(), status, body);
    read(&FetchRoster::<RosterClass>::first(), status, body);
    read(&FetchProfile::new("P"), status, body);
    read(&GetAccount::new(), status, body);
    read(&GetBetaEnrollmentTokens::new(), status, body);
    read(&GetReplacementDetails::new(device()), status, body);
    read(&ActivationLock::without_code(device()), status, body);
}

/// The keys of a device among [`KEYS`].
const KNOWN: [&str; 8] = [
    "serial_number",
    "color",
    "profile_uuid",
    "op_type",
    "op_date",
    "imei",
    "wifi_mac_address",
    "is_replacement_device",
];

/// What a device is written as: without a known key that says nothing.
fn tidied(mut object: Map<String, Value>) -> Map<String, Value> {
    object.retain(|key, value| !value.is_null() || !KNOWN.contains(&key.as_str()));
    object
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_answer_makes_a_reader_panic(
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            json_value().prop_map(|value| value.to_string().into_bytes()),
            object(json_value()).prop_map(|map| Value::from(map).to_string().into_bytes()),
        ],
        status in prop_oneof![Just(200_u16), 200_u16..600],
    ) {
        read_all(status, &Bytes::from(body));
    }

    #[test]
    fn a_device_is_written_as_it_was_read(object in object(json_value())) {
        let device: Device = serde_json::from_value(object.clone().into()).unwrap();
        let written = serde_json::to_value(&device).unwrap();
        prop_assert_eq!(&written, &Value::from(tidied(object)));
        let again: Device = serde_json::from_str(&written.to_string()).unwrap();
        prop_assert_eq!(again, device);
    }
}
