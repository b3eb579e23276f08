//! XMP that is too long for one JPEG segment (XMP, part 3, 1.1.3.1): pieces of one text, each with the text's name,
//! its length and the place of the piece.

use bytes::Bytes;
use md5::{Digest as _, Md5};

use super::{Asset, marker, walk::array};

/// In front of the fields in an APP1 segment.
const HEADER: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";

/// The name of a text: the MD5 digest of it, in hexadecimal.
const NAME_LENGTH: usize = 32;

/// The most texts of one file that are joined.
const MAX_TEXTS: usize = 4;

/// The longest text that is joined, in bytes. Depth maps make them long; a record stands in the beginning.
const MAX_LENGTH: usize = 16 << 20;

/// A text out of the pieces that were found of it.
pub(crate) struct ExtendedXmp {
    /// The text up to the first gap.
    pub(crate) text: Bytes,
    /// Whether it is as long as it says, and has the digest that is its name.
    pub(crate) is_intact: bool,
}

impl Asset {
    /// The extended XMP of a JPEG, joined whatever the order of its segments; at most 4 texts of 16 MiB together.
    /// A text that is cut short or altered is given as far as it goes.
    pub(crate) fn extended_xmp(&self) -> Vec<ExtendedXmp> {
        let mut texts: Vec<Text> = Vec::new();
        let mut room = MAX_LENGTH;
        for payload in self.segments_after(marker::APP1, HEADER) {
            let Some(piece) = Piece::read(&payload) else { continue };
            let Some(left) = room.checked_sub(piece.bytes.len()) else { break };
            let is_full = texts.len() == MAX_TEXTS;
            match texts.iter_mut().find(|text| text.name == piece.name) {
                Some(text) => text.pieces.push(piece),
                None if is_full => continue,
                None => texts.push(Text { name: piece.name, pieces: vec![piece] }),
            }
            room = left;
        }
        texts.into_iter().map(Text::joined).collect()
    }
}

struct Text {
    name: [u8; NAME_LENGTH],
    pieces: Vec<Piece>,
}

struct Piece {
    name: [u8; NAME_LENGTH],
    length: u32,
    offset: u32,
    bytes: Bytes,
}

impl Piece {
    fn read(payload: &Bytes) -> Option<Self> {
        Some(Self {
            name: array(payload, 0)?,
            length: u32::from_be_bytes(array(payload, NAME_LENGTH)?),
            offset: u32::from_be_bytes(array(payload, NAME_LENGTH + 4)?),
            bytes: payload.slice(NAME_LENGTH + 8..),
        })
    }
}

impl Text {
    fn joined(mut self) -> ExtendedXmp {
        self.pieces.sort_by_key(|piece| piece.offset);
        let mut text: Vec<u8> = Vec::new();
        for piece in &self.pieces {
            // What comes twice counts once; what comes behind a gap does not count.
            let known = usize::try_from(piece.offset).ok().and_then(|at| text.len().checked_sub(at));
            let Some(known) = known else { break };
            text.extend_from_slice(piece.bytes.get(known..).unwrap_or_default());
        }
        let length = self.pieces.first().and_then(|piece| usize::try_from(piece.length).ok());
        let digest = hex::encode(Md5::digest(&text));
        let is_intact = length == Some(text.len()) && digest.as_bytes().eq_ignore_ascii_case(&self.name);
        ExtendedXmp { text: text.into(), is_intact }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Limits, sample::*},
        *,
    };

    /// Segments with `text`, cut into pieces of `size` bytes.
    fn segments(text: &[u8], size: usize) -> Vec<Vec<u8>> {
        let name = hex::encode_upper(Md5::digest(text));
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        let pieces = text.chunks(size).zip((0_u32..).step_by(size));
        pieces
            .map(|(piece, offset)| {
                let fields = [HEADER, name.as_bytes(), &length, &offset.to_be_bytes(), piece];
                segment(marker::APP1, &fields.concat())
            })
            .collect()
    }

    fn extended(segments: &[Vec<u8>]) -> Vec<(Vec<u8>, bool)> {
        let asset = Asset::parse(jpeg(segments, b"").into(), &Limits::default()).unwrap();
        asset.extended_xmp().into_iter().map(|found| (found.text.to_vec(), found.is_intact)).collect()
    }

    #[test]
    fn pieces_are_joined_in_any_order() {
        let (text, other) = (vec![b'a'; 1000], vec![b'b'; 700]);
        let (a, b) = (segments(&text, 300), segments(&other, 300));
        let mixed = [3, 0, 2, 1].map(|at: usize| a[at].clone()).into_iter().chain(b.into_iter().rev());
        assert_eq!(extended(&mixed.collect::<Vec<_>>()), [(text.clone(), true), (other, true)]);
        let twice = [a.clone(), a].concat();
        assert_eq!(extended(&twice), [(text, true)]);
    }

    #[test]
    fn what_is_missing_or_altered_is_told() {
        let text: Vec<u8> = (0..900_u32).map(|at| at.to_le_bytes()[0]).collect();
        let whole = segments(&text, 300);
        assert_eq!(extended(&[whole[0].clone(), whole[2].clone()]), [(text[..300].to_vec(), false)]);
        assert_eq!(extended(&whole[1..]), [(Vec::new(), false)]);
        let mut altered = whole;
        altered[1][200] ^= 1;
        assert!(!extended(&altered)[0].1);
        assert!(extended(&[segment(marker::APP1, &[HEADER, b"short"].concat())]).is_empty());
    }

    #[test]
    fn lying_offsets_and_lengths_take_no_memory() {
        let piece = |name: u8, length: u32, offset: u32| {
            let fields =
                [HEADER, &[name; 32], &length.to_be_bytes(), &offset.to_be_bytes(), &[0; 1000]].concat();
            segment(marker::APP1, &fields)
        };
        let max = u32::MAX;
        let pieces: Vec<_> = (0..9)
            .flat_map(|name| [piece(name, max, max), piece(name, max, 0), piece(name, 0, 999)])
            .collect();
        let found = extended(&pieces);
        assert_eq!(found.len(), MAX_TEXTS);
        assert!(found.iter().all(|(text, is_intact)| text.len() == 1999 && !is_intact));
    }
}
