//! The words that Apple's schema uses, for what the tables hold as enums.

use mdm_schema::{
    Kind,
    model::{AllowedEnrollment, AllowedScope, Apply, Combine, Literal, Mode, TextType, ValueType},
};
use serde_json::Value;

use crate::json;

/// The kind's name in JSON and on the command line.
pub(crate) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::CheckIn => "checkIn",
        Kind::CheckInResponse => "checkInResponse",
        Kind::Command => "command",
        Kind::Response => "response",
        Kind::Payload => "payload",
        Kind::Configuration => "configuration",
        Kind::Asset => "asset",
        Kind::Management => "management",
        Kind::Activation => "activation",
        Kind::Credential => "credential",
        Kind::StatusItem => "statusItem",
        Kind::Protocol => "protocol",
        Kind::ErrorBody => "errorBody",
        _ => "document",
    }
}

pub(crate) fn value_type(value: ValueType) -> &'static str {
    match value {
        ValueType::String => "string",
        ValueType::Integer => "integer",
        ValueType::Real => "real",
        ValueType::Boolean => "boolean",
        ValueType::Date => "date",
        ValueType::Data => "data",
        ValueType::Array => "array",
        ValueType::Dictionary => "dictionary",
        _ => "any",
    }
}

pub(crate) fn text_type(text: TextType) -> &'static str {
    match text {
        TextType::Hostname => "hostname",
        TextType::Email => "email",
        _ => "url",
    }
}

pub(crate) fn apply(apply: Apply) -> &'static str {
    match apply {
        Apply::Single => "single",
        Apply::Multiple => "multiple",
        _ => "combined",
    }
}

pub(crate) fn combine(combine: Combine) -> &'static str {
    match combine {
        Combine::BooleanOr => "boolean-or",
        Combine::BooleanAnd => "boolean-and",
        Combine::NumberMin => "number-min",
        Combine::NumberMax => "number-max",
        Combine::EnumFirst => "enum-first",
        Combine::EnumLast => "enum-last",
        Combine::ArrayAppend => "array-append",
        Combine::SetUnion => "set-union",
        Combine::SetIntersection => "set-intersection",
        _ => "first",
    }
}

pub(crate) fn enrollment(enrollment: AllowedEnrollment) -> &'static str {
    match enrollment {
        AllowedEnrollment::Supervised => "supervised",
        AllowedEnrollment::Device => "device",
        AllowedEnrollment::User => "user",
        _ => "local",
    }
}

pub(crate) fn scope(scope: AllowedScope) -> &'static str {
    match scope {
        AllowedScope::System => "system",
        AllowedScope::User => "user",
        _ => "local",
    }
}

pub(crate) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Allowed => "allowed",
        Mode::Required => "required",
        Mode::Forbidden => "forbidden",
        _ => "ignored",
    }
}

pub(crate) fn literal(literal: Literal) -> Value {
    match literal {
        Literal::String(text) => text.into(),
        Literal::Integer(number) => number.into(),
        Literal::Real(number) => json::real(number),
        Literal::Boolean(flag) => flag.into(),
        _ => Value::Null,
    }
}
