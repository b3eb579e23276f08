//! What can be said of images whose manifest store is gone or broken, and of images that name somebody else's proof.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support;

use bytes::Bytes;
use credlink_keys::KeyKind;
use credlink_pipeline::{
    asset::Asset,
    credential::{StatusKind, ValidationState},
    extract::{Source, extract},
    manifest::SignOptions,
    recovery::RecoveryRecord,
    trust::TrustAnchors,
    verdict::VerificationReport,
    verify::RECOVERED,
};
use support::{Newsroom, of_each_format};

/// The file without its manifest store and the container around it.
fn without_store(signed: &[u8]) -> Vec<u8> {
    let (asset, damage) = Asset::read_leniently(Bytes::copy_from_slice(signed)).unwrap();
    let range = extract(&asset, &damage).store.unwrap().excluded_range.unwrap();
    // The pad byte of a chunk of odd length goes with the chunk.
    let end = if signed.starts_with(b"RIFF") { range.end + range.len() % 2 } else { range.end };
    let mut stripped = [&signed[..range.start], &signed[end..]].concat();
    if stripped.starts_with(b"RIFF") {
        let length = u32::try_from(stripped.len() - 8).unwrap();
        stripped[4..8].copy_from_slice(&length.to_le_bytes());
    }
    stripped
}

fn says(report: &VerificationReport, kind: StatusKind, code: &str) -> bool {
    report.status.iter().any(|status| status.kind == kind && status.code == code)
}

fn points(report: &VerificationReport) -> Vec<u8> {
    report.score.iter().map(|row| row.points).collect()
}

#[tokio::test]
async fn a_stripped_image_is_judged_by_the_kept_credential() {
    let newsroom = Newsroom::new(KeyKind::P256);
    for (format, picture) in of_each_format(64, 48) {
        let stripped = without_store(&newsroom.sign(&picture).await);
        let report = newsroom.verify(&stripped).await;
        assert!(report.valid, "{format}: {:#?}", report.status);
        assert_eq!(report.state, ValidationState::Trusted, "{format}");
        assert_eq!(points(&report), [20, 30, 25, 10, 10, 0], "{format}");
        assert!(says(&report, StatusKind::Informational, RECOVERED), "{format}");
        assert!(report.extraction.corrupted && report.extraction.source != Source::Jumbf, "{format}");
        assert!(report.manifest.is_some() && report.proof.is_some() && report.substitution.is_none());
    }
}

#[tokio::test]
async fn the_kept_signer_is_judged_for_real() {
    let newsroom = Newsroom::new(KeyKind::P256);
    let stripped = without_store(&newsroom.sign(&support::jpeg(64, 48)).await);
    let mut doubter = newsroom;
    doubter.trust = TrustAnchors::from_pem("").unwrap();
    let report = doubter.verify(&stripped).await;
    assert!(!report.valid && report.details.signature_valid && !report.details.certificate_valid);
    assert_eq!(report.state, ValidationState::Valid);
}

#[tokio::test]
async fn a_stripped_image_that_was_changed_too_has_a_broken_hard_binding() {
    let newsroom = Newsroom::new(KeyKind::P256);
    for (format, picture) in of_each_format(64, 48) {
        let mut changed = without_store(&newsroom.sign(&picture).await);
        // Behind the picture, where nobody sees it.
        changed.extend_from_slice(b"an addition");
        let report = newsroom.verify(&changed).await;
        assert!(!report.valid, "{format}");
        assert!(
            says(&report, StatusKind::Failure, "assertion.dataHash.mismatch"),
            "{format}: {:#?}",
            report.status
        );
        assert_eq!(points(&report), [20, 0, 25, 10, 10, 0], "{format}");
        assert!(report.substitution.is_none(), "{format}: it is the same picture");
    }
}

#[tokio::test]
async fn the_proof_of_another_picture_is_an_alarm() {
    let newsroom = Newsroom::new(KeyKind::P256);
    let (_, record) = newsroom.try_sign(&support::png(64, 48), &SignOptions::default()).await.unwrap();
    let payload = RecoveryRecord { proof_uri: record.uri.clone() }.private_payload();
    let other = with_chunk(&chequered_png(), b"crLk", &payload);
    let report = newsroom.verify(&other).await;
    let substitution = report.substitution.expect("an alarm");
    assert_eq!(substitution.embedded_manifest_hash, None);
    assert_eq!(substitution.stored_manifest_hash, record.manifest_hash);
    assert!(!report.valid && report.manifest.is_none());
    assert_eq!(points(&report), [0, 0, 0, 10, 10, 0]);
}

