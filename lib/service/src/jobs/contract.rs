//! What every store of jobs promises, as one suite of assertions.

use std::sync::Arc;

use super::{
    JobBook, JobName,
    record::Trigger,
    state::{MAX_RUNS, Start},
    store::{JobStore, JobStoreError, MAX_DOCUMENT_BYTES},
};
use credlink_pipeline::timestamp::Timestamp;

const JOB: JobName = JobName::ProofCleanup;

/// Asserts every promise of [`JobStore`], each on a fresh, empty store. Needs a runtime with several threads.
pub(crate) async fn verify(fresh: impl AsyncFn() -> Arc<dyn JobStore>) {
    a_text_comes_back_as_it_was(&*fresh().await).await;
    a_text_is_replaced_only_as_it_was_read(&*fresh().await).await;
    jobs_do_not_touch_each_other(&*fresh().await).await;
    the_longest_document_fits(&*fresh().await).await;
    of_concurrent_replacements_exactly_one_wins(fresh().await).await;
    concurrent_changes_all_count(fresh().await).await;
    of_concurrent_takers_each_gets_a_token_of_its_own(fresh().await).await;
    what_a_newer_or_no_program_wrote_is_refused(fresh().await).await;
}

async fn a_text_comes_back_as_it_was(store: &dyn JobStore) {
    assert_eq!(store.read(JOB).await.unwrap(), None);
    for text in ["{}", "ä ü € 𝄞\n\t\"\\", "{\"a\": [1, 2.5, null]}"] {
        let before = store.read(JOB).await.unwrap();
        let revision = before.as_ref().map(|kept| kept.revision.as_str());
        assert!(store.replace(JOB, text, revision).await.unwrap());
        assert_eq!(store.read(JOB).await.unwrap().unwrap().text, text);
    }
    assert!(store.place(JOB).contains("proof-cleanup"), "{}", store.place(JOB));
}

async fn a_text_is_replaced_only_as_it_was_read(store: &dyn JobStore) {
    assert!(!store.replace(JOB, "first", Some("1")).await.unwrap(), "there is none");
    assert!(store.replace(JOB, "first", None).await.unwrap());
    assert!(!store.replace(JOB, "second", None).await.unwrap(), "there is one");
    let first = store.read(JOB).await.unwrap().unwrap();
    assert!(store.replace(JOB, "second", Some(&first.revision)).await.unwrap());
    assert!(!store.replace(JOB, "third", Some(&first.revision)).await.unwrap(), "it changed");
    assert_eq!(store.read(JOB).await.unwrap().unwrap().text, "second");
}

async fn jobs_do_not_touch_each_other(store: &dyn JobStore) {
    for job in JobName::ALL {
        assert!(store.replace(job, job.name(), None).await.unwrap());
    }
    for job in JobName::ALL {
        assert_eq!(store.read(job).await.unwrap().unwrap().text, job.name());
    }
}

async fn the_longest_document_fits(store: &dyn JobStore) {
    let text = "x".repeat(MAX_DOCUMENT_BYTES);
    assert!(store.replace(JOB, &text, None).await.unwrap());
    assert!(store.read(JOB).await.unwrap().unwrap().text == text);
}

async fn of_concurrent_replacements_exactly_one_wins(store: Arc<dyn JobStore>) {
    assert!(store.replace(JOB, "before", None).await.unwrap());
    let revision = store.read(JOB).await.unwrap().unwrap().revision;
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let (store, revision) = (Arc::clone(&store), revision.clone());
            tokio::spawn(async move {
                let text = format!("number {number}");
                store.replace(JOB, &text, Some(&revision)).await.unwrap().then_some(text)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        winners.extend(task.await.unwrap());
    }
    assert_eq!(winners, [store.read(JOB).await.unwrap().unwrap().text]);
}

async fn concurrent_changes_all_count(store: Arc<dyn JobStore>) {
    let book = JobBook::new(store);
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let book = book.clone();
            tokio::spawn(async move {
                let change = book.change(JOB, |state| {
                    state.token += 1;
                    Ok::<(), ()>(())
                });
                change.await.unwrap().unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(book.state(JOB).await.unwrap().token, 6);
}

async fn of_concurrent_takers_each_gets_a_token_of_its_own(store: Arc<dyn JobStore>) {
    let book = JobBook::new(store);
    let started = Timestamp::parse("2026-01-01T02:00:00Z").unwrap();
    let run = Start { started, trigger: Trigger::Command, attempt: 1, dry_run: false };
    let tasks: Vec<_> = (0..6)
        .map(|number| {
            let book = book.clone();
            tokio::spawn(async move {
                let take = book.change(JOB, |state| {
                    if state.lease.is_some() {
                        return Err(());
                    }
                    Ok(state.take(&format!("holder {number}"), run))
                });
                take.await.unwrap().ok()
            })
        })
        .collect();
    let mut tokens = Vec::new();
    for task in tasks {
        tokens.extend(task.await.unwrap());
    }
    assert_eq!(tokens, [1], "one has the lease");
    let state = book.state(JOB).await.unwrap();
    assert_eq!(state.lease.unwrap().token, 1);
    assert!(state.runs.len() <= MAX_RUNS);
}

async fn what_a_newer_or_no_program_wrote_is_refused(store: Arc<dyn JobStore>) {
    let book = JobBook::new(Arc::clone(&store));
    let newer = r#"{"schema": 2, "enabled": "perhaps"}"#;
    let garbage = ["", "no JSON", "[]", "{}", r#"{"schema": -1}"#, r#"{"schema": 1, "enabled": true}"#];
    let edited = [
        r#"{"schema": 1, "enabled": "no", "token": 0, "runs": []}"#,
        r#"{"schema": 1, "enabled": true, "token": 0, "runs": [], "extra": 1}"#,
        r#"{"schema": 0, "enabled": true, "token": 0, "runs": []}"#,
        r#"{"schema": 1, "enabled": true, "token": -1, "runs": []}"#,
    ];
    for text in garbage.into_iter().chain(edited).chain([newer]) {
        let revision = store.read(JOB).await.unwrap().map(|kept| kept.revision);
        assert!(store.replace(JOB, text, revision.as_deref()).await.unwrap(), "{text}");
        let error = book.state(JOB).await.unwrap_err();
        assert!(error.to_string().contains(&store.place(JOB)), "{error}");
        assert_eq!(matches!(error, JobStoreError::Newer { found: 2, .. }), text == newer, "{error}");
        assert!(book.set_enabled(JOB, false).await.is_err(), "{text}");
        assert_eq!(store.read(JOB).await.unwrap().unwrap().text, text, "nothing is written over");
        assert!(book.state(JobName::HealthMetrics).await.is_ok(), "another job goes on");
    }
}
