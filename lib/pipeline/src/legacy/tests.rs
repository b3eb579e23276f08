//! Against vectors that openssl made; `vectors/make` makes them.

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::asset::sample;

const MANIFEST: &str = include_str!("vectors/manifest.json");
const SIGNED: &str = include_str!("vectors/signed.json");
const SIGNATURE: &[u8] = include_bytes!("vectors/signature.bin");
const SIGNER: &str = include_str!("vectors/signer.pem");
const ROOT: &str = include_str!("vectors/root.pem");
const PICTURE: &[u8] = include_bytes!("vectors/picture.png");

fn der(pem: &str) -> Vec<u8> {
    x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap().1.contents
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The manifest with this signature member as its last.
fn with_signature(signature: &Value) -> String {
    format!("{},\"signature\":{signature}}}", SIGNED.strip_suffix('}').unwrap())
}

/// The vector's picture with the proof put in as the first system did.
fn picture(manifest: &str) -> Vec<u8> {
    let end = PICTURE.len() - 12;
    let chunks = [sample::chunk(b"c2pA", manifest.as_bytes()), sample::chunk(b"crLk", b"{}")].concat();
    [&PICTURE[..end], &chunks, &PICTURE[end..]].concat()
}

fn asset(file: Vec<u8>) -> Asset {
    Asset::read_leniently(Bytes::from(file)).unwrap().0
}

fn read_in(raw: &str, file: Vec<u8>, anchors: &str) -> LegacyCredential {
    read(raw, &asset(file), &TrustAnchors::from_pem(anchors).unwrap()).unwrap()
}

/// What is said of the signature.
fn signature_of(raw: &str, anchors: &str) -> (String, Vec<Vec<u8>>) {
    let credential = read_in(raw, PICTURE.to_vec(), anchors);
    (credential.status[0].code.clone(), credential.chain)
}

/// What is said of the content.
fn content_of(manifest: &Value, file: Vec<u8>) -> String {
    read_in(&manifest.to_string(), file, "").status[1].code.clone()
}

fn with_hash(hash: &str) -> Value {
    json!({ "assertions": [{ "label": "c2pa.hash.data", "data": { "alg": "sha256", "hash": hash } }] })
}

#[test]
fn the_vector_is_valid() {
    let credential = read_in(MANIFEST, picture(MANIFEST), "");
    assert_eq!(
        credential.proof_uri.as_deref(),
        Some("https://proofs.credlink.com/0f0e0d0c-0b0a-4908-8706-050403020100")
    );
    assert_eq!(credential.manifest["title"], "Café – sea");
    assert_eq!((credential.algorithm, credential.chain), ("rs256", vec![der(SIGNER)]));
    let codes: Vec<_> = credential.status.iter().map(|status| (status.kind, status.code.as_str())).collect();
    assert_eq!(
        codes,
        [(StatusKind::Success, SIGNATURE_VALIDATED), (StatusKind::Success, CONTENT_MATCH)],
        "{:?}",
        credential.status
    );
}

#[test]
fn every_form_of_the_envelope_is_read() {
    let (hexadecimal, base64_text) = (hex::encode(SIGNATURE), base64(SIGNATURE));
    let unpadded = base64_text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let (pem, bare_der) = (json!(SIGNER), json!(base64(&der(SIGNER))));
    for signature in [
        json!({ "alg": "RSA-SHA256", "value": base64_text, "certificate": pem }),
        json!({ "algorithm": "rs256", "signature": hexadecimal, "certificates": [pem] }),
        json!({ "value": hexadecimal.to_uppercase(), "x5c": [bare_der] }),
        json!({ "value": unpadded, "certificateChain": format!("{ROOT}{SIGNER}") }),
        json!({ "sig": base64_text, "chain": [ROOT, SIGNER] }),
    ] {
        let (code, chain) = signature_of(&with_signature(&signature), "");
        assert_eq!(code, SIGNATURE_VALIDATED, "{signature}");
        assert_eq!(chain[0], der(SIGNER));
    }
}

#[test]
fn white_space_and_the_place_of_the_signature_do_not_matter() {
    let signature = json!({ "value": base64(SIGNATURE), "certificate": SIGNER });
    let first = SIGNED.replacen('{', &format!("{{\n  \"signature\" : {signature} ,\n"), 1);
    let spaced = first.replace("\"data\":", "\"data\" :\r\n\t");
    for raw in [first, spaced] {
        assert_eq!(signature_of(&raw, "").0, SIGNATURE_VALIDATED, "{raw}");
    }
}

#[test]
fn a_certificate_that_is_named_is_found_among_the_anchors() {
    let bundle = format!("{ROOT}{SIGNER}");
    let fingerprint = crate::digest::Sha256Hash::of(&der(SIGNER)).to_string();
    let spaced: Vec<_> = fingerprint.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap()).collect();
    for name in [
        json!({ "fingerprint": fingerprint }),
        json!({ "fingerprint": spaced.join(":").to_uppercase() }),
        json!({ "serialNumber": "01:23:45:67:89:AB:CD:EF" }),
        json!({ "serialNumber": "0x0123456789abcdef", "issuer": "First System Root" }),
    ] {
        let value = base64(SIGNATURE);
        let nested = json!({ "value": value, "certificate": name });
        let (code, chain) = signature_of(&with_signature(&nested), &bundle);
        assert_eq!((code.as_str(), chain), (SIGNATURE_VALIDATED, vec![der(SIGNER)]), "{name}");
        assert_eq!(signature_of(&with_signature(&nested), ROOT).0, SIGNATURE_UNSUPPORTED);
        let mut flat = name.as_object().unwrap().clone();
        flat.insert("value".into(), json!(value));
        assert_eq!(signature_of(&with_signature(&json!(flat)), &bundle).0, SIGNATURE_VALIDATED);
    }
    let other_issuer = json!({ "serialNumber": "0123456789abcdef", "issuer": "Somebody" });
    let signature = json!({ "value": base64(SIGNATURE), "certificate": other_issuer });
    assert_eq!(signature_of(&with_signature(&signature), &bundle).0, SIGNATURE_UNSUPPORTED);
}

