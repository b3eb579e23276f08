//! A run, and a rollback, broken off at every call of a store.

use std::{
    collections::BTreeSet,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use tokio::task::block_in_place;

use super::{
    faulty::{Faulty, Interruption, Strike},
    *,
};

/// More calls than any of these runs makes.
const MAX_CALLS: usize = 300;

/// Stores in which everything occurs that a run deals with.
struct Mixed {
    place: Place,
    before: Contents,
    expected: Contents,
}

impl Mixed {
    async fn new() -> Self {
        let place = Place::new();
        let (source, destination) = (&*place.source, &*place.destination);
        let records = fill(source, 2).await;
        // In both, the source's is newer; and the other way round.
        let older = sample(b"image", "2026-01-02T00:00:00Z");
        source.put(&older).await.unwrap();
        destination.put(&namesake(&older.record, "2025-01-02T00:00:00Z")).await.unwrap();
        let newer = sample(b"image", "2026-01-02T00:00:00Z");
        source.put(&newer).await.unwrap();
        let of_destination = namesake(&newer.record, "2027-01-02T00:00:00Z");
        destination.put(&of_destination).await.unwrap();
        // Overwritten ones with stamped copies on either side.
        let both = sample(b"image", "2026-01-03T00:00:00Z");
        source.put(&both).await.unwrap();
        stamp(source, &both.record, "2026-02-03T00:00:00Z").await;
        let stamped = namesake(&both.record, "2025-01-03T00:00:00Z");
        destination.put(&stamped).await.unwrap();
        stamp(destination, &stamped.record, "2025-02-03T00:00:00Z").await;
        // The same proof, of which the source has a newer stamped copy.
        for on_destination in [None, Some("2026-01-15T00:00:00Z")] {
            let same = sample(b"image", "2026-01-04T00:00:00Z");
            source.put(&same).await.unwrap();
            destination.put(&same).await.unwrap();
            stamp(source, &same.record, "2026-02-04T00:00:00Z").await;
            if let Some(stamped_at) = on_destination {
                stamp(destination, &same.record, stamped_at).await;
            }
        }
        // The same on both sides; an expired one; one that is only in the destination.
        let equal = sample(b"image", "2026-01-05T00:00:00Z");
        source.put(&equal).await.unwrap();
        destination.put(&equal).await.unwrap();
        let expired = sample(b"image", "2020-01-05T00:00:00Z");
        source.put(&expired).await.unwrap();
        destination.put(&sample(b"image", "2026-01-06T00:00:00Z")).await.unwrap();

        let before = contents(destination).await;
        let mut expected = before.clone();
        expected.extend(contents(source).await);
        expected.remove(&expired.record.id);
        expected.insert(newer.record.id, (of_destination, None));
        assert_eq!(records.len(), 2);
        Self { place, before, expected }
    }

    /// Both stores under an interruption.
    fn interrupted(&self, interruption: &Arc<Interruption>) -> Migration {
        let over = |store: &Arc<MemoryProofStore>| {
            let store = Arc::clone(store) as Arc<dyn ProofCatalogue>;
            Arc::new(Faulty { store, interruption: Arc::clone(interruption) })
        };
        migration(over(&self.place.source), over(&self.place.destination))
    }

    fn options() -> Options {
        Options { batch_size: 3, parallel: 2, ..policy(OnConflict::OverwriteIfNewer) }
    }

    async fn assert_is_moved(&self, report: &Report, what: &str) {
        assert_eq!(contents(&*self.place.destination).await, self.expected, "{what}");
        assert_eq!(report.ending, Ending::Complete, "{what}: {report:?}");
        let Counts { copied, overwritten, already_there, conflicts, expired, failed, .. } = report.counts;
        assert_eq!((copied, overwritten, already_there), (6, 4, 1), "{what}");
        assert_eq!((conflicts, expired, failed), (1, 1, 0), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_broken_off_at_any_call_comes_to_the_same_end_and_can_be_rolled_back() {
    let mut died = BTreeSet::new();
    for strike in Strike::ALL {
        for at in 0..MAX_CALLS {
            let what = format!("{strike:?} at call {at}");
            let mixed = Mixed::new().await;
            let interruption = Interruption::new(at, strike);
            let mut run = mixed.place.begin(Mixed::options());
            let id = run.plan().run.clone();
            let process = mixed.interrupted(&interruption);
            let ended = block_in_place(|| interruption.survive(process.run(&mut run, &|| false)));
            drop(run);
            let report = match ended {
                Some(report) => report.unwrap(),
                None => {
                    died.insert(at);
                    let mut run = mixed.place.runs().open(&id).unwrap();
                    mixed.place.migration().run(&mut run, &|| false).await.unwrap()
                }
            };
            mixed.assert_is_moved(&report, &what).await;
            let undone = mixed.place.roll_back(&id).await;
            assert_eq!(contents(&*mixed.place.destination).await, mixed.before, "{what}: {undone:?}");
            assert_eq!((undone.removed, undone.restored, undone.left), (2, 4, 0), "{what}");
            if !interruption.happened() {
                break;
            }
            assert!(at < MAX_CALLS - 1, "the run has no end");
        }
    }
    assert!(died.len() > 40, "died at {} calls only", died.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_is_broken_off_at_any_call_leaves_nothing_of_the_run() {
    for strike in Strike::ALL {
        for at in 0..MAX_CALLS {
            let what = format!("{strike:?} at call {at}");
            let mixed = Mixed::new().await;
            let (id, report) = mixed.place.run(Mixed::options()).await;
            mixed.assert_is_moved(&report, &what).await;
            let interruption = Interruption::new(at, strike);
            let mut run = mixed.place.runs().open(&id).unwrap();
            let process = mixed.interrupted(&interruption);
            let ended = block_in_place(|| interruption.survive(process.roll_back(&mut run, &|| false)));
            drop(run);
            if ended.is_none() {
                assert!(mixed.place.roll_back(&id).await.finished);
            }
            assert_eq!(contents(&*mixed.place.destination).await, mixed.before, "{what}");
            if !interruption.happened() {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_done_run_can_be_rolled_back_at_any_call() {
    for strike in [Strike::DiesBefore, Strike::DiesAfter] {
        for at in 0..MAX_CALLS {
            let mixed = Mixed::new().await;
            let interruption = Interruption::new(at, strike);
            let mut run = mixed.place.begin(Mixed::options());
            let id = run.plan().run.clone();
            let process = mixed.interrupted(&interruption);
            let ended = block_in_place(|| interruption.survive(process.run(&mut run, &|| false)));
            drop(run);
            let undone = mixed.place.roll_back(&id).await;
            assert_eq!(contents(&*mixed.place.destination).await, mixed.before, "{at}: {undone:?}");
            if ended.is_some() {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_gone_stops_the_run_and_the_run_goes_on_later() {
    for at in 0..MAX_CALLS {
        let mixed = Mixed::new().await;
        let interruption = Interruption::new(at, Strike::IsGone);
        let mut run = mixed.place.begin(Mixed::options());
        let report = mixed.interrupted(&interruption).run(&mut run, &|| false).await.unwrap();
        if !interruption.happened() {
            break;
        }
        let is_gone = matches!(report.ending, Ending::SourceUnavailable | Ending::DestinationUnavailable);
        assert!(is_gone && report.reason.as_deref() == Some("the line broke"), "{at}: {report:?}");
        let report = mixed.place.migration().run(&mut run, &|| false).await.unwrap();
        mixed.assert_is_moved(&report, &format!("gone at call {at}")).await;
    }
}

/// A program that is being started holds copies of all open files for a moment.
#[test]
fn a_run_that_was_let_go_is_free_while_programs_are_started() {
    let place = Place::new();
    let run = place.begin(Options::default()).plan().run.clone();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                Command::new("true").status().unwrap();
            }
        });
        let opened = (0..2000).find_map(|_| place.runs().open(&run).err());
        is_over.store(true, Ordering::Relaxed);
        assert!(opened.is_none(), "{opened:?}");
    });
}
