//! Following the active signer.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use credlink_keys::aws::{ActiveSigner, CachedRecord, MAX_AGE, RecordsError};
use credlink_pipeline::{
    signer::{Signer, SignerError},
    timestamp::{Clock, Timestamp},
};
use tokio::time::Instant;

use crate::{
    installation::{Installation, text},
    support::{now, verifies},
};

/// A clock that a test sets.
struct SetClock(Mutex<Timestamp>);

impl SetClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(now())))
    }

    fn set(&self, time: Timestamp) {
        *self.0.lock().unwrap() = time;
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

fn active(installation: &Installation, clock: Arc<SetClock>) -> ActiveSigner {
    ActiveSigner::new(installation.records(), installation.kms.clone(), clock)
}

async fn signs(signer: &dyn Signer) {
    let signature = signer.sign(b"message").await.unwrap();
    assert!(verifies(signer.algorithm(), &signer.chain()[0], b"message", &signature));
}

#[tokio::test]
async fn without_an_active_signer_the_message_says_how_to_activate_one() {
    let installation = Installation::new().await;
    let signer = active(&installation, SetClock::new());
    let error = signer.load().await.unwrap_err();
    let SignerError::Unusable(message) = error else { panic!("{error}") };
    let command = format!("credlink keys activate --kms-key ARN --table {}", installation.table);
    assert!(message.contains(&command), "{message}");
    installation.activate().await;
    signer.load().await.unwrap();
}

#[tokio::test]
async fn a_swap_is_followed_without_a_restart() {
    let installation = Installation::new().await;
    let first = installation.activate().await;
    let active = active(&installation, SetClock::new());
    let start = Instant::now();
    let before = active.signer(start).await.unwrap();
    assert_eq!(before.chain(), first.chain());

    let second = installation.activate().await;
    let soon = start + MAX_AGE - Duration::from_millis(1);
    assert_eq!(active.signer(soon).await.unwrap().chain(), first.chain(), "from the cache");
    let after = active.signer(start + MAX_AGE).await.unwrap();
    assert_eq!(after.chain(), second.chain());
    assert_eq!(active.record(start + MAX_AGE).await.unwrap().version(), 2);
    // A signature that began before keeps its key and chain.
    signs(&*before).await;
    signs(&*after).await;
}

#[tokio::test]
async fn an_expired_certificate_signs_no_more_but_its_root_is_still_known() {
    let installation = Installation::new().await;
    let record = installation.activate().await;
    let clock = SetClock::new();
    let active = active(&installation, Arc::clone(&clock));
    active.load().await.unwrap();

    let leaf = &record.certificates()[0];
    clock.set(leaf.not_after);
    let start = Instant::now();
    assert!(active.signer(start).await.is_ok(), "the last second");
    clock.set(leaf.not_after.plus_days(1));
    let error = active.signer(start).await.err().unwrap();
    let SignerError::Unusable(message) = error else { panic!("{error}") };
    assert!(message.contains("expired on") && message.contains("credlink keys activate"), "{message}");
    assert_eq!(active.record(start).await.unwrap().anchors(), record.anchors());
    clock.set(Timestamp::parse("2020-01-01T00:00:00Z").unwrap());
    let error = active.signer(start).await.err().unwrap();
    assert!(matches!(&error, SignerError::Unusable(text) if text.contains("not valid before")), "{error}");
}

#[tokio::test]
async fn a_record_that_was_deleted_or_damaged_ends_its_use() {
    let installation = Installation::new().await;
    installation.activate().await;
    let records = CachedRecord::new(installation.records());
    let start = Instant::now();
    records.record(start).await.unwrap();

    let mut item = installation.item("active").await.unwrap();
    item.insert("keyArn".to_owned(), text("another"));
    installation.put(item).await;
    let error = records.record(start + MAX_AGE).await.unwrap_err();
    assert!(matches!(error, RecordsError::Damaged { .. }), "{error}");
    installation.delete("active").await;
    let error = records.record(start + MAX_AGE).await.unwrap_err();
    assert!(matches!(error, RecordsError::NoActiveSigner { .. }), "{error}");
    installation.activate().await;
    assert_eq!(records.record(start + MAX_AGE).await.unwrap().version(), 2);
}
