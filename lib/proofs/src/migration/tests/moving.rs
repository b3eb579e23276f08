//! What a run does when nobody disturbs it.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_as_it_was() {
    let place = Place::new();
    fill(&*place.source, 40).await;
    let before = contents(&*place.source).await;
    for batch_size in [1, 7, 500] {
        let place = Place { destination: Arc::default(), source: Arc::clone(&place.source), ..Place::new() };
        let (_, report) = place.run(Options { batch_size, parallel: 3, ..Options::default() }).await;
        assert_eq!((report.ending, report.counts.copied, report.rounds), (Ending::Complete, 40, 2));
        let expected: usize = before
            .values()
            .map(|(proof, stamped)| proof.manifest_store.len() + stamped.as_ref().map_or(0, Bytes::len))
            .sum();
        assert_eq!(report.counts.bytes, expected as u64);
        let reconciliation = report.reconciliation.unwrap();
        assert!(reconciliation.equal && reconciliation.source == reconciliation.destination);
        assert_eq!(reconciliation.source.proofs, 40);
        assert_eq!(contents(&*place.destination).await, before);
        assert_eq!(contents(&*place.source).await, before);
        let image = Sha256Hash::of(b"image 3");
        assert_eq!(place.destination.find_by_image_hash(image, time(NOW)).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_second_run_has_nothing_to_do_and_does_not_own_what_is_there() {
    let place = Place::new();
    fill(&*place.source, 10).await;
    place.run(Options::default()).await;
    let (run, report) = place.run(Options::default()).await;
    assert_eq!((report.counts.copied, report.counts.already_there, report.rounds), (0, 10, 1));
    assert_eq!(place.roll_back(&run).await.removed, 0);
    assert_eq!(contents(&*place.destination).await.len(), 10);
}

#[tokio::test]
async fn expired_proofs_move_only_when_they_are_wanted() {
    let place = Place::new();
    fill(&*place.source, 3).await;
    let expired = sample(b"image", "2020-01-01T00:00:00Z");
    place.source.put(&expired).await.unwrap();
    stamp(&*place.source, &expired.record, "2020-02-01T00:00:00Z").await;
    let (_, report) = place.run(Options::default()).await;
    assert_eq!((report.counts.copied, report.counts.expired, report.ending), (3, 1, Ending::Complete));
    assert!(report.reconciliation.unwrap().equal);

    let (_, report) = place.run(Options { include_expired: true, ..Options::default() }).await;
    assert_eq!((report.counts.copied, report.counts.already_there), (1, 3));
    assert_eq!(contents(&*place.destination).await, contents(&*place.source).await);
}

#[tokio::test]
async fn a_dry_run_tells_the_same_and_leaves_nothing() {
    let place = Place::new();
    let records = fill(&*place.source, 12).await;
    place.destination.put(&namesake(&records[1], "2025-01-01T00:00:00Z")).await.unwrap();
    place.destination.put(&namesake(&records[2], "2027-01-01T00:00:00Z")).await.unwrap();
    let before = contents(&*place.destination).await;
    for on_conflict in [OnConflict::Skip, OnConflict::Fail, OnConflict::OverwriteIfNewer] {
        let options = Options { batch_size: 5, ..policy(on_conflict) };
        let mut trial = place.runs().create_trial(plan(options)).unwrap();
        let dry = place.migration().dry_run(&mut trial, &|| false).await.unwrap();
        drop(trial);
        assert!(dry.dry_run && dry.findings.is_none());
        assert_eq!(contents(&*place.destination).await, before);
        assert_eq!(std::fs::read_dir(place.dir.path().join("migrations")).unwrap().count(), 0);
        let overwritten = u64::from(on_conflict == OnConflict::OverwriteIfNewer);
        let counts = (dry.counts.copied, dry.counts.overwritten, dry.counts.conflicts);
        assert_eq!(counts, (10 + overwritten, overwritten, 2 - overwritten), "{on_conflict}");
        if on_conflict == OnConflict::OverwriteIfNewer {
            let (_, report) = place.run(options).await;
            let of = |counts: Counts| (counts.copied, counts.overwritten, counts.conflicts, counts.bytes);
            assert_eq!(of(report.counts), of(dry.counts));
        }
    }
}

#[tokio::test]
async fn runs_are_listed_and_end_once() {
    let place = Place::new();
    fill(&*place.source, 3).await;
    assert_eq!(place.runs().list().unwrap(), []);
    let (run, _) = place.run(Options::default()).await;
    let listed = place.runs().list().unwrap();
    assert_eq!((listed.len(), &listed[0].plan.run, listed[0].stage), (1, &run, Stage::Finished));
    let mut folder = place.runs().open(&run).unwrap();
    assert!(matches!(place.runs().open(&run), Err(MigrationError::Busy(_))));
    let again = place.migration().run(&mut folder, &|| false).await;
    assert!(matches!(again, Err(MigrationError::Finished(_))));
    drop(folder);
    assert!(place.roll_back(&run).await.finished);
    let mut folder = place.runs().open(&run).unwrap();
    for refused in [
        place.migration().run(&mut folder, &|| false).await.map(drop),
        place.migration().roll_back(&mut folder, &|| false).await.map(drop),
    ] {
        assert!(matches!(refused, Err(MigrationError::RolledBack(_))));
    }
    let unknown = RunId::new(time(NOW));
    assert!(matches!(place.runs().open(&unknown), Err(MigrationError::NoSuchRun(_))));
}

#[tokio::test]
async fn a_run_that_is_asked_to_stop_goes_on_where_it_was() {
    let place = Place::new();
    fill(&*place.source, 30).await;
    let mut run = place.begin(Options { batch_size: 4, ..Options::default() });
    let mut reports = Vec::new();
    loop {
        // Two batches each time.
        let looks = std::sync::atomic::AtomicU32::new(0);
        let must_stop = || looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= 2;
        reports.push(place.migration().run(&mut run, &must_stop).await.unwrap());
        if reports.last().unwrap().ending != Ending::Interrupted {
            break;
        }
        run = {
            let id = run.plan().run.clone();
            drop(run);
            place.runs().open(&id).unwrap()
        };
    }
    let copied: Vec<u64> = reports.iter().map(|report| report.counts.copied).collect();
    assert_eq!(copied, [8, 16, 24, 30]);
    assert_eq!(reports[1].counts.remaining, 14);
    assert!(reports[1].reconciliation.is_none() && reports[3].reconciliation.unwrap().equal);
    assert_eq!(contents(&*place.destination).await, contents(&*place.source).await);
}
