//! Who works: so many files at once, each on a thread of its own, because signing is mostly computing.

use std::{collections::HashMap, io, sync::Arc};

use tokio::task::{Id, JoinSet};

use super::stop::Stop;

/// Does `job` with every number below `count`, `at_once` of them at a time, until the run is to end: what has begun is
/// brought to its end. `told` gets what each came to, in the order in which they end; `None` when the job panicked.
///
/// How many were begun.
///
/// # Errors
/// The first that `told` gives; then nothing more is begun.
pub(crate) async fn work<T: Send + 'static>(
    count: usize,
    at_once: usize,
    stop: &Stop,
    job: Arc<dyn Fn(usize) -> T + Send + Sync>,
    mut told: impl FnMut(usize, Option<T>) -> io::Result<()>,
) -> io::Result<usize> {
    let mut jobs = JoinSet::new();
    let mut numbers: HashMap<Id, usize> = HashMap::with_capacity(at_once);
    let mut next = 0;
    let mut failure = Ok(());
    loop {
        while next < count && jobs.len() < at_once && !stop.is_set() && failure.is_ok() {
            let (job, number) = (Arc::clone(&job), next);
            let begun = jobs.spawn_blocking(move || job(number));
            numbers.insert(begun.id(), number);
            next += 1;
        }
        let (id, outcome) = match jobs.join_next_with_id().await {
            None => return failure.map(|()| next),
            Some(Ok((id, outcome))) => (id, Some(outcome)),
            Some(Err(error)) => (error.id(), None),
        };
        let Some(number) = numbers.remove(&id) else { continue };
        let written = told(number, outcome);
        failure = failure.and(written);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn everything_is_done_once_and_not_too_much_at_once() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (at_work, peak) = (Arc::clone(&now), Arc::clone(&most));
        let job = Arc::new(move |number: usize| {
            peak.fetch_max(at_work.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            at_work.fetch_sub(1, Ordering::SeqCst);
            assert_ne!(number, 7);
            number * 2
        });
        let mut told = Vec::new();
        let stop = Stop::new();
        let begun = work(50, 3, &stop, job, |number, outcome| {
            told.push((number, outcome));
            Ok(())
        });
        assert_eq!(begun.await.unwrap(), 50);
        told.sort_unstable();
        assert!(told.iter().enumerate().all(|(number, row)| row.0 == number));
        assert!(told.iter().all(|(number, outcome)| *outcome == (*number != 7).then_some(number * 2)));
        assert!(most.load(Ordering::SeqCst) <= 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_has_begun_ends_and_nothing_else_begins() {
        let stop = Stop::new();
        let (ends, mut told) = (stop.clone(), 0);
        let job = Arc::new(move |number: usize| {
            if number == 1 {
                ends.set();
            }
        });
        let begun = work(1000, 2, &stop, job, |_, _| {
            told += 1;
            Ok(())
        });
        let begun = begun.await.unwrap();
        assert!(begun < 1000, "{begun}");
        assert_eq!(told, begun);
    }
}
