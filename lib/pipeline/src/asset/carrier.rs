//! The bytes that carry a manifest store in each format (C2PA 2.4, appendix A.3).
//!
//! They lie inside the excluded range, so no hash covers them. That is why there is exactly one way to write
//! them here, and why a reader compares them with it.

use std::{collections::HashSet, ops::Range};

use bytes::Bytes;

use super::{Asset, Format, Part, PartKind, marker, png, walk::array};

/// How a store of a known length is wrapped. Everything but a PNG's checksum follows from the length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carrier {
    format: Format,
    /// Length of the store.
    length: u32,
    /// The JPEG box instance number.
    instance: u16,
}

/// Bytes of the store in one JPEG segment. The reference implementation has the same, so its files and ours
/// look alike.
const STORE_BYTES_PER_SEGMENT: usize = 64_000;

/// Le, CI, En and Z with the marker, and LBox and TBox, which every segment but the first repeats.
const SEGMENT_HEADER: usize = 12;
const BOX_HEADER: usize = 8;

/// The CI field of a segment that carries a JUMBF box (ISO/IEC 19566-5, annex D).
pub(crate) const JUMBF_IDENTIFIER: [u8; 2] = *b"JP";

/// The box instance number to take where it is free; the reference implementation's.
const USUAL_INSTANCE: u16 = 0x0211;

pub(crate) const PNG_STORE_CHUNK: [u8; 4] = *b"caBX";
pub(crate) const WEBP_STORE_CHUNK: [u8; 4] = *b"C2PA";

impl Carrier {
    /// `None` when `length` cannot be that of a box with a 32-bit length. `instance` is for JPEG only.
    pub(crate) fn new(format: Format, length: usize, instance: u16) -> Option<Self> {
        let longest = match format {
            Format::Jpeg | Format::WebP => u32::MAX,
            Format::Png => i32::MAX.unsigned_abs(),
        };
        let length = u32::try_from(length).ok().filter(|&length| length <= longest)?;
        (length > 8).then_some(Self { format, length, instance })
    }

    /// Length of the store.
    pub(crate) fn store_length(&self) -> usize {
        self.length as usize
    }

    /// Length of the store and all that is put around it: of the range that C2PA excludes.
    pub(crate) fn length(&self) -> usize {
        let store = self.store_length();
        match self.format {
            Format::Jpeg => {
                let segments = store.div_ceil(STORE_BYTES_PER_SEGMENT);
                store + segments * (SEGMENT_HEADER + BOX_HEADER) - BOX_HEADER
            }
            Format::Png => store + 12,
            Format::WebP => store + 8,
        }
    }

    /// The carrier with `store` in it, in pieces that are slices of it. The store has the planned length.
    pub(crate) fn wrap(&self, store: &Bytes) -> Vec<Bytes> {
        match self.format {
            Format::Jpeg => self.segments(store),
            Format::Png => {
                let header = [self.length.to_be_bytes(), PNG_STORE_CHUNK].concat();
                let crc = png::crc(PNG_STORE_CHUNK, store).to_be_bytes();
                vec![header.into(), store.clone(), Bytes::copy_from_slice(&crc)]
            }
            Format::WebP => {
                let header = [WEBP_STORE_CHUNK, self.length.to_le_bytes()].concat();
                vec![header.into(), store.clone()]
            }
        }
    }

    /// Whether `bytes` are exactly what [`Carrier::wrap`] gives for `store`.
    pub(crate) fn is_exactly(&self, bytes: &[u8], store: &Bytes) -> bool {
        let mut rest = bytes;
        let all = self.wrap(store).iter().all(|piece| match rest.strip_prefix(piece.as_ref()) {
            Some(left) => {
                rest = left;
                true
            }
            None => false,
        });
        all && rest.is_empty()
    }

    /// APP11 segments (C2PA 2.4, A.3.1; ISO/IEC 19566-5, D.2).
    fn segments(&self, store: &Bytes) -> Vec<Bytes> {
        let box_header: Vec<u8> = [self.length.to_be_bytes(), *b"jumb"].concat();
        let mut pieces = Vec::new();
        let mut start = 0;
        for sequence in 1_u32.. {
            let end = (start + STORE_BYTES_PER_SEGMENT).min(store.len());
            let repeated: &[u8] = if sequence == 1 { &[] } else { &box_header };
            let payload = SEGMENT_HEADER - 2 + repeated.len() + (end - start);
            let mut header = vec![0xFF, marker::APP11];
            // At most 10 + 8 + 64 000.
            header.extend_from_slice(&u16::try_from(payload).unwrap_or(u16::MAX).to_be_bytes());
            header.extend_from_slice(&JUMBF_IDENTIFIER);
            header.extend_from_slice(&self.instance.to_be_bytes());
            header.extend_from_slice(&sequence.to_be_bytes());
            header.extend_from_slice(repeated);
            pieces.push(header.into());
            pieces.push(store.slice(start..end));
            start = end;
            if start == store.len() {
                break;
            }
        }
        pieces
    }
}

/// The box instance number that a store in this JPEG gets: one that no APP11 segment has but those of the
/// store itself (`own`, indices of parts). Otherwise a reader would take a stranger's segment for a
/// continuation of the store.
pub(crate) fn free_box_instance(asset: &Asset, own: impl Fn(usize) -> bool) -> u16 {
    let taken: HashSet<u16> = asset
        .parts()
        .iter()
        .enumerate()
        .filter(|(index, part)| part.kind == PartKind::Segment(marker::APP11) && !own(*index))
        .filter_map(|(_, part)| array(asset.payload_slice(part), 2).map(u16::from_be_bytes))
        .collect();
    std::iter::once(USUAL_INSTANCE)
        .chain(1..=u16::MAX)
        .find(|instance| !taken.contains(instance))
        .unwrap_or(USUAL_INSTANCE)
}

/// The bytes of `part` that belong to the carrier of a store: all of it but the pad byte of WebP.
pub(crate) fn carrier_range(asset: &Asset, part: &Part) -> Range<usize> {
    match asset.format() {
        Format::Jpeg | Format::Png => part.range.clone(),
        Format::WebP => part.range.start..part.payload.end,
    }
}
