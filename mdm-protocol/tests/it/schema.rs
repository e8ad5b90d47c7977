//! The hand-written documents against the schema's tables: every key that Apple lists is known.

use mdm_plist::{Data, Date, Dictionary, Kept, Value};
use mdm_protocol::{
    CheckIn,
    checkin::{
        GetBootstrapToken, GetBootstrapTokenResponse, GetTokenResponse, ReturnToServiceResponse,
        SetBootstrapToken,
    },
    ddm::{self, Declaration, DeclarationItemsResponse, StatusReport, TokensResponse, json},
    enroll::MachineInfo,
};
use mdm_schema::{Key, Kind, Rule, Schema, find, model::Literal, model::ValueType, schemas};
use serde::{Serialize, de::DeserializeOwned};

use crate::UDID;

/// A document that holds every key of a schema once.
fn whole(schema: &Schema) -> Dictionary {
    entries(schema.keys)
}

fn entries(keys: &[Key]) -> Dictionary {
    keys.iter()
        .filter(|key| !key.wildcard)
        .map(|key| (key.name.to_owned(), value(key)))
        .collect()
}

fn value(key: &Key) -> Value {
    let date = || Date::from_xml_format("2026-11-05T09:00:00Z").unwrap();
    match (key.allowed.first().map(|choice| choice.value), key.value) {
        (Some(Literal::String(text)), _) => text.into(),
        (Some(Literal::Integer(number)), _) => number.into(),
        // The schema leaves out what is inside.
        _ if key.name == "SyncTokens" => Value::Dictionary(Dictionary::from_iter([
            ("DeclarationsToken", Value::from("x")),
            ("Timestamp", date().to_xml_format().into()),
        ])),
        (_, ValueType::String) => "x".into(),
        (_, ValueType::Integer) => 1.into(),
        (_, ValueType::Real) => 1.5.into(),
        (_, ValueType::Date) => date().into(),
        (_, ValueType::Data) => Value::Data(Data::new(vec![1, 2]).into()),
        (_, ValueType::Array) => Value::Array(key.keys.iter().map(value).collect()),
        (_, ValueType::Dictionary) => entries(key.keys).into(),
        _ => true.into(),
    }
}

/// Decodes it, and demands that nothing was passed over and that it is written back as it was.
fn assert_knows<T: Serialize + DeserializeOwned>(schema: &Schema) {
    let document = whole(schema);
    let kept = Kept::<T>::from_dictionary(document.clone()).unwrap();
    assert_eq!(kept.unknown(), [], "{}", schema.name);
    let written = mdm_plist::to_value(&kept.value).unwrap();
    assert_eq!(written, Value::Dictionary(document), "{}", schema.name);
}

#[test]
fn every_check_in_message_knows_every_key() {
    let messages = schemas(Kind::CheckIn);
    assert_eq!(messages.len(), CheckIn::MESSAGE_TYPES.len());
    for schema in messages {
        let document = whole(schema);
        let (message, unknown) = CheckIn::from_dictionary(document.clone()).unwrap();
        assert_eq!(message.message_type(), schema.name);
        assert_eq!(unknown, [], "{}", schema.name);
        let written = mdm_plist::to_value(&message).unwrap();
        assert_eq!(written, Value::Dictionary(document), "{}", schema.name);
        assert_eq!(message.validate(None), [], "{}", schema.name);
    }
}

#[test]
fn every_answer_to_a_check_in_message_knows_every_key() {
    for schema in schemas(Kind::CheckInResponse) {
        match schema.name {
            "GetBootstrapToken" => assert_knows::<GetBootstrapTokenResponse>(schema),
            "GetToken" => assert_knows::<GetTokenResponse>(schema),
            "ReturnToService" => assert_knows::<ReturnToServiceResponse>(schema),
            name => panic!("{name} has no type"),
        }
    }
}

#[test]
fn machine_info_knows_every_key() {
    assert_knows::<MachineInfo>(find(Kind::Document, "MachineInfo").unwrap());
}

#[test]
fn the_documents_of_the_declarative_protocol_know_every_key() {
    fn assert_knows<T: Serialize + DeserializeOwned>(schema: &Schema) -> T {
        let document = serde_json::Value::Object(json::from_dictionary(&whole(schema)).unwrap());
        let read: T = ddm::decode(&serde_json::to_vec(&document).unwrap()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), document);
        read
    }
    for schema in schemas(Kind::Protocol) {
        match schema.name {
            "TokensResponse" => drop(assert_knows::<TokensResponse>(schema)),
            "DeclarationItemsResponse" => drop(assert_knows::<DeclarationItemsResponse>(schema)),
            "StatusReport" => assert!(assert_knows::<StatusReport>(schema).unknown.is_empty()),
            "DeclarationBase" => assert!(assert_knows::<Declaration>(schema).unknown.is_empty()),
            // Part of status items; its own type is among theirs.
            "status-reason" => {}
            name => panic!("{name} has no type"),
        }
    }
}

#[test]
fn a_check_in_message_is_checked_against_a_target() {
    let target = "tvos:18.0".parse().unwrap();
    let token = SetBootstrapToken::new(UDID.parse().unwrap(), vec![1].into());
    for message in [
        CheckIn::from(GetBootstrapToken::new(UDID.parse().unwrap())),
        token.into(),
    ] {
        // Schema and documentation disagree about which systems send them.
        assert_eq!(message.validate(Some(&target)), []);
    }
    let message = mdm_protocol::checkin::UserAuthenticate::new(UDID.parse().unwrap(), "U");
    let findings = CheckIn::from(message).validate(Some(&target));
    assert_eq!(findings[0].rule, Rule::NotAvailable);
}