#[test]
fn every_changed_byte_of_what_is_signed_is_noticed() {
    for at in 0..SIGNED.len() {
        let mut changed = MANIFEST.as_bytes().to_vec();
        changed[at] ^= 1;
        let Ok(raw) = String::from_utf8(changed) else { continue };
        let Some(credential) = read(&raw, &asset(picture(&raw)), &TrustAnchors::from_pem("").unwrap()) else {
            continue;
        };
        assert_ne!(credential.status[0].code, SIGNATURE_VALIDATED, "{raw}");
    }
}

#[test]
fn what_is_added_or_said_twice_is_noticed() {
    let added = MANIFEST.replacen("\"title\"", "\"extra\":1,\"title\"", 1);
    assert_eq!(signature_of(&added, "").0, SIGNATURE_MISMATCH);
    let twice = MANIFEST.replacen("\"title\"", "\"title\":\"x\",\"title\"", 1);
    assert_eq!(signature_of(&twice, "").0, SIGNATURE_UNSUPPORTED);
    let two_signatures = MANIFEST.replacen("\"title\"", "\"signature\":{},\"title\"", 1);
    assert_eq!(signature_of(&two_signatures, "").0, SIGNATURE_UNSUPPORTED);
    let hidden = MANIFEST.replacen("\"signature\"", "\"signatur\\u0065\"", 1);
    assert_eq!(signature_of(&hidden, "").0, SIGNATURE_UNSUPPORTED);
    let many: String = (0..5000).map(|n| format!("\"m{n}\":1,")).collect();
    assert_eq!(signature_of(&MANIFEST.replacen('{', &format!("{{{many}"), 1), "").0, SIGNATURE_UNSUPPORTED);
}

#[test]
fn what_cannot_be_verified_says_why() {
    let value = base64(SIGNATURE);
    for (signature, reason) in [
        (json!(null), "no signature"),
        (json!(""), "base64"),
        (json!(17), "base64"),
        (json!({ "value": "~~~" }), "base64"),
        (json!({ "value": "A".repeat(5000) }), "base64"),
        (json!({ "alg": "none", "value": value, "certificate": SIGNER }), "RSA-SHA256"),
        (json!({ "alg": "PS256", "value": value, "certificate": SIGNER }), "RSA-SHA256"),
        (json!(value), "certificate"),
        (json!({ "value": value, "certificate": "-----BEGIN CERTIFICATE-----" }), "certificate"),
    ] {
        let credential = read_in(&with_signature(&signature), PICTURE.to_vec(), "");
        assert_eq!(credential.status[0].code, SIGNATURE_UNSUPPORTED, "{signature}");
        let explanation = credential.status[0].explanation.clone().unwrap();
        assert!(explanation.contains(reason), "{explanation}");
    }
    assert_eq!(read("[]", &asset(PICTURE.to_vec()), &TrustAnchors::from_pem("").unwrap()), None);
}

