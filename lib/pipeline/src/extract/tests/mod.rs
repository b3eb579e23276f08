//! The cascade on small files made by hand. Their pictures are not decodable; nobody decodes them here.

mod hostile;
mod salvaged;

use bytes::Bytes;
use memchr::memmem;
use serde_json::json;

use super::*;
use crate::{asset::Format, recovery::RecoveryRecord};

const A: &str = "https://proofs.example.com/aaaaaaaa-0b0a-4908-8706-050403020100";
const B: &str = "https://proofs.example.com/bbbbbbbb-0b0a-4908-8706-050403020100";
const FORMATS: [Format; 3] = [Format::Jpeg, Format::Png, Format::WebP];

fn record(uri: &str) -> RecoveryRecord {
    RecoveryRecord { proof_uri: uri.to_owned() }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap()
}

fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&(length(content) + 8).to_be_bytes(), &kind[..], content].concat()
}

/// A superbox that describes itself as a manifest store, and holds something.
fn store() -> Vec<u8> {
    let description = [&b"c2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71"[..], b"\x03c2pa\0"].concat();
    boxed(b"jumb", &[boxed(b"jumd", &description), boxed(b"free", &[7; 300])].concat())
}

/// One part of a file: a JPEG segment by its marker, or a chunk of PNG or WebP.
enum Piece {
    Segment(u8, Vec<u8>),
    Chunk([u8; 4], Vec<u8>),
    Raw(Vec<u8>),
}
use Piece::{Chunk, Raw, Segment};

fn store_piece(format: Format, store: &[u8]) -> Piece {
    match format {
        Format::Jpeg => Segment(0xEB, [b"JP\x02\x11\0\0\0\x01", store].concat()),
        Format::Png => Chunk(*b"caBX", store.to_vec()),
        Format::WebP => Chunk(*b"C2PA", store.to_vec()),
    }
}

fn exif_piece(format: Format, tiff: &[u8]) -> Piece {
    match format {
        Format::Jpeg => Segment(0xE1, [b"Exif\0\0", tiff].concat()),
        Format::Png => Chunk(*b"eXIf", tiff.to_vec()),
        Format::WebP => Chunk(*b"EXIF", tiff.to_vec()),
    }
}

fn xmp_piece(format: Format, packet: &[u8]) -> Piece {
    match format {
        Format::Jpeg => Segment(0xE1, [b"http://ns.adobe.com/xap/1.0/\0", packet].concat()),
        Format::Png => Chunk(*b"iTXt", [b"XML:com.adobe.xmp\0\0\0\0\0", packet].concat()),
        Format::WebP => Chunk(*b"XMP ", packet.to_vec()),
    }
}

fn private_piece(format: Format, payload: &[u8]) -> Piece {
    match format {
        Format::Jpeg => Segment(0xFE, payload.to_vec()),
        Format::Png | Format::WebP => Chunk(*b"crLk", payload.to_vec()),
    }
}

fn write(out: &mut Vec<u8>, format: Format, piece: &Piece) {
    match piece {
        Raw(bytes) => out.extend(bytes),
        Segment(marker, payload) => {
            out.extend([0xFF, *marker]);
            out.extend(u16::try_from(payload.len() + 2).unwrap().to_be_bytes());
            out.extend(payload);
        }
        Chunk(name, data) if format == Format::Png => {
            out.extend([&length(data).to_be_bytes(), &name[..], data].concat());
            let mut crc = crc32fast::Hasher::new();
            crc.update(name);
            crc.update(data);
            out.extend(crc.finalize().to_be_bytes());
        }
        Chunk(name, data) => {
            out.extend([&name[..], &length(data).to_le_bytes(), data].concat());
            out.extend(vec![0; data.len() % 2]);
        }
    }
}

