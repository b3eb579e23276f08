//! The steps of the cascade for files whose credential is not in its place: misplaced, scattered, broken, in pieces.

use bytes::Bytes;
use memchr::memmem;

use super::{
    BROKEN_STORE, Extraction, FoundStore, PIECES_OF_A_STORE, Salvaged, Source,
    loose::{self, JsonManifest},
    salvage,
};
use crate::{asset::Asset, recovery::from_private};

/// A manifest store anywhere else: before or after the end of the image, in other segments or chunks, in what
/// cannot be walked. Two are as good as none, as everywhere.
pub(super) fn misplaced_store(asset: &Asset, extraction: &mut Extraction) {
    let mut stores = salvage::misplaced_stores(asset);
    if stores.len() < 2
        && let Some(gathered) = salvage::gathered_store(asset)
    {
        take_gathered_store(gathered, extraction);
        return;
    }
    if stores.is_empty() {
        return;
    }
    extraction.corrupted = true;
    if stores.len() > 1 {
        extraction
            .note("there are several manifest stores in places where none belongs; none of them counts");
        return;
    }
    let Some(found) = stores.pop() else {
        return;
    };
    let is_whole = found.is_whole && !salvage::is_broken(&found.bytes);
    let place = if is_whole { "a manifest store" } else { "a part of a manifest store" };
    extraction.note(format!("{place} was found at byte {}, where none belongs", found.offset));
    take_misplaced_store(found.bytes, if is_whole { MISPLACED_STORE } else { BROKEN_STORE }, extraction);
}

/// A manifest of the first system outside of the records. In a JPEG it put one into a JUMBF box of its own, right
/// before the end of the image; that is its place. One that is cut short gives its whole members.
pub(super) fn json_manifest(asset: &Asset, extraction: &mut Extraction) {
    let own = asset.bytes().get(..salvage::own_length(asset)).unwrap_or_default();
    match loose::json_manifest_in(own) {
        Some(JsonManifest::Whole(text, start)) => {
            let before = own.get(start.saturating_sub(BOXES_BEFORE_JSON)..start).unwrap_or_default();
            if memmem::find(before, b"jumb").is_some() {
                extraction.rank(Source::Jumbf, JSON_BOX);
            } else {
                extraction.corrupted = true;
                extraction.rank(Source::Partial, LOOSE_JSON);
                extraction.note(format!("a manifest of the first system was found at byte {start}"));
            }
            let found = from_private(text.as_bytes());
            take_proof_uri(found.proof_uri, extraction);
            extraction.legacy_manifest = found.legacy_manifest;
        }
        Some(JsonManifest::Cut(members)) => {
            extraction.corrupted = true;
            extraction.rank(Source::Partial, BROKEN_STORE);
            extraction.note("a part of a manifest of the first system was found");
            let uri =
                members.get("proofUri").and_then(|uri| from_private(uri.as_str()?.as_bytes()).proof_uri);
            take_proof_uri(uri, extraction);
            extraction.salvaged = Some(Salvaged { fragments: members, ..Salvaged::default() });
        }
        None => {}
    }
}

/// The headers and the description of the boxes around a manifest in JSON, in bytes.
const BOXES_BEFORE_JSON: usize = 256;

/// What the store says piece by piece; without one, boxes and labels that are left of one, wherever they lie.
pub(super) fn pieces_of_a_store(asset: &Asset, extraction: &mut Extraction) {
    if let Some(found) = &extraction.store {
        let salvaged = Salvaged::of(&found.store, |_| true);
        let is_broken = extraction.confidence <= BROKEN_STORE || salvage::is_broken(&found.store);
        if is_broken {
            take_newer_proof_uri(&salvaged, extraction);
        }
        extraction.salvaged = Some(salvaged);
        return;
    }
    let own = asset.bytes().get(..salvage::own_length(asset)).unwrap_or_default();
    let salvaged = Salvaged::of(own, |at| salvage::room_around(asset, at).is_some());
    if salvaged.is_empty() {
        return;
    }
    extraction.corrupted = true;
    if salvaged.has_boxes {
        extraction.note("boxes of a manifest store were found without the store");
        extraction.rank(Source::Partial, PIECES_OF_A_STORE);
    } else {
        extraction.note("the label of a manifest was found outside of any manifest store");
        extraction.rank(Source::Partial, LOOSE_LABEL);
    }
    take_newer_proof_uri(&salvaged, extraction);
    extraction.salvaged.get_or_insert(salvaged);
}

/// The last resort: text that looks like a proof URI, wherever it stands.
pub(super) fn loose_proof_uri(asset: &Asset, extraction: &mut Extraction) {
    let own = asset.bytes().get(..salvage::own_length(asset)).unwrap_or_default();
    let Some(uri) = loose::proof_uri_in(own) else {
        return;
    };
    extraction.corrupted = true;
    extraction.note("a proof URI was found outside of any record that can be read");
    extraction.rank(Source::Partial, LOOSE_LABEL);
    take_proof_uri(Some(uri), extraction);
}

const JSON_BOX: u8 = 45;
const MISPLACED_STORE: u8 = 40;
const LOOSE_JSON: u8 = 30;
const LOOSE_LABEL: u8 = 10;

/// Takes the proof URI that pieces of a store tell, also in place of one in EXIF or XMP. Those are written when an image
/// is signed for the first time and never again, so no manifest is older.
fn take_newer_proof_uri(salvaged: &Salvaged, extraction: &mut Extraction) {
    let differs = salvaged.proof_uri.is_some() && salvaged.proof_uri != extraction.proof_uri;
    if differs && matches!(extraction.proof_uri_source, Source::Exif | Source::Xmp) {
        extraction.note("what is left of the manifest store names a newer proof than the recovery record");
        extraction.proof_uri = None;
    }
    take_proof_uri(salvaged.proof_uri.clone(), extraction);
}

/// Takes a proof URI that was salvaged, unless a record tells one.
fn take_proof_uri(uri: Option<String>, extraction: &mut Extraction) {
    if extraction.proof_uri.is_none() && uri.is_some() {
        (extraction.proof_uri, extraction.proof_uri_source) = (uri, Source::Partial);
    }
}

/// A store whose segments lie here and there is whole, and in no place.
pub(super) fn take_gathered_store(store: Bytes, extraction: &mut Extraction) {
    extraction.corrupted = true;
    extraction.note("the segments of the manifest store were gathered from places where they do not belong");
    take_misplaced_store(store, MISPLACED_STORE, extraction);
}

fn take_misplaced_store(store: Bytes, confidence: u8, extraction: &mut Extraction) {
    extraction.rank(Source::Partial, confidence);
    extraction.store = Some(FoundStore {
        store,
        source: Source::Partial,
        well_placed: false,
        canonical: false,
        excluded_range: None,
    });
}
