//! What a batch is begun with, as one hash: a run with other options is not the same batch.

use std::path::Path;

use credlink_pipeline::{
    digest::Sha256Hash,
    manifest::{Creator, DigitalSourceType, SignOptions, Title, TrainingUse},
};
use serde_json::{Value, json};

/// Collects what makes a batch another one.
#[derive(Debug, Default)]
pub(crate) struct Terms(Vec<u8>);

impl Terms {
    /// Adds one fact under its name.
    pub(crate) fn add(&mut self, name: &str, bytes: &[u8]) {
        for part in [name.as_bytes(), bytes] {
            // With its length, so that no two lists of facts look the same.
            self.0.extend_from_slice(&(part.len() as u64).to_be_bytes());
            self.0.extend_from_slice(part);
        }
    }

    /// Adds a path.
    pub(crate) fn add_path(&mut self, name: &str, path: &Path) {
        self.add(name, path.as_os_str().as_encoded_bytes());
    }

    /// Adds what is said about every image.
    pub(crate) fn add_options(&mut self, options: &SignOptions) {
        let assertions: Vec<Value> =
            options.custom_assertions.iter().map(|own| json!([own.label(), own.data()])).collect();
        let said = json!([
            options.creator.as_ref().map(Creator::as_str),
            options.title.as_ref().map(Title::as_str),
            options.digital_source_type.map(DigitalSourceType::uri),
            options.training.map(TrainingUse::name),
            assertions,
        ]);
        self.add("options", said.to_string().as_bytes());
    }

    /// The hash.
    pub(crate) fn hash(&self) -> Sha256Hash {
        Sha256Hash::of(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_counts() {
        let hash = |creator: Option<&str>, folder: &str| {
            let mut terms = Terms::default();
            let creator = creator.map(|text| text.parse().unwrap());
            terms.add_options(&SignOptions { creator, ..SignOptions::default() });
            terms.add_path("output", Path::new(folder));
            terms.hash()
        };
        assert_eq!(hash(Some("a"), "out"), hash(Some("a"), "out"));
        assert_ne!(hash(Some("a"), "out"), hash(Some("b"), "out"));
        assert_ne!(hash(Some("a"), "out"), hash(None, "out"));
        assert_ne!(hash(Some("a"), "out"), hash(Some("a"), "elsewhere"));
    }
}
