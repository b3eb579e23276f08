//! What a signed file is made of, in all three formats.

use bytes::Bytes;

use super::*;
use crate::asset::{Limits, Part, marker, sample::*};

fn parse(file: Vec<u8>) -> Asset {
    Asset::parse(file.into(), &Limits::default()).unwrap()
}

fn plan(asset: &Asset, record: &RecordPayloads, store_length: usize) -> Embedding {
    Embedding::plan(asset, record, store_length).unwrap()
}

/// Embeds a store of this length and checks all that must hold for every signed file.
fn sign(asset: &Asset, record: &RecordPayloads, store_length: usize) -> Asset {
    let embedding = plan(asset, record, store_length);
    let (exclusion, length) = (embedding.exclusion(), embedding.signed_length());
    let hashed = embedding.hashed().concat();
    let rope = embedding.finish(&store(store_length).into()).unwrap();
    let signed = rope.to_vec();
    assert_eq!((rope.len(), signed.len()), (length, length));

    let mut rest = signed.clone();
    rest.drain(exclusion.clone());
    assert_eq!(rest, hashed);

    let signed = parse(signed);
    let [found] = signed.manifest_stores().try_into().unwrap();
    assert_eq!(found.bytes, store(store_length));
    assert_eq!(found.excluded_range(), Some(exclusion));
    assert!(found.well_placed && found.canonical, "{:?}", found.notes);
    signed
}

/// A JPEG with a JFIF header and this store.
pub(crate) fn signed_jpeg(store: Vec<u8>) -> Vec<u8> {
    let embedding = plan(&parse(jpeg(&[jfif()], b"")), &RecordPayloads::default(), store.len());
    embedding.finish(&store.into()).unwrap().to_vec()
}

fn full_record() -> RecordPayloads {
    RecordPayloads {
        xmp: Some("<xmp/>".into()),
        exif: Some("II*\0odd".into()),
        private: Some("private".into()),
    }
}

/// The record as far as the asset has room for it.
fn record_for(asset: &Asset) -> RecordPayloads {
    let (free, all) = (carriers(asset), full_record());
    RecordPayloads {
        xmp: all.xmp.filter(|_| free.xmp),
        exif: all.exif.filter(|_| free.exif),
        private: all.private,
    }
}

/// All parts but the RIFF header, which has a length, and manifest stores.
fn lasting_parts(asset: &Asset) -> Vec<Bytes> {
    let stores: Vec<usize> = asset.manifest_stores().into_iter().flat_map(|store| store.parts).collect();
    let lasts = |(index, part): &(usize, &Part)| {
        !stores.contains(index) && (asset.format() != Format::WebP || part.kind != PartKind::Start)
    };
    asset.parts().iter().enumerate().filter(lasts).map(|(_, part)| asset.part_bytes(part)).collect()
}

fn assert_kept(before: &Asset, after: &Asset) {
    let after = lasting_parts(after);
    let mut after = after.iter();
    for part in lasting_parts(before) {
        assert!(after.any(|found| *found == part), "a part is gone or out of order");
    }
}

