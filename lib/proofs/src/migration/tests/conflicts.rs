//! The destination has another proof of the same id.

use super::*;

/// A source with three proofs, and a destination with others of their ids: older, newer, and of the same age.
async fn colliding() -> (Place, Vec<ProofRecord>, Contents) {
    let place = Place::new();
    let records = fill(&*place.source, 5).await;
    for (record, created_at) in
        records.iter().zip(["2025-12-31T23:59:59.999Z", "2026-01-01T00:00:00.001Z", "2026-01-01T00:00:00Z"])
    {
        place.destination.put(&namesake(record, created_at)).await.unwrap();
    }
    let before = contents(&*place.destination).await;
    (place, records, before)
}

#[tokio::test]
async fn what_is_there_stays_by_default() {
    let (place, records, before) = colliding().await;
    let (_, report) = place.run(Options::default()).await;
    assert_eq!((report.ending, report.counts.copied, report.counts.conflicts), (Ending::Complete, 2, 3));
    let reconciliation = report.reconciliation.unwrap();
    assert!(!reconciliation.equal && reconciliation.different == 3);
    let mut named: Vec<ProofId> = report.conflicts.iter().map(|finding| finding.id).collect();
    named.sort_unstable();
    let mut expected: Vec<ProofId> = records[..3].iter().map(|record| record.id).collect();
    expected.sort_unstable();
    assert_eq!(named, expected);
    let findings = std::fs::read_to_string(report.findings.unwrap()).unwrap();
    assert_eq!(findings.lines().count(), 3, "{findings}");
    let after = contents(&*place.destination).await;
    assert!(before.iter().all(|(id, proof)| after.get(id) == Some(proof)) && after.len() == 5);
}

#[tokio::test]
async fn who_wants_to_fail_fails_before_anything_is_written() {
    let (place, _, before) = colliding().await;
    let mut run = place.begin(policy(OnConflict::Fail));
    let report = place.migration().run(&mut run, &|| false).await.unwrap();
    assert_eq!((report.ending, report.counts.conflicts, report.counts.remaining), (Ending::Conflict, 3, 2));
    assert_eq!(contents(&*place.destination).await, before);

    run.set_options(Options::default()).unwrap();
    let report = place.migration().run(&mut run, &|| false).await.unwrap();
    assert_eq!((report.ending, report.counts.copied), (Ending::Complete, 2));
}

#[tokio::test]
async fn only_an_older_one_is_overwritten() {
    let (place, records, before) = colliding().await;
    let (run, report) = place.run(policy(OnConflict::OverwriteIfNewer)).await;
    let counts = report.counts;
    assert_eq!(
        (report.ending, counts.copied, counts.overwritten, counts.conflicts),
        (Ending::Complete, 3, 1, 2)
    );
    let (source, after) = (contents(&*place.source).await, contents(&*place.destination).await);
    for (number, record) in records.iter().enumerate() {
        let expected = if matches!(number, 1 | 2) { &before } else { &source };
        assert_eq!(after.get(&record.id), expected.get(&record.id), "{number}");
    }
    let undone = place.roll_back(&run).await;
    assert_eq!((undone.removed, undone.restored), (2, 1));
    assert_eq!(contents(&*place.destination).await, before);
}

#[tokio::test]
async fn of_one_proof_the_newer_stamped_copy_stays() {
    let place = Place::new();
    let same = sample(b"image", "2026-01-01T00:00:00Z");
    for store in [&place.source, &place.destination] {
        store.put(&same).await.unwrap();
    }
    stamp(&*place.source, &same.record, "2026-02-01T00:00:00Z").await;
    let there = stamp(&*place.destination, &same.record, "2026-02-02T00:00:00Z").await;
    let (_, report) = place.run(policy(OnConflict::OverwriteIfNewer)).await;
    assert_eq!((report.counts.conflicts, report.counts.copied), (1, 0));
    assert_eq!(place.destination.record(same.record.id, time(NOW)).await.unwrap(), Some(there));
}
