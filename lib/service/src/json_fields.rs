//! The fields of a request in JSON: each at most once, none that the route does not know, and of the right type.

use std::fmt;

use axum::body::Body;
use credlink_pipeline::unique_json::UniqueValue;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use crate::{
    body::{self, BodyMemory},
    error::{ApiError, ErrorCode},
    form::{self, field_error},
};

/// The longest body, in bytes.
const MAX_LENGTH: usize = 1 << 20;

/// The fields of one JSON object.
pub(crate) struct JsonFields(Vec<(String, Value)>);

impl JsonFields {
    /// Reads a body with no other fields than `known`.
    pub(crate) async fn read(
        request_body: Body,
        known: &'static [&'static str],
        memory: &BodyMemory,
    ) -> Result<Self, ApiError> {
        let bytes = body::read_at_most(request_body, MAX_LENGTH, memory, |_| too_long()).await?;
        let Entries(fields) = serde_json::from_slice(&bytes).map_err(|error| malformed(&error))?;
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        form::check_names(&names, known)?;
        Ok(Self(fields))
    }

    /// The value of a field; `None` when the field is missing.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        let index = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(index).1)
    }

    /// The text of a field; `None` when the field is missing.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(field_error(
                name,
                "The field is not a string. Send a string, or leave it out.".to_owned(),
            )),
        }
    }

    /// The text of a field that must be there.
    pub(crate) fn required_text(&mut self, name: &str) -> Result<String, ApiError> {
        self.text(name)?.ok_or_else(|| missing(name))
    }
}

/// A field that must be there is not.
pub(crate) fn missing(name: &str) -> ApiError {
    field_error(name, format!("The field \"{name}\" is missing."))
}

fn too_long() -> ApiError {
    ApiError::new(
        ErrorCode::FileTooLarge,
        "The JSON is longer than 1 MB. Send less; an image comes as an upload.",
    )
    .with_detail("limitBytes", MAX_LENGTH)
}

fn malformed(error: &serde_json::Error) -> ApiError {
    let place = format!("line {}, column {}", error.line(), error.column());
    ApiError::new(
        ErrorCode::InvalidRequest,
        format!(
            "The body cannot be read at {place}: it is no JSON object, or an object in it has two members of one name."
        ),
    )
}

/// All entries of an object in order, also when a name comes twice, which is then told of the field. A map would keep the
/// last one only.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries, M::Error> {
                let mut entries = Vec::new();
                while let Some((name, UniqueValue(value))) = map.next_entry()? {
                    entries.push((name, value));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}
