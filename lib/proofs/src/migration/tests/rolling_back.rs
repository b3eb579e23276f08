//! A rollback takes back what the run wrote, and nothing else.

use super::*;

#[tokio::test]
async fn what_others_put_since_stays_and_is_named() {
    let place = Place::new();
    let records = fill(&*place.source, 6).await;
    fill(&*place.destination, 2).await;
    let before = contents(&*place.destination).await;
    let (run, _) = place.run(Options::default()).await;
    let destination = &*place.destination;
    destination.delete(records[0].id).await.unwrap();
    destination.delete(records[1].id).await.unwrap();
    let anew = namesake(&records[1], "2026-02-01T00:00:00Z");
    destination.put(&anew).await.unwrap();
    let undone = place.roll_back(&run).await;
    assert_eq!((undone.removed, undone.gone, undone.left), (4, 1, 1));
    assert_eq!(undone.left_proofs[0].id, records[1].id);
    let mut expected = before;
    expected.insert(anew.record.id, (anew, None));
    assert_eq!(contents(destination).await, expected);
}

#[tokio::test]
async fn a_run_that_wrote_nothing_takes_nothing_back() {
    let place = Place::new();
    fill(&*place.destination, 5).await;
    let (run, report) = place.run(Options::default()).await;
    assert_eq!((report.ending, report.rounds), (Ending::Complete, 1));
    let undone = place.roll_back(&run).await;
    assert_eq!((undone.removed, undone.restored, undone.gone, undone.left), (0, 0, 0, 0));
    assert_eq!(contents(&*place.destination).await.len(), 5);
}

#[tokio::test]
async fn a_rollback_that_is_asked_to_stop_goes_on_later() {
    let place = Place::new();
    fill(&*place.source, 20).await;
    let (id, _) = place.run(Options::default()).await;
    let mut run = place.runs().open(&id).unwrap();
    let undone = place.migration().roll_back(&mut run, &|| true).await.unwrap();
    assert!(!undone.finished && undone.removed < 20);
    assert!(matches!(place.migration().run(&mut run, &|| false).await, Err(MigrationError::RolledBack(_))));
    let undone = place.migration().roll_back(&mut run, &|| false).await.unwrap();
    assert_eq!((undone.finished, undone.removed), (true, 20));
}
