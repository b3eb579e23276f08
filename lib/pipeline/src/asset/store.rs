//! Finding the C2PA manifest stores that are embedded in a file (C2PA 2.4, appendix A.3).

use std::{collections::HashSet, ops::Range};

use bytes::Bytes;

use super::{
    Asset, Format, PartKind,
    carrier::{Carrier, PNG_STORE_CHUNK, WEBP_STORE_CHUNK, carrier_range, free_box_instance},
    png, segments,
    walk::array,
};

/// A manifest store as it lies in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestStore {
    /// The store, without its container. A slice of the file, except when several JPEG segments carry it. It
    /// is not checked beyond its first box headers.
    pub bytes: Bytes,
    /// Where the parts lie that carry it, in the order in which they were joined; headers and checksums
    /// included, a WebP pad byte not.
    pub carriers: Vec<Range<usize>>,
    /// Whether it lies where and how C2PA wants it; if not, `notes` say why. JPEG: one run of segments,
    /// numbered from 1, before the first scan. PNG: before the image data, with the right checksum. WebP: one
    /// chunk. In all: one whole superbox with the type and label of a manifest store, and nothing after it.
    pub well_placed: bool,
    /// Whether the carriers are, to the byte, what [`crate::embed`] writes around this store in this file.
    /// C2PA hashes none of these bytes. False alone is no fault: another writer may number and split JPEG
    /// segments in its own way. Always false when the file has several stores.
    pub canonical: bool,
    /// What is wrong with its place or its carriers.
    pub notes: Vec<String>,
    /// The parts that carry it, as indices into [`Asset::parts`], in the order in which they were joined.
    pub(crate) parts: Vec<usize>,
}

impl ManifestStore {
    /// The one range that a hard binding has to exclude for this store, no more and no less; `None` when the
    /// carriers do not lie in one run.
    pub fn excluded_range(&self) -> Option<Range<usize>> {
        let (first, last) = (self.carriers.first()?, self.carriers.last()?);
        let in_one_run =
            self.carriers.iter().zip(self.carriers.iter().skip(1)).all(|(one, next)| one.end == next.start);
        in_one_run.then_some(first.start..last.end)
    }
}

impl Asset {
    /// All manifest stores in the file, in its order. C2PA treats a file with more than one as having none,
    /// so the caller has to look at the number.
    ///
    /// JPEG: boxes in APP11 whose description has the type of a manifest store; other JUMBF is left alone. PNG
    /// and WebP: every `caBX` and `C2PA` chunk, whatever it holds. Thumbnails and trailers are not searched: a
    /// store in there is not this image's.
    pub fn manifest_stores(&self) -> Vec<ManifestStore> {
        let found = match self.format() {
            Format::Jpeg => segments::stores(self),
            Format::Png => in_chunks(self, PNG_STORE_CHUNK),
            Format::WebP => in_chunks(self, WEBP_STORE_CHUNK),
        };
        // Comparing takes a look at all parts; doing that for each of many stores would take quadratic time.
        let is_only_one = found.len() == 1;
        found.into_iter().map(|found| judge(self, found, is_only_one)).collect()
    }
}

/// A store that was found, and what was odd about its carriers.
pub(super) struct Found {
    pub(super) bytes: Bytes,
    /// Indices of the parts that carry it.
    pub(super) parts: Vec<usize>,
    pub(super) notes: Vec<String>,
}

fn judge(asset: &Asset, found: Found, is_only_one: bool) -> ManifestStore {
    let Found { bytes, parts, mut notes } = found;
    let is_whole = check_superbox(&bytes, &mut notes);
    let ranges = parts.iter().filter_map(|&index| asset.parts().get(index));
    let carriers: Vec<_> = ranges.map(|part| carrier_range(asset, part)).collect();
    let well_placed = notes.is_empty();
    let mut store = ManifestStore { bytes, carriers, well_placed, canonical: false, notes, parts };
    store.canonical = is_only_one && is_whole && is_canonical(asset, &store);
    store
}

