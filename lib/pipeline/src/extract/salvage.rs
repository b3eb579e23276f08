//! Manifest stores that are not where they belong, and whether a store is one. Linear scans, nothing more.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;

use crate::asset::{Asset, EXIF_HEADER, Format, PartKind, marker};

/// A manifest store outside its proper carriers.
pub(super) struct Misplaced {
    /// From its first byte as far as it goes.
    pub(super) bytes: Bytes,
    /// Where it starts in the file.
    pub(super) offset: usize,
    /// Whether it is as long as it says.
    pub(super) is_whole: bool,
}

/// The manifest stores that lie anywhere in the file, at most two: more than one is as bad as many. Thumbnails
/// and further images behind the first are left out: what they carry is theirs.
pub(super) fn misplaced_stores(asset: &Asset) -> Vec<Misplaced> {
    let bytes = asset.bytes();
    let own = own_length(asset);
    memmem::find_iter(bytes.get(..own).unwrap_or_default(), DESCRIPTION)
        .filter_map(|description| store_at(asset, description))
        .take(2)
        .collect()
}

/// The one store of a JPEG that is whole once its segments are gathered, wherever they lie: in their place, behind
/// the end of the image, under another marker.
pub(super) fn gathered_store(asset: &Asset) -> Option<Bytes> {
    if asset.format() != Format::Jpeg {
        return None;
    }
    let mut stores = asset.scattered_stores(own_length(asset)).into_iter();
    let (Some(store), None) = (stores.next(), stores.next()) else { return None };
    (!is_broken(&store)).then(|| match BoxLength::read(&store, 0) {
        Some(BoxLength::Bytes(length)) => {
            store.slice(..usize::try_from(length).map_or(store.len(), |length| length.min(store.len())))
        }
        _ => store,
    })
}

/// Whether the boxes in a store fit into each other, and the outermost is one of a manifest store. What stands in
/// them is not looked at.
pub(super) fn is_broken(store: &[u8]) -> bool {
    let is_store = store.get(4..8) == Some(b"jumb")
        && [8, 16].iter().any(|&at| store.get(at + 4..at + 4 + DESCRIPTION.len()) == Some(DESCRIPTION));
    is_cut_short(store) || !is_store || !boxes_fit(store, 0, &mut 0)
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

/// The box type of a description box, and the UUID of a manifest store (C2PA 2.4, section 11.1.4.2). It comes
/// once in a store: the boxes of manifests have another.
const DESCRIPTION: &[u8] = b"jumdc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71";

/// Superboxes may stand this deep: store, manifest, assertion store, assertion, and some to spare.
const MAX_LEVELS: usize = 8;

/// The most boxes that are counted; further ones are taken to be right.
const MAX_BOXES: usize = 20_000;

/// Whether boxes fill `bytes` to the end, and superboxes in them likewise.
fn boxes_fit(bytes: &[u8], level: usize, boxes: &mut usize) -> bool {
    let mut at = 0;
    while at < bytes.len() && *boxes < MAX_BOXES {
        *boxes += 1;
        let (Some(length), Some(kind)) = (BoxLength::read(bytes, at), bytes.get(at + 4..at + 8)) else {
            return false;
        };
        let header = if bytes.get(at..at + 4) == Some(&[0, 0, 0, 1]) { 16 } else { 8 };
        let end = match length {
            BoxLength::ToTheEnd => Some(bytes.len()),
            BoxLength::Bytes(length) => {
                usize::try_from(length).ok().and_then(|length| at.checked_add(length))
            }
        };
        let content = end.and_then(|end| bytes.get(at + header..end));
        let (Some(end), Some(content)) = (end, content) else { return false };
        if !kind.iter().all(u8::is_ascii_alphanumeric) {
            return false;
        }
        if kind == b"jumb" {
            let is_described = content.get(4..8) == Some(b"jumd");
            if !is_described || level >= MAX_LEVELS || !boxes_fit(content, level + 1, boxes) {
                return false;
            }
        }
        // What follows the store in its container is not part of it.
        if level == 0 {
            break;
        }
        at = end;
    }
    true
}

/// Two box headers, the UUID, the toggles and the label `c2pa`.
const SHORTEST_STORE: u64 = 8 + 8 + 16 + 1 + 5;

/// The store whose description box has its type at `description`.
fn store_at(asset: &Asset, description: usize) -> Option<Misplaced> {
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
    Some(Misplaced { bytes: asset.slice(&range), offset, is_whole: whole.is_some() })
}

/// Where a box that starts at `offset` has to end: with the segment or chunk around it, if there is one. `None`
/// in thumbnails.
pub(super) fn room_around(asset: &Asset, offset: usize) -> Option<usize> {
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
pub(super) fn own_length(asset: &Asset) -> usize {
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
