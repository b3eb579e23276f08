//! The record of the active signer in the table.

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use aws_sdk_kms::types::KeySpec;
use credlink_keys::aws::{NewSigner, RecordsError, SignerRecords, SignerSummary};
use credlink_pipeline::signer::SignerError;
use tempfile::TempDir;

use crate::{
    installation::{Installation, Item, text},
    support::now,
};

#[tokio::test]
async fn what_was_activated_is_read_back() {
    let installation = Installation::new().await;
    assert!(installation.records().active().await.unwrap().is_none());
    let new = installation.signer(KeySpec::EccNistP384).await;
    let made = installation.records().activate(&new, None, now()).await.unwrap();
    let read = installation.records().active().await.unwrap().unwrap();
    assert_eq!((read.version(), read.key_arn()), (1, new.key_arn()));
    assert_eq!((read.chain(), read.anchors()), (made.chain(), made.anchors()));
    assert_eq!(read.activated_at(), made.activated_at());
    assert!((364..=365).contains(&read.certificates()[0].days_left(now())));
    let item = installation.item("active").await.unwrap();
    assert_eq!(item["keyKind"], text("p-384"));
    assert_eq!(item["algorithm"], text("es384"));
    assert_eq!(item["notAfter"], text(&read.certificates()[0].not_after.to_string()));
}

#[tokio::test]
async fn every_version_is_kept() {
    let installation = Installation::new().await;
    let mut arns = Vec::new();
    for _ in 0..3 {
        arns.push(installation.activate().await.key_arn().to_owned());
    }
    for (index, arn) in arns.iter().enumerate() {
        let item = installation.item(&format!("version#{:010}", index + 1)).await.unwrap();
        assert_eq!(item["keyArn"], text(arn));
        assert_eq!(item["version"], AttributeValue::N((index + 1).to_string()));
    }
    let active = installation.records().active().await.unwrap().unwrap();
    assert_eq!((active.version(), active.key_arn()), (3, arns[2].as_str()));
}

#[tokio::test]
async fn of_two_that_expect_the_same_version_one_wins() {
    let installation = Installation::new().await;
    installation.activate().await;
    let [one, other] =
        [installation.signer(KeySpec::EccNistP256).await, installation.signer(KeySpec::EccNistP256).await];
    let records = installation.records();
    let (first, second) =
        tokio::join!(records.activate(&one, Some(1), now()), records.activate(&other, Some(1), now()));
    let winner = match (first, second) {
        (Ok(record), Err(RecordsError::LostRace { .. }))
        | (Err(RecordsError::LostRace { .. }), Ok(record)) => record,
        other => panic!("{other:?}"),
    };
    let active = records.active().await.unwrap().unwrap();
    assert_eq!((active.version(), active.key_arn()), (2, winner.key_arn()));
    assert!(installation.item("version#0000000003").await.is_none());
}

#[tokio::test]
async fn a_wrong_expectation_changes_nothing() {
    let installation = Installation::new().await;
    let new = installation.signer(KeySpec::EccNistP256).await;
    let records = installation.records();
    let lost = |outcome| assert!(matches!(outcome, Err(RecordsError::LostRace { .. })), "{outcome:?}");
    lost(records.activate(&new, Some(1), now()).await.map(drop));
    assert!(installation.item("active").await.is_none());
    installation.activate().await;
    lost(records.activate(&new, None, now()).await.map(drop));
    lost(records.activate(&new, Some(2), now()).await.map(drop));
    assert_eq!(records.active().await.unwrap().unwrap().version(), 1);
}

#[tokio::test]
async fn the_anchors_of_earlier_signers_stay() {
    let installation = Installation::new().await;
    let first = installation.activate().await;
    let elsewhere = TempDir::new().unwrap();
    let key = installation.key(KeySpec::EccNistP256).await;
    let new = NewSigner::issue(&key, elsewhere.path(), now()).unwrap();
    let second = installation.records().activate(&new, Some(1), now()).await.unwrap();
    assert_ne!(first.anchors(), second.anchors());
    assert!(second.anchors().ends_with(first.anchors()), "the own root comes first");
    let third = installation.activate().await;
    assert_eq!(SignerSummary::of(&third, now()).anchors.len(), 2, "each once");
    for anchor in [first.anchors(), second.anchors().strip_suffix(first.anchors()).unwrap()] {
        assert!(third.anchors().contains(anchor));
    }
}