fn is_canonical(asset: &Asset, store: &ManifestStore) -> bool {
    let instance = match asset.format() {
        Format::Jpeg => {
            let own: HashSet<usize> = store.parts.iter().copied().collect();
            free_box_instance(asset, |index| own.contains(&index))
        }
        Format::Png | Format::WebP => 0,
    };
    let carrier = Carrier::new(asset.format(), store.bytes.len(), instance);
    let bytes = store.excluded_range().and_then(|range| asset.bytes().get(range));
    carrier.zip(bytes).is_some_and(|(carrier, bytes)| carrier.is_exactly(bytes, &store.bytes))
}

fn in_chunks(asset: &Asset, name: [u8; 4]) -> Vec<Found> {
    let mut after_image_data = false;
    let mut stores = Vec::new();
    for (index, part) in asset.parts().iter().enumerate() {
        after_image_data |= part.kind == PartKind::Chunk(*b"IDAT");
        if part.kind != PartKind::Chunk(name) {
            continue;
        }
        let bytes = asset.payload(part);
        let mut notes = Vec::new();
        if asset.format() == Format::Png {
            if after_image_data {
                notes.push("the caBX chunk stands after the image data".to_owned());
            }
            if array(asset.bytes(), part.payload.end).map(u32::from_be_bytes) != Some(png::crc(name, &bytes))
            {
                notes.push("the checksum of the caBX chunk is wrong".to_owned());
            }
        }
        stores.push(Found { bytes, parts: vec![index], notes });
    }
    rejoined(stores)
}

/// One store that was split over several chunks is one again. C2PA does not allow it, but its parts are there: one
/// chunk that begins a box and is too short for it, and others that begin none.
fn rejoined(mut chunks: Vec<Found>) -> Vec<Found> {
    let begins_a_box = |found: &Found| array(&found.bytes, 4) == Some(*b"jumb");
    let mut heads = (0..chunks.len()).filter(|&at| chunks.get(at).is_some_and(begins_a_box));
    let (Some(head), None) = (heads.next(), heads.next()) else { return chunks };
    let total: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
    let declared = chunks.get(head).and_then(|head| array(&head.bytes, 0)).map(u32::from_be_bytes);
    let fits = declared.is_some_and(|declared| declared > 1 && usize::try_from(declared) == Ok(total));
    if chunks.len() < 2 || !fits {
        return chunks;
    }
    chunks.swap(0, head);
    if let Some((_, rest)) = chunks.split_first_mut() {
        rest.sort_unstable_by_key(|chunk| chunk.parts.first().copied());
    }
    let notes = std::iter::once(format!("the manifest store is split over {} chunks", chunks.len()));
    vec![Found {
        notes: notes.chain(chunks.iter().flat_map(|chunk| chunk.notes.clone()).take(MAX_NOTES)).collect(),
        parts: chunks.iter().flat_map(|chunk| chunk.parts.clone()).collect(),
        bytes: chunks.iter().map(|chunk| chunk.bytes.as_ref()).collect::<Vec<_>>().concat().into(),
    }]
}

/// The most notes of the chunks of one store that are kept.
const MAX_NOTES: usize = 8;

/// The type of a manifest store, a UUID (C2PA 2.4, 11.1.4.2).
const STORE_TYPE: [u8; 16] = *b"c2pa\x00\x11\x00\x10\x80\x00\x00\xAA\x00\x38\x9B\x71";

