//! Stores and manifests that are scattered, cut short, overwritten.

use md5::{Digest as _, Md5};

use super::*;

const LABEL_A: &str = "urn:c2pa:aaaaaaaa-0b0a-4908-8706-050403020100";
const LABEL_B: &str = "urn:c2pa:bbbbbbbb-0b0a-4908-8706-050403020100";

fn superbox(kind: &[u8; 4], label: &str, content: &[u8]) -> Vec<u8> {
    let suffix = b"\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71";
    let description = [&kind[..], suffix, b"\x03", label.as_bytes(), b"\0"].concat();
    boxed(b"jumb", &[&boxed(b"jumd", &description), content].concat())
}

fn cbor_box(label: &str, kind: &[u8; 4], value: &serde_json::Value) -> Vec<u8> {
    let mut cbor = Vec::new();
    ciborium::into_writer(value, &mut cbor).unwrap();
    superbox(kind, label, &boxed(b"cbor", &cbor))
}

/// A manifest with this label and proof URI.
fn manifest(label: &str, proof_uri: &str) -> Vec<u8> {
    let assertions = [
        cbor_box("c2pa.actions.v2", b"cbor", &json!({ "actions": [] })),
        cbor_box("com.credlink.proof", b"cbor", &json!({ "uri": proof_uri })),
        superbox(b"json", "cawg.metadata", &boxed(b"json", b"{\"dc:creator\":[\"Ada\"]}")),
    ];
    let claim = json!({
        "claim_generator_info": { "name": "CredLink" },
        "dc:title": "Sea",
        "signature": format!("self#jumbf=/c2pa/{label}/c2pa.signature"),
    });
    let parts = [
        superbox(b"c2as", "c2pa.assertions", &assertions.concat()),
        cbor_box("c2pa.claim.v2", b"c2cl", &claim),
        superbox(b"c2cs", "c2pa.signature", &boxed(b"cbor", &[0xD2; 600])),
    ];
    superbox(b"c2ma", label, &parts.concat())
}

/// The older manifest A and the active one B.
fn history() -> Vec<u8> {
    superbox(b"c2pa", "c2pa", &[manifest(LABEL_A, A), manifest(LABEL_B, B)].concat())
}

/// APP11 payloads with `store` in pieces of `size` bytes.
fn app11(store: &[u8], size: usize) -> Vec<Vec<u8>> {
    let pieces = store[8..].chunks(size).zip(1_u32..);
    pieces
        .map(|(piece, number)| [b"JP\0\x07", &number.to_be_bytes()[..], &store[..8], piece].concat())
        .collect()
}

#[test]
fn scattered_segments_are_gathered() {
    let store = history();
    let payloads = app11(&store, 500);
    assert!(payloads.len() > 3);
    let segment = |marker: u8, payload: &Vec<u8>| Segment(marker, payload.clone());
    let mut behind = Vec::new();
    for payload in payloads.iter().rev() {
        write(&mut behind, Format::Jpeg, &segment(0xEB, payload));
    }
    let mut rest_behind = Vec::new();
    for payload in &payloads[2..] {
        write(&mut rest_behind, Format::Jpeg, &segment(0xEB, payload));
    }
    let others: Vec<_> = payloads.iter().map(|payload| segment(0xE9, payload)).collect();
    let mixed: Vec<_> = payloads
        .iter()
        .zip([0xEB, 0xE9, 0xEB, 0xEC, 0xE2, 0xEF].iter().cycle())
        .map(|(p, m)| segment(*m, p))
        .collect();
    let first_two: Vec<_> = payloads[..2].iter().map(|payload| segment(0xEB, payload)).collect();
    for (name, file) in [
        ("behind the end", [image(Format::Jpeg, &[], &[]), behind].concat()),
        ("under another marker", image(Format::Jpeg, &others, &[])),
        ("under several markers", image(Format::Jpeg, &mixed, &[])),
        ("in part behind the end", [image(Format::Jpeg, &first_two, &[]), rest_behind].concat()),
    ] {
        let extraction = extracted(file);
        assert_eq!(finding(&extraction), (Source::Partial, 40, true), "{name}: {:?}", extraction.notes);
        assert_eq!(store_bytes(&extraction), Some(&store[..]), "{name}");
        assert!(!extraction.store.unwrap().well_placed);
    }
}

