//! One image, from its signature past the end of its certificate.

use bytes::Bytes;
use credlink_pipeline::{
    certificate::TimeSource,
    credential::ValidationState,
    digest::Sha256Hash,
    proof::ProofStore as _,
    restamp::{RestampError, signature_life},
    time_stamp_authority::StampError,
    verify::{RECOVERED, UNREADABLE_STAMP},
};

use super::{
    LIFE, Scene,
    authority::{Mode, Root, ShortSigner, trust},
    codes, days_from_now, now,
};

const AFTER: i64 = LIFE + 10;
const KEPT: &str = "com.credlink.timeStamp.kept";

#[tokio::test]
async fn an_image_outlives_its_certificate_by_a_stamp_that_is_kept() {
    let scene = Scene::new();
    let (image, record) = scene.sign(8).await;
    assert_eq!(scene.verify_in(0, &image).await.state, ValidationState::Trusted);
    let expired = scene.verify_in(AFTER, &image).await;
    assert!(!expired.valid && codes(&expired).contains(&"claimSignature.outsideValidity"), "{expired:#?}");

    let proof = scene.proof(record.id).await;
    let stamped = scene.restamp(&proof).await.unwrap();
    assert_eq!(stamped.copy.manifest_hash, Sha256Hash::of(&stamped.store));
    assert_eq!(scene.authority.asked(), 2, "the signature, and the update manifest");
    let time = stamped.copy.time;
    scene.keep(&record, stamped).await;

    for days in [0, AFTER, 3000] {
        // The proof itself is kept for a year.
        let report = scene.verify_in(days.min(364), &image).await;
        assert!(report.valid, "{report:#?}");
        assert_eq!((report.state, report.confidence), (ValidationState::Trusted, 100));
        let certificate = report.certificate.as_ref().unwrap();
        assert_eq!((certificate.time_source, certificate.evaluated_at), (TimeSource::Timestamp, time));
        for code in ["timeStamp.validated", "timeStamp.trusted", KEPT] {
            assert!(codes(&report).contains(&code), "{code}: {report:#?}");
        }
    }
}

#[tokio::test]
async fn a_stamp_counts_for_an_image_that_lost_its_credential() {
    let scene = Scene::new();
    let (image, record) = scene.sign(8).await;
    let proof = scene.proof(record.id).await;
    scene.keep(&record, scene.restamp(&proof).await.unwrap()).await;
    // The chunk stays, and nobody reads it any more.
    let stripped: Bytes = {
        let mut bytes = image.to_vec();
        let at = bytes.windows(4).position(|window| window == b"caBX").unwrap();
        let length = u32::from_be_bytes(bytes[at - 4..at].try_into().unwrap()) as usize;
        bytes.drain(at - 4..at + 8 + length);
        bytes.into()
    };
    let report = scene.verify_in(AFTER, &stripped).await;
    assert!(report.valid && codes(&report).contains(&RECOVERED), "{report:#?}");
    assert!(codes(&report).contains(&KEPT));
}

#[tokio::test]
async fn the_update_manifest_leaves_what_was_signed_as_it_was() {
    let scene = Scene::new();
    let (_, record) = scene.sign(8).await;
    let proof = scene.proof(record.id).await;
    let stamped = scene.restamp(&proof).await.unwrap().store;
    // The manifest, without the header of the store around it.
    let manifest = &proof.manifest_store[38..];
    assert!(stamped.windows(manifest.len()).any(|window| window == manifest));
    assert!(stamped.windows(4).any(|window| window == b"c2um"), "it is an update manifest");
    let again = scene.proof(record.id).await;
    assert_eq!(again, proof, "nothing is kept yet");
}

#[tokio::test]
async fn a_stamp_counts_only_where_its_authority_is_trusted() {
    let scene = Scene::new();
    let (image, record) = scene.sign(8).await;
    let proof = scene.proof(record.id).await;
    scene.keep(&record, scene.restamp(&proof).await.unwrap()).await;
    for others in [None, Some(&Root::new("Somebody else")), Some(&scene.signers)] {
        let report = scene.verify_trusting(AFTER, &image, &trust(&scene.signers, others)).await;
        assert!(!report.valid, "{report:#?}");
        assert!(codes(&report).contains(&"timeStamp.untrusted") && !codes(&report).contains(&KEPT));
    }
}