#[tokio::test]
async fn a_broken_store_is_a_failure_even_if_nothing_else_has_changed() {
    let newsroom = Newsroom::new(KeyKind::P256);
    for (format, picture) in of_each_format(64, 48) {
        let mut signed = newsroom.sign(&picture).await;
        let description = signed.windows(8).position(|window| window == b"jumdc2pa").unwrap();
        // The type of the description box: what it opens is no manifest store any more.
        signed[description] ^= 0x20;
        let report = newsroom.verify(&signed).await;
        assert!(!report.valid && report.state == ValidationState::Invalid, "{format}");
        assert!(says(&report, StatusKind::Informational, RECOVERED), "{format}: {:#?}", report.status);
        assert!(
            says(&report, StatusKind::Failure, "com.credlink.store.damaged"),
            "{format}: {:#?}",
            report.status
        );
        assert!(
            says(&report, StatusKind::Success, "assertion.dataHash.match"),
            "{format}: nothing else has changed"
        );
    }
}

#[tokio::test]
async fn an_image_from_before_it_was_signed_is_found_by_its_hash() {
    let newsroom = Newsroom::new(KeyKind::P256);
    for (format, picture) in of_each_format(64, 48) {
        newsroom.sign(&picture).await;
        let report = newsroom.verify(&picture).await;
        assert!(report.valid && !report.extraction.corrupted, "{format}: {:#?}", report.status);
        assert_eq!(report.extraction.source, Source::None);
        assert_eq!(points(&report), [20, 30, 25, 10, 10, 0], "{format}");
    }
}

#[tokio::test]
async fn a_proof_of_the_first_system_is_verified_and_marked() {
    const ENVELOPE: &[u8] = include_bytes!("../../lib/pipeline/src/legacy/vectors/manifest.json");
    const PICTURE: &[u8] = include_bytes!("../../lib/pipeline/src/legacy/vectors/picture.png");
    const ROOT: &str = include_str!("../../lib/pipeline/src/legacy/vectors/root.pem");
    let mut newsroom = Newsroom::new(KeyKind::P256);
    newsroom.trust = TrustAnchors::from_pem(ROOT).unwrap();
    let report = newsroom.verify(&with_chunk(PICTURE, b"c2pA", ENVELOPE)).await;
    assert!(report.valid, "{:#?}", report.status);
    assert_eq!((report.state, report.confidence), (ValidationState::None, 85));
    assert!(says(&report, StatusKind::Success, "com.credlink.legacy.signature.validated"));
    assert_eq!(report.certificate.as_ref().unwrap().algorithm, "rs256");

    let altered = String::from_utf8(ENVELOPE.to_vec()).unwrap().replace("sea", "pea");
    let report = newsroom.verify(&with_chunk(PICTURE, b"c2pA", altered.as_bytes())).await;
    assert!(!report.valid && !report.details.signature_valid);
    assert!(says(&report, StatusKind::Failure, "com.credlink.legacy.signature.mismatch"));

    let broken = b"\x00\x00\x00\x40jumb\x00\x00\x00\x1ejumdc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71\x03c2pa\x00";
    let both = with_chunk(&with_chunk(PICTURE, b"c2pA", ENVELOPE), b"caBX", broken);
    let report = newsroom.verify(&both).await;
    assert!(!report.valid && !report.details.has_manifest, "a broken store: {:#?}", report.status);

    let doubter = Newsroom::new(KeyKind::P256);
    let report = doubter.verify(&with_chunk(PICTURE, b"c2pA", ENVELOPE)).await;
    assert!(!report.valid && report.details.signature_valid && !report.details.certificate_valid);
}

/// A PNG with one more chunk, before its end.
fn with_chunk(png: &[u8], kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let (front, end) = png.split_at(png.len() - 12);
    let mut crc = crc32fast::Hasher::new();
    crc.update(kind);
    crc.update(content);
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [front, &length, kind, content, &crc.finalize().to_be_bytes(), end].concat()
}

fn chequered_png() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 64, 48);
    encoder.set_color(png::ColorType::Grayscale);
    let square = |x: usize, y: usize| if (x / 16 + y / 12).is_multiple_of(2) { 20 } else { 230 };
    let pixels: Vec<u8> = (0..48).flat_map(|y| (0..64).map(move |x| square(x, y))).collect();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    bytes
}
