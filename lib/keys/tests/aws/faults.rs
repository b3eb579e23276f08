//! What KMS and DynamoDB do on a bad day.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use aws_sdk_kms::types::KeySpec;
use credlink_keys::aws::{
    CachedRecord, KmsKey, KmsKeyError, KmsSigner, MAX_AGE, MAX_AGE_WHILE_UNAVAILABLE, RecordsError,
    SignerRecords,
};
use credlink_local_aws::{Fate, FaultyLink, LocalAws};
use credlink_pipeline::signer::{Signer as _, SignerError};
use tokio::{sync::oneshot, time::Instant};

use crate::{installation::Installation, support::now};

/// A line whose next requests for `operation` have these fates; later ones, and others, go through.
fn line(operation: &'static str, fates: Vec<Fate>) -> FaultyLink {
    let mut fates = fates.into_iter();
    FaultyLink::to(LocalAws::shared(), move |call| {
        let next = if call.operation == operation { fates.next() } else { None };
        next.unwrap_or(Fate::Pass)
    })
}

fn records_over(line: &FaultyLink, installation: &Installation) -> SignerRecords {
    SignerRecords::new(aws_sdk_dynamodb::Client::new(&line.sdk_config()), &installation.table)
}

async fn sign_over(line: &FaultyLink, installation: &Installation) -> Result<Vec<u8>, SignerError> {
    let record = installation.records().active().await.unwrap().unwrap();
    let signer = KmsSigner::new(&record, aws_sdk_kms::Client::new(&line.sdk_config())).unwrap();
    signer.sign(b"message").await
}

/// Ends by itself, so that a test that would wait for ever fails instead.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), work).await.expect("within two minutes")
}

#[tokio::test]
async fn kms_that_is_throttled_for_a_moment_signs_all_the_same() {
    let installation = Installation::new().await;
    installation.activate().await;
    let fates =
        vec![Fate::Fail(400, "ThrottlingException"), Fate::Fail(500, "KMSInternalException"), Fate::Lose];
    let signature = sign_over(&line("Sign", fates), &installation).await;
    assert_eq!(signature.unwrap().len(), 64);
}

