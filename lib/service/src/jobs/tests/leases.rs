//! One run at a time, across processes, whatever becomes of them and of their clocks.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_second_run_finds_the_job_busy_soon() {
    let job = Scripted::new(CLEANUP, [Act::Count]);
    let store = Arc::new(MemoryJobStore::new());
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let (one, two) = (Process::new(&job, store.clone(), clock.clone()), Process::new(&job, store, clock));
    let run = one.start(CLEANUP);
    time::sleep(Duration::from_secs(3)).await;
    let began = Instant::now();
    let Outcome::Skipped(Skip::Busy(lease)) = two.run(CLEANUP).await else { panic!() };
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    assert!(lease.holder.contains(&std::process::id().to_string()), "{}", lease.holder);
    assert_eq!(job.times(), 1);
    run.abort();
}

#[tokio::test(start_paused = true)]
async fn the_work_of_a_killed_holder_is_taken_over() {
    let job = Scripted::new(CLEANUP, [Act::Count, Act::CountTo(150)]);
    let store = Arc::new(MemoryJobStore::new());
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let (one, two) = (Process::new(&job, store.clone(), clock.clone()), Process::new(&job, store, clock));
    let run = one.start(CLEANUP);
    time::sleep(Duration::from_millis(100_500)).await;
    run.abort();
    let killed = Instant::now();
    let taken_over = record(two.run(CLEANUP).await);
    let (second_began, progress) = job.seen.lock().unwrap()[1].clone();
    assert!(second_began - killed <= Duration::from_secs(22), "{:?}", second_began - killed);
    assert!(progress.unwrap().as_u64() >= Some(100));
    assert_eq!((taken_over.result, taken_over.counts["counted"].as_u64()), (RunResult::Done, Some(150)));
    let runs = two.state(CLEANUP).await.runs;
    assert_eq!(
        runs.iter().map(|run| run.result).collect::<Vec<_>>(),
        [RunResult::Done, RunResult::Interrupted]
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_cut_off_from_its_store_writes_nothing_over_its_successor() {
    let slow = Scripted::new(CLEANUP, [Act::Hang]);
    let next = Scripted::new(CLEANUP, [Act::CountTo(300)]);
    let shared = Arc::new(MemoryJobStore::new());
    let line = Cuttable::new(shared.clone());
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let one = Process::new(&slow, line.clone(), clock.clone());
    let two = Process::new(&next, shared, clock);
    let first = one.start(CLEANUP);
    time::sleep(Duration::from_secs(12)).await;
    line.cut(true);
    let second = two.start(CLEANUP);
    time::sleep(Duration::from_secs(100)).await;
    line.cut(false);
    assert!(matches!(first.await.unwrap(), Outcome::LostLease));
    let last = record(second.await.unwrap());
    assert_eq!((last.result, last.counts["counted"].as_u64()), (RunResult::Done, Some(300)));
    let state = two.state(CLEANUP).await;
    assert_eq!((state.lease, state.progress), (None, None));
    assert_eq!(state.runs.len(), 2, "the successor's run, and its note about the first");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_lost_its_lease_is_told_so_when_it_keeps_its_progress() {
    let job = Scripted::new(CLEANUP, [Act::Count]);
    let process = Process::alone(&job);
    let run = process.start(CLEANUP);
    time::sleep(Duration::from_secs(2)).await;
    let theft = process.runner.book().change(CLEANUP, |state| {
        let run = state.lease.as_ref().map(|lease| lease.run).ok_or(())?;
        Ok::<_, ()>(state.take("a thief", run))
    });
    theft.await.unwrap().unwrap();
    assert!(matches!(run.await.unwrap(), Outcome::LostLease));
    let state = process.state(CLEANUP).await;
    assert_eq!(state.lease.unwrap().holder, "a thief");
}

#[tokio::test(start_paused = true)]
async fn a_short_interruption_of_the_store_costs_nothing() {
    let job = Scripted::new(JobName::CertificateRotationCheck, [Act::Hang]);
    let shared = Arc::new(MemoryJobStore::new());
    let line = Cuttable::new(shared.clone());
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let process = Process::new(&job, line.clone(), clock);
    let run = process.start(JobName::CertificateRotationCheck);
    time::sleep(Duration::from_secs(6)).await;
    line.cut(true);
    time::sleep(Duration::from_secs(8)).await;
    line.cut(false);
    time::sleep(Duration::from_secs(60)).await;
    let state = process.state(JobName::CertificateRotationCheck).await;
    assert!(state.lease.unwrap().beats >= 10);
    assert!(!run.is_finished());
    run.abort();
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_an_hour_neither_breaks_nor_keeps_a_lease() {
    for jump in [3600, -3600] {
        let job = Scripted::new(CLEANUP, [Act::CountTo(100), Act::Succeed]);
        let store = Arc::new(MemoryJobStore::new());
        let clock = TestClock::at("2026-01-01T12:00:00Z");
        let (one, two) =
            (Process::new(&job, store.clone(), clock.clone()), Process::new(&job, store, clock.clone()));
        let run = one.start(CLEANUP);
        time::sleep(Duration::from_secs(10)).await;
        clock.jump(jump);
        assert!(matches!(two.run(CLEANUP).await, Outcome::Skipped(Skip::Busy(_))));
        run.abort();
        drop(run.await);
        // The task that renewed the lease ends now, too.
        tokio::task::yield_now().await;
        clock.jump(-jump);
        let killed = Instant::now();
        assert_eq!(record(two.run(CLEANUP).await).result, RunResult::Done);
        assert!(killed.elapsed() < Duration::from_secs(25), "{:?}", killed.elapsed());
        let longest = two.state(CLEANUP).await.runs.iter().map(|run| run.milliseconds).max();
        assert!(longest < Some(4_000_000), "{longest:?}");
    }
}