/// A picture of one pixel with `early` pieces before and `late` pieces after the image data.
fn image(format: Format, early: &[Piece], late: &[Piece]) -> Vec<u8> {
    let picture: (Vec<Piece>, Vec<Piece>, Vec<Piece>) = match format {
        Format::Jpeg => (
            vec![Raw(vec![0xFF, 0xD8])],
            vec![
                Segment(0xC0, vec![8, 0, 1, 0, 1, 1, 1, 0x11, 0]),
                Segment(0xDA, vec![1, 1, 0, 0, 63, 0]),
                Raw(vec![0x55; 40]),
            ],
            vec![Raw(vec![0xFF, 0xD9])],
        ),
        Format::Png => (
            vec![
                Raw(b"\x89PNG\r\n\x1a\n".to_vec()),
                Chunk(*b"IHDR", vec![0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]),
            ],
            vec![Chunk(*b"IDAT", vec![0x55; 40])],
            vec![Chunk(*b"IEND", vec![])],
        ),
        Format::WebP => (
            vec![
                Raw(b"RIFF\0\0\0\0WEBP".to_vec()),
                Chunk(*b"VP8X", vec![0; 10]),
                Chunk(*b"VP8L", vec![0x2F, 0, 0, 0, 0, 0, 0, 0]),
            ],
            vec![],
            vec![],
        ),
    };
    let mut out = Vec::new();
    let (start, data, end) = picture;
    for piece in start.iter().chain(early).chain(&data).chain(late).chain(&end) {
        write(&mut out, format, piece);
    }
    if format == Format::WebP {
        let size = length(&out) - 8;
        out[4..8].copy_from_slice(&size.to_le_bytes());
    }
    out
}

fn extracted(file: Vec<u8>) -> Extraction {
    let (asset, damage) = Asset::read_leniently(Bytes::from(file)).unwrap();
    extract(&asset, &damage)
}

fn store_bytes(extraction: &Extraction) -> Option<&[u8]> {
    extraction.store.as_ref().map(|found| found.store.as_ref())
}

fn finding(extraction: &Extraction) -> (Source, u8, bool) {
    (extraction.source, extraction.confidence, extraction.corrupted)
}

#[test]
fn a_store_in_its_place() {
    for format in FORMATS {
        let extraction = extracted(image(format, &[store_piece(format, &store())], &[]));
        assert_eq!(finding(&extraction), (Source::Jumbf, 100, false), "{format}: {:?}", extraction.notes);
        let found = extraction.store.unwrap();
        assert_eq!(found.store, store());
        assert!(found.well_placed && found.canonical && found.excluded_range.is_some(), "{format}");
        assert_eq!((extraction.proof_uri, extraction.legacy_manifest), (None, None));
    }
}

#[test]
fn a_whole_store_badly_placed() {
    for format in [Format::Jpeg, Format::Png] {
        let extraction = extracted(image(format, &[], &[store_piece(format, &store())]));
        assert_eq!(finding(&extraction), (Source::Jumbf, 80, true), "{format}");
        assert!(!extraction.notes.is_empty());
        let found = extraction.store.unwrap();
        assert_eq!(found.store, store());
        assert!(!found.well_placed);
    }
}

#[test]
fn two_stores_are_none() {
    for format in FORMATS {
        let pieces = [
            store_piece(format, &store()),
            store_piece(format, &store()),
            private_piece(format, &record(A).private_payload()),
        ];
        let extraction = extracted(image(format, &pieces[..2], &[]));
        assert_eq!(finding(&extraction), (Source::None, 0, true), "{format}");
        assert_eq!(extraction.store, None);
        assert!(extraction.notes.iter().any(|note| note.contains("2 manifest stores")));

        let extraction = extracted(image(format, &pieces, &[]));
        assert_eq!(finding(&extraction), (Source::PngChunk, 50, true), "{format}");
        assert_eq!((extraction.store, extraction.proof_uri.as_deref()), (None, Some(A)));
    }
}

