//! What can be saved from a file whose credential is not where it belongs. Linear scans, nothing more.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;

use crate::{
    asset::{Asset, EXIF_HEADER, PartKind, marker},
    proof_uri::MAX_URI_LENGTH,
    recovery::bare_proof_uri,
};

/// A manifest store outside its proper carriers.
pub(super) struct Salvaged {
    /// From its first byte as far as it goes.
    pub(super) bytes: Bytes,
    /// Where it starts in the file.
    pub(super) offset: usize,
    /// Whether it is as long as it says.
    pub(super) is_whole: bool,
}

/// The manifest stores that lie anywhere in the file, at most two: more than one is as bad as many. Thumbnails
/// and further images behind the first are left out: what they carry is theirs.
pub(super) fn misplaced_stores(asset: &Asset) -> Vec<Salvaged> {
    let bytes = asset.bytes();
    let own = own_length(asset);
    memmem::find_iter(bytes.get(..own).unwrap_or_default(), DESCRIPTION)
        .filter_map(|description| store_at(asset, description))
        .take(2)
        .collect()
}

/// Whether a box claims more bytes than there are, or so few that it cannot be a manifest store.
pub(super) fn is_cut_short(store: &[u8]) -> bool {
    match BoxLength::read(store, 0) {
        Some(BoxLength::Bytes(declared)) => {
            declared < SHORTEST_STORE || usize::try_from(declared).map_or(true, |length| length > store.len())
        }
        Some(BoxLength::ToTheEnd) => false,
        None => true,
    }
}

/// The first text that looks like a proof URI; one that stands next to a name of ours goes before.
pub(super) fn loose_proof_uri(asset: &Asset) -> Option<String> {
    let bytes = asset.bytes().get(..own_length(asset)).unwrap_or_default();
    let mut first = None;
    let mut from = 0;
    while let Some(found) = bytes.get(from..).and_then(|rest| memmem::find(rest, b"http")) {
        let start = from + found;
        let end = end_of_uri(bytes, start);
        from = end;
        // A sentence may end behind it.
        let text = bytes.get(start..end).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default();
        let Some(uri) = bare_proof_uri(text.trim_end_matches(['.', ':', ']'])) else {
            continue;
        };
        let before = bytes.get(start.saturating_sub(NEIGHBOURHOOD)..start).unwrap_or_default();
        if [&b"proofUri"[..], b"credlink"].iter().any(|name| memmem::find(before, name).is_some()) {
            return Some(uri);
        }
        first = first.or(Some(uri));
    }
    first
}

/// The box type of a description box, and the UUID of a manifest store (C2PA 2.4, section 11.1.4.2). It comes
/// once in a store: the boxes of manifests have another.
const DESCRIPTION: &[u8] = b"jumdc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71";

/// Two box headers, the UUID, the toggles and the label `c2pa`.
const SHORTEST_STORE: u64 = 8 + 8 + 16 + 1 + 5;

/// How far before a URI its name may stand, in bytes.
const NEIGHBOURHOOD: usize = 64;

/// The store whose description box has its type at `description`.
fn store_at(asset: &Asset, description: usize) -> Option<Salvaged> {
    let bytes = asset.bytes();
    let superbox_type = |before: usize| {
        let start = description.checked_sub(before)?;
        (bytes.get(start + 4..start + 8)? == b"jumb").then_some(start)
    };
    // In front of the type: the length of the description box, then the header of the superbox, with a long
    // length or without.
    let offset = superbox_type(4 + 8).or_else(|| superbox_type(4 + 16))?;
    let end = room_around(asset, offset)?;
    let room = end.checked_sub(offset)?;
    let declared = match BoxLength::read(bytes, offset)? {
        BoxLength::ToTheEnd => Some(room),
        BoxLength::Bytes(length) if length < SHORTEST_STORE => None,
        BoxLength::Bytes(length) => usize::try_from(length).ok(),
    };
    let whole = declared.filter(|&length| length <= room);
    let range = offset..offset + whole.unwrap_or(room);
    Some(Salvaged { bytes: asset.slice(&range), offset, is_whole: whole.is_some() })
}

/// Where a box that starts at `offset` has to end: with the segment or chunk around it, if there is one. `None`
/// in thumbnails.
fn room_around(asset: &Asset, offset: usize) -> Option<usize> {
    let index = asset.parts().partition_point(|part| part.range.end <= offset);
    let part = asset.parts().get(index)?;
    let payload = asset.bytes().get(part.payload.clone()).unwrap_or_default();
    match part.kind {
        // JFXX and Photoshop resources hold thumbnails, and so does EXIF.
        PartKind::Segment(marker::APP0 | APP13)
        | PartKind::Chunk([b'e', b'X', b'I', b'f'] | [b'E', b'X', b'I', b'F']) => None,
        PartKind::Segment(marker::APP1) if payload.starts_with(EXIF_HEADER) => None,
        PartKind::Segment(_) | PartKind::Chunk(_) => Some(part.payload.end),
        PartKind::Start | PartKind::Scan | PartKind::EndOfImage | PartKind::Trailer | PartKind::Unparsed => {
            Some(asset.bytes().len())
        }
    }
}

const APP13: u8 = 0xED;

/// How much of the file is this image's own: all, but for the first further image behind its end (MPF, gain
/// map, motion photo) and what follows that.
fn own_length(asset: &Asset) -> usize {
    let length = asset.bytes().len();
    let Some(trailer) = asset.parts().last().filter(|part| part.kind == PartKind::Trailer) else {
        return length;
    };
    let Range { start, end } = trailer.range;
    let trailer = asset.bytes().get(start..end).unwrap_or_default();
    let further = FURTHER_IMAGES.iter().filter_map(|magic| memmem::find(trailer, magic)).min();
    further.map_or(length, |at| start + at)
}

/// How JPEG, PNG, WebP and ISO media files begin, or nearly so.
const FURTHER_IMAGES: [&[u8]; 4] = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"WEBPVP8", b"ftyp"];

/// The length in the header of a box (ISO/IEC 14496-12, section 4.2).
enum BoxLength {
    Bytes(u64),
    ToTheEnd,
}

impl BoxLength {
    fn read(bytes: &[u8], offset: usize) -> Option<Self> {
        let header = bytes.get(offset..)?;
        match u32::from_be_bytes(*header.first_chunk()?) {
            0 => Some(Self::ToTheEnd),
            1 => header.get(8..)?.first_chunk().map(|long| Self::Bytes(u64::from_be_bytes(*long))),
            short => Some(Self::Bytes(short.into())),
        }
    }
}

/// Where the text from `start` on stops being one URI. A proof URI has no query, so none is looked for.
fn end_of_uri(bytes: &[u8], start: usize) -> usize {
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:/[]%".contains(byte);
    let text = bytes.get(start..).unwrap_or_default();
    // At least one byte, so that the caller moves on.
    start + text.iter().take(MAX_URI_LENGTH).take_while(|byte| is_inside(byte)).count().max(1)
}
