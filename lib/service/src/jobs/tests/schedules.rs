//! What is due runs once, whatever the clock does.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

struct Day {
    clock: Arc<TestClock>,
    process: Process,
    scheduler: Scheduler,
}

impl Day {
    fn new(jobs: &[Arc<Scripted>], store: Arc<dyn JobStore>, from: &str, switches: Switches) -> Self {
        let clock = TestClock::at(from);
        let process = Process::of(jobs, store, clock.clone(), switches);
        let scheduler = Scheduler::new(Arc::clone(&process.runner)).unwrap();
        Self { clock, process, scheduler }
    }

    fn with(job: &Arc<Scripted>, from: &str) -> Self {
        Self::new(&[Arc::clone(job)], Arc::new(MemoryJobStore::new()), from, Switches::default())
    }

    /// Lets time pass, and the scheduler look every minute.
    async fn pass(&mut self, minutes: u32) {
        for _ in 0..minutes {
            self.scheduler.look().await;
            self.scheduler.settle().await;
            time::advance(MINUTE).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_daily_job_runs_once_a_day() {
    let job = Scripted::new(CLEANUP, []);
    let mut day = Day::with(&job, "2026-01-01T12:00:00Z");
    day.pass(13 * 60).await;
    assert_eq!(job.times(), 0, "nothing was missed before it was there");
    day.pass(3 * 24 * 60).await;
    assert_eq!(job.times(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_an_hour_skips_no_day_and_runs_nothing_twice() {
    for (before, jump) in [("01:30", 3600), ("02:30", -3600), ("01:59", 3600), ("02:01", -3600)] {
        let job = Scripted::new(CLEANUP, []);
        let mut day = Day::with(&job, "2026-01-01T12:00:00Z");
        let minutes = (at(&format!("2026-01-02T{before}:00Z")).unix_seconds()
            - at("2026-01-01T12:00:00Z").unix_seconds())
            / 60;
        day.pass(u32::try_from(minutes).unwrap()).await;
        day.clock.jump(jump);
        day.pass(4 * 60).await;
        assert_eq!(job.times(), 1, "{before} {jump}");
        day.clock.jump(-jump);
        day.pass(19 * 60).await;
        assert_eq!(job.times(), 1, "{before} {jump} and back");
        day.pass(24 * 60).await;
        assert_eq!(job.times(), 2, "{before} {jump}, the next day");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_runs_soon_after_the_start() {
    let job = Scripted::new(CLEANUP, []);
    let store: Arc<dyn JobStore> = Arc::new(MemoryJobStore::new());
    let jobs = [Arc::clone(&job)];
    let mut first = Day::new(&jobs, store.clone(), "2026-01-01T12:00:00Z", Switches::default());
    first.pass(2).await;
    drop(first);
    let mut later = Day::new(&jobs, store, "2026-01-05T09:00:00Z", Switches::default());
    later.pass(60).await;
    assert_eq!(job.times(), 1);
    assert_eq!(later.process.state(CLEANUP).await.covered, Some(at("2026-01-05T02:00:00Z")));
}

#[tokio::test(start_paused = true)]
async fn of_two_processes_one_runs_what_is_due() {
    let (one, two) = (Scripted::new(CLEANUP, [Act::CountTo(120)]), Scripted::new(CLEANUP, []));
    let store: Arc<dyn JobStore> = Arc::new(MemoryJobStore::new());
    let from = "2026-01-01T01:00:00Z";
    let mut first = Day::new(&[Arc::clone(&one)], store.clone(), from, Switches::default());
    let mut second = Day::new(&[Arc::clone(&two)], store, from, Switches::default());
    for _ in 0..3 * 60 * 6 {
        first.scheduler.look().await;
        second.scheduler.look().await;
        time::sleep(Duration::from_secs(10)).await;
    }
    first.scheduler.settle().await;
    second.scheduler.settle().await;
    assert_eq!(one.times() + two.times(), 1, "{} and {}", one.times(), two.times());
}

#[tokio::test(start_paused = true)]
async fn what_had_no_more_time_goes_on_at_once() {
    let job = Scripted::new(CLEANUP, [Act::CountTo(1500), Act::CountTo(1500), Act::CountTo(1500)]);
    let mut day = Day::with(&job, "2026-01-02T01:58:00Z");
    day.pass(120).await;
    assert_eq!(job.times(), 3);
    assert_eq!(day.process.state(CLEANUP).await.runs[0].result, RunResult::Done);
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_waits_for_its_next_time() {
    let job = Scripted::new(CLEANUP, [Act::FailForGood]);
    let mut day = Day::with(&job, "2026-01-02T01:58:00Z");
    day.pass(20 * 60).await;
    assert_eq!(job.times(), 1);
}

#[tokio::test(start_paused = true)]
async fn at_the_start_all_run_when_that_is_wanted() {
    let jobs = JobName::ALL.map(|name| Scripted::new(name, []));
    let switches = Switches { on_start: true, restamp: false, ..Switches::default() };
    let store = Arc::new(MemoryJobStore::new());
    let mut day = Day::new(&jobs, store, "2026-01-01T12:01:00Z", switches);
    day.pass(3).await;
    assert_eq!(jobs.each_ref().map(|job| job.times()), [1, 1, 0, 1]);
    assert_eq!(day.process.state(CLEANUP).await.runs[0].trigger, Trigger::Start);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_state_stops_its_own_job_only() {
    let jobs = [Scripted::new(CLEANUP, []), Scripted::new(JobName::HealthMetrics, [])];
    let store = Arc::new(MemoryJobStore::new());
    assert!(store.replace(CLEANUP, "{\"schema\": 1, \"by\": \"hand\"}", None).await.unwrap());
    let mut day = Day::new(&jobs, store.clone(), "2026-01-01T01:00:00Z", Switches::default());
    day.pass(120).await;
    assert_eq!(jobs[0].times(), 0);
    assert!(jobs[1].times() >= 24, "{}", jobs[1].times());
    assert!(store.read(CLEANUP).await.unwrap().unwrap().text.contains("by"), "nothing is written over");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ends_its_process_each_time_waits_for_its_next_time() {
    let job = Scripted::new(CLEANUP, [Act::Hang; 20]);
    let store: Arc<dyn JobStore> = Arc::new(MemoryJobStore::new());
    let jobs = [Arc::clone(&job)];
    Day::new(&jobs, store.clone(), "2026-01-01T01:00:00Z", Switches::default()).pass(1).await;
    for _ in 0..8 {
        let mut day = Day::new(&jobs, store.clone(), "2026-01-01T02:10:00Z", Switches::default());
        day.scheduler.look().await;
        time::sleep(Duration::from_secs(60)).await;
        day.scheduler.kill();
    }
    assert_eq!(job.times(), 4, "once, and three times more");
}

#[tokio::test(start_paused = true)]
async fn the_scheduler_ends_with_the_runner() {
    let job = Scripted::new(CLEANUP, [Act::Count]);
    let switches = Switches { on_start: true, ..Switches::default() };
    let day = Day::new(&[job], Arc::new(MemoryJobStore::new()), "2026-01-01T12:00:00Z", switches);
    let scheduling = tokio::spawn(day.scheduler.run());
    time::sleep(Duration::from_secs(30)).await;
    assert!(day.process.runner.stop().await);
    time::timeout(Duration::from_secs(1), scheduling).await.unwrap().unwrap();
    assert_eq!(day.process.state(CLEANUP).await.runs[0].result, RunResult::Unfinished);
}