#[test]
fn a_record_in_every_carrier() {
    for format in FORMATS {
        for (piece, source, confidence) in [
            (exif_piece(format, &record(A).exif_tiff()), Source::Exif, 70),
            (xmp_piece(format, &record(A).xmp_packet()), Source::Xmp, 60),
            (private_piece(format, &record(A).private_payload()), Source::PngChunk, 50),
        ] {
            let extraction = extracted(image(format, &[piece], &[]));
            assert_eq!(finding(&extraction), (source, confidence, false), "{format}");
            assert_eq!(extraction.proof_uri.as_deref(), Some(A));
            assert_eq!(extraction.proof_uri_source, source);
            assert_eq!(extraction.store, None);
        }
    }
}

#[test]
fn a_record_beside_a_store_is_reported_too() {
    for format in FORMATS {
        let pieces = [store_piece(format, &store()), xmp_piece(format, &record(A).xmp_packet())];
        let extraction = extracted(image(format, &pieces, &[]));
        assert_eq!(finding(&extraction), (Source::Jumbf, 100, false), "{format}");
        assert_eq!(extraction.proof_uri.as_deref(), Some(A));
        assert_eq!(extraction.proof_uri_source, Source::Xmp);
    }
}

#[test]
fn carriers_that_agree_give_the_best_one() {
    for format in FORMATS {
        let pieces = [
            private_piece(format, &record(A).private_payload()),
            xmp_piece(format, &record(A).xmp_packet()),
            exif_piece(format, &record(A).exif_tiff()),
        ];
        let extraction = extracted(image(format, &pieces, &[]));
        assert_eq!(finding(&extraction), (Source::Exif, 70, false), "{format}");
        assert_eq!(extraction.proof_uri_source, Source::Exif);
        assert!(extraction.notes.is_empty());
    }
}

#[test]
fn the_newest_record_wins_in_an_image_that_was_signed_twice() {
    for format in FORMATS {
        let pieces = [
            exif_piece(format, &record(A).exif_tiff()),
            private_piece(format, &record(B).private_payload()),
            private_piece(format, &record(A).private_payload()),
            xmp_piece(format, &record(A).xmp_packet()),
        ];
        let extraction = extracted(image(format, &pieces, &[]));
        assert_eq!(finding(&extraction), (Source::PngChunk, 50, false), "{format}");
        assert_eq!(extraction.proof_uri.as_deref(), Some(B));
        assert_eq!(extraction.proof_uri_source, Source::PngChunk);
        assert!(extraction.notes.iter().any(|note| note.contains("different proofs")));
    }
}

#[test]
fn manifests_of_the_first_system() {
    let manifest = json!({ "claim_generator": "CredLink/1.0", "assertions": [], "proofUri": A });
    let text = manifest.to_string();
    let exif = [b"MM\0\x2a\0\0\0\x08\0\x01\x92\x86\0\x07", &(length(text.as_bytes()) + 8).to_be_bytes()[..]]
        .concat();
    let exif = [&exif[..], b"\0\0\0\x1a\0\0\0\0ASCII\0\0\0", text.as_bytes()].concat();
    for format in FORMATS {
        let extraction = extracted(image(format, &[exif_piece(format, &exif)], &[]));
        assert_eq!(finding(&extraction), (Source::Exif, 70, false), "{format}");
        assert_eq!(extraction.legacy_manifest.as_ref(), Some(&text));
        assert_eq!(extraction.proof_uri.as_deref(), Some(A));
    }
    let pieces = [Chunk(*b"c2pA", text.clone().into_bytes()), Chunk(*b"crLk", A.as_bytes().to_vec())];
    let extraction = extracted(image(Format::Png, &[], &pieces));
    assert_eq!((extraction.source, extraction.confidence), (Source::PngChunk, 50));
    assert_eq!(extraction.legacy_manifest, Some(text));

    let without_uri = json!({ "assertions": [] });
    let piece = private_piece(Format::WebP, without_uri.to_string().as_bytes());
    let extraction = extracted(image(Format::WebP, &[piece], &[]));
    assert_eq!(finding(&extraction), (Source::PngChunk, 50, false));
    assert_eq!((extraction.legacy_manifest, extraction.proof_uri), (Some(without_uri.to_string()), None));
}

