//! From a picture to a signed picture and back to a report, with every key and format.

mod support;

use std::sync::Arc;

use credlink_keys::KeyKind;
use credlink_pipeline::{
    credential::{StatusKind, ValidationState},
    manifest::{CustomAssertion, SignOptions},
    proof::{ProofId, ProofStore as _},
    sign::SignError,
    timestamp::Clock as _,
    trust::TrustAnchors,
    verdict::VerificationReport,
};
use support::{Newsroom, of_each_format};

fn failures(report: &VerificationReport) -> Vec<&str> {
    report.status.iter().filter(|s| s.kind == StatusKind::Failure).map(|s| s.code.as_str()).collect()
}

#[tokio::test]
async fn every_key_signs_every_format() {
    for kind in KeyKind::ALL {
        let newsroom = Newsroom::new(kind);
        for (format, picture) in of_each_format(96, 64) {
            let report = newsroom.verify(&newsroom.sign(&picture).await).await;
            assert_eq!(failures(&report), Vec::<&str>::new(), "{kind} {format}");
            assert_eq!(report.state, ValidationState::Trusted, "{kind} {format}");
            assert!(report.valid, "{kind} {format}: {:#?}", report.score);
            assert_eq!(report.confidence, 100, "{kind} {format}: {:#?}", report.score);
        }
    }
}

