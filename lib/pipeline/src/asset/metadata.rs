//! The metadata of a file that recovery looks at: EXIF, XMP, comments, text and private chunks.

use bytes::Bytes;

use super::{Asset, Format, PartKind, marker};

/// In front of the TIFF data in an APP1 segment (EXIF 2.32, 4.7.2).
pub(crate) const EXIF_HEADER: &[u8] = b"Exif\0\0";

/// In front of the packet in an APP1 segment (XMP, part 3, 1.1.3).
pub(crate) const XMP_HEADER: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// The keyword of the iTXt chunk with the packet (XMP, part 3, 1.1.5).
pub(crate) const XMP_KEYWORD: &[u8] = b"XML:com.adobe.xmp";

/// The longest text that one compressed chunk may unfold to, in bytes.
const MAX_INFLATED: usize = 1024 * 1024;

/// The most compressed chunks of one file that are unfolded.
const MAX_INFLATIONS: usize = 8;

/// One text chunk of a PNG (PNG, third edition, 11.3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextEntry {
    /// The keyword, from Latin-1.
    pub keyword: String,
    /// The text as it is stored: Latin-1 in tEXt and zTXt, UTF-8 in iTXt. Unfolded where it was compressed.
    pub text: Bytes,
}

impl Asset {
    /// All EXIF blocks, as TIFF data without the `Exif\0\0` in front, in the order of the file. Readers use
    /// the first.
    pub fn exif_blocks(&self) -> impl Iterator<Item = Bytes> {
        self.parts().iter().filter_map(|part| {
            let payload = self.payload(part);
            let without_header = payload.strip_prefix(EXIF_HEADER).map(|tiff| payload.slice_ref(tiff));
            match part.kind {
                PartKind::Segment(marker::APP1) => without_header,
                // Some writers keep the header of APP1; it is no part of a TIFF file.
                PartKind::Chunk(name) if Some(name) == self.exif_chunk() => {
                    Some(without_header.unwrap_or(payload))
                }
                _ => None,
            }
        })
    }

    /// All XMP packets, in the order of the file. Compressed ones of PNG are unfolded to at most 1 MiB each.
    /// Extended XMP of JPEG is not among them.
    pub fn xmp_packets(&self) -> Vec<Bytes> {
        match self.format() {
            Format::Jpeg => self.segments_after(marker::APP1, XMP_HEADER).collect(),
            Format::Png => self
                .texts_with(|keyword| keyword == XMP_KEYWORD)
                .into_iter()
                .map(|entry| entry.text)
                .collect(),
            Format::WebP => self.chunks(*b"XMP ").collect(),
        }
    }

    /// What the chunks of this name carry, in the order of the file: `crLk`, `c2pA` and the like. None in a
    /// JPEG.
    pub fn chunks(&self, name: [u8; 4]) -> impl Iterator<Item = Bytes> {
        self.parts()
            .iter()
            .filter(move |part| part.kind == PartKind::Chunk(name))
            .map(|part| self.payload(part))
    }

    /// The comments of a JPEG (COM), in the order of the file.
    pub fn comments(&self) -> impl Iterator<Item = Bytes> {
        self.segments_after(marker::COM, b"")
    }

    /// The text chunks of a PNG (tEXt, zTXt, iTXt), in the order of the file. Of the compressed ones at most
    /// eight are unfolded, to at most 1 MiB each; those beyond are left out.
    pub fn texts(&self) -> Vec<TextEntry> {
        self.texts_with(|_| true)
    }

    /// What stands behind `prefix` in the segments of this marker that start with it.
    pub(crate) fn segments_after<'a>(
        &'a self,
        marker: u8,
        prefix: &'a [u8],
    ) -> impl Iterator<Item = Bytes> + 'a {
        self.parts().iter().filter(move |part| part.kind == PartKind::Segment(marker)).filter_map(
            move |part| {
                let payload = self.payload(part);
                payload.strip_prefix(prefix).map(|rest| payload.slice_ref(rest))
            },
        )
    }

    /// The keywords of all text chunks of a PNG, without reading the text.
    pub(crate) fn text_keywords(&self) -> impl Iterator<Item = Bytes> {
        self.parts().iter().filter(|part| is_text(part.kind)).map(|part| {
            let payload = self.payload(part);
            let end = payload.iter().take(80).position(|&byte| byte == 0).unwrap_or(0);
            payload.slice(..end)
        })
    }

    fn exif_chunk(&self) -> Option<[u8; 4]> {
        match self.format() {
            Format::Jpeg => None,
            Format::Png => Some(*b"eXIf"),
            Format::WebP => Some(*b"EXIF"),
        }
    }

    fn texts_with(&self, wanted: impl Fn(&[u8]) -> bool) -> Vec<TextEntry> {
        let mut inflations = MAX_INFLATIONS;
        let chunks = self.parts().iter().filter(|part| is_text(part.kind));
        chunks
            .filter_map(|part| {
                let payload = self.payload(part);
                let (keyword, rest) = split_at_zero(&payload)?;
                if !wanted(keyword) {
                    return None;
                }
                let (is_compressed, text) = match part.kind {
                    PartKind::Chunk([b'i', ..]) => international_text(rest)?,
                    // One byte for the method, which is always 0.
                    PartKind::Chunk([b'z', ..]) => (true, rest.strip_prefix(&[0])?),
                    _ => (false, rest),
                };
                let text = match is_compressed {
                    true => inflate(text, &mut inflations)?,
                    false => payload.slice_ref(text),
                };
                let keyword = keyword.iter().take(79).map(|&byte| char::from(byte)).collect();
                Some(TextEntry { keyword, text })
            })
            .collect()
    }
}