#[test]
fn text_chunks_of_png_may_hold_the_record() {
    let text = [b"CredLink\0", A.as_bytes()].concat();
    let extraction = extracted(image(Format::Png, &[Chunk(*b"tEXt", text)], &[]));
    assert_eq!(finding(&extraction), (Source::PngChunk, 50, false));
    assert_eq!(extraction.proof_uri.as_deref(), Some(A));
}

#[test]
fn a_store_where_none_belongs_is_salvaged() {
    let store = store();
    let after = |format| [image(format, &[], &[]), store.clone()].concat();
    let long = [&[0, 0, 0, 1], &b"jumb"[..], &(store.len() as u64 + 8).to_be_bytes(), &store[8..]].concat();
    for (name, file, expected) in [
        ("after EOI", after(Format::Jpeg), &store),
        ("after IEND", after(Format::Png), &store),
        ("after RIFF", after(Format::WebP), &store),
        ("before EOI", image(Format::Jpeg, &[], &[Raw(store.clone())]), &store),
        ("in APP5", image(Format::Jpeg, &[Segment(0xE5, store.clone())], &[]), &store),
        ("in a comment", image(Format::Jpeg, &[Segment(0xFE, store.clone())], &[]), &store),
        ("in a chunk", image(Format::Png, &[Chunk(*b"abCd", store.clone())], &[]), &store),
        ("long length", image(Format::WebP, &[Chunk(*b"abcd", long.clone())], &[]), &long),
    ] {
        let extraction = extracted(file);
        assert_eq!(finding(&extraction), (Source::Partial, 40, true), "{name}");
        assert_eq!(store_bytes(&extraction), Some(&expected[..]), "{name}");
        let found = extraction.store.unwrap();
        assert_eq!((found.source, found.well_placed, found.canonical), (Source::Partial, false, false));
        assert_eq!(found.excluded_range, None);
    }
}

#[test]
fn a_record_goes_before_salvage_and_both_are_kept() {
    let mut file = image(Format::Jpeg, &[xmp_piece(Format::Jpeg, &record(A).xmp_packet())], &[]);
    file.extend(store());
    let extraction = extracted(file);
    assert_eq!(finding(&extraction), (Source::Xmp, 60, true));
    assert_eq!(store_bytes(&extraction), Some(&store()[..]));
}

#[test]
fn two_misplaced_stores_are_none() {
    let extraction = extracted([image(Format::Jpeg, &[], &[]), store(), store()].concat());
    assert_eq!(finding(&extraction), (Source::None, 0, true));
    assert_eq!(extraction.store, None);
}

#[test]
fn stores_of_thumbnails_and_further_images_are_not_ours() {
    let inner = image(Format::Jpeg, &[store_piece(Format::Jpeg, &store())], &[]);
    for format in FORMATS {
        let tiff = [b"II\x2a\0\x08\0\0\0\0\0\0\0\0\0", &inner[..]].concat();
        let thumbnail = image(format, &[exif_piece(format, &tiff)], &[]);
        assert_eq!(finding(&extracted(thumbnail)), (Source::None, 0, false), "{format}");
        let further = [image(format, &[], &[]), inner.clone()].concat();
        assert_eq!(extracted(further).store, None, "{format}");
    }
    let jfxx = Segment(0xE0, [b"JFXX\0\x10", &inner[..]].concat());
    let photoshop = Segment(0xED, [b"Photoshop 3.0\0", &inner[..]].concat());
    assert_eq!(extracted(image(Format::Jpeg, &[jfxx, photoshop], &[])).store, None);
}

