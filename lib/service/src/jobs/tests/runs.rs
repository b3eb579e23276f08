//! Retries, limits, panics, and an orderly end.

use super::*;

fn pauses(job: &Scripted) -> Vec<f64> {
    let seen = job.seen.lock().unwrap();
    seen.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_secs_f64()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_is_tried_again_after_pauses_that_double() {
    let job = Scripted::new(CLEANUP, [Act::Fail, Act::Fail, Act::Fail, Act::Succeed]);
    let process = Process::alone(&job);
    let last = record(process.run(CLEANUP).await);
    assert_eq!((last.result, last.attempt), (RunResult::Failed, 3), "two retries, no more");
    let pauses = pauses(&job);
    assert!(
        matches!(pauses[..], [first, second] if (1.5..=2.1).contains(&first) && (3.0..=4.1).contains(&second)),
        "{pauses:?}"
    );
    let state = process.state(CLEANUP).await;
    assert_eq!(state.runs.iter().map(|run| run.attempt).collect::<Vec<_>>(), [3, 2, 1]);
    assert!(state.lease.is_none());
    let text = process.metrics.render();
    for line in [
        "job_executions_total{job=\"proof-cleanup\",status=\"failure\"} 1",
        "job_failures_total{job=\"proof-cleanup\"} 1",
        "job_retries_total{job=\"proof-cleanup\"} 2",
        "job_execution_duration_seconds_count{job=\"proof-cleanup\"} 1",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_at_the_second_try_is_done() {
    let job = Scripted::new(CLEANUP, [Act::Fail]);
    let process = Process::alone(&job);
    let last = record(process.run(CLEANUP).await);
    assert_eq!((last.result, last.attempt), (RunResult::Done, 2));
    assert_eq!(last.counts["things"], 3);
    assert!(process.metrics.render().contains("{job=\"proof-cleanup\",status=\"success\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn each_job_has_its_own_number_of_retries() {
    for (name, attempts) in [
        (JobName::ProofCleanup, 3),
        (JobName::CertificateRotationCheck, 2),
        (JobName::ProofRestamp, 2),
        (JobName::HealthMetrics, 1),
    ] {
        let job = Scripted::new(name, [Act::Fail; 9]);
        Process::alone(&job).run(name).await;
        assert_eq!(job.times(), attempts, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_must_mend_is_not_tried_again() {
    let job = Scripted::new(CLEANUP, [Act::FailForGood]);
    let process = Process::alone(&job);
    let last = record(process.run(CLEANUP).await);
    assert_eq!((last.result, last.error.as_deref()), (RunResult::Failed, Some("the table is missing")));
    assert_eq!(job.times(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_run_and_the_next_one_works() {
    let job = Scripted::new(JobName::HealthMetrics, [Act::Panic]);
    let process = Process::alone(&job);
    let failed = record(process.run(JobName::HealthMetrics).await);
    assert!(failed.error.unwrap().contains("panicked: broken"));
    assert_eq!(record(process.run(JobName::HealthMetrics).await).result, RunResult::Done);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_does_not_end_is_cut_off() {
    let job = Scripted::new(JobName::HealthMetrics, [Act::Hang]);
    let process = Process::alone(&job);
    let began = Instant::now();
    let failed = record(process.run(JobName::HealthMetrics).await);
    assert_eq!(failed.error.as_deref(), Some("it did not end within 30 s"));
    assert_eq!(began.elapsed().as_secs(), 40, "its time, and a little to end by itself");
    assert!(process.state(JobName::HealthMetrics).await.lease.is_none());
    assert_eq!(record(process.run(JobName::HealthMetrics).await).result, RunResult::Done);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_time_is_over_goes_on_with_the_next_run() {
    let job = Scripted::new(CLEANUP, [Act::CountTo(1000), Act::CountTo(1000)]);
    let process = Process::alone(&job);
    let first = record(process.run(CLEANUP).await);
    assert_eq!((first.result, first.counts["counted"].as_u64()), (RunResult::Unfinished, Some(600)));
    assert_eq!(process.state(CLEANUP).await.progress, Some(600.into()));
    let second = record(process.run(CLEANUP).await);
    assert_eq!((second.result, second.counts["counted"].as_u64()), (RunResult::Done, Some(1000)));
    assert_eq!(process.state(CLEANUP).await.progress, None);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_service_waits_for_a_job_that_ends_when_asked() {
    let job = Scripted::new(CLEANUP, [Act::Count]);
    let process = Process::alone(&job);
    let run = process.start(CLEANUP);
    time::sleep(Duration::from_secs(60)).await;
    let began = Instant::now();
    assert!(process.runner.stop().await);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(record(run.await.unwrap()).result, RunResult::Unfinished);
    let state = process.state(CLEANUP).await;
    assert!(state.lease.is_none() && state.progress.is_some_and(|kept| kept.as_u64() >= Some(60)));
    assert!(matches!(process.run(CLEANUP).await, Outcome::Skipped(Skip::Stopping)));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_service_cuts_off_after_thirty_seconds_what_does_not_end() {
    let job = Scripted::new(CLEANUP, [Act::Hang]);
    let store = Arc::new(MemoryJobStore::new());
    let process = Process::new(&job, store.clone(), TestClock::at("2026-01-01T12:00:00Z"));
    let run = process.start(CLEANUP);
    time::sleep(Duration::from_secs(5)).await;
    let began = Instant::now();
    assert!(!process.runner.stop().await);
    assert_eq!(began.elapsed().as_secs(), 30);
    let cut = record(run.await.unwrap());
    assert_eq!(cut.result, RunResult::Failed);
    assert!(cut.error.unwrap().contains("the service ended"));
    assert!(process.state(CLEANUP).await.lease.is_none(), "whoever comes next need not wait");
}

#[tokio::test(start_paused = true)]
async fn a_pause_between_two_tries_ends_with_the_service() {
    let job = Scripted::new(CLEANUP, [Act::Fail; 9]);
    let process = Process::alone(&job);
    let run = process.start(CLEANUP);
    time::sleep(Duration::from_secs(1)).await;
    assert!(process.runner.stop().await);
    assert_eq!(record(run.await.unwrap()).attempt, 1);
}

#[tokio::test(start_paused = true)]
async fn without_time_for_a_retry_there_is_none() {
    let job = Scripted::new(CLEANUP, [Act::Fail; 9]);
    let process = Process::alone(&job);
    let until = Some(Instant::now() + Duration::from_secs(11));
    let order = Order { until, ..Order::by_command(false, false) };
    assert_eq!(record(process.runner.run(CLEANUP, &order).await).attempt, 1);
}

#[tokio::test(start_paused = true)]
async fn a_disabled_job_runs_by_force_only() {
    let job = Scripted::new(CLEANUP, []);
    let store = Arc::new(MemoryJobStore::new());
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let off = Switches { cleanup: false, ..Switches::default() };
    let process = Process::of(&[Arc::clone(&job)], store.clone(), clock.clone(), off);
    let Outcome::Skipped(skip) = process.run(CLEANUP).await else { panic!() };
    assert_eq!(skip.to_string(), "it is disabled: ENABLE_PROOF_CLEANUP is false");
    assert!(process.metrics.render().contains("status=\"skipped\"} 1"));

    let process = Process::new(&job, store, clock);
    process.runner.book().set_enabled(CLEANUP, false).await.unwrap();
    assert!(matches!(process.run(CLEANUP).await, Outcome::Skipped(Skip::Disabled(_))));
    assert_eq!(job.times(), 0);
    let forced = process.runner.run(CLEANUP, &Order::by_command(false, true)).await;
    assert_eq!(record(forced).result, RunResult::Done);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_begins_anew_and_leaves_no_trace_but_in_the_history() {
    let job = Scripted::new(CLEANUP, [Act::CountTo(1000), Act::CountTo(5)]);
    let process = Process::alone(&job);
    process.run(CLEANUP).await;
    let dry = record(process.runner.run(CLEANUP, &Order::by_command(true, false)).await);
    assert_eq!((dry.dry_run, dry.counts["counted"].as_u64()), (true, Some(5)));
    assert_eq!(job.seen.lock().unwrap()[1].1, None);
    let state = process.state(CLEANUP).await;
    assert_eq!(state.progress, Some(600.into()));
    assert!(state.last_counts().is_none());
}

#[tokio::test(start_paused = true)]
async fn only_a_few_run_at_once() {
    let job = Scripted::new(CLEANUP, [Act::Hang]);
    let process = Process::alone(&job);
    let runs: Vec<_> = (0..=MAX_AT_ONCE).map(|_| process.start(CLEANUP)).collect();
    let mut full = 0;
    for run in runs.into_iter().skip(1) {
        full += usize::from(matches!(run.await.unwrap(), Outcome::Skipped(Skip::Full)));
    }
    assert_eq!(full, 1);
}

#[tokio::test(start_paused = true)]
async fn too_much_progress_is_refused() {
    struct Wordy;
    #[async_trait]
    impl Job for Wordy {
        fn name(&self) -> JobName {
            CLEANUP
        }

        async fn run(&self, run: &JobRun<'_>) -> Result<Counts, JobError> {
            run.progress.keep(Some("x".repeat(MAX_PROGRESS_BYTES).into())).await?;
            Ok(Counts::new())
        }
    }
    let store = Arc::new(MemoryJobStore::new());
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let metrics = PrometheusMetrics::new().unwrap().metrics().clone();
    let jobs = [Arc::new(Wordy) as Arc<dyn Job>];
    let runner = Runner::new(jobs, store, clock, metrics, Switches::default(), holder());
    let failed = record(runner.run(CLEANUP, &Order::by_command(false, false)).await);
    assert!(failed.error.unwrap().contains("65536 can be kept"));
}