/// Looks at the superbox and its description box (ISO/IEC 19566-5, B.2 and B.3). Returns whether the box, with
/// a 32-bit length, fills `store` exactly; only then does its container follow from its length.
fn check_superbox(store: &[u8], notes: &mut Vec<String>) -> bool {
    let length = array(store, 0).map(u32::from_be_bytes);
    let (declared, box_header) = match length {
        Some(1) => (array(store, 8).map(u64::from_be_bytes), 16),
        other => (other.map(u64::from), 8),
    };
    let actual = u64::try_from(store.len()).ok();
    let fills = declared == actual;
    if declared > actual {
        notes.push("the manifest store is cut short".to_owned());
    } else if !fills {
        notes.push("bytes follow the manifest store in its container".to_owned());
    }
    let description = store.get(box_header..).unwrap_or_default();
    let is_store = array(store, 4) == Some(*b"jumb")
        && array(description, 4) == Some(*b"jumd")
        && array(description, 8) == Some(STORE_TYPE)
        // Requestable, and with a label.
        && description.get(24).is_some_and(|toggles| toggles & 0b11 == 0b11)
        && array(description, 25) == Some(*b"c2pa\0");
    if !is_store {
        notes.push("the description of the box is not that of a manifest store".to_owned());
    }
    fills && box_header == 8 && array(store, 4) == Some(*b"jumb")
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Limits, marker, sample::*},
        *,
    };

    fn stores(file: Vec<u8>) -> Vec<ManifestStore> {
        Asset::read_leniently(file.into()).unwrap().0.manifest_stores()
    }

    fn only_store(file: Vec<u8>) -> ManifestStore {
        let [store] = stores(file).try_into().unwrap();
        store
    }

    /// `store` in segments of `size` bytes each.
    fn segments(store: &[u8], instance: u16, size: usize) -> Vec<Vec<u8>> {
        let pieces = store.chunks(size).zip(1_u32..);
        pieces
            .map(|(piece, sequence)| {
                let repeated = if sequence == 1 { &[] } else { &store[..8] };
                app11(instance, sequence, &[repeated, piece].concat())
            })
            .collect()
    }

    #[test]
    fn a_store_in_one_chunk_is_a_slice_of_the_file() {
        let bytes = store(71);
        for (file, header) in [
            (png(&[chunk(b"caBX", &bytes)], b""), 8),
            (webp(&[vp8(), riff_chunk(b"C2PA", &bytes)], b""), 8),
            (jpeg(&[app11(0x0211, 1, &bytes)], b""), 12),
        ] {
            let asset = Asset::parse(file.into(), &Limits::default()).unwrap();
            let [found] = asset.manifest_stores().try_into().unwrap();
            assert_eq!(found.bytes, bytes);
            assert!(found.well_placed && found.canonical && found.notes.is_empty(), "{:?}", found.notes);
            let range = found.excluded_range().unwrap();
            assert_eq!(found.bytes.as_ptr(), asset.bytes()[range.start + header..].as_ptr());
        }
    }

    #[test]
    fn segments_are_joined_by_their_numbers() {
        let bytes = store(200);
        let parts = segments(&bytes, 7, 60);
        let in_order = only_store(jpeg(&parts, b""));
        assert_eq!(in_order.bytes, bytes);
        assert!(in_order.well_placed);
        assert!(!in_order.canonical, "we would not have split it");

        let shuffled = [2, 0, 3, 1].map(|at: usize| parts[at].clone());
        let found = only_store(jpeg(&shuffled, b""));
        assert_eq!(found.bytes, bytes);
        assert!(!found.well_placed);
        assert_eq!(found.excluded_range(), None);

        let mut apart = parts.clone();
        apart.insert(2, jfif());
        assert!(only_store(jpeg(&apart, b"")).notes[0].contains("follow one another"));

        let missing: Vec<_> =
            parts.iter().enumerate().filter(|(at, _)| *at != 1).map(|(_, p)| p.clone()).collect();
        let found = only_store(jpeg(&missing, b""));
        assert!(found.notes.iter().any(|note| note.contains("missing")));
        assert!(found.notes.iter().any(|note| note.contains("cut short")));
    }

    #[test]
    fn a_box_with_a_long_length_is_read() {
        let short = store(80);
        let long = [b"\0\0\0\x01jumb".as_slice(), &88_u64.to_be_bytes(), &short[8..]].concat();
        let continuation = [&long[..16], &long[60..]].concat();
        let found = only_store(jpeg(&[app11(7, 1, &long[..60]), app11(7, 2, &continuation)], b""));
        assert_eq!(found.bytes, long);
        assert!(found.well_placed, "{:?}", found.notes);
        assert!(!found.canonical);
    }

    #[test]
    fn several_stores_are_all_reported() {
        let bytes = store(70);
        assert_eq!(stores(png(&[chunk(b"caBX", &bytes), chunk(b"caBX", b"x")], b"")).len(), 2);
        let twice = [riff_chunk(b"C2PA", &bytes), riff_chunk(b"C2PA", &bytes)].concat();
        assert_eq!(stores(webp(&[vp8(), twice], b"")).len(), 2);
        for instances in [[1, 2], [1, 1]] {
            let segments = instances.map(|instance| app11(instance, 1, &bytes));
            assert_eq!(stores(jpeg(&segments, b"")).len(), 2);
        }
    }

    #[test]
    fn a_store_split_over_chunks_is_joined() {
        let bytes = store(200);
        let (one, two, three) = (&bytes[..70], &bytes[70..120], &bytes[120..]);
        for pieces in [[one, two, three], [two, one, three]] {
            let found = only_store(png(&pieces.map(|piece| chunk(b"caBX", piece)), b""));
            assert_eq!(found.bytes, bytes);
            assert!(!found.well_placed && !found.canonical);
            assert!(found.notes[0].contains("3 chunks"));
            let chunks = pieces.map(|piece| riff_chunk(b"C2PA", piece)).concat();
            assert_eq!(only_store(webp(&[vp8(), chunks], b"")).bytes, bytes);
        }
        let cut = [chunk(b"caBX", one), chunk(b"caBX", two)];
        assert_eq!(stores(png(&cut, b"")).len(), 2, "they do not make a whole store");
    }

    #[test]
    fn only_manifest_stores_of_this_image_count() {
        let bytes = store(70);
        let mut other_type = bytes.clone();
        other_type[16..20].copy_from_slice(b"jp36");
        assert_eq!(stores(jpeg(&[app11(1, 1, &other_type)], b"")).len(), 0);
        let inner = jpeg(&[app11(1, 1, &bytes)], b"");
        let thumbnail = segment(marker::APP1, &[b"Exif\0\0II*\0".as_slice(), &inner].concat());
        assert_eq!(stores(jpeg(&[thumbnail], b"")).len(), 0);
        assert_eq!(stores(jpeg(&[], &inner)).len(), 0);
        assert_eq!(stores(png(&[], &chunk(b"caBX", &bytes))).len(), 0);
        assert_eq!(stores(webp(&[vp8()], &riff_chunk(b"C2PA", &bytes))).len(), 0);
    }

    #[test]
    fn a_store_in_the_wrong_place_is_noted() {
        let bytes = store(70);
        let mut late = png(&[], b"");
        let before_iend = late.len() - 12;
        late.splice(before_iend..before_iend, chunk(b"caBX", &bytes));
        assert!(only_store(late).notes[0].contains("after the image data"));

        let mut late = jpeg(&[], b"");
        let before_end = late.len() - 2;
        late.splice(before_end..before_end, app11(0x0211, 1, &bytes));
        assert!(only_store(late).notes[0].contains("after the first scan"));
    }

    #[test]
    fn every_changed_byte_of_a_container_is_noticed() {
        let bytes = store(71);
        let big = crate::embed::tests::signed_jpeg(store(64_100));
        for file in [
            png(&[chunk(b"caBX", &bytes)], b""),
            webp(&[vp8(), riff_chunk(b"C2PA", &bytes)], b""),
            jpeg(&[jfif(), app11(0x0211, 1, &bytes)], b""),
            big,
        ] {
            let intact = only_store(file.clone());
            assert!(intact.canonical && intact.well_placed);
            let range = intact.excluded_range().unwrap();
            // Within the store there is nothing to see but the store itself.
            let headers = range.clone().filter(|at| at - range.start < 80 || *at > 64_000);
            for at in headers {
                for bit in [0x01, 0x20, 0x80] {
                    let mut file = file.clone();
                    file[at] ^= bit;
                    let (asset, _) = Asset::read_leniently(file.into()).unwrap();
                    let seen = match asset.manifest_stores().as_slice() {
                        [store] => store.bytes != intact.bytes || !store.canonical,
                        _ => true,
                    };
                    assert!(seen, "{} byte {at}", asset.format());
                }
            }
        }
    }
}
