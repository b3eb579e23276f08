//! The history of a manifest as JSON: the ingredients that it was made from, those that they were made from, and so on.

use std::collections::HashSet;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use c2pa::{Ingredient, Manifest, Reader, validation_status::ValidationStatus};
use serde_json::{Value, json};

use crate::asset::Format;

/// The most entries in a history; longer ones are cut, the oldest first.
const MAX_HISTORY: usize = 200;

/// The longest thumbnail that is handed on, in bytes. Those of the usual 1024 pixels have half of it.
const MAX_THUMBNAIL: usize = 256 << 10;

/// How long all thumbnails of a history may be together, in bytes; the newest come first.
const MAX_THUMBNAILS: usize = 768 << 10;

/// The ingredients of the active manifest, then theirs, and so on. Each manifest is entered once. Every entry names the
/// manifest whose ingredient it is, so that they make a tree.
pub(super) fn history(reader: &Reader, active: &Manifest) -> Vec<Value> {
    let mut seen: HashSet<&str> = active.label().into_iter().collect();
    let mut room = MAX_THUMBNAILS;
    let mut entries = Vec::new();
    let mut level = ingredients(1, active);
    while !level.is_empty() && entries.len() < MAX_HISTORY {
        let mut next = Vec::new();
        for step in level.into_iter().take(MAX_HISTORY - entries.len()) {
            let manifest = step.ingredient.active_manifest().and_then(|label| reader.get_manifest(label));
            entries.push(step.entry(manifest, &mut room));
            if let Some(manifest) = manifest
                && manifest.label().is_some_and(|label| seen.insert(label))
            {
                next.extend(ingredients(step.depth + 1, manifest));
            }
        }
        level = next;
    }
    entries
}

/// One ingredient on the way from the newest to the oldest.
struct Step<'a> {
    depth: usize,
    /// The label of the manifest whose ingredient it is.
    owner: Option<&'a str>,
    ingredient: &'a Ingredient,
}

fn ingredients(depth: usize, manifest: &Manifest) -> Vec<Step<'_>> {
    let owner = manifest.label();
    manifest.ingredients().iter().map(|ingredient| Step { depth, owner, ingredient }).collect()
}

impl Step<'_> {
    /// The entry, and what `room` is left for further thumbnails.
    fn entry(&self, manifest: Option<&Manifest>, room: &mut usize) -> Value {
        let Self { depth, owner, ingredient } = self;
        let mut entry = json!({
            "depth": depth,
            "ingredientOf": owner,
            "title": ingredient.title(),
            "format": ingredient.format(),
            "relationship": ingredient.relationship(),
            "manifest": ingredient.active_manifest(),
            "issuer": manifest.and_then(Manifest::issuer),
            "signedAt": manifest.and_then(Manifest::time),
            "claimGenerator": manifest.and_then(|manifest| manifest.claim_generator_info.as_ref()?.first().map(|info| &info.name)),
            "digitalSourceType": manifest.and_then(digital_source_type),
            "validationState": ingredient.validation_results().map(|results| format!("{:?}", results.validation_state()).to_lowercase()),
            "failures": ingredient.validation_status().unwrap_or_default().iter().map(ValidationStatus::code).collect::<Vec<_>>(),
        });
        if let (Some(picture), Some(fields)) = (thumbnail(ingredient, manifest, *room), entry.as_object_mut())
        {
            *room -= picture.bytes.len();
            fields.insert(THUMBNAIL.to_owned(), picture.json());
        }
        entry
    }
}

/// The field of an entry that holds its thumbnail.
pub(crate) const THUMBNAIL: &str = "thumbnail";

/// A picture that browsers show.
struct Thumbnail {
    format: Format,
    bytes: Vec<u8>,
}

impl Thumbnail {
    fn json(&self) -> Value {
        json!({"contentType": self.format.mime(), "data": BASE64_STANDARD.encode(&self.bytes)})
    }
}

/// The ingredient's own thumbnail, else that of its manifest, if it is JPEG, PNG or WebP by its bytes and has at most
/// `room` bytes.
fn thumbnail(ingredient: &Ingredient, manifest: Option<&Manifest>, room: usize) -> Option<Thumbnail> {
    let (_, bytes) = ingredient.thumbnail().or_else(|| manifest?.thumbnail())?;
    let format = Format::detect(&bytes)?;
    (bytes.len() <= MAX_THUMBNAIL.min(room)).then(|| Thumbnail { format, bytes: bytes.into_owned() })
}

/// The first digital source type that a manifest's actions name.
fn digital_source_type(manifest: &Manifest) -> Option<String> {
    let lists = manifest.assertions().iter().filter(|one| one.label().starts_with("c2pa.actions"));
    let mut actions = lists.filter_map(|list| list.value().ok()?.get("actions")?.as_array()).flatten();
    actions.find_map(|action| action.get("digitalSourceType")?.as_str().map(str::to_owned))
}
