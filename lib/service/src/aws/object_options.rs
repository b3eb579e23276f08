//! What the metadata of an object says about how to sign it.

use std::{collections::HashMap, str::FromStr};

use credlink_pipeline::manifest::{CustomAssertion, SignOptions};
use thiserror::Error;

/// Metadata that is understood; all other belongs to somebody else and is left alone. On the wire each name has
/// `x-amz-meta-` in front.
const NAMES: [&str; 5] = ["creator", "title", "digital-source-type", "custom-assertions", "training"];

/// The options, and the bytes that tell two sets of options apart.
#[derive(Clone, Debug)]
pub(super) struct ObjectOptions {
    /// The options.
    pub(super) sign: SignOptions,
    /// The same for the same options, different for different ones.
    pub(super) canonical: Vec<u8>,
}

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the object's metadata {name}: {reason}; put the object again with another value")]
pub(super) struct BadMetadata {
    name: &'static str,
    reason: String,
}

/// The options in `metadata`. S3 hands values that are not ASCII out as encoded words (RFC 2047), which are decoded.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
///
/// # Errors
/// The first value that cannot be used.
pub(super) fn parse(metadata: &HashMap<String, String>) -> Result<ObjectOptions, BadMetadata> {
    let sign = SignOptions {
        creator: parsed(metadata, "creator")?,
        title: parsed(metadata, "title")?,
        digital_source_type: parsed(metadata, "digital-source-type")?,
        custom_assertions: match text(metadata, "custom-assertions")? {
            None => Vec::new(),
            Some(json) => CustomAssertion::parse_list(&json)
                .map_err(|error| BadMetadata { name: "custom-assertions", reason: error.to_string() })?,
        },
        training: parsed(metadata, "training")?,
    };
    let known: Vec<Option<&String>> = NAMES.iter().map(|name| metadata.get(*name)).collect();
    // A list of texts is always JSON.
    let canonical = serde_json::to_vec(&known).unwrap_or_default();
    Ok(ObjectOptions { sign, canonical })
}

fn parsed<T>(metadata: &HashMap<String, String>, name: &'static str) -> Result<Option<T>, BadMetadata>
where
    T: FromStr,
    T::Err: ToString,
{
    let Some(text) = text(metadata, name)? else { return Ok(None) };
    text.parse().map(Some).map_err(|error: T::Err| BadMetadata { name, reason: error.to_string() })
}

fn text(metadata: &HashMap<String, String>, name: &'static str) -> Result<Option<String>, BadMetadata> {
    let Some(value) = metadata.get(name).filter(|value| !value.is_empty()) else { return Ok(None) };
    if !value.contains("=?") {
        return Ok(Some(value.clone()));
    }
    rfc2047_decoder::decode(value)
        .map(Some)
        .map_err(|error| BadMetadata { name, reason: format!("it cannot be decoded: {error}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn values_become_options_and_foreign_ones_stay_alone() {
        let options = parse(&metadata(&[
            ("creator", "=?UTF-8?B?SsO8cmdlbiBNw7xsbGVy?="),
            ("digital-source-type", "trainedAlgorithmicMedia"),
            ("custom-assertions", r#"[{"label":"com.example.desk","data":{"desk":"sports"}}]"#),
            ("camera-operator", "=?broken"),
        ]))
        .unwrap();
        assert_eq!(options.sign.creator.unwrap().as_str(), "Jürgen Müller");
        assert!(options.sign.digital_source_type.is_some());
        assert_eq!(options.sign.custom_assertions.len(), 1);
        assert_eq!(options.sign.title, None);
    }

    #[test]
    fn a_bad_value_is_named() {
        for (name, value) in
            [("training", "perhaps"), ("digital-source-type", "painted"), ("custom-assertions", "{")]
        {
            let error = parse(&metadata(&[(name, value)])).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn other_options_are_other_bytes() {
        let canonical = |pairs| parse(&metadata(pairs)).unwrap().canonical;
        assert_eq!(canonical(&[("creator", "A"), ("x", "1")]), canonical(&[("creator", "A"), ("x", "2")]));
        assert_ne!(canonical(&[("creator", "A")]), canonical(&[("title", "A")]));
        assert_ne!(canonical(&[("creator", "A")]), canonical(&[]));
    }
}
