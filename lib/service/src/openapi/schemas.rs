//! The schemas of what crosses the wire, in JSON Schema 2020-12, which OpenAPI 3.1 uses.

use credlink_pipeline::{proof::ProofRecord, verdict::VerificationReport};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

use super::fields::{self, Sent, object};
use crate::{
    error::Envelope,
    routes::{health, uploads, verify},
    sign_answer, sign_request,
};

/// Every schema, by name.
pub(super) fn components() -> Map<String, Value> {
    let mut schemas = answers();
    schemas.extend(requests().map(|(name, schema)| (name.to_owned(), schema)));
    schemas
}

/// Of the types that answers are made of.
fn answers() -> Map<String, Value> {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = SchemaGenerator::new(settings);
    generator.subschema_for::<VerificationReport>();
    generator.subschema_for::<ProofRecord>();
    generator.subschema_for::<Envelope<'_>>();
    generator.subschema_for::<health::Report>();
    generator.subschema_for::<uploads::Ticket>();
    generator.subschema_for::<sign_answer::Kept<'_>>();
    let mut schemas = generator.take_definitions(true);
    schemas.values_mut().for_each(speak_of_json);
    schemas
}

/// Descriptions are the comments of the types: in them links become names, `None` becomes null, and lines become one.
fn speak_of_json(part: &mut Value) {
    match part {
        Value::Object(members) => {
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = without_targets(text).replace('\n', " ").replace("[`", "`").replace("`]", "`");
                *text = text.replace("`None`", "null");
            }
            members.values_mut().for_each(speak_of_json);
        }
        Value::Array(items) => items.iter_mut().for_each(speak_of_json),
        _ => {}
    }
}

/// A text whose links lead nowhere any more.
fn without_targets(text: &str) -> String {
    let mut pieces = text.split("](");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |done, piece| {
        let rest = piece.split_once(')').map_or("", |(_, rest)| rest);
        format!("{done}]{rest}")
    })
}

fn requests() -> [(&'static str, Value); 6] {
    [
        (
            "SignForm",
            object("An image, and what to say about it.", sign_request::FORM_FIELDS, &["image"], Sent::Form),
        ),
        (
            "SignUpload",
            object(
                "An upload, and what to say about it.",
                sign_request::JSON_FIELDS,
                &["uploadId"],
                Sent::Json,
            ),
        ),
        ("VerifyForm", object("An image.", verify::FORM_FIELDS, &["image"], Sent::Form)),
        ("VerifyUpload", object("An upload.", verify::JSON_FIELDS, &["uploadId"], Sent::Json)),
        (
            "UploadRequest",
            object(
                "What is going to be sent.",
                uploads::FIELDS,
                &["contentType", "contentLength"],
                Sent::Json,
            ),
        ),
        ("CustomAssertions", fields::custom_assertion_list()),
    ]
}