#[tokio::test]
async fn a_stamp_of_another_proof_does_not_count() {
    let scene = Scene::new();
    let (image, record) = scene.sign(8).await;
    let (other_image, other) = scene.sign(9).await;
    let stamped = scene.restamp(&scene.proof(other.id).await).await.unwrap();
    scene.keep(&record, stamped.clone()).await;
    assert!(!scene.verify_in(AFTER, &image).await.valid, "there is no stamp under its label");
    // The same under the label of this one.
    let (label, of_other) = (record.id.manifest_label(), other.id.manifest_label());
    let forged = replaced(&stamped.store, of_other.as_bytes(), label.as_bytes());
    let seen = scene.proof(record.id).await.record;
    let copy =
        credlink_pipeline::proof::StampedCopy { manifest_hash: Sha256Hash::of(&forged), ..stamped.copy };
    assert!(scene.proofs.keep_stamped(&seen, copy, forged.into()).await.unwrap());
    let report = scene.verify_in(AFTER, &image).await;
    assert!(!report.valid && codes(&report).contains(&"timeStamp.mismatch"), "{report:#?}");
    assert!(!scene.verify_in(AFTER, &other_image).await.valid, "nothing was kept for this one");
}

#[tokio::test]
async fn a_stamp_that_would_not_count_is_not_taken() {
    let scene = Scene::new();
    let (_, record) = scene.sign(8).await;
    let proof = scene.proof(record.id).await;
    let strange = trust(&scene.signers, Some(&Root::new("Somebody else")));
    let refused = scene.restamp_trusting(&proof, &strange).await.unwrap_err();
    assert!(matches!(refused, RestampError::Worthless(_)), "{refused}");
    assert!(refused.to_string().contains("TSA_ANCHORS"), "{refused}");

    *scene.authority.time.lock().unwrap() = days_from_now(LIFE + 1);
    let refused = scene.restamp_trusting(&proof, &trust(&scene.signers, None)).await.unwrap_err();
    assert!(matches!(refused, RestampError::TooLate(_)), "{refused}");

    *scene.authority.time.lock().unwrap() = now();
    *scene.authority.mode.lock().unwrap() = Mode::OtherMessage;
    let refused = scene.restamp(&proof).await.unwrap_err();
    assert!(
        matches!(&refused, RestampError::Worthless(reason) if reason.contains("timeStamp.mismatch")),
        "{refused}"
    );

    *scene.authority.mode.lock().unwrap() = Mode::Silent;
    let refused = scene.restamp(&proof).await.unwrap_err();
    assert!(matches!(refused, RestampError::Authority(StampError::Unavailable(_))), "{refused}");

    *scene.authority.mode.lock().unwrap() = Mode::Stamping;
    scene.clock.set(days_from_now(LIFE + 1));
    let refused = scene.restamp(&proof).await.unwrap_err();
    assert!(matches!(refused, RestampError::TooLate(_)), "{refused}");
}

#[tokio::test]
async fn without_roots_of_authorities_any_genuine_stamp_is_taken() {
    let scene = Scene::new();
    let (image, record) = scene.sign(8).await;
    let proof = scene.proof(record.id).await;
    let nobody = trust(&scene.signers, None);
    scene.keep(&record, scene.restamp_trusting(&proof, &nobody).await.unwrap()).await;
    assert!(!scene.verify_trusting(AFTER, &image, &nobody).await.valid);
    assert!(scene.verify_in(AFTER, &image).await.valid, "it counts as soon as its authority is trusted");
}

#[tokio::test]
async fn a_stamp_made_after_the_certificate_ended_does_not_help() {
    let scene = Scene::new();
    let (image, record) = scene.sign(8).await;
    let proof = scene.proof(record.id).await;
    // As if somebody had put it there.
    let stamped = scene.restamp(&proof).await.unwrap();
    *scene.authority.time.lock().unwrap() = days_from_now(LIFE + 1);
    let signature = signature_of(&proof.manifest_store);
    let early = token_in(&stamped.store);
    // The lengths of signatures on P-256 vary.
    let tokens = std::iter::repeat_with(|| scene.authority.token(&signature));
    let late = tokens.take(1000).find(|token| token.len() == early.len()).unwrap();
    let store = replaced(&stamped.store, &early, &late);
    let copy =
        credlink_pipeline::proof::StampedCopy { manifest_hash: Sha256Hash::of(&store), ..stamped.copy };
    assert!(scene.proofs.keep_stamped(&record, copy, store.into()).await.unwrap());
    let report = scene.verify_in(AFTER, &image).await;
    assert!(!report.valid && codes(&report).contains(&"claimSignature.outsideValidity"), "{report:#?}");
}