#[test]
fn a_file_cut_inside_its_store_gives_what_is_left() {
    for format in FORMATS {
        let file = image(format, &[store_piece(format, &store())], &[]);
        let at = memmem::find(&file, &store()).unwrap();
        for left in [60, 200, store().len() - 1] {
            let extraction = extracted(file[..at + left].to_vec());
            assert_eq!(finding(&extraction), (Source::Partial, 20, true), "{format}, {left}");
            assert_eq!(store_bytes(&extraction), Some(&store()[..left]), "{format}");
        }
    }
}

#[test]
fn a_store_that_claims_more_than_there_is() {
    for format in FORMATS {
        let mut lying = store();
        lying[..4].copy_from_slice(&9999_u32.to_be_bytes());
        let extraction = extracted(image(format, &[store_piece(format, &lying)], &[]));
        assert_eq!(finding(&extraction), (Source::Partial, 20, true), "{format}");
        assert_eq!(store_bytes(&extraction), Some(&lying[..]));

        let empty = extracted(image(format, &[store_piece(format, b"")], &[]));
        assert_eq!((empty.source, empty.store), (Source::None, None), "{format}");
    }
    for claimed in [2_u32, 8, 37, u32::MAX] {
        let mut lying = store();
        lying[..4].copy_from_slice(&claimed.to_be_bytes());
        let extraction = extracted([image(Format::Png, &[], &[]), lying.clone()].concat());
        assert_eq!(finding(&extraction), (Source::Partial, 20, true), "{claimed}");
        assert_eq!(store_bytes(&extraction), Some(&lying[..]), "{claimed}");
    }
}

#[test]
fn the_text_of_a_proof_uri_is_the_last_resort() {
    let broken_xmp = format!("<x:xmpmeta <<< proofUri=\"{A}\"");
    let wrong_tiff = format!("II\x2b\0 {{\"proofUri\":\"{A}\"}}");
    for format in FORMATS {
        for file in [
            image(format, &[xmp_piece(format, broken_xmp.as_bytes())], &[]),
            image(format, &[exif_piece(format, wrong_tiff.as_bytes())], &[]),
            [&image(format, &[], &[])[..], b"\nsee ", A.as_bytes(), b".\n"].concat(),
            [&image(format, &[], &[])[..], b"&quot;", A.as_bytes(), b"&quot;"].concat(),
        ] {
            let extraction = extracted(file);
            assert_eq!(finding(&extraction), (Source::Partial, 10, true), "{format}");
            assert_eq!(extraction.proof_uri.as_deref(), Some(A));
            assert_eq!(extraction.proof_uri_source, Source::Partial);
        }
        let file = [&image(format, &[], &[])[..], A.as_bytes(), b" \"proofUri\": \"", B.as_bytes()].concat();
        assert_eq!(extracted(file).proof_uri.as_deref(), Some(B), "a name of ours next to it is better");
    }
}

#[test]
fn an_ordinary_image_carries_nothing() {
    for format in FORMATS {
        let pieces = [
            xmp_piece(format, b"<x:xmpmeta xmlns:x=\"adobe:ns:meta/\" a=\"https://www.example.com/\"/>"),
            private_piece(format, b"made with care, https://www.example.com/about"),
        ];
        assert_eq!(extracted(image(format, &pieces, &[])), Extraction::default(), "{format}");
    }
}

#[test]
fn a_report_is_written_as_documented() {
    let name = |source| serde_json::to_value(source).unwrap();
    let sources = [Source::Jumbf, Source::Exif, Source::Xmp, Source::PngChunk, Source::Partial, Source::None];
    assert_eq!(sources.map(name), ["jumbf", "exif", "xmp", "png-chunk", "partial", "none"]);
    let extraction = extracted(image(Format::Jpeg, &[store_piece(Format::Jpeg, &store())], &[]));
    assert_eq!(
        serde_json::to_value(extraction.report()).unwrap(),
        json!({ "source": "jumbf", "confidence": 100, "corrupted": false, "notes": [] })
    );
}