/// The parts between the start and the store, between the store and the image data, in short.
fn outline(asset: &Asset) -> Vec<String> {
    asset
        .parts()
        .iter()
        .map(|part| match part.kind {
            PartKind::Segment(code) => format!("{code:02X}"),
            PartKind::Chunk(name) => name.escape_ascii().to_string(),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn every_part_stays_and_only_the_store_is_excluded() {
    let files = rich_files().into_iter().chain([
        jpeg(&[], b""),
        jpeg(&[jfif()], b"trailer"),
        jpeg(&[exif(), jfif()], b""),
        png(&[], b""),
        png(&[chunk(b"acTL", &[0, 0, 0, 1, 0, 0, 0, 0])], b"trailer"),
        webp(&[vp8l(true)], b""),
        webp(&[vp8x(0x10), riff_chunk(b"ALPH", b"odd"), vp8()], b""),
        webp(&[vp8(), riff_chunk(b"what", b"odd")], b""),
    ]);
    for file in files {
        let asset = parse(file);
        for store_length in [100, 101, 64_000, 64_001, 128_001, 200_000] {
            assert_kept(&asset, &sign(&asset, &RecordPayloads::default(), store_length));
            let once = sign(&asset, &record_for(&asset), store_length);
            assert_kept(&asset, &once);
            let twice = sign(&once, &record_for(&once), store_length / 2);
            assert_kept(&once, &twice);
            let thrice = sign(&twice, &record_for(&twice), store_length + 1);
            assert_kept(&twice, &thrice);
        }
    }
}

#[test]
fn nothing_but_headers_is_copied() {
    let asset = parse(png(&[chunk(b"zzZz", &vec![7; 100_000])], b""));
    let rope = plan(&asset, &RecordPayloads::default(), 200).finish(&store(200).into()).unwrap();
    assert_eq!(rope.pieces().len(), 5, "up to IHDR, header, store, checksum, all the rest");
    let rest = rope.pieces().last().unwrap();
    assert_eq!(rest.as_ptr(), asset.bytes()[33..].as_ptr());
}

#[test]
fn a_jpeg_store_follows_the_leading_segments() {
    let mpf = segment(marker::APP2, b"MPF\0II*\0");
    for (segments, expected) in [
        (vec![], vec!["Start", "EB"]),
        (vec![mpf.clone()], vec!["Start", "EB", "E2"]),
        (vec![jfif(), mpf.clone()], vec!["Start", "E0", "EB", "E2"]),
        (vec![exif(), mpf.clone()], vec!["Start", "E1", "EB", "E2"]),
        (vec![jfif(), exif(), mpf.clone()], vec!["Start", "E0", "E1", "EB", "E2"]),
        (vec![exif(), jfif(), exif()], vec!["Start", "E1", "E0", "EB", "E1"]),
        (vec![jfif(), jfif(), mpf, jfif()], vec!["Start", "E0", "E0", "EB", "E2", "E0"]),
    ] {
        let signed = sign(&parse(jpeg(&segments, b"")), &RecordPayloads::default(), 100);
        assert_eq!(outline(&signed)[..expected.len()], expected);
    }
}

#[test]
fn the_record_stands_around_the_store_in_a_jpeg() {
    let signed = sign(&parse(jpeg(&[jfif(), segment(0xE2, b"ICC")], b"")), &full_record(), 100);
    assert_eq!(outline(&signed)[..7], ["Start", "E0", "E1", "EB", "E1", "FE", "E2"]);
    assert_eq!(signed.exif_blocks().collect::<Vec<_>>(), ["II*\0odd"]);
    assert_eq!(signed.xmp_packets(), ["<xmp/>"]);
    assert_eq!(signed.comments().collect::<Vec<_>>(), ["private"]);
}

#[test]
fn the_record_follows_the_store_in_a_png() {
    let signed = sign(&parse(png(&[chunk(b"PLTE", &[0; 3])], b"")), &full_record(), 101);
    assert_eq!(outline(&signed)[..7], ["Start", "IHDR", "caBX", "iTXt", "eXIf", "crLk", "PLTE"]);
    assert_eq!(signed.exif_blocks().collect::<Vec<_>>(), ["II*\0odd"]);
    assert_eq!(signed.xmp_packets(), ["<xmp/>"]);
    assert_eq!(signed.chunks(*b"crLk").collect::<Vec<_>>(), ["private"]);
    assert!(Asset::read_leniently(signed.bytes().clone()).unwrap().1.is_empty(), "checksums are right");
}

#[test]
fn a_simple_webp_is_extended_for_the_record() {
    for (image, name, flags) in
        [(vp8(), "VP8 ", 0x0C), (vp8l(false), "VP8L", 0x0C), (vp8l(true), "VP8L", 0x1C)]
    {
        let signed = sign(&parse(webp(&[image], b"")), &full_record(), 101);
        assert_eq!(outline(&signed), ["Start", "VP8X", name, "EXIF", "XMP ", "crLk", "C2PA"]);
        assert_eq!(signed.chunks(*b"VP8X").next().unwrap(), [flags, 0, 0, 0, 15, 0, 0, 7, 0, 0].as_slice());
        assert_eq!(carriers(&signed), Carriers { xmp: false, exif: false });
        assert!(Asset::read_leniently(signed.bytes().clone()).unwrap().1.is_empty());
    }
    let signed = sign(&parse(webp(&[vp8()], b"")), &RecordPayloads::default(), 100);
    assert_eq!(outline(&signed), ["Start", "VP8 ", "C2PA"]);
}

#[test]
fn the_pad_byte_of_a_webp_store_is_hashed() {
    let embedding = plan(&parse(webp(&[vp8()], b"")), &RecordPayloads::default(), 101);
    let exclusion = embedding.exclusion();
    assert_eq!(embedding.signed_length(), exclusion.end + 1);
    assert_eq!(embedding.hashed().last(), Some(&[0].as_slice()));
}

#[test]
fn a_missing_pad_byte_is_added() {
    let mut file = webp(&[vp8l(false)], b"");
    assert_eq!(file.pop(), Some(0));
    let size = u32::try_from(file.len() - 8).unwrap().to_le_bytes();
    file[4..8].copy_from_slice(&size);
    let signed = sign(&parse(file), &RecordPayloads::default(), 100);
    assert!(Asset::read_leniently(signed.bytes().clone()).unwrap().1.is_empty());
}

#[test]
fn what_an_image_has_is_not_added_again() {
    let xmp = [b"http://ns.adobe.com/xap/1.0/\0".as_slice(), b"<x/>"].concat();
    for (file, expected) in [
        (jpeg(&[jfif()], b""), Carriers { xmp: true, exif: true }),
        (jpeg(&[exif()], b""), Carriers { xmp: true, exif: false }),
        (jpeg(&[segment(marker::APP1, &xmp)], b""), Carriers { xmp: false, exif: true }),
        (png(&[], b""), Carriers { xmp: true, exif: true }),
        (png(&[chunk(b"eXIf", b"II*\0")], b""), Carriers { xmp: true, exif: false }),
        (png(&[chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0")], b""), Carriers { xmp: false, exif: true }),
        (png(&[chunk(b"zTXt", b"Raw profile type exif\0\0x")], b""), Carriers { xmp: true, exif: false }),
        (webp(&[vp8()], b""), Carriers { xmp: true, exif: true }),
        (webp(&[vp8(), riff_chunk(b"XMP ", b"")], b""), Carriers { xmp: false, exif: false }),
        (webp(&[vp8x(0), vp8()], b""), Carriers { xmp: false, exif: false }),
    ] {
        let asset = parse(file);
        assert_eq!(carriers(&asset), expected);
        let taken = Embedding::plan(&asset, &full_record(), 100);
        let all_free = expected == Carriers { xmp: true, exif: true };
        assert_eq!(matches!(taken, Err(EmbedError::CarrierTaken(_))), !all_free);
    }
}

#[test]
fn the_newest_private_record_comes_first() {
    for file in [jpeg(&[], b""), png(&[], b""), webp(&[vp8()], b""), webp(&[vp8x(0), vp8()], b"")] {
        let record = |text: &'static str| RecordPayloads { private: Some(text.into()), ..Default::default() };
        let once = sign(&parse(file), &record("first"), 100);
        let twice = sign(&once, &record("second"), 100);
        let found: Vec<_> = twice.chunks(*b"crLk").chain(twice.comments()).collect();
        assert_eq!(found, ["second", "first"]);
    }
}

#[test]
fn every_older_store_is_replaced_and_other_boxes_stay() {
    let old = store(90);
    let other = app11(0x0211, 1, b"\0\0\0\x10jumb not one of ours, and long enough");
    let segments = [
        app11(3, 1, &old[..60]),
        jfif(),
        other.clone(),
        app11(3, 2, &[&old[..8], &old[60..]].concat()),
        app11(4, 1, &old),
    ];
    let asset = parse(jpeg(&segments, b""));
    assert_eq!(asset.manifest_stores().len(), 2);
    let signed = sign(&asset, &RecordPayloads::default(), 100);
    assert_eq!(outline(&signed)[..5], ["Start", "E0", "EB", "EB", "DB"]);
    let kept: Vec<_> = signed.segments_after(marker::APP11, b"").collect();
    assert_eq!(kept[1], other[4..], "its box instance was not taken for the store");

    let two = png(&[chunk(b"caBX", &old), chunk(b"caBX", b"broken")], b"");
    sign(&parse(two), &RecordPayloads::default(), 100);
    let between = [vp8x(0), riff_chunk(b"C2PA", &old), vp8(), riff_chunk(b"what", b"x")];
    let signed = sign(&parse(webp(&between, b"")), &RecordPayloads::default(), 100);
    assert_eq!(outline(&signed), ["Start", "VP8X", "VP8 ", "what", "C2PA"]);
}

#[test]
fn the_distance_from_mpf_to_the_next_image_never_changes() {
    let mpf = segment(marker::APP2, b"MPF\0II*\0and so on");
    let old = store(300);
    let next_image = b"\xFF\xD8 the second image";
    let orders = [
        vec![jfif(), mpf.clone()],
        vec![jfif(), app11(3, 1, &old), mpf.clone()],
        vec![jfif(), mpf.clone(), app11(3, 1, &old)],
        vec![mpf, segment(0xE5, b"between"), [&[0xFF, 0xFF], app11(3, 1, &old).as_slice()].concat()],
    ];
    for segments in orders {
        let asset = parse(jpeg(&segments, next_image));
        let distance = |file: &[u8]| {
            let find =
                |needle: &[u8]| file.windows(needle.len()).position(|window| window == needle).unwrap();
            find(next_image) - find(b"MPF\0")
        };
        let once = sign(&asset, &full_record_without_exif(), 5000);
        assert_eq!(distance(once.bytes()), distance(asset.bytes()));
        let twice = sign(&once, &RecordPayloads::default(), 200);
        assert_eq!(distance(twice.bytes()), distance(asset.bytes()));
    }
}

fn full_record_without_exif() -> RecordPayloads {
    RecordPayloads { exif: None, ..full_record() }
}

#[test]
fn what_does_not_fit_is_refused() {
    let asset = parse(jpeg(&[], b""));
    let fits = |length| {
        let record = RecordPayloads { xmp: Some(vec![b' '; length].into()), ..Default::default() };
        Embedding::plan(&asset, &record, 100)
    };
    assert!(fits(65_504).is_ok());
    assert_eq!(
        fits(65_505).unwrap_err(),
        EmbedError::RecordTooLong { kind: "XMP", length: 65_505, limit: 65_504 }
    );

    let planned = plan(&asset, &RecordPayloads::default(), 100);
    let other_length = planned.clone().finish(&store(99).into());
    assert_eq!(other_length.unwrap_err(), EmbedError::OtherLength { planned: 100, actual: 99 });
    assert_eq!(planned.finish(&vec![0; 100].into()).unwrap_err(), EmbedError::NotAStore);

    let (damaged, _) = Asset::read_leniently(asset.bytes().slice(..20)).unwrap();
    let refused = Embedding::plan(&damaged, &RecordPayloads::default(), 100);
    assert_eq!(refused.unwrap_err(), EmbedError::Damaged);
    assert!(Embedding::plan(&asset, &RecordPayloads::default(), 8).is_err());
}

#[test]
fn a_rope_is_written_piece_by_piece() {
    let rope = Rope::new(["ab", "", "c"].map(Bytes::from));
    assert_eq!(rope.pieces(), ["ab", "c"]);
    let mut written = Vec::new();
    rope.write_to(&mut written).unwrap();
    assert_eq!(written, b"abc");
}