#[tokio::test]
async fn kms_that_stays_throttled_or_broken_is_unavailable() {
    let installation = Installation::new().await;
    installation.activate().await;
    for fate in [
        Fate::Fail(400, "ThrottlingException"),
        Fate::Fail(500, "KMSInternalException"),
        Fate::Fail(500, "KeyUnavailableException"),
        Fate::Fail(503, "DependencyTimeoutException"),
        Fate::Lose,
    ] {
        let error = sign_over(&line("Sign", vec![fate.clone(); 20]), &installation).await.unwrap_err();
        assert!(matches!(error, SignerError::Unavailable(_)), "{fate:?}: {error}");
    }
    let throttled = line("GetPublicKey", vec![Fate::Fail(400, "ThrottlingException"); 20]);
    let error = KmsKey::read(&aws_sdk_kms::Client::new(&throttled.sdk_config()), "any").await.unwrap_err();
    assert!(matches!(error, KmsKeyError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn what_kms_forbids_is_unusable_and_not_asked_again() {
    let installation = Installation::new().await;
    installation.activate().await;
    for (code, advice) in [
        ("AccessDeniedException", "allow kms:Sign"),
        ("NotFoundException", "activate another key"),
        ("KMSInvalidStateException", "activate another key"),
        ("InvalidKeyUsageException", "activate another key"),
        ("ValidationException", "check the key"),
    ] {
        // A second attempt would succeed.
        let error = sign_over(&line("Sign", vec![Fate::Fail(400, code)]), &installation).await.unwrap_err();
        let SignerError::Unusable(message) = error else { panic!("{code}: {error}") };
        assert!(message.contains(code) && message.contains(advice), "{message}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_signature_is_refused() {
    let installation = Installation::new().await;
    installation.activate().await;
    // Nothing, not DER, and DER with a number too much.
    for signature in ["", "AAAA", "MAkCAQECAQECAQE="] {
        let answer = Fate::Answer(200, format!(r#"{{"Signature":"{signature}"}}"#));
        let error = sign_over(&line("Sign", vec![answer]), &installation).await.unwrap_err();
        assert!(matches!(&error, SignerError::Unusable(text) if text.contains("no signature")), "{error}");
    }
}

#[tokio::test]
async fn a_table_that_cannot_be_read_now_is_unavailable() {
    let installation = Installation::new().await;
    for fate in [Fate::throttled(), Fate::server_fault(), Fate::Lose, Fate::CutAnswer] {
        let line = line("GetItem", vec![fate.clone(); 20]);
        let error = records_over(&line, &installation).active().await.unwrap_err();
        assert!(matches!(error, RecordsError::Unavailable { .. }), "{fate:?}: {error}");
        assert!(matches!(SignerError::from(error), SignerError::Unavailable(_)));
    }
}

#[tokio::test]
async fn the_record_goes_on_for_ten_minutes_while_the_table_fails() {
    let installation = Installation::new().await;
    installation.activate().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    // All attempts after the first one fail, until 40 did.
    let line = FaultyLink::to(LocalAws::shared(), move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        1..40 => Fate::throttled(),
        _ => Fate::Pass,
    });
    let records = CachedRecord::new(records_over(&line, &installation));
    let start = Instant::now();
    let version = async |after: Duration| records.record(start + after).await.map(|record| record.version());
    assert_eq!(version(Duration::ZERO).await, Ok(1));
    installation.activate().await;

    assert_eq!(version(MAX_AGE).await, Ok(1));
    let attempts = asked.load(Ordering::SeqCst);
    assert_eq!(version(MAX_AGE + Duration::from_secs(1)).await, Ok(1));
    assert_eq!(asked.load(Ordering::SeqCst), attempts, "a pause after a failure");
    assert_eq!(version(MAX_AGE_WHILE_UNAVAILABLE).await, Ok(1));
    let too_late = version(MAX_AGE_WHILE_UNAVAILABLE + Duration::from_secs(1)).await;
    assert!(matches!(too_late, Err(RecordsError::Unavailable { .. })), "{too_late:?}");

    asked.store(40, Ordering::SeqCst);
    assert_eq!(version(MAX_AGE_WHILE_UNAVAILABLE + Duration::from_secs(2)).await, Ok(2));
}

#[tokio::test]
async fn one_caller_reads_again_and_the_others_do_not_wait() {
    let installation = Installation::new().await;
    installation.activate().await;
    let (arrived, arrival) = oneshot::channel();
    let (release, released) = mpsc::channel();
    let (mut arrived, mut reads) = (Some(arrived), 0);
    let line = FaultyLink::to(LocalAws::shared(), move |_| {
        reads += 1;
        assert!(reads <= 2, "a third read");
        if reads == 2 {
            arrived.take().unwrap().send(()).unwrap();
            released.recv().unwrap();
        }
        Fate::Pass
    });
    let records = Arc::new(CachedRecord::new(records_over(&line, &installation)));
    let start = Instant::now();
    records.record(start).await.unwrap();
    installation.activate().await;

    let reader = Arc::clone(&records);
    let reader = tokio::spawn(async move { reader.record(start + MAX_AGE).await.unwrap().version() });
    soon(arrival).await.unwrap();
    for _ in 0..10 {
        assert_eq!(soon(records.record(start + MAX_AGE)).await.unwrap().version(), 1);
    }
    release.send(()).unwrap();
    assert_eq!(soon(reader).await.unwrap(), 2);
    assert_eq!(soon(records.record(start + MAX_AGE)).await.unwrap().version(), 2);
}

#[tokio::test]
async fn callers_that_wait_for_the_first_read_share_its_failure() {
    let installation = Installation::new().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let line = FaultyLink::to(LocalAws::shared(), move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Fate::server_fault()
    });
    let records = Arc::new(CachedRecord::new(records_over(&line, &installation)));
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let records = Arc::clone(&records);
            tokio::spawn(async move { records.load().await })
        })
        .collect();
    for caller in callers {
        let error = soon(caller).await.unwrap().unwrap_err();
        assert!(matches!(error, RecordsError::Unavailable { .. }), "{error}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 4, "the attempts of one call");
}

#[tokio::test]
async fn an_activation_whose_answer_is_lost_happens_once() {
    let installation = Installation::new().await;
    let new = installation.signer(KeySpec::EccNistP256).await;
    let line = line("TransactWriteItems", vec![Fate::LoseAnswer]);
    let record = records_over(&line, &installation).activate(&new, None, now()).await.unwrap();
    assert_eq!(record.version(), 1);
    assert_eq!(installation.records().active().await.unwrap().unwrap().key_arn(), new.key_arn());
    assert!(installation.item("version#0000000002").await.is_none());
}

#[tokio::test]
async fn an_activation_that_never_arrives_changes_nothing() {
    let installation = Installation::new().await;
    let new = installation.signer(KeySpec::EccNistP256).await;
    for (codes, is_race) in [(["TransactionConflict", "None"], true), (["None", "ThrottlingError"], false)] {
        let reasons = codes.map(|code| format!(r#"{{"Code":"{code}"}}"#)).join(",");
        let json = format!(
            r#"{{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","message":"as the test wants it","CancellationReasons":[{reasons}]}}"#
        );
        let line = line("TransactWriteItems", vec![Fate::Answer(400, json); 20]);
        let error = records_over(&line, &installation).activate(&new, None, now()).await.unwrap_err();
        match error {
            RecordsError::LostRace { .. } => assert!(is_race, "{codes:?}"),
            RecordsError::Unavailable { .. } => assert!(!is_race, "{codes:?}"),
            other => panic!("{codes:?}: {other}"),
        }
    }
    let line = line("TransactWriteItems", vec![Fate::Lose; 20]);
    let error = records_over(&line, &installation).activate(&new, None, now()).await.unwrap_err();
    assert!(matches!(error, RecordsError::Unavailable { .. }), "{error}");
    assert!(installation.item("active").await.is_none());
}
