//! The fields of requests. Their names are those that the routes themselves go by.

use credlink_pipeline::{
    asset::{Format, Limits},
    manifest::{DigitalSourceType, MAX_ASSERTIONS, MAX_ASSERTIONS_JSON, MAX_LABEL, MAX_TEXT, TrainingUse},
};
use serde_json::{Map, Value, json};

use super::operation::reference;

/// What is visible, and perhaps white space around it: no control and no direction characters.
const VISIBLE_TEXT: &str = r"^\s*[^\s{}]([^{}]*[^\s{}])?\s*$";

const FORBIDDEN: &str =
    r"\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\ufeff\u202a-\u202e\u2066-\u2069";

/// A reverse domain name, in no namespace of the standard or of this service, in any case, and without an instance number.
const LABEL: &str = "^(?!.*__)(?!([cC]2[pP][aA]|[cC][aA][wW][gG]|[sS][tT][dD][sS]|[cC][oO][mM]\\.[cC][rR][eE][dD][lL][iI][nN][kK])\\.)[A-Za-z0-9][A-Za-z0-9_-]*(\\.[A-Za-z0-9][A-Za-z0-9_-]*)+$";

/// How fields are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// As parts of a form, where an empty text is none.
    Form,
    /// As JSON.
    Json,
}

/// An object of the fields with these names, of which `required` must be there.
pub(super) fn object(description: &str, names: &[&str], required: &[&str], sent: Sent) -> Value {
    let properties: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), field(name, sent))).collect();
    json!({
        "description": description,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The schema of one field; null, which is no schema, for one that nobody described.
fn field(name: &str, sent: Sent) -> Value {
    match name {
        "image" => {
            described("The image: JPEG, PNG or WebP. Its name becomes part of the signed image's.", binary())
        }
        "uploadId" => {
            described("The upload that was sent before.", json!({"type": "string", "format": "uuid"}))
        }
        "creator" => described("Who made the picture; becomes `dc:creator`.", text(sent)),
        "title" => described("What it is called; becomes `dc:title`.", text(sent)),
        "digitalSourceType" => described(
            "What kind of picture it is: a term of the IPTC or of C2PA, or its URI. It makes the manifest say that the \
             picture was created, and not only opened.",
            source_type(sent),
        ),
        "training" => described(
            "Whether models may be trained on the picture (`cawg.training-mining`).",
            choice(TrainingUse::ALL.map(TrainingUse::name).map(str::to_owned).to_vec(), sent),
        ),
        "customAssertions" => custom_assertions(sent),
        "contentType" => described("The type of the image.", json!({"enum": mime_types()})),
        "contentLength" => described(
            "Its length in bytes.",
            json!({"type": "integer", "minimum": 1, "maximum": Limits::default().max_bytes}),
        ),
        "sha256" => described(
            "Its SHA-256, hexadecimal. Then nothing else is taken.",
            json!({"type": "string", "pattern": "^[0-9a-fA-F]{64}$"}),
        ),
        _ => Value::Null,
    }
}

fn described(description: &str, mut schema: Value) -> Value {
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("description".to_owned(), description.into());
    }
    schema
}

/// Bytes as they are.
pub(super) fn binary() -> Value {
    json!({"type": "string", "format": "binary"})
}

/// The media types of the three formats.
pub(super) fn mime_types() -> [&'static str; 3] {
    [Format::Jpeg, Format::Png, Format::WebP].map(Format::mime)
}

fn text(sent: Sent) -> Value {
    let pattern = VISIBLE_TEXT.replace("{}", FORBIDDEN);
    let pattern = if sent == Sent::Form { format!("^$|{pattern}") } else { pattern };
    json!({"type": "string", "maxLength": MAX_TEXT, "pattern": pattern})
}

fn source_type(sent: Sent) -> Value {
    let terms = DigitalSourceType::all();
    choice(terms.flat_map(|term| [term.name().to_owned(), term.uri()]).collect(), sent)
}

fn choice(mut words: Vec<String>, sent: Sent) -> Value {
    if sent == Sent::Form {
        words.push(String::new());
    }
    json!({"type": "string", "enum": words})
}

fn custom_assertions(sent: Sent) -> Value {
    let description = "Assertions of the caller's own.";
    let list = reference("schemas", "CustomAssertions");
    let text = json!({
        "type": "string",
        "maxLength": MAX_ASSERTIONS_JSON,
        "contentMediaType": "application/json",
        "contentSchema": list.clone(),
    });
    match sent {
        Sent::Form => described(description, text),
        Sent::Json => described(description, json!({"anyOf": [list, text]})),
    }
}

/// A list of assertions.
pub(super) fn custom_assertion_list() -> Value {
    json!({
        "description": format!(
            "Assertions of the caller's own, at most {MAX_ASSERTIONS_JSON} bytes of JSON together. They stand among the \
             gathered ones: the signer does not vouch for them. Whole numbers in them end at 9223372036854775807."
        ),
        "type": "array",
        "maxItems": MAX_ASSERTIONS,
        "items": {
            "type": "object",
            "properties": {
                "label": {
                    "description": "A reverse domain name. Those that begin with `c2pa.`, `cawg.`, `stds.` or \
                                    `com.credlink.` are reserved.",
                    "type": "string",
                    "maxLength": MAX_LABEL,
                    "pattern": LABEL,
                },
                "data": {"description": "An object, at most 32 levels deep.", "type": "object"},
            },
            "required": ["label", "data"],
            "additionalProperties": false,
        },
        "example": [{"label": "com.example.desk", "data": {"assignment": 7}}],
    })
}