#[tokio::test]
async fn what_the_caller_says_is_gathered_not_created() {
    let newsroom = Newsroom::new(KeyKind::P256);
    let options = SignOptions {
        creator: Some("Ann Example".parse().unwrap()),
        title: Some("A bridge".parse().unwrap()),
        digital_source_type: Some("digitalCapture".parse().unwrap()),
        custom_assertions: CustomAssertion::parse_list(r#"[{"label":"com.example.desk","data":{"id":7}}]"#)
            .unwrap(),
        training: Some("notAllowed".parse().unwrap()),
    };
    for (format, picture) in of_each_format(96, 64) {
        let (signed, _) = newsroom.try_sign(&picture, &options).await.unwrap();
        let report = newsroom.verify(&signed).await;
        assert!(report.valid, "{format}: {:?}", failures(&report));
        let assertions = report.manifest.unwrap()["assertions"].as_array().unwrap().clone();
        let of = |label: &str| {
            assertions.iter().find(|a| a["label"] == label).unwrap_or_else(|| panic!("{label}"))
        };
        let created = |label: &str| of(label)["created"] == true;
        assert!(created("c2pa.actions.v2") && created("c2pa.soft-binding") && created("com.credlink.proof"));
        assert!(
            !created("cawg.metadata") && !created("cawg.training-mining") && !created("com.example.desk")
        );
        assert_eq!(of("c2pa.actions.v2")["data"]["actions"][0]["action"], "c2pa.created");
        assert_eq!(of("cawg.metadata")["data"]["dc:creator"][0], "Ann Example");
        assert_eq!(of("com.example.desk")["data"]["id"], 7);
    }
}

#[tokio::test]
async fn one_thread_comes_to_the_same_as_several() {
    let mut newsroom = Newsroom::new(KeyKind::P256);
    for (format, picture) in of_each_format(96, 64) {
        let mut records = Vec::new();
        for one_thread in [false, true] {
            newsroom.settings.one_thread = one_thread;
            let (signed, record) = newsroom.try_sign(&picture, &SignOptions::default()).await.unwrap();
            assert!(newsroom.verify(&signed).await.valid, "{format}, one thread: {one_thread}");
            records.push((record.fingerprint.unwrap(), record.image_hash));
        }
        assert_eq!(records[0], records[1], "{format}");
    }
}

#[tokio::test]
async fn signing_again_keeps_the_history() {
    let newsroom = Newsroom::new(KeyKind::P256);
    for (format, picture) in of_each_format(96, 64) {
        let mut signed = picture;
        for generation in 0..4 {
            signed = newsroom.sign(&signed).await;
            let report = newsroom.verify(&signed).await;
            assert!(report.valid, "{format} {generation}: {:?}", failures(&report));
            assert_eq!(report.state, ValidationState::Trusted, "{format} {generation}");
            assert_eq!(report.confidence, 100, "{format} {generation}: {:#?}", report.score);
            // The picture itself is the first ingredient: it had no history.
            assert_eq!(report.ingredients.len(), generation + 1, "{format} {generation}");
            assert_eq!(report.ingredients[0]["relationship"], "parentOf");
        }
    }
}

#[tokio::test]
async fn the_proof_is_found_by_the_image_as_it_came_in() {
    let newsroom = Newsroom::new(KeyKind::P256);
    let picture = support::png(40, 30);
    let (_, record) = newsroom.try_sign(&picture, &SignOptions::default()).await.unwrap();
    let now = newsroom.clock.now();
    assert_eq!(newsroom.proofs.find_by_image_hash(record.image_hash, now).await.unwrap(), [record]);
}

#[tokio::test]
async fn a_signer_nobody_knows_is_valid_but_not_trusted() {
    let newsroom = Newsroom::new(KeyKind::P256);
    let signed = newsroom.sign(&support::jpeg(64, 64)).await;
    let mut reader = Newsroom::new(KeyKind::P256);
    reader.trust = TrustAnchors::from_pem("").unwrap();
    let report = reader.verify(&signed).await;
    assert_eq!(report.state, ValidationState::Valid);
    assert_eq!(failures(&report), ["signingCredential.untrusted"]);
    assert!(!report.valid && report.details.signature_valid && !report.details.certificate_valid);
    assert!(!report.details.proof_found, "the proof is in the other newsroom");
}

#[tokio::test]
async fn another_manifest_under_the_same_proof_is_an_alarm() {
    let newsroom = Newsroom::new(KeyKind::P256);
    let (signed, record) = newsroom.try_sign(&support::jpeg(64, 64), &SignOptions::default()).await.unwrap();
    let now = newsroom.clock.now();
    let mut stored = newsroom.proofs.proof(record.id, now).await.unwrap().unwrap();
    newsroom.proofs.delete(record.id).await.unwrap();
    stored.record.manifest_hash = credlink_pipeline::digest::Sha256Hash::of(b"another");
    newsroom.proofs.put(&stored).await.unwrap();
    let report = newsroom.verify(&signed).await;
    assert!(!report.valid);
    assert_eq!(report.substitution.unwrap().stored_manifest_hash, stored.record.manifest_hash);
    assert!(report.details.proof_found && !report.details.proofs_match);
}

#[tokio::test]
async fn an_expired_proof_is_not_found() {
    let newsroom = Newsroom::new(KeyKind::P256);
    let signed = newsroom.sign(&support::jpeg(64, 64)).await;
    newsroom.clock.advance_days(366);
    let report = newsroom.verify(&signed).await;
    assert!(report.details.has_proof_uri && !report.details.proof_found);
}

#[tokio::test]
async fn a_certificate_is_judged_at_the_time_of_the_clock() {
    let newsroom = Newsroom::new(KeyKind::P256);
    let signed = newsroom.sign(&support::jpeg(64, 64)).await;
    newsroom.clock.advance_days(400);
    let report = newsroom.verify(&signed).await;
    assert_eq!(failures(&report), ["claimSignature.outsideValidity"]);
    assert_eq!(report.state, ValidationState::Invalid);
    assert!(!report.valid && report.details.signature_valid && !report.details.certificate_valid);
}

#[tokio::test]
async fn a_plain_picture_has_nothing_to_show() {
    let newsroom = Newsroom::new(KeyKind::P256);
    for (format, picture) in of_each_format(40, 30) {
        let report = newsroom.verify(&picture).await;
        assert_eq!(report.state, ValidationState::None, "{format}");
        assert_eq!(report.confidence, 0, "{format}: {:#?}", report.score);
        assert!(!report.valid && report.certificate.is_none() && report.manifest.is_none());
    }
}

#[tokio::test]
async fn who_asks_twice_under_one_id_gets_the_same_image() {
    let newsroom = Newsroom::new(KeyKind::P256);
    for (name, picture) in of_each_format(64, 48) {
        // A first credential, so that the image brings a history and a record of its own.
        for picture in [picture.clone(), newsroom.sign(&picture).await] {
            let id = ProofId::random();
            let first = newsroom.sign_once(&picture, id).await.unwrap();
            let again = newsroom.sign_once(&picture, id).await.unwrap();
            assert!(first.image.to_vec() == again.image.to_vec(), "{name}: another image");
            assert_eq!(first.record, again.record);
            assert_eq!(first.record.id, id);
            assert!(newsroom.verify(&again.image.to_vec()).await.valid);
        }
    }
    let id = ProofId::random();
    newsroom.sign_once(&support::jpeg(64, 48), id).await.unwrap();
    let other = newsroom.sign_once(&support::jpeg(48, 64), id).await;
    assert!(matches!(other, Err(SignError::OtherImage(taken)) if taken == id), "{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_at_once_get_one_proof() {
    let newsroom = Arc::new(Newsroom::new(KeyKind::P256));
    let picture = support::jpeg(64, 48);
    let id = ProofId::random();
    let askers: Vec<_> = (0..8)
        .map(|_| {
            let (newsroom, picture) = (Arc::clone(&newsroom), picture.clone());
            tokio::spawn(async move { newsroom.sign_once(&picture, id).await.unwrap().image.to_vec() })
        })
        .collect();
    let mut images = Vec::new();
    for asker in askers {
        images.push(asker.await.unwrap());
    }
    assert!(images.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn an_id_that_expired_gives_way_to_the_next() {
    let newsroom = Newsroom::new(KeyKind::P256);
    let picture = support::jpeg(64, 48);
    let id = ProofId::random();
    newsroom.sign_once(&picture, id).await.unwrap();
    newsroom.clock.advance_days(400);
    let next = newsroom.sign_once(&picture, id).await.unwrap();
    assert_ne!(next.record.id, id);
    assert_eq!(newsroom.sign_once(&picture, id).await.unwrap().record, next.record);
}
