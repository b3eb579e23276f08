//! Runs jobs when they are due, on one machine. On AWS EventBridge Scheduler does that.
//!
//! The clock is looked at every few seconds, and no pause is computed from it: a clock that jumps is noticed at the next
//! look. What is covered stands in the state of the job, so that several processes share the work, and one that was
//! off finds out what it missed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use credlink_pipeline::timestamp::Timestamp;
use tokio::{
    task::JoinHandle,
    time::{self, Instant},
};

use super::{
    job::JobName,
    order::{Order, Outcome, Skip},
    record::Trigger,
    runner::Runner,
    schedule::{Due, Schedule, ScheduleError},
    state::JobState,
    store::JobStoreError,
};

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// How long a job is not looked at after another process was found to run it.
const WHILE_BUSY: Duration = Duration::from_secs(30);

/// After so many runs in a row that ended with their process, the next time of the schedule is waited for.
const MAX_INTERRUPTIONS: usize = 3;

/// Looks which jobs are due, and runs them.
pub struct Scheduler {
    runner: Arc<Runner>,
    jobs: BTreeMap<JobName, Watched>,
}

/// A job that is looked at.
struct Watched {
    schedule: Schedule,
    /// The run that goes on, or the last one; the time says when to look again.
    run: Option<JoinHandle<Option<Instant>>>,
    not_before: Option<Instant>,
    /// What was logged last about its state, so that it is logged once.
    trouble: Option<String>,
    /// It is to run once, because the service started.
    is_wanted: bool,
}

impl Scheduler {
    /// Runs the jobs of `runner` that may run here.
    ///
    /// # Errors
    /// When a schedule cannot be used.
    pub fn new(runner: Arc<Runner>) -> Result<Self, ScheduleError> {
        let is_wanted = runner.switches().on_start;
        let allowed = runner.jobs().filter(|job| runner.switches().allow(*job).is_ok());
        let watched = allowed.map(|job| {
            let schedule = Schedule::of(job)?;
            Ok((job, Watched { schedule, run: None, not_before: None, trouble: None, is_wanted }))
        });
        let jobs = watched.collect::<Result<_, _>>()?;
        Ok(Self { runner, jobs })
    }

    /// Runs what is due until the runner [stops](Runner::stop).
    pub async fn run(mut self) {
        tracing::info!(jobs = self.jobs.len(), "the job scheduler started");
        while !self.runner.is_stopping() {
            self.look().await;
            tokio::select! {
                () = time::sleep(LOOK) => {}
                () = self.runner.stopping() => {}
            }
        }
        tracing::info!("the job scheduler ended");
    }

    /// Looks at each job once, and starts what is due.
    pub async fn look(&mut self) {
        for (job, watched) in &mut self.jobs {
            if watched.is_at_rest().await
                && let Some(order) = watched.order(*job, &self.runner).await
            {
                watched.start(*job, order, &self.runner);
            }
        }
    }

    /// Ends what runs as the end of its process does.
    #[cfg(test)]
    pub(super) fn kill(self) {
        self.jobs.into_values().filter_map(|watched| watched.run).for_each(|run| run.abort());
    }

    /// Waits until nothing runs that was started here.
    pub async fn settle(&mut self) {
        for watched in self.jobs.values_mut() {
            watched.settle().await;
        }
    }
}

impl Watched {
    async fn is_at_rest(&mut self) -> bool {
        if self.run.as_ref().is_some_and(|run| !run.is_finished()) {
            return false;
        }
        self.settle().await;
        self.not_before.is_none_or(|until| until <= Instant::now())
    }

    async fn settle(&mut self) {
        if let Some(run) = self.run.take() {
            // A task that panicked has no wish.
            self.not_before = run.await.ok().flatten();
        }
    }

    /// What to run now, if anything.
    async fn order(&mut self, job: JobName, runner: &Runner) -> Option<Order> {
        match self.find_order(job, runner).await {
            Ok(order) => {
                self.trouble = None;
                order
            }
            Err(trouble) => {
                if self.trouble.as_ref() != Some(&trouble) {
                    tracing::error!(job = job.name(), error = trouble, "a job cannot run");
                    self.trouble = Some(trouble);
                }
                None
            }
        }
    }

    async fn find_order(&mut self, job: JobName, runner: &Runner) -> Result<Option<Order>, String> {
        let text = |error: JobStoreError| error.to_string();
        let state = runner.book().state(job).await.map_err(text)?;
        if !state.enabled {
            return Ok(None);
        }
        let now = runner.clock().now();
        let due = self.schedule.due(state.covered, now).map_err(|error| error.to_string())?;
        let order =
            |trigger, covers| Ok(Some(Order { trigger, dry_run: false, forced: false, covers, until: None }));
        match due {
            Due::Since(time) if gave_up(job, &state, time) => cover(job, runner, time).await.map_err(text)?,
            Due::Since(time) if self.is_wanted => return order(Trigger::Start, Some(time)),
            Due::Since(time) => return order(Trigger::Schedule, Some(time)),
            Due::CoveredSince(time) => cover(job, runner, time).await.map_err(text)?,
            Due::At(_) => {}
        }
        if self.is_wanted { order(Trigger::Start, None) } else { Ok(None) }
    }

    fn start(&mut self, job: JobName, order: Order, runner: &Arc<Runner>) {
        self.is_wanted = false;
        let runner = Arc::clone(runner);
        self.run = Some(tokio::spawn(async move {
            let outcome = runner.run(job, &order).await;
            let is_elsewhere = matches!(outcome, Outcome::Skipped(Skip::Busy(_)) | Outcome::LostLease);
            is_elsewhere.then(|| Instant::now() + WHILE_BUSY)
        }));
    }
}

/// Whether the job ended its process too often since `time`.
fn gave_up(job: JobName, state: &JobState, time: Timestamp) -> bool {
    let since = state.runs.iter().take(state.interruptions()).filter(|run| run.started >= time).count();
    let gave_up = since >= MAX_INTERRUPTIONS;
    if gave_up {
        tracing::error!(job = job.name(), times = since, "a job ended with its process each time; it waits");
    }
    gave_up
}

/// Writes down that nothing is due up to `time`.
async fn cover(job: JobName, runner: &Runner, time: Timestamp) -> Result<(), JobStoreError> {
    let covered = runner.book().change(job, |state| {
        state.covered = Some(time);
        Ok::<(), std::convert::Infallible>(())
    });
    covered.await.map(drop)
}
