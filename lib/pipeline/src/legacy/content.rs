//! Whether an image is the one that a manifest of the first system was made for.
//!
//! That system hashed the file before it embedded the proof. So the proof is taken out again, in the ways in which it
//! was put in, and the hash is compared.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;
use serde_json::{Map, Value};

use super::envelope::from_base64;
use crate::{
    asset::{Asset, Format, Part, PartKind, marker},
    digest::Sha256Hash,
    recovery::{from_exif, from_private},
};

/// What the comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// The file without the proof has the hash.
    Match,
    /// It has not, although the proof was taken out in the one way in which it was put in.
    Mismatch,
    /// It has not; but the first system wrote such files anew, so nothing follows.
    NotRestored,
    /// There is no hash to compare with.
    NoHash,
}

/// Compares the `c2pa.hash.data` of `manifest` with `asset`.
pub(super) fn binding(manifest: &Map<String, Value>, asset: &Asset) -> Binding {
    let Some(expected) = image_hash(manifest) else { return Binding::NoHash };
    let has_hash = |pieces: &Vec<Bytes>| {
        let pieces: Vec<&[u8]> = pieces.iter().map(AsRef::as_ref).collect();
        Sha256Hash::of_pieces(&pieces) == expected
    };
    let originals = match asset.format() {
        Format::Jpeg => jpeg_originals(asset),
        Format::Png => png_original(asset).into_iter().collect(),
        Format::WebP => webp_originals(asset),
    };
    if originals.iter().any(has_hash) {
        Binding::Match
    } else if asset.format() == Format::Png && !originals.is_empty() {
        Binding::Mismatch
    } else {
        Binding::NotRestored
    }
}

/// The SHA-256 in the `c2pa.hash.data` assertion: hexadecimal or base64. Assertions are a list of `{label, data}`, or
/// an object of data by label.
fn image_hash(manifest: &Map<String, Value>) -> Option<Sha256Hash> {
    const LABEL: &str = "c2pa.hash.data";
    let data = match manifest.get("assertions")? {
        Value::Array(items) => {
            items.iter().find(|item| item.get("label").and_then(Value::as_str) == Some(LABEL))?.get("data")?
        }
        Value::Object(by_label) => by_label.get(LABEL)?,
        _ => return None,
    };
    let algorithm = ["alg", "algorithm"].iter().find_map(|name| data.get(*name)?.as_str());
    let is_sha256 = |name: &str| name.replace('-', "").eq_ignore_ascii_case("sha256");
    if !algorithm.is_none_or(is_sha256) {
        return None;
    }
    let text = ["hash", "value"].iter().find_map(|name| data.get(*name)?.as_str()).or(data.as_str())?;
    let from_hex = text.to_ascii_lowercase().parse().ok();
    from_hex.or_else(|| hex::encode(from_base64(text)?).parse().ok())
}

/// A PNG without the chunks `c2pA` and `crLk`; `None` when it has none of them.
fn png_original(asset: &Asset) -> Option<Vec<Bytes>> {
    let is_proof =
        |part: &Part| matches!(part.kind, PartKind::Chunk(name) if matches!(&name, b"c2pA" | b"crLk"));
    asset.parts().iter().any(is_proof).then(|| without(asset, is_proof))
}

/// A JPEG without the box before the end of the image, without the EXIF that holds the proof, and without both.
fn jpeg_originals(asset: &Asset) -> Vec<Vec<Bytes>> {
    let has_proof = |part: &Part| {
        part.kind == PartKind::Segment(marker::APP1) && !from_exif(&asset.payload(part)).is_empty()
    };
    let without_exif = without(asset, has_proof);
    let Some(jumbf) = box_before_end(asset) else { return vec![without_exif] };
    // The box lies inside a part, so that part is cut.
    let cut = |skip_exif: bool| -> Vec<Bytes> {
        let kept = asset.parts().iter().filter(|part| !(skip_exif && has_proof(part)));
        kept.flat_map(|part| {
            let Range { start, end } = part.range;
            let before = start..end.min(jumbf.start).max(start);
            let behind = start.max(jumbf.end).min(end)..end;
            [asset.slice(&before), asset.slice(&behind)]
        })
        .collect()
    };
    vec![cut(true), cut(false), without_exif]
}

/// A WebP without the EXIF that holds the proof. Where that made a simple file an extended one, the header of the
/// latter goes too; and its flag for EXIF may have been set before or not.
fn webp_originals(asset: &Asset) -> Vec<Vec<Bytes>> {
    const EXIF_FLAG: u8 = 0x08;
    let is_header = |part: &Part| part.kind == PartKind::Chunk(*b"VP8X");
    let is_proof = |part: &Part| {
        let is_exif = part.kind == PartKind::Chunk(*b"EXIF");
        is_exif && {
            !from_exif(&asset.payload(part)).is_empty() || !from_private(&asset.payload(part)).is_empty()
        }
    };
    if !asset.parts().iter().any(is_proof) {
        return Vec::new();
    }
    let chunks = |keep_header: bool, keep_flag: bool| {
        let kept = asset.parts().iter().skip(1).filter(|part| !is_proof(part));
        let kept = kept.filter(|part| keep_header || !is_header(part)).map(|part| {
            let bytes = asset.part_bytes(part);
            match bytes.get(8) {
                Some(&flags) if is_header(part) && !keep_flag => {
                    let mut header = bytes.to_vec();
                    header.splice(8..9, [flags & !EXIF_FLAG]);
                    header.into()
                }
                _ => bytes,
            }
        });
        in_riff(kept.collect())
    };
    vec![chunks(true, false), chunks(true, true), chunks(false, false)]
}

/// The chunks of a WebP, with a header of the right size in front.
fn in_riff(mut chunks: Vec<Bytes>) -> Vec<Bytes> {
    let size = 4 + chunks.iter().map(Bytes::len).sum::<usize>();
    let size = u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
    chunks.insert(0, [b"RIFF", &size[..], b"WEBP"].concat().into());
    chunks
}

fn without(asset: &Asset, dropped: impl Fn(&Part) -> bool) -> Vec<Bytes> {
    asset.parts().iter().filter(|part| !dropped(part)).map(|part| asset.part_bytes(part)).collect()
}

/// The outermost JUMBF box that ends where the end of the image begins.
fn box_before_end(asset: &Asset) -> Option<Range<usize>> {
    let end = asset.parts().iter().rfind(|part| part.kind == PartKind::EndOfImage)?.range.start;
    let bytes = asset.bytes().get(end.saturating_sub(MAX_BOX)..end)?;
    let offset = end - bytes.len();
    let starts = memmem::rfind_iter(bytes, b"jumb").take(MAX_BOXES).filter_map(|kind| {
        let start = kind.checked_sub(4)?;
        let length = u32::from_be_bytes(*bytes.get(start..)?.first_chunk()?);
        (start.checked_add(usize::try_from(length).ok()?)? == bytes.len()).then_some(offset + start)
    });
    starts.min().map(|start| start..end)
}

/// The longest box that is looked for, in bytes: a manifest of 1 MiB and what is around it.
const MAX_BOX: usize = (1 << 20) + 4096;

/// The most boxes that are looked at; the outermost holds a few.
const MAX_BOXES: usize = 1024;
