//! Assertions of the caller's own: a label that is theirs to use, and bounded JSON.

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::unique_json;

/// The most custom assertions in one manifest.
pub const MAX_ASSERTIONS: usize = 32;
/// The longest text of all custom assertions together, in bytes of JSON.
pub const MAX_ASSERTIONS_JSON: usize = 256 * 1024;
/// How deep objects and arrays may stand inside each other.
const MAX_DEPTH: usize = 32;
/// The longest label, in characters.
pub const MAX_LABEL: usize = 128;

/// Namespaces that belong to the standard or to this service: only they may speak in them.
const RESERVED: [&str; 4] = ["c2pa", "cawg", "stds", "com.credlink"];

/// One assertion of the caller's own, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomAssertion {
    label: String,
    data: Map<String, Value>,
}

/// Why custom assertions were refused. `index` counts from 0.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CustomAssertionError {
    /// Too long as a whole.
    #[error("customAssertions has {length} bytes; at most {} are allowed", MAX_ASSERTIONS_JSON)]
    TooLong {
        /// How many bytes came.
        length: usize,
    },
    /// Not a JSON array of `{label, data}` objects.
    #[error("customAssertions is not a JSON array of {{\"label\", \"data\"}} objects: {reason}")]
    NotJson {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// Too many entries.
    #[error("customAssertions has {count} entries; at most {} are allowed", MAX_ASSERTIONS)]
    TooMany {
        /// How many came.
        count: usize,
    },
    /// The label is not a reverse domain name.
    #[error(
        "customAssertions[{index}].label is not a reverse domain name such as com.example.photo-desk (at most {} characters, no double underscore)",
        MAX_LABEL
    )]
    BadLabel {
        /// Which entry.
        index: usize,
    },
    /// The label's namespace is reserved.
    #[error(
        "customAssertions[{index}].label starts with {namespace}., which is reserved; use a name of your own domain"
    )]
    ReservedLabel {
        /// Which entry.
        index: usize,
        /// The namespace.
        namespace: &'static str,
    },
    /// A whole number that the C2PA engine cannot write.
    #[error(
        "customAssertions[{index}].data has the number {number}; whole numbers end at {}, so send it as a text",
        i64::MAX
    )]
    LargeNumber {
        /// Which entry.
        index: usize,
        /// The number.
        number: u64,
    },
    /// Nested too deep.
    #[error("customAssertions[{index}].data is nested deeper than {} levels", MAX_DEPTH)]
    TooDeep {
        /// Which entry.
        index: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    label: String,
    #[serde(deserialize_with = "unique_json::object")]
    data: Map<String, Value>,
}

impl CustomAssertion {
    /// Parses the JSON array that callers send.
    ///
    /// # Errors
    /// [`CustomAssertionError`], which says what is wrong and where.
    pub fn parse_list(json: &str) -> Result<Vec<Self>, CustomAssertionError> {
        if json.len() > MAX_ASSERTIONS_JSON {
            return Err(CustomAssertionError::TooLong { length: json.len() });
        }
        let entries: Vec<Entry> = serde_json::from_str(json)
            .map_err(|error| CustomAssertionError::NotJson { reason: error.to_string() })?;
        if entries.len() > MAX_ASSERTIONS {
            return Err(CustomAssertionError::TooMany { count: entries.len() });
        }
        entries.into_iter().enumerate().map(|(index, entry)| Self::check(index, entry)).collect()
    }

    /// The label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The data.
    pub fn data(&self) -> &Map<String, Value> {
        &self.data
    }

    fn check(index: usize, entry: Entry) -> Result<Self, CustomAssertionError> {
        if !is_reverse_domain_name(&entry.label) {
            return Err(CustomAssertionError::BadLabel { index });
        }
        let lower = entry.label.to_ascii_lowercase();
        let namespace = RESERVED
            .into_iter()
            .find(|name| lower.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
        if let Some(namespace) = namespace {
            return Err(CustomAssertionError::ReservedLabel { index, namespace });
        }
        if !entry.data.values().all(|value| is_shallow(value, MAX_DEPTH - 1)) {
            return Err(CustomAssertionError::TooDeep { index });
        }
        if let Some(number) = entry.data.values().find_map(large_number) {
            return Err(CustomAssertionError::LargeNumber { index, number });
        }
        Ok(Self { label: entry.label, data: entry.data })
    }
}

/// A whole number in `value` beyond 64 bits with a sign. `value` is shallow.
fn large_number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().filter(|number| i64::try_from(*number).is_err()),
        Value::Array(items) => items.iter().find_map(large_number),
        Value::Object(members) => members.values().find_map(large_number),
        _ => None,
    }
}

