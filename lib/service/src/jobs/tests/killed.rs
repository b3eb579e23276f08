//! Two real processes on one folder; the one that runs the job is killed, and the other goes on with its work.
//!
//! The test starts this test executable again, as a process that runs a job that counts in its progress and reports
//! each number, and kills it with SIGKILL while it is at it.

use std::{
    env,
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use super::{super::lease::Pace, *};
use crate::clock::SystemClock;

const FOLDER: &str = "CREDLINK_TEST_JOB_FOLDER";
const KILLS: u64 = 5;
const END: u64 = 60;

/// So that the test does not take minutes.
const PACE: Pace = Pace {
    lease: Duration::from_millis(600),
    beat: Duration::from_millis(100),
    look: Duration::from_millis(20),
};

/// Counts to the end, and tells each number.
struct Counting;

#[async_trait]
impl Job for Counting {
    fn name(&self) -> JobName {
        CLEANUP
    }

    async fn run(&self, run: &JobRun<'_>) -> Result<Counts, JobError> {
        let mut number = run.progress.last().and_then(|last| last.as_u64()).unwrap_or(0);
        while number < END {
            number += 1;
            run.progress.keep(Some(number.into())).await?;
            writeln!(io::stdout(), "\ncounted {number}")
                .map_err(|error| JobError::Lasting(error.to_string()))?;
            time::sleep(Duration::from_millis(10)).await;
        }
        run.progress.keep(None).await?;
        Ok(Counts::from([("counted".to_owned(), number.into())]))
    }
}

fn runner(folder: &Path) -> Runner {
    let store = Arc::new(LocalJobStore::new(folder));
    let metrics = crate::metrics::Metrics::none();
    let jobs = [Arc::new(Counting) as Arc<dyn Job>];
    Runner::new(jobs, store, Arc::new(SystemClock), metrics, Switches::default(), holder()).with_pace(PACE)
}

/// Not a test of its own: what the started process does. Without the variable there is nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn worker() {
    let Ok(folder) = env::var(FOLDER) else { return };
    record(runner(Path::new(&folder)).run(CLEANUP, &Order::by_command(false, false)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_killed_processes_is_done_once() {
    let dir = tempfile::tempdir().unwrap();
    let (mut reported, mut starts) = (0, Vec::new());
    for _ in 0..KILLS {
        let (mut process, mut reports) = start_worker(dir.path());
        let first = next_number(&mut reports);
        starts.push((reported, first));
        reported = first;
        for _ in 0..4 {
            reported = next_number(&mut reports);
        }
        // One that runs alongside finds the job busy: two are never at work.
        let alongside = runner(dir.path()).run(CLEANUP, &Order::by_command(false, false)).await;
        assert!(matches!(&alongside, Outcome::Skipped(Skip::Busy(_))), "{alongside:?}");
        process.kill().unwrap();
        process.wait().unwrap();
        let rest = reports.lines().map_while(Result::ok).filter_map(|line| number_in(&line)).last();
        reported = rest.unwrap_or(reported);
    }
    for (before, after) in starts {
        // What was kept and not reported any more is not done again either.
        assert!((before + 1..=before + 2).contains(&after), "{before} and then {after}");
    }
    let last = record(runner(dir.path()).run(CLEANUP, &Order::by_command(false, false)).await);
    assert_eq!((last.result, last.counts["counted"].as_u64()), (RunResult::Done, Some(END)));
    let state = JobBook::new(Arc::new(LocalJobStore::new(dir.path()))).state(CLEANUP).await.unwrap();
    assert_eq!((state.lease, state.progress, state.token), (None, None, KILLS + 1));
    let interrupted = state.runs.iter().filter(|run| run.result == RunResult::Interrupted).count();
    assert_eq!(u64::try_from(interrupted).unwrap(), KILLS);
}

fn start_worker(folder: &Path) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut process = Command::new(env::current_exe().unwrap())
        .args(["jobs::tests::killed::worker", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let reports = BufReader::new(process.stdout.take().unwrap());
    (process, reports)
}

fn next_number(reports: &mut impl io::BufRead) -> u64 {
    let lines = reports.lines().map(Result::unwrap);
    lines.filter_map(|line| number_in(&line)).next().expect("the process counts")
}

fn number_in(line: &str) -> Option<u64> {
    line.strip_prefix("counted ")?.parse().ok()
}