#[test]
fn segments_in_another_order_are_a_badly_placed_store() {
    let store = history();
    let reversed: Vec<_> =
        app11(&store, 500).into_iter().rev().map(|payload| Segment(0xEB, payload)).collect();
    let extraction = extracted(image(Format::Jpeg, &reversed[..2], &reversed[2..]));
    assert_eq!(finding(&extraction), (Source::Jumbf, 80, true));
    assert_eq!(store_bytes(&extraction), Some(&store[..]));
}

#[test]
fn a_split_chunk_is_a_badly_placed_store() {
    let store = history();
    for (format, name) in [(Format::Png, *b"caBX"), (Format::WebP, *b"C2PA")] {
        let pieces = store.chunks(700).map(|piece| Chunk(name, piece.to_vec())).collect::<Vec<_>>();
        let extraction = extracted(image(format, &pieces, &[]));
        assert_eq!(finding(&extraction), (Source::Jumbf, 80, true), "{format}");
        assert_eq!(store_bytes(&extraction), Some(&store[..]), "{format}");
    }
}

#[test]
fn a_store_of_webp_may_stand_before_other_chunks() {
    let pieces = [Chunk(*b"C2PA", history()), Chunk(*b"XMP ", record(B).xmp_packet())];
    let extraction = extracted(image(Format::WebP, &pieces, &[]));
    assert_eq!(finding(&extraction), (Source::Jumbf, 100, false));
}

#[test]
fn a_store_is_told_piece_by_piece() {
    for format in FORMATS {
        let extraction = extracted(image(format, &[store_piece(format, &history())], &[]));
        assert_eq!(finding(&extraction), (Source::Jumbf, 100, false), "{format}");
        assert_eq!(extraction.proof_uri, None, "no record stands beside the store");
        let salvaged = extraction.salvaged.unwrap();
        assert_eq!(salvaged.manifest_labels, [LABEL_B, LABEL_A]);
        assert_eq!(salvaged.proof_uri.as_deref(), Some(B));
        assert_eq!(salvaged.proof_ids()[0].manifest_label(), LABEL_B);
        let fragments = json!({
            "claimGenerator": "CredLink",
            "title": "Sea",
            "assertions": [
                { "label": "c2pa.actions.v2" },
                { "label": "com.credlink.proof" },
                { "label": "cawg.metadata", "data": { "dc:creator": ["Ada"] } },
            ],
        });
        assert_eq!(serde_json::Value::Object(salvaged.fragments), fragments);
    }
}

#[test]
fn an_overwritten_store_still_names_its_proof() {
    let store = history();
    let at = |needle: &str| memmem::rfind(&store, needle.as_bytes()).unwrap();
    let in_active_description = at(LABEL_B.trim_end_matches("0403020100"));
    let active_description = memmem::rfind(&store[..in_active_description], b"c2ma").unwrap();
    for (name, range) in [
        ("the header", 0..60),
        ("all of the older manifest", 20..memmem::find(&store, LABEL_B.as_bytes()).unwrap() - 40),
        ("the description of the active manifest", active_description - 12..active_description + 60),
        ("its assertions", at("c2pa.actions.v2") - 40..at("cawg.metadata") + 60),
        ("its claim", at("c2pa.claim.v2") - 30..at("c2pa.claim.v2") + 40),
    ] {
        for format in FORMATS {
            let mut broken = store.clone();
            broken[range.clone()].fill(0);
            let extraction = extracted(image(format, &[store_piece(format, &broken)], &[]));
            assert_eq!(extraction.source, Source::Partial, "{format}, {name}");
            assert!(extraction.confidence <= 20 && extraction.corrupted, "{format}, {name}");
            let salvaged = extraction.salvaged.expect(name);
            assert_eq!(salvaged.manifest_labels.first().map(String::as_str), Some(LABEL_B), "{name}");
        }
    }
}

#[test]
fn a_store_cut_anywhere_names_a_proof_as_soon_as_it_can() {
    let store = history();
    let first = memmem::find(&store, LABEL_A.as_bytes()).unwrap() + LABEL_A.len();
    for format in FORMATS {
        let file = image(format, &[store_piece(format, &store)], &[]);
        let at = memmem::find(&file, &store).unwrap();
        for left in (60..store.len()).step_by(97) {
            let extraction = extracted(file[..at + left].to_vec());
            assert_eq!(finding(&extraction), (Source::Partial, 20, true), "{format}, {left}");
            let labels = extraction.salvaged.unwrap().manifest_labels;
            assert_eq!(labels.is_empty(), left < first, "{format}, {left}");
        }
    }
}