#[test]
fn another_key_s_signature_is_a_mismatch() {
    let mut other = SIGNATURE.to_vec();
    other[100] ^= 1;
    for signature in [
        json!({ "value": base64(&other), "certificate": SIGNER }),
        json!({ "value": base64(SIGNATURE), "certificate": ROOT }),
        json!({ "value": base64(b"short"), "certificate": SIGNER }),
    ] {
        let (code, chain) = signature_of(&with_signature(&signature), "");
        assert_eq!((code.as_str(), chain.len()), (SIGNATURE_MISMATCH, 1), "{signature}");
    }
}

#[test]
fn a_png_is_compared_without_its_chunks() {
    let manifest: Value = serde_json::from_str(SIGNED).unwrap();
    assert_eq!(content_of(&manifest, picture(SIGNED)), CONTENT_MATCH);
    let mut changed = picture(SIGNED);
    changed[45] ^= 1;
    assert_eq!(content_of(&manifest, changed), CONTENT_MISMATCH);
    let stripped = content_of(&manifest, PICTURE.to_vec());
    assert_eq!(stripped, CONTENT_UNCONFIRMED, "the manifest came from elsewhere");
    for without_hash in [json!({ "assertions": [] }), json!({ "claim": 1 }), with_hash("zz")] {
        assert_eq!(content_of(&without_hash, picture("{}")), CONTENT_UNCONFIRMED);
    }
}

#[test]
fn a_jpeg_is_compared_without_its_box_and_exif() {
    let original = sample::jpeg(&[sample::jfif()], b"");
    let hash = crate::digest::Sha256Hash::of(&original);
    let manifest = with_hash(&hash.to_string());
    let json_box = [b"\0\0\0\x1ajumd", &[7; 18][..], b"\0\0\0\x0ajson{}"].concat();
    let length = u32::try_from(json_box.len() + 8).unwrap().to_be_bytes();
    let jumbf = [&length[..], b"jumb", &json_box].concat();
    let record = crate::recovery::RecoveryRecord { proof_uri: "https://proofs.credlink.com/x".into() };
    let exif = sample::segment(marker(), &[b"Exif\0\0", record.exif_tiff().as_slice()].concat());
    let with_exif = [&original[..2], &exif, &original[2..]].concat();
    for file in [original.clone(), with_exif] {
        assert_eq!(content_of(&manifest, file.clone()), CONTENT_MATCH);
        let mut boxed = file;
        let end = boxed.len() - 2;
        boxed.splice(end..end, jumbf.clone());
        assert_eq!(content_of(&manifest, boxed.clone()), CONTENT_MATCH);
        let at = boxed.len() - jumbf.len() - 5;
        boxed[at] ^= 1;
        assert_eq!(content_of(&manifest, boxed), CONTENT_UNCONFIRMED);
    }
}

fn marker() -> u8 {
    crate::asset::marker::APP1
}

#[test]
fn a_webp_is_compared_without_its_exif() {
    let record = crate::recovery::RecoveryRecord { proof_uri: "https://proofs.credlink.com/x".into() };
    let exif = sample::riff_chunk(b"EXIF", &record.exif_tiff());
    for (original, signed) in [
        (
            sample::webp(&[sample::vp8()], b""),
            sample::webp(&[sample::vp8x(8), sample::vp8(), exif.clone()], b""),
        ),
        (
            sample::webp(&[sample::vp8x(4), sample::vp8()], b""),
            sample::webp(&[sample::vp8x(12), sample::vp8(), exif.clone()], b""),
        ),
    ] {
        let manifest = with_hash(&base64(crate::digest::Sha256Hash::of(&original).as_bytes()));
        assert_eq!(content_of(&manifest, signed.clone()), CONTENT_MATCH);
        let mut changed = signed;
        let at = changed.len() - exif.len() - 2;
        changed[at] ^= 1;
        assert_eq!(content_of(&manifest, changed), CONTENT_UNCONFIRMED);
    }
}