/// The label grammar of C2PA 2.4, section 6.2, without `__`, which separates an instance number.
fn is_reverse_domain_name(label: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    label.len() <= MAX_LABEL
        && !label.contains("__")
        && label.split('.').count() >= 2
        && label.split('.').all(is_part)
}

/// The recursion ends with the parser's own depth limit of 128 at the latest.
fn is_shallow(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_shallow(item, levels - 1)),
        Value::Object(fields) => levels > 0 && fields.values().all(|field| is_shallow(field, levels - 1)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(json: &str) -> CustomAssertionError {
        CustomAssertion::parse_list(json).unwrap_err()
    }

    #[test]
    fn a_whole_number_has_64_bits_with_a_sign() {
        let list =
            |number: &str| format!(r#"[{{"label": "com.example.a", "data": {{"b": [{{"c": {number}}}]}}}}]"#);
        for good in ["9223372036854775807", "-9223372036854775808", "1e300", "0.5"] {
            assert!(CustomAssertion::parse_list(&list(good)).is_ok(), "{good}");
        }
        assert_eq!(
            CustomAssertion::parse_list(&list("9223372036854775808")),
            Err(CustomAssertionError::LargeNumber { index: 0, number: 9_223_372_036_854_775_808 })
        );
    }

    #[test]
    fn takes_a_list_of_labels_and_objects() {
        let list = CustomAssertion::parse_list(r#"[{"label":"com.example.desk","data":{"id":7}}]"#).unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].label(), "com.example.desk");
        assert_eq!(list[0].data()["id"], 7);
        assert!(CustomAssertion::parse_list("[]").unwrap().is_empty());
    }

    #[test]
    fn reserved_namespaces_are_refused_in_any_case() {
        for label in ["c2pa.actions", "C2PA.hash.data", "cawg.identity", "stds.exif", "com.credlink.proof"] {
            let json = format!(r#"[{{"label":"{label}","data":{{}}}}]"#);
            assert!(
                matches!(error_of(&json), CustomAssertionError::ReservedLabel { index: 0, .. }),
                "{label}"
            );
        }
        assert!(CustomAssertion::parse_list(r#"[{"label":"c2pax.note","data":{}}]"#).is_ok());
    }

    #[test]
    fn labels_are_reverse_domain_names() {
        for label in
            ["", "note", "com..x", ".com.x", "com.x.", "com.x__1", "com.a b", "com.é", "com.-x", "a/b.c"]
        {
            let json = serde_json::json!([{"label": label, "data": {}}]).to_string();
            assert_eq!(error_of(&json), CustomAssertionError::BadLabel { index: 0 }, "{label}");
        }
    }

    #[test]
    fn what_is_not_such_a_list_says_where() {
        for json in ["", "nonsense", "{}", r#"[{"label":"com.x"}]"#, r#"[{"label":"com.x","data":[]}]"#] {
            assert!(matches!(error_of(json), CustomAssertionError::NotJson { .. }), "{json}");
        }
        assert!(error_of("[,]").to_string().contains("line 1 column"));
    }

    #[test]
    fn size_count_and_depth_are_bounded() {
        let long = format!(r#"[{{"label":"com.x","data":{{"a":"{}"}}}}]"#, "x".repeat(5 * 1024 * 1024));
        assert!(matches!(error_of(&long), CustomAssertionError::TooLong { .. }));
        let many = format!("[{}]", vec![r#"{"label":"com.x","data":{}}"#; 33].join(","));
        assert_eq!(error_of(&many), CustomAssertionError::TooMany { count: 33 });
        let nested = |levels: usize| {
            format!(r#"[{{"label":"com.x","data":{{"a":{}{}}}}}]"#, "[".repeat(levels), "]".repeat(levels))
        };
        assert!(CustomAssertion::parse_list(&nested(MAX_DEPTH - 1)).is_ok());
        assert_eq!(error_of(&nested(MAX_DEPTH)), CustomAssertionError::TooDeep { index: 0 });
        assert!(matches!(error_of(&nested(1_000)), CustomAssertionError::NotJson { .. }));
    }
}