#[tokio::test]
async fn a_stamp_of_its_own_goes_first() {
    let scene = Scene::new();
    let signer = ShortSigner::new(&scene.signers, days_from_now(LIFE));
    let (image, record) = scene.sign_with(&signer, 8, Some(&scene.authority)).await;
    assert!(record.signature.unwrap().stamped);
    let proof = scene.proof(record.id).await;
    let life = signature_life(&proof, None, &scene.trust, now()).unwrap();
    assert_eq!(Some(life), record.signature);
    let doubted = signature_life(&proof, None, &trust(&scene.signers, None), now()).unwrap();
    assert!(!doubted.stamped, "nobody trusts the authority");
    scene.keep(&record, scene.restamp(&proof).await.unwrap()).await;
    let report = scene.verify_in(AFTER, &image).await;
    assert!(report.valid && !codes(&report).contains(&KEPT), "{report:#?}");
}

#[tokio::test]
async fn a_record_tells_how_long_its_signature_lasts() {
    let scene = Scene::new();
    let end = days_from_now(LIFE);
    let (_, record) = scene.sign_with(&ShortSigner::new(&scene.signers, end), 8, None).await;
    let life = record.signature.unwrap();
    assert_eq!((life.valid_until.unix_seconds(), life.stamped), (end.unix_seconds(), false));
    assert_eq!(signature_life(&scene.proof(record.id).await, None, &scene.trust, now()), Some(life));
    // Records of earlier versions have neither of the two, and those versions read ours.
    let json = serde_json::to_value(&record).unwrap();
    assert!(json.get("stamped").is_none());
    let mut old = json.as_object().unwrap().clone();
    old.remove("signature");
    let read: credlink_pipeline::proof::ProofRecord = serde_json::from_value(old.into()).unwrap();
    assert_eq!((read.signature, read.stamped, read.id), (None, None, record.id));
}

#[tokio::test]
async fn a_copy_that_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = credlink_proofs::LocalProofStore::open(folder.path()).unwrap();
    let scene = Scene::new();
    let (image, record) = scene.sign(8).await;
    let proof = scene.proof(record.id).await;
    let stamped = scene.restamp(&proof).await.unwrap();
    store.put(&proof).await.unwrap();
    assert!(store.keep_stamped(&record, stamped.copy, stamped.store.clone()).await.unwrap());
    assert!(scene.verify_with(AFTER, &image, &scene.trust, &store).await.valid);

    let id = record.id.to_string();
    let path = folder.path().join("by-id").join(&id[..3]).join(format!("{id}.stamped"));
    let bytes = std::fs::read(&path).unwrap();
    for at in [bytes.len() - 10, bytes.len() - stamped.store.len() / 2] {
        let mut tampered = bytes.clone();
        tampered[at] ^= 1;
        std::fs::write(&path, tampered).unwrap();
        let report = scene.verify_with(AFTER, &image, &scene.trust, &store).await;
        assert!(!report.valid && codes(&report).contains(&UNREADABLE_STAMP), "{report:#?}");
        assert!(scene.verify_with(0, &image, &scene.trust, &store).await.valid, "only the stamp is missing");
    }
    // A damaged head, and nothing at all: as if there had never been a copy; a new one takes its place.
    let mut tampered = bytes.clone();
    tampered[100] ^= 1;
    std::fs::write(&path, tampered).unwrap();
    assert!(!scene.verify_with(AFTER, &image, &scene.trust, &store).await.valid);
    assert!(store.keep_stamped(&record, stamped.copy, stamped.store).await.unwrap());
    assert!(scene.verify_with(AFTER, &image, &scene.trust, &store).await.valid);
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

/// The signature in the COSE structure, which stands at its end: 64 bytes of Ed25519.
fn signature_of(store: &[u8]) -> Vec<u8> {
    store[store.len() - 64..].to_vec()
}

/// The first token in a store: that of the assertion.
fn token_in(store: &[u8]) -> Vec<u8> {
    const SIGNED_DATA: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 7, 2];
    let at = store.windows(11).position(|window| window == SIGNED_DATA).unwrap() - 4;
    let length = usize::from(u16::from_be_bytes([store[at + 2], store[at + 3]]));
    store[at..at + 4 + length].to_vec()
}
