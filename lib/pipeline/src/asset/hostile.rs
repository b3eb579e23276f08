//! Tests of all three walkers with damaged and hostile files.

#![allow(clippy::cast_possible_truncation, reason = "lengths of test files fit")]

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{sample::*, *};
use crate::embed::{Embedding, RecordPayloads, carriers};

/// Does everything with the file that a caller can do; the values do not matter, only that there are some.
fn exercise(file: Bytes) {
    if let Ok(asset) = Asset::parse(file.clone(), &Limits::default()) {
        assert_covered(&asset);
        let free = carriers(&asset);
        let record = RecordPayloads {
            xmp: free.xmp.then(|| Bytes::from_static(b"<x/>")),
            exif: free.exif.then(|| Bytes::from_static(b"II*\0\x08\0\0\0\0\0")),
            private: Some(Bytes::from_static(b"record")),
        };
        let embedding = Embedding::plan(&asset, &record, 101).unwrap();
        let exclusion = embedding.exclusion();
        let signed = Bytes::from(embedding.finish(&store(101).into()).unwrap().to_vec());
        let signed = Asset::parse(signed, &Limits::default()).unwrap();
        let [store] = signed.manifest_stores().try_into().unwrap();
        assert!(store.canonical, "{:?}", store.notes);
        assert_eq!(store.excluded_range(), Some(exclusion));
    }
    if let Ok((asset, damage)) = Asset::read_leniently(file) {
        assert_covered(&asset);
        assert!(damage.len() <= MAX_DAMAGE);
        asset.manifest_stores();
        asset.exif_blocks().count();
        asset.xmp_packets();
        asset.texts();
        asset.comments().count();
        carriers(&asset);
    }
}

fn assert_covered(asset: &Asset) {
    let mut end = 0;
    for part in asset.parts() {
        assert_eq!(part.range.start, end);
        assert!(part.range.start < part.range.end);
        assert!(part.range.start <= part.payload.start && part.payload.end <= part.range.end);
        end = part.range.end;
    }
    assert_eq!(end, asset.bytes().len());
}

#[test]
fn a_file_cut_anywhere_before_the_end_of_the_image_is_refused() {
    for file in rich_files() {
        let file = Bytes::from(file);
        let asset = Asset::parse(file.clone(), &Limits::default()).unwrap();
        let trailer = asset.parts().iter().find(|part| part.kind == PartKind::Trailer);
        let end = trailer.map_or(file.len(), |part| part.range.start);
        for length in 0..file.len() {
            let cut = file.slice(..length);
            let parsed = Asset::parse(cut.clone(), &Limits::default());
            assert_eq!(parsed.is_ok(), length >= end, "{} cut to {length} of {}", asset.format(), file.len());
            exercise(cut);
        }
    }
}

#[test]
fn no_change_of_bytes_leads_to_a_panic() {
    let files = rich_files();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    for round in 0..30_000 {
        let mut file = files[round % files.len()].clone();
        for _ in 0..=random(4) {
            let at = random(file.len());
            match random(6) {
                0 => file[at] = [0x00, 0xFF, 0x7F, 0x80][random(4)],
                1 => file[at] ^= 1 << random(8),
                2 if file.len() > 1 => drop(file.remove(at)),
                3 => file.insert(at, random(256) as u8),
                4 => file.truncate(at.max(1)),
                _ => {
                    let from = random(file.len());
                    let piece = file[from..(from + random(40)).min(file.len())].to_vec();
                    file.splice(at..at, piece);
                }
            }
        }
        exercise(file.into());
    }
}

#[test]
fn fifty_megabytes_of_tiny_parts_take_bounded_time_and_memory() {
    const SIZE: usize = 50 * 1024 * 1024;
    let repeat = |head: &[u8], unit: &[u8]| {
        let mut file = head.to_vec();
        file.extend(unit.iter().copied().cycle().take(SIZE - head.len()));
        Bytes::from(file)
    };
    let start_of_jpeg = &[0xFF, 0xD8];
    let png_head = png(&[], b"")[..33].to_vec();
    let webp_head = [b"RIFF", (SIZE as u32 - 8).to_le_bytes().as_slice(), b"WEBP", &vp8x(0)].concat();
    let scan = jpeg(&[], b"")[..150].to_vec();
    for (file, most_parts) in [
        (repeat(start_of_jpeg, &segment(0xEB, b"")), 131_073),
        (repeat(start_of_jpeg, &app11(1, 1, &store(40))), 131_073),
        (repeat(start_of_jpeg, &[0xFF]), 2),
        (repeat(&scan, &[0xFF, 0x00]), 10),
        (repeat(&png_head, &chunk(b"caBX", b"")), 131_073),
        (repeat(&png_head, &chunk(b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0x")), 131_073),
        (repeat(&webp_head, &riff_chunk(b"C2PA", b"")), 131_073),
    ] {
        let started = Instant::now();
        let (asset, damage) = Asset::read_leniently(file.clone()).unwrap();
        assert!(asset.parts().len() <= most_parts, "{} parts", asset.parts().len());
        assert!(!damage.is_empty());
        asset.manifest_stores();
        asset.xmp_packets();
        assert!(Asset::parse(file, &Limits::default()).is_err());
        // Unoptimised and on a busy machine; quadratic behaviour would take hours.
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    }
}

#[test]
fn limits_are_kept_to_the_byte_and_the_pixel() {
    let file = Bytes::from(png(&[], b""));
    let limits = Limits { max_bytes: file.len(), max_width: 16, max_height: 8, max_parts: 6 };
    assert!(Asset::parse(file.clone(), &limits).is_ok());
    let refused = |limits| Asset::parse(file.clone(), &limits).unwrap_err();
    assert!(matches!(refused(Limits { max_bytes: file.len() - 1, ..limits }), AssetError::TooLarge { .. }));
    assert!(matches!(refused(Limits { max_width: 15, ..limits }), AssetError::Dimensions { width: 16, .. }));
    assert!(matches!(refused(Limits { max_height: 7, ..limits }), AssetError::Dimensions { height: 8, .. }));
    assert!(matches!(refused(Limits { max_parts: 5, ..limits }), AssetError::Damaged { .. }));
}

#[test]
fn other_files_are_no_images() {
    let parse = |bytes: &'static [u8]| Asset::parse(Bytes::from_static(bytes), &Limits::default());
    assert_eq!(parse(b"").unwrap_err(), AssetError::Empty);
    for other in
        [b"PK\x03\x04....".as_slice(), b"%PDF-1.7", b"GIF89a", b"RIFF\0\0\0\0WAVE", b"\xFF\xD8", b"\x89PNG"]
    {
        assert_eq!(parse(other).unwrap_err(), AssetError::NotAnImage, "{other:?}");
        assert!(Asset::read_leniently(Bytes::from_static(other)).is_err());
    }
    // The right first bytes, and then a zip or a PDF.
    for disguised in [b"\xFF\xD8\xFFPK\x03\x04zip".as_slice(), b"\xFF\xD8\xFF\xE0%PDF-1.7 and so on"] {
        assert!(matches!(parse(disguised).unwrap_err(), AssetError::Damaged { .. }), "{disguised:?}");
    }
}