#[test]
fn a_broken_store_goes_before_a_record_of_the_first_signature() {
    let mut broken = history();
    broken[..60].fill(0);
    for format in FORMATS {
        for (record, expected) in [
            (exif_piece(format, &record(A).exif_tiff()), B),
            (xmp_piece(format, &record(A).xmp_packet()), B),
            (private_piece(format, &record(A).private_payload()), A),
        ] {
            let extraction = extracted(image(format, &[record, store_piece(format, &broken)], &[]));
            assert_eq!(extraction.proof_uri.as_deref(), Some(expected), "{format}");
        }
        let pieces = [exif_piece(format, &record(A).exif_tiff()), store_piece(format, &history())];
        assert_eq!(extracted(image(format, &pieces, &[])).proof_uri.as_deref(), Some(A), "{format}");
    }
}

#[test]
fn a_label_in_text_is_better_than_nothing() {
    let text = format!("was self#jumbf=/c2pa/{LABEL_A}/c2pa.signature before");
    for format in FORMATS {
        let extraction = extracted(image(format, &[private_piece(format, text.as_bytes())], &[]));
        assert_eq!(finding(&extraction), (Source::Partial, 10, true), "{format}");
        let salvaged = extraction.salvaged.unwrap();
        assert!(!salvaged.has_boxes);
        assert_eq!(salvaged.manifest_labels, [LABEL_A]);
        let thumbnail = [b"II\x2a\0\x08\0\0\0\0\0\0\0\0\0", text.as_bytes()].concat();
        let extraction = extracted(image(format, &[exif_piece(format, &thumbnail)], &[]));
        assert_eq!(extraction.salvaged, None, "what thumbnails carry is theirs");
    }
}

#[test]
fn extended_xmp_is_read() {
    let packet = [record(B).xmp_packet(), vec![b' '; 150]].concat();
    let name = hex::encode_upper(Md5::digest(&packet));
    let pieces = packet.chunks(100).zip((0_u32..).step_by(100));
    let mut segments: Vec<_> = pieces
        .map(|(piece, offset)| {
            let fields = [&length(&packet).to_be_bytes()[..], &offset.to_be_bytes(), piece].concat();
            let payload = [b"http://ns.adobe.com/xmp/extension/\0", name.as_bytes(), &fields].concat();
            Segment(0xE1, payload)
        })
        .collect();
    segments.reverse();
    let extraction = extracted(image(Format::Jpeg, &segments, &[]));
    assert_eq!(finding(&extraction), (Source::Xmp, 60, false), "{:?}", extraction.notes);
    assert_eq!(extraction.proof_uri.as_deref(), Some(B));

    segments.remove(0);
    let extraction = extracted(image(Format::Jpeg, &segments, &[]));
    assert_eq!(extraction.proof_uri.as_deref(), Some(B));
    assert!(extraction.notes.iter().any(|note| note.contains("extended XMP")));
}

#[test]
fn the_box_of_the_first_system_is_read() {
    let manifest = json!({ "claim_generator": "CredLink/1.0", "assertions": [], "proofUri": A }).to_string();
    let in_box = boxed(b"jumb", &[boxed(b"jumd", b"c2pa"), boxed(b"json", manifest.as_bytes())].concat());
    let extraction = extracted(image(Format::Jpeg, &[], &[Raw(in_box)]));
    assert_eq!(finding(&extraction), (Source::Jumbf, 45, false), "{:?}", extraction.notes);
    assert_eq!(extraction.legacy_manifest.as_ref(), Some(&manifest));
    assert_eq!(extraction.proof_uri.as_deref(), Some(A));

    for format in FORMATS {
        let loose =
            [image(format, &[], &[]), b"\0{\"a\":".to_vec(), b"\x01 ".to_vec(), manifest.clone().into()];
        let extraction = extracted(loose.concat());
        assert_eq!(finding(&extraction), (Source::Partial, 30, true), "{format}");
        assert_eq!(extraction.legacy_manifest.as_ref(), Some(&manifest), "{format}");
    }
}

#[test]
fn a_manifest_of_the_first_system_that_is_cut_gives_its_members() {
    let text = format!("{{\"claim_generator\":\"CredLink/1.0\",\"proofUri\":\"{A}\",\"assertions\":[{{\"la");
    for format in FORMATS {
        let extraction = extracted([image(format, &[], &[]), text.clone().into_bytes()].concat());
        assert_eq!(finding(&extraction), (Source::Partial, 20, true), "{format}");
        assert_eq!(extraction.proof_uri.as_deref(), Some(A));
        let members = extraction.salvaged.unwrap().fragments;
        assert_eq!(json!(members), json!({ "claim_generator": "CredLink/1.0", "proofUri": A }));
    }
}
