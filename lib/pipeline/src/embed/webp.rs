//! The layout of a signed WebP.

use bytes::Bytes;

use super::{Carriers, EmbedError, RecordPayloads, layout::Layout};
use crate::asset::{Asset, Carrier, Dimensions, Part, PartKind, webp_lossless_alpha};

pub(super) fn carriers(asset: &Asset) -> Carriers {
    // A VP8X chunk that we add must not bring to life what lay unread in a simple file.
    let is_simple = !asset
        .parts()
        .iter()
        .any(|part| matches!(part.kind, PartKind::Chunk(name) if EXTENDED_CHUNKS.contains(&&name)));
    Carriers { xmp: is_simple, exif: is_simple }
}

/// The chunks that only a file with VP8X may have (RFC 9649, section 2.7).
const EXTENDED_CHUNKS: [&[u8; 4]; 7] = [b"VP8X", b"ICCP", b"ANIM", b"ANMF", b"ALPH", b"EXIF", b"XMP "];

const PRIVATE_CHUNK: [u8; 4] = *b"crLk";

/// RIFF header, VP8X where it is needed, the image and what comes with it, the record, the store as the last
/// chunk, its pad byte, what followed the RIFF container.
///
/// The pad byte stands behind the store and not in it: it is hashed.
pub(super) fn lay_out(
    layout: &mut Layout<'_>,
    old: &[bool],
    record: &RecordPayloads,
    carrier: &Carrier,
) -> Result<(), EmbedError> {
    let asset = layout.asset();
    let chunks: Vec<&Part> = asset
        .parts()
        .iter()
        .zip(old)
        .filter(|(part, is_old)| matches!(part.kind, PartKind::Chunk(_)) && !**is_old)
        .map(|(part, _)| part)
        .collect();
    let record_start = record_position(&chunks);
    let (head, tail) = chunks.split_at(record_start.min(chunks.len()));

    let mut body = Body::default();
    if record.xmp.is_some() || record.exif.is_some() {
        body.add(*b"VP8X", &extended_header(asset, &chunks, record), "VP8X chunk")?;
    }
    body.keep(head);
    if let Some(exif) = &record.exif {
        body.add(*b"EXIF", exif, "EXIF")?;
    }
    if let Some(xmp) = &record.xmp {
        body.add(*b"XMP ", xmp, "XMP")?;
    }
    if let Some(private) = &record.private {
        body.add(PRIVATE_CHUNK, private, "crLk chunk")?;
    }
    body.keep(tail);

    let pad = carrier.length() % 2;
    let size = b"WEBP".len() + body.length + carrier.length() + pad;
    let size = u32::try_from(size).ok().filter(|&size| size <= MAX_SIZE).ok_or(EmbedError::FileTooLong)?;
    layout.add([*b"RIFF", size.to_le_bytes(), *b"WEBP"].concat());
    body.pieces.into_iter().for_each(|piece| piece.put(layout));
    layout.store();
    if pad == 1 {
        layout.add(vec![0]);
    }
    Ok(())
}

/// The largest RIFF size (RFC 9649, section 2.4).
const MAX_SIZE: u32 = u32::MAX - 9;

/// The number of chunks before the record: all of them, or those before an older private chunk at the end, so
/// that the newest is the first that a reader meets.
fn record_position(chunks: &[&Part]) -> usize {
    let is_image = |part: &&Part| matches!(part.kind, PartKind::Chunk(name) if matches!(&name, b"VP8 " | b"VP8L" | b"ANMF"));
    let after_image = chunks.iter().rposition(is_image).map_or(0, |last| last + 1);
    chunks
        .iter()
        .skip(after_image)
        .position(|part| part.kind == PartKind::Chunk(PRIVATE_CHUNK))
        .map_or(chunks.len(), |older| after_image + older)
}

/// The payload of a VP8X chunk for a file that had none (RFC 9649, section 2.7).
fn extended_header(asset: &Asset, chunks: &[&Part], record: &RecordPayloads) -> Bytes {
    const ALPHA: u8 = 0x10;
    const EXIF: u8 = 0x08;
    const XMP: u8 = 0x04;
    let has_alpha = chunks
        .iter()
        .any(|part| part.kind == PartKind::Chunk(*b"VP8L") && webp_lossless_alpha(asset.payload_slice(part)));
    let mut flags = 0;
    for (set, flag) in [(has_alpha, ALPHA), (record.exif.is_some(), EXIF), (record.xmp.is_some(), XMP)] {
        if set {
            flags |= flag;
        }
    }
    // VP8 and VP8L have at most 16 384 pixels a side.
    let Dimensions { width, height } = asset.dimensions().unwrap_or(Dimensions { width: 1, height: 1 });
    let [w0, w1, w2, _] = width.saturating_sub(1).to_le_bytes();
    let [h0, h1, h2, _] = height.saturating_sub(1).to_le_bytes();
    vec![flags, 0, 0, 0, w0, w1, w2, h0, h1, h2].into()
}

/// What stands between the RIFF header and the store; its length is part of that header.
#[derive(Default)]
struct Body<'a> {
    pieces: Vec<Piece<'a>>,
    length: usize,
}

enum Piece<'a> {
    Kept(&'a Part),
    Added(Bytes),
}

impl<'a> Body<'a> {
    fn keep(&mut self, parts: &[&'a Part]) {
        for &part in parts {
            self.length += part.range.len();
            self.pieces.push(Piece::Kept(part));
            // A last chunk of odd length may have come without its pad byte.
            if !part.range.len().is_multiple_of(2) {
                self.push(Bytes::from_static(&[0]));
            }
        }
    }

    fn add(&mut self, name: [u8; 4], payload: &Bytes, kind: &'static str) -> Result<(), EmbedError> {
        let length = u32::try_from(payload.len()).map_err(|_| EmbedError::RecordTooLong {
            kind,
            length: payload.len(),
            limit: u32::MAX as usize,
        })?;
        self.push([name, length.to_le_bytes()].concat().into());
        self.push(payload.clone());
        if !payload.len().is_multiple_of(2) {
            self.push(Bytes::from_static(&[0]));
        }
        Ok(())
    }

    fn push(&mut self, bytes: Bytes) {
        self.length += bytes.len();
        self.pieces.push(Piece::Added(bytes));
    }
}

impl Piece<'_> {
    fn put(self, layout: &mut Layout<'_>) {
        match self {
            Self::Kept(part) => layout.keep(part),
            Self::Added(bytes) => layout.add(bytes),
        }
    }
}
