//! Whatever byte of a signed file is changed, it is not valid any more.

mod support;

use credlink_keys::KeyKind;
use support::{Newsroom, of_each_format};

use bytes::Bytes;
use credlink_pipeline::verify::{VerifyContext, verify};

/// Every place of `signed` and every one of `changes` that `reader` does not notice.
async fn unnoticed(reader: &Newsroom, signed: &[u8], changes: &[u8]) -> Vec<String> {
    let context = VerifyContext {
        proofs: &reader.proofs,
        clock: &reader.clock,
        trust: &reader.trust,
        revocation: None,
        proof_uris: &reader.proof_uris,
        max_bytes: reader.settings.limits.max_bytes,
    };
    let mut places = Vec::new();
    for offset in 0..signed.len() {
        for &change in changes {
            let mut changed = signed.to_vec();
            if let Some(byte) = changed.get_mut(offset) {
                *byte ^= change;
            }
            let report = verify(Bytes::from(changed), &context).await;
            if report.is_ok_and(|report| report.valid) {
                let around = signed.get(offset.saturating_sub(12)..offset + 12).unwrap_or_default();
                places.push(format!("{offset} ^ {change:02x} in {around:02x?}"));
            }
        }
    }
    places
}

#[tokio::test]
async fn with_the_proof_at_hand() {
    let newsroom = Newsroom::new(KeyKind::P256);
    for (format, picture) in of_each_format(24, 16) {
        let signed = newsroom.sign(&picture).await;
        assert!(newsroom.verify(&signed).await.valid, "{format} before the change");
        assert_eq!(unnoticed(&newsroom, &signed, &[0x01, 0xFF]).await, Vec::<String>::new(), "{format}");
    }
}

/// Another service with the same trust does not have the stored copy to compare with.
#[tokio::test]
async fn without_the_proof() {
    let newsroom = Newsroom::new(KeyKind::P256);
    let mut reader = Newsroom::new(KeyKind::P256);
    reader.trust = newsroom.trust.clone();
    for (format, picture) in of_each_format(24, 16) {
        let signed = newsroom.sign(&picture).await;
        assert!(reader.verify(&signed).await.valid, "{format} before the change");
        assert_eq!(unnoticed(&reader, &signed, &[0x01, 0xFF]).await, Vec::<String>::new(), "{format}");
    }
}

#[tokio::test]
async fn in_a_file_with_a_history() {
    let newsroom = Newsroom::new(KeyKind::P256);
    let mut reader = Newsroom::new(KeyKind::P256);
    reader.trust = newsroom.trust.clone();
    let signed = newsroom.sign(&newsroom.sign(&support::jpeg(24, 16)).await).await;
    assert!(reader.verify(&signed).await.valid, "before the change");
    assert_eq!(unnoticed(&reader, &signed, &[0x01]).await, Vec::<String>::new());
}
