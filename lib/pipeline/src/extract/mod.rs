//! The cascade that finds a credential in a file, for verification. Best first; one function per step:
//!
//! | step | what is found | source | confidence |
//! |---|---|---|---|
//! | `embedded_store` | the one manifest store, in its place | `jumbf` | 100 |
//! | | the one manifest store, whole, but badly placed | `jumbf` | 80 |
//! | `exif_record` | a recovery record or an old manifest in EXIF | `exif` | 70 |
//! | `xmp_record` | the same in XMP | `xmp` | 60 |
//! | `private_record` | the same in a private chunk, a text chunk or a JPEG comment | `png-chunk` | 50 |
//! | `json_manifest` | a manifest of the first system in a JUMBF box before the end of the image | `jumbf` | 45 |
//! | `misplaced_store` | a whole manifest store where none belongs | `partial` | 40 |
//! | `json_manifest` | a manifest of the first system anywhere else | `partial` | 30 |
//! | either store step | a manifest store that is cut short, or whose boxes are broken | `partial` | 20 |
//! | `pieces_of_a_store` | boxes of a manifest store without the store | `partial` | 15 |
//! | | the label of a manifest, or the text of a proof URI, anywhere | `partial` | 10 |
//! | | nothing | `none` | 0 |
//!
//! The best row that applies gives the source and the confidence. What other steps found is kept: a proof
//! URI is reported beside a store, and a store that is cut short beside a record. Of every store, and of what is left
//! of one, [`Salvaged`] tells what it says piece by piece, for when it cannot be validated.
//!
//! C2PA treats a file with several manifest stores as having none, so none of them is handed on, and the
//! recovery record counts.
//!
//! Nothing here says that a credential is right: not even that a store is one.

mod leftovers;
mod loose;
mod pieces;
mod salvage;

use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use self::leftovers::{
    json_manifest, loose_proof_uri, misplaced_store, pieces_of_a_store, take_gathered_store,
};
pub use self::pieces::{MAX_LABELS, Salvaged};
use crate::{
    asset::{Asset, Damage},
    recovery::{Found, from_exif, from_private, from_xmp},
};

/// Where a credential was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ExtractionSource"))]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The manifest store of the file: APP11 segments, `caBX` or `C2PA` chunk.
    Jumbf,
    /// EXIF.
    Exif,
    /// XMP.
    Xmp,
    /// A private part: PNG or WebP chunk `crLk`, PNG chunk `c2pA`, a text chunk of PNG, JPEG COM.
    PngChunk,
    /// Salvaged from where no credential belongs, or not whole.
    Partial,
    /// Nowhere.
    #[default]
    None,
}

/// What a file carries, as far as it could be found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extraction {
    /// The manifest store.
    pub store: Option<FoundStore>,
    /// Where the best finding comes from.
    pub source: Source,
    /// How good the best finding is, 0 to 100; see the table of this module.
    pub confidence: u8,
    /// Whether the file or the store is damaged, or the finding is salvaged.
    pub corrupted: bool,
    /// What was odd, for a person to read; at most [`MAX_NOTES`].
    pub notes: Vec<String>,
    /// The proof URI beside the store, as it stands there. It may be anybody's; parse it with
    /// [`parse_proof_uri`](crate::proof_uri::parse_proof_uri). When records name several, that of the newest
    /// signature.
    pub proof_uri: Option<String>,
    /// Where the proof URI stands; the best place when it stands in several.
    pub proof_uri_source: Source,
    /// A manifest of CredLink's first system, as JSON text; unchecked.
    pub legacy_manifest: Option<String>,
    /// What the store says piece by piece, without validation; without a store, what is left of one anywhere in the
    /// file. Worth a look when the store cannot be validated.
    pub salvaged: Option<Salvaged>,
}

impl Extraction {
    /// What the API says of it.
    pub fn report(&self) -> ExtractionReport {
        ExtractionReport {
            source: self.source,
            confidence: self.confidence,
            corrupted: self.corrupted,
            notes: self.notes.clone(),
        }
    }

    /// Raises source and confidence, if this finding is better than those before.
    fn rank(&mut self, source: Source, confidence: u8) {
        if confidence > self.confidence {
            (self.source, self.confidence) = (source, confidence);
        }
    }

    fn note(&mut self, note: impl Into<String>) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(note.into());
        }
    }
}

/// The most notes of one extraction.
pub const MAX_NOTES: usize = 64;

/// A manifest store that was found in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundStore {
    /// The store without its container; never empty. Cut off where the file ends or its container does.
    pub store: Bytes,
    /// [`Source::Jumbf`] or [`Source::Partial`].
    pub source: Source,
    /// Whether it lies where and how C2PA wants it. If not, C2PA validators say that the file has no
    /// credential, whatever the store says.
    pub well_placed: bool,
    /// Whether its carriers are, to the byte, those that CredLink writes.
    pub canonical: bool,
    /// The one range that the hard binding may exclude; `None` when the store is not in one run of its
    /// proper carriers.
    pub excluded_range: Option<Range<usize>>,
}

/// The extraction as part of a verification report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Extraction"))]
#[serde(rename_all = "camelCase")]
pub struct ExtractionReport {
    /// Where the best finding comes from.
    pub source: Source,
    /// How good it is, 0 to 100.
    #[cfg_attr(feature = "schema", schemars(range(max = 100)))]
    pub confidence: u8,
    /// Whether the file or the store is damaged, or the finding is salvaged.
    pub corrupted: bool,
    /// What was odd, for a person to read.
    pub notes: Vec<String>,
}

