//! The stores change while a run goes on.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use super::*;

/// Does something when the run begins a step of this number.
struct Meddler {
    at: usize,
    steps: AtomicUsize,
    meddle: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Meddler {
    fn new(at: usize, meddle: impl FnOnce() + Send + 'static) -> Arc<Self> {
        Arc::new(Self { at, steps: AtomicUsize::new(0), meddle: Mutex::new(Some(Box::new(meddle))) })
    }
}

impl Watch for Meddler {
    fn begin(&self, _: Step) {
        if self.steps.fetch_add(1, Ordering::Relaxed) == self.at
            && let Some(meddle) = self.meddle.lock().unwrap().take()
        {
            meddle();
        }
    }

    fn advance(&self, _: u64) {}
}

/// The steps of a run: both listings, the copying, both listings again.
const COPYING: usize = 2;
const SECOND_LISTING: usize = 3;

/// Lets `meddle` change the stores in the middle of a run.
async fn run_with<Meddling: Future<Output = ()> + Send + 'static>(
    place: &Place,
    at: usize,
    meddle: impl FnOnce(Arc<MemoryProofStore>, Arc<MemoryProofStore>) -> Meddling + Send + 'static,
) -> (RunId, Report) {
    let (source, destination) = (Arc::clone(&place.source), Arc::clone(&place.destination));
    let handle = tokio::runtime::Handle::current();
    let meddler = Meddler::new(at, move || {
        tokio::task::block_in_place(|| handle.block_on(meddle(source, destination)));
    });
    let mut run = place.begin(Options { batch_size: 3, ..Options::default() });
    let report = place.migration().watched_by(meddler).run(&mut run, &|| false).await.unwrap();
    (run.plan().run.clone(), report)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_into_the_source_comes_along() {
    for at in [COPYING, SECOND_LISTING] {
        let place = Place::new();
        fill(&*place.source, 10).await;
        let (_, report) = run_with(&place, at, |source, _| async move {
            fill(&*source, 4).await;
        })
        .await;
        let counts = report.counts;
        assert_eq!((report.ending, counts.copied, counts.came_meanwhile), (Ending::Complete, 14, 4), "{at}");
        assert_eq!(contents(&*place.destination).await, contents(&*place.source).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_in_the_source_is_copied_again_and_goes_with_a_rollback() {
    for at in [COPYING, SECOND_LISTING] {
        let place = Place::new();
        let records = fill(&*place.source, 10).await;
        let before_all: Vec<ProofRecord> = records.clone();
        let (run, report) = run_with(&place, at, |source, _| async move {
            // Stamped for the first time, stamped anew, and put anew.
            stamp(&*source, &records[1], "2026-02-02T00:00:00Z").await;
            stamp(&*source, &records[3], "2026-02-03T00:00:00Z").await;
            source.delete(records[4].id).await.unwrap();
            source.put(&namesake(&records[4], "2026-02-04T00:00:00Z")).await.unwrap();
        })
        .await;
        assert_eq!((report.ending, report.counts.copied), (Ending::Complete, 10), "{at}: {report:?}");
        let changed = if at == COPYING { 0 } else { 3 };
        assert_eq!(report.counts.changed_meanwhile, changed);
        assert_eq!(contents(&*place.destination).await, contents(&*place.source).await);
        assert_eq!(place.roll_back(&run).await.removed, before_all.len() as u64);
        assert!(contents(&*place.destination).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_from_the_source_is_told() {
    for at in [COPYING, SECOND_LISTING] {
        let place = Place::new();
        let records = fill(&*place.source, 10).await;
        let (_, report) = run_with(&place, at, move |source, _| async move {
            for record in &records[..2] {
                source.delete(record.id).await.unwrap();
            }
        })
        .await;
        let was_copied = at == SECOND_LISTING;
        assert_eq!(report.ending, Ending::Complete);
        assert_eq!(report.counts.copied, if was_copied { 10 } else { 8 });
        assert_eq!(report.counts.gone_meanwhile, if was_copied { 2 } else { 0 });
        assert_eq!(report.reconciliation.unwrap().source.proofs, 8);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_do_to_the_destination_is_told_apart() {
    let place = Place::new();
    let records = fill(&*place.source, 10).await;
    fill(&*place.destination, 3).await;
    let meddling = records.clone();
    let (run, report) = run_with(&place, SECOND_LISTING, move |_, destination| async move {
        // One of ours is removed, one put anew, one stamped; and two come from elsewhere.
        destination.delete(meddling[0].id).await.unwrap();
        destination.delete(meddling[1].id).await.unwrap();
        destination.put(&namesake(&meddling[1], "2026-02-04T00:00:00Z")).await.unwrap();
        stamp(&*destination, &meddling[2], "2026-02-05T00:00:00Z").await;
        fill(&*destination, 2).await;
    })
    .await;
    assert_eq!((report.ending, report.counts.copied, report.counts.conflicts), (Ending::Complete, 8, 2));
    let reconciliation = report.reconciliation.unwrap();
    assert_eq!((reconciliation.only_in_destination_before, reconciliation.only_in_destination_since), (3, 2));
    assert_eq!((reconciliation.different, reconciliation.only_in_source), (2, 0));
    let undone = place.roll_back(&run).await;
    assert_eq!((undone.removed, undone.left), (8, 2), "{undone:?}");
    let left = contents(&*place.destination).await;
    assert_eq!(left.len(), 7);
    assert!(left.contains_key(&records[1].id) && left.contains_key(&records[2].id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_never_rests_is_left_in_the_end() {
    struct Restless(Arc<MemoryProofStore>);

    impl Watch for Restless {
        fn begin(&self, step: Step) {
            if matches!(step, Step::ListingSource { .. }) {
                let (handle, source) = (tokio::runtime::Handle::current(), Arc::clone(&self.0));
                tokio::task::block_in_place(|| handle.block_on(fill(&*source, 1)));
            }
        }

        fn advance(&self, _: u64) {}
    }

    let place = Place::new();
    let mut run = place.begin(Options::default());
    let watch = Arc::new(Restless(Arc::clone(&place.source)));
    let report = place.migration().watched_by(watch).run(&mut run, &|| false).await.unwrap();
    assert_eq!((report.ending, report.rounds), (Ending::Incomplete, run::MAX_ROUNDS));
    assert_eq!((report.counts.copied, report.counts.remaining), (u64::from(report.rounds) - 1, 1));
}