#[tokio::test]
async fn a_deleted_or_restored_active_record_does_not_stop_the_next() {
    let installation = Installation::new().await;
    let first = installation.activate().await;
    installation.activate().await;
    installation.delete("active").await;
    let third = installation.activate().await;
    assert_eq!(third.version(), 3);
    assert!(third.anchors().contains(first.anchors()));

    let mut earlier = installation.item("version#0000000001").await.unwrap();
    earlier.insert("sk".to_owned(), text("active"));
    installation.put(earlier).await;
    let restored = installation.records().active().await.unwrap().unwrap();
    assert_eq!((restored.version(), restored.key_arn()), (1, first.key_arn()));
    assert_eq!(installation.activate().await.version(), 4);
}

#[tokio::test]
async fn a_damaged_item_is_named_with_what_is_wrong() {
    let installation = Installation::new().await;
    installation.activate().await;
    let stranger = installation.signer(KeySpec::Rsa2048).await;
    let good = installation.item("active").await.unwrap();
    installation.records().activate(&stranger, Some(1), now()).await.unwrap();
    let other = installation.item("active").await.unwrap();

    let chain = |item: &Item| item["chain"].as_l().unwrap().clone();
    let reversed = AttributeValue::L(chain(&good).into_iter().rev().collect());
    let repeated = AttributeValue::L([chain(&good), chain(&good)].concat());
    let mixed = AttributeValue::L(vec![chain(&good)[0].clone(), chain(&other)[0].clone()]);
    let cut = chain(&good)[0].as_b().unwrap().as_ref()[..200].to_vec();
    let cases: Vec<(&str, AttributeValue, &str)> = vec![
        ("version", text("1"), "`version` cannot be read"),
        ("version", AttributeValue::N("0".to_owned()), "`version` is 0"),
        ("keyArn", text("alias/signing"), "arn:aws:kms:REGION:ACCOUNT:key/ID"),
        ("keyKind", text("rsa-2048"), "`keyKind` is not p-256"),
        ("algorithm", text("ps256"), "`algorithm` is not es256"),
        ("chain", text("none"), "`chain` cannot be read"),
        ("chain", AttributeValue::L(vec![]), "1 to 64 certificates"),
        ("chain", reversed, "wrong order"),
        ("chain", repeated, "each once"),
        ("chain", mixed, "was not issued by"),
        ("chain", AttributeValue::L(vec![AttributeValue::B(Blob::new(cut))]), "certificate 1"),
        ("chain", AttributeValue::L(chain(&other)), "`keyKind`"),
        ("anchors", text(""), "its anchors"),
        ("anchors", text("-----BEGIN CERTIFICATE-----"), "its anchors"),
        ("notBefore", text("2020-01-01T00:00:00.000Z"), "`notBefore`"),
        ("notAfter", text("2099-01-01T00:00:00.000Z"), "`notAfter`"),
        ("activatedAt", text("yesterday"), "`activatedAt` cannot be read"),
    ];
    for (name, value, expected) in cases {
        let mut item = good.clone();
        item.insert(name.to_owned(), value);
        refused(&installation, item, expected).await;
    }
    for name in ["version", "keyArn", "keyKind", "chain", "anchors", "notAfter", "activatedAt"] {
        let mut item = good.clone();
        item.remove(name);
        refused(&installation, item, &format!("`{name}` is missing")).await;
    }
    installation.put(good).await;
    assert!(installation.records().active().await.unwrap().is_some());
}

async fn refused(installation: &Installation, item: Item, expected: &str) {
    installation.put(item).await;
    let error = installation.records().active().await.unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, RecordsError::Damaged { .. }), "{message}");
    assert!(message.contains(&installation.table) && message.contains(expected), "{expected}: {message}");
    assert!(matches!(SignerError::from(error), SignerError::Unusable(_)));
}

#[tokio::test]
async fn a_missing_table_is_refused() {
    let installation = Installation::new().await;
    let missing = SignerRecords::new(installation.dynamo.clone(), "no-such-table");
    let error = missing.active().await.unwrap_err();
    assert!(matches!(&error, RecordsError::Refused { table, .. } if table == "no-such-table"), "{error}");
    assert!(matches!(SignerError::from(error), SignerError::Unusable(_)));
}