/// Finds the credential of a file that was read leniently, with the damage that was seen then. Time is linear in the
/// length of the file.
pub fn extract(asset: &Asset, damage: &[Damage]) -> Extraction {
    let mut extraction = Extraction::default();
    for damage in damage {
        extraction.corrupted |= damage.refused;
        extraction.note(damage.to_string());
    }
    let stores = embedded_store(asset, &mut extraction);
    let records = [
        Record { source: Source::Exif, confidence: EXIF, found: exif_record(asset) },
        Record { source: Source::Xmp, confidence: XMP, found: xmp_record(asset) },
        Record { source: Source::PngChunk, confidence: PRIVATE, found: private_record(asset) },
    ];
    take_records(records, &mut extraction);
    if stores == 0 {
        misplaced_store(asset, &mut extraction);
    }
    if extraction.store.is_none() && extraction.legacy_manifest.is_none() {
        json_manifest(asset, &mut extraction);
    }
    if extraction.store.is_some() || stores == 0 {
        pieces_of_a_store(asset, &mut extraction);
    }
    if extraction.proof_uri.is_none() && extraction.confidence <= PIECES_OF_A_STORE {
        loose_proof_uri(asset, &mut extraction);
    }
    extraction
}

const WELL_PLACED_STORE: u8 = 100;
const BADLY_PLACED_STORE: u8 = 80;
const EXIF: u8 = 70;
const XMP: u8 = 60;
const PRIVATE: u8 = 50;
const BROKEN_STORE: u8 = 20;
const PIECES_OF_A_STORE: u8 = 15;

/// The most parts of one kind that are looked at for a record. The newest stand in front.
const MAX_CARRIERS: usize = 64;

/// The manifest store in its proper carriers. Returns how many there are.
fn embedded_store(asset: &Asset, extraction: &mut Extraction) -> usize {
    let mut stores = asset.manifest_stores();
    let count = stores.len();
    if count > 1 {
        extraction.corrupted = true;
        extraction.note(format!(
            "the file carries {count} manifest stores; C2PA allows one, so none of them counts"
        ));
        return count;
    }
    let Some(found) = stores.pop() else {
        return 0;
    };
    let excluded_range = found.excluded_range();
    extraction.corrupted |= !found.well_placed;
    for note in found.notes {
        extraction.note(note);
    }
    if found.bytes.is_empty() {
        return count;
    }
    let is_broken = salvage::is_broken(&found.bytes);
    if is_broken && let Some(gathered) = salvage::gathered_store(asset) {
        take_gathered_store(gathered, extraction);
        return count;
    }
    let (source, confidence) = match (is_broken, found.well_placed) {
        (true, _) => (Source::Partial, BROKEN_STORE),
        (false, true) => (Source::Jumbf, WELL_PLACED_STORE),
        (false, false) => (Source::Jumbf, BADLY_PLACED_STORE),
    };
    if is_broken && found.well_placed {
        extraction.corrupted = true;
        extraction.note("the boxes of the manifest store do not fit into each other");
    }
    extraction.rank(source, confidence);
    extraction.store = Some(FoundStore {
        store: found.bytes,
        source,
        well_placed: found.well_placed,
        canonical: found.canonical,
        excluded_range,
    });
    count
}

fn exif_record(asset: &Asset) -> Found {
    merged(asset.exif_blocks().map(|block| from_exif(&block)))
}

fn xmp_record(asset: &Asset) -> Found {
    let mut found = merged(asset.xmp_packets().iter().map(|packet| from_xmp(packet)));
    for extended in asset.extended_xmp() {
        let mut more = from_xmp(&extended.text);
        if !extended.is_intact && !more.is_empty() {
            more.notes.push("extended XMP is cut short or altered; only its beginning was read");
        }
        found.fill_from(more);
    }
    found
}

/// `c2pA` is the chunk in which the first system kept its manifest.
fn private_record(asset: &Asset) -> Found {
    let mut found = merged(asset.chunks(*b"crLk").map(|chunk| from_private(&chunk)));
    found.fill_from(merged(asset.chunks(*b"c2pA").map(|chunk| from_private(&chunk))));
    found.fill_from(merged(asset.comments().map(|comment| from_private(&comment))));
    found.fill_from(merged(asset.texts().iter().map(|entry| from_private(&entry.text))));
    found
}

/// The first of each kind. Where a file is signed again, the newer record is put in front of the older.
fn merged(findings: impl Iterator<Item = Found>) -> Found {
    findings.take(MAX_CARRIERS).fold(Found::default(), |mut all, found| {
        all.fill_from(found);
        all
    })
}

/// The findings in one kind of carrier.
struct Record {
    source: Source,
    confidence: u8,
    found: Found,
}

/// Takes the proof URI of the newest signature and the best old manifest.
///
/// EXIF and XMP are written only where an image has none, and never rewritten. So when carriers name
/// different proofs, the private part is the newest: it is what a second signature still can add.
fn take_records(records: [Record; 3], extraction: &mut Extraction) {
    let newest = records.iter().rev().find_map(|record| record.found.proof_uri.clone());
    for record in records {
        let Record { source, confidence, found } = record;
        for note in found.notes {
            extraction.note(note);
        }
        match found.proof_uri {
            Some(uri) if Some(&uri) != newest.as_ref() => {
                extraction.note("the recovery records name different proofs; the newest was taken");
            }
            Some(uri) => {
                extraction.rank(source, confidence);
                if extraction.proof_uri.is_none() {
                    (extraction.proof_uri, extraction.proof_uri_source) = (Some(uri), source);
                }
            }
            None if found.legacy_manifest.is_some() => extraction.rank(source, confidence),
            None => {}
        }
        if extraction.legacy_manifest.is_none() {
            extraction.legacy_manifest = found.legacy_manifest;
        }
    }
}

#[cfg(test)]
mod tests;