fn is_text(kind: PartKind) -> bool {
    matches!(kind, PartKind::Chunk(name) if matches!(&name, b"tEXt" | b"zTXt" | b"iTXt"))
}

/// Whether it is compressed, and the text, of what follows the keyword in an iTXt chunk.
fn international_text(rest: &[u8]) -> Option<(bool, &[u8])> {
    let &[flag, method, ref rest @ ..] = rest else { return None };
    let (_language, rest) = split_at_zero(rest)?;
    let (_translated_keyword, text) = split_at_zero(rest)?;
    match (flag, method) {
        (0, _) => Some((false, text)),
        (1, 0) => Some((true, text)),
        _ => None,
    }
}

fn split_at_zero(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(0, bytes)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

fn inflate(compressed: &[u8], inflations: &mut usize) -> Option<Bytes> {
    *inflations = inflations.checked_sub(1)?;
    fdeflate::decompress_to_vec_bounded(compressed, MAX_INFLATED).ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Limits, sample::*},
        *,
    };

    fn parse(file: Vec<u8>) -> Asset {
        Asset::parse(file.into(), &Limits::default()).unwrap()
    }

    /// A zlib stream with one stored block: correct, not smaller.
    fn stored(text: &[u8]) -> Vec<u8> {
        let length = u16::try_from(text.len()).unwrap();
        let (mut a, mut b) = (1_u32, 0_u32);
        for &byte in text {
            a = (a + u32::from(byte)) % 65_521;
            b = (b + a) % 65_521;
        }
        [
            b"\x78\x01\x01".as_slice(),
            &length.to_le_bytes(),
            &(!length).to_le_bytes(),
            text,
            &(b << 16 | a).to_be_bytes(),
        ]
        .concat()
    }

    #[test]
    fn metadata_is_found_in_every_format() {
        for file in rich_files().into_iter().take(3) {
            let asset = parse(file);
            let exif: Vec<_> = asset.exif_blocks().collect();
            assert_eq!(exif.len(), 1);
            assert!(exif[0].starts_with(b"II*\0"));
            assert_eq!(asset.xmp_packets(), ["<x/>"]);
        }
    }

    #[test]
    fn the_header_of_app1_is_tolerated_elsewhere() {
        let block = riff_chunk(b"EXIF", b"Exif\0\0II*\0");
        let asset = parse(webp(&[vp8x(8), vp8l(false), block], b""));
        assert_eq!(asset.exif_blocks().collect::<Vec<_>>(), [b"II*\0".as_slice()]);
    }

    #[test]
    fn text_is_read_plain_and_compressed() {
        let compressed = |prefix: &[u8], text: &[u8]| [prefix, &stored(text)].concat();
        let asset = parse(png(
            &[
                chunk(b"tEXt", b"Title\0caf\xE9"),
                chunk(b"zTXt", &compressed(b"Author\0\0", b"somebody")),
                chunk(b"iTXt", &compressed(b"XML:com.adobe.xmp\0\x01\0\0\0", b"<x/>")),
                chunk(b"iTXt", b"Comment\0\0\0en\0Comment\0text"),
                chunk(b"iTXt", b"Broken\0\x01\0\0\0not zlib"),
                chunk(b"tEXt", b"no zero byte"),
            ],
            b"",
        ));
        let texts: Vec<_> =
            asset.texts().into_iter().map(|entry| (entry.keyword, entry.text.to_vec())).collect();
        let expected: [(&str, &[u8]); 4] = [
            ("Title", b"caf\xE9"),
            ("Author", b"somebody"),
            ("XML:com.adobe.xmp", b"<x/>"),
            ("Comment", b"text"),
        ];
        assert_eq!(texts, expected.map(|(keyword, text)| (keyword.to_owned(), text.to_vec())));
        assert_eq!(asset.xmp_packets(), ["<x/>"]);
    }

    #[test]
    fn compressed_text_is_unfolded_within_bounds() {
        let mut bomb = b"XML:com.adobe.xmp\0\x01\0\0\0".to_vec();
        bomb.extend(fdeflate::compress_to_vec(&vec![0; MAX_INFLATED + 1]));
        let mut fits = b"XML:com.adobe.xmp\0\x01\0\0\0".to_vec();
        fits.extend(fdeflate::compress_to_vec(&vec![0; MAX_INFLATED]));
        assert_eq!(parse(png(&[chunk(b"iTXt", &bomb)], b"")).xmp_packets().len(), 0);
        assert_eq!(parse(png(&[chunk(b"iTXt", &fits)], b"")).xmp_packets()[0].len(), MAX_INFLATED);
        let many = vec![chunk(b"iTXt", &fits); 20];
        assert_eq!(parse(png(&many, b"")).xmp_packets().len(), MAX_INFLATIONS);
    }

    #[test]
    fn comments_and_private_chunks_are_found() {
        let files = rich_files();
        assert_eq!(parse(files[0].clone()).comments().collect::<Vec<_>>(), ["a comment"]);
        assert_eq!(parse(files[1].clone()).chunks(*b"crLk").collect::<Vec<_>>(), ["record"]);
        assert_eq!(parse(files[2].clone()).chunks(*b"crLk").collect::<Vec<_>>(), ["odd"]);
    }
}
