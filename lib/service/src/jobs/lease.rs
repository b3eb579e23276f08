//! The right to run a job, held by one run at a time.
//!
//! Whether a holder is alive is not judged by its clock, nor by one's own: both may jump. A holder renews its lease
//! every five seconds, which counts [`Lease::beats`] up. Whoever wants the lease looks at that count, and takes over
//! when it has stood still for twenty seconds of the time that really passed. A holder that cannot renew knows before
//! that, after fifteen, and ends. Should it not, each of its writes carries its token, and is refused.

use std::{sync::Arc, time::Duration};

use credlink_pipeline::timestamp::{Clock, Timestamp};
use serde_json::Value;
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
    time::{self, Instant},
};

use super::{
    job::JobName,
    record::RunRecord,
    state::{JobState, Lease, Lost, Start},
    store::{JobBook, JobStoreError},
};

/// How fast leases are renewed and given up. All processes have the same pace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// For how long a count that stands still is waited for.
    pub(super) lease: Duration,
    /// How often a holder renews its lease.
    pub(super) beat: Duration,
    /// How often somebody looks who waits for a lease.
    pub(super) look: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { lease: seconds(20), beat: seconds(5), look: seconds(1) }
    }
}

impl Pace {
    /// After how long without a renewal a holder gives up: before others may take over.
    fn max_silence(self) -> Duration {
        self.lease * 3 / 4
    }

    /// How long one renewal may take.
    fn max_renewal(self) -> Duration {
        self.lease / 2
    }
}

/// Why a lease was not taken.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// Somebody alive has it.
    Busy(Lease),
    /// The state says no, whatever the reason of the caller.
    Refused,
    /// It is not known.
    Unknown(JobStoreError),
}

/// Who wants which lease.
pub(super) struct Claim<'a> {
    pub(super) book: &'a JobBook,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) job: JobName,
    pub(super) holder: &'a str,
    pub(super) pace: Pace,
}

/// A lease, renewed for as long as the value lives.
pub(super) struct HeldLease {
    place: Arc<Place>,
    lost: watch::Receiver<bool>,
    beating: JoinHandle<()>,
}

struct Place {
    book: JobBook,
    clock: Arc<dyn Clock>,
    job: JobName,
    token: u64,
    pace: Pace,
    /// Writes of one process go one after the other; between processes the store decides.
    turn: Mutex<()>,
    lost: watch::Sender<bool>,
}

/// Why a write under a lease was not done.
#[derive(Debug)]
pub(super) enum NotKept {
    /// The lease belongs to another run.
    Lost,
    /// The store could not be reached, or refused.
    Failed(JobStoreError),
}

impl HeldLease {
    /// Takes the lease of `job` for `holder`, from nobody or from a dead one. `may_run` is asked about the state in the
    /// moment in which it is taken. Takes at most a lease's time and some seconds.
    pub(super) async fn take(
        claim: &Claim<'_>,
        run: Start,
        may_run: impl Fn(&JobState) -> bool + Send + Sync,
    ) -> Result<Self, NotTaken> {
        let Claim { book, job, holder, pace, .. } = *claim;
        let mut watch = Watch::default();
        loop {
            let taken = book.change(job, |state| match &state.lease {
                _ if !may_run(state) => Err(NotTaken::Refused),
                Some(lease) if !watch.is_dead(lease, pace) => Err(NotTaken::Busy(lease.clone())),
                _ => Ok(state.take(holder, run)),
            });
            match taken.await.map_err(NotTaken::Unknown)? {
                Ok(token) => return Ok(Self::hold(claim, token)),
                Err(NotTaken::Busy(lease)) if watch.goes_on(&lease) => time::sleep(pace.look).await,
                Err(error) => return Err(error),
            }
        }
    }

    fn hold(claim: &Claim<'_>, token: u64) -> Self {
        let (lost, see_lost) = watch::channel(false);
        let place = Arc::new(Place {
            book: claim.book.clone(),
            clock: Arc::clone(claim.clock),
            job: claim.job,
            token,
            pace: claim.pace,
            turn: Mutex::default(),
            lost,
        });
        let beating = tokio::spawn(beat(Arc::clone(&place)));
        Self { place, lost: see_lost, beating }
    }

    /// Ready when the lease is lost.
    pub(super) async fn lost(&self) {
        // The sender lives as long as this value does.
        drop(self.lost.clone().wait_for(|lost| *lost).await);
    }

    /// Whether the lease is lost.
    pub(super) fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    /// Begins an attempt; the progress to go on with.
    pub(super) async fn begin(&self, run: Start) -> Result<Option<Value>, NotKept> {
        self.place.write(|state, token, _| state.begin(token, run)).await
    }

    /// Keeps how far the run came.
    pub(super) async fn keep(&self, progress: Option<Value>) -> Result<(), NotKept> {
        self.place.write(|state, token, now| state.keep(token, progress.clone(), now)).await
    }

    /// Shows that the lease is still held.
    pub(super) async fn renew(&self) -> Result<(), NotKept> {
        self.place.write(JobState::renew).await
    }

    /// Remembers how an attempt went.
    pub(super) async fn end_attempt(&self, record: &RunRecord) -> Result<(), NotKept> {
        self.place.write(|state, token, now| state.end_attempt(token, record.clone(), now)).await
    }

    /// Gives the lease back.
    pub(super) async fn release(&self, covered: Option<Timestamp>) -> Result<(), NotKept> {
        self.beating.abort();
        self.place.write(|state, token, _| state.release(token, covered)).await
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

impl Place {
    async fn write<T>(
        &self,
        mut change: impl FnMut(&mut JobState, u64, Timestamp) -> Result<T, Lost> + Send,
    ) -> Result<T, NotKept> {
        let _turn = self.turn.lock().await;
        let written = self.book.change(self.job, |state| change(state, self.token, self.clock.now())).await;
        match written {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Lost)) => {
                self.lost.send_replace(true);
                Err(NotKept::Lost)
            }
            Err(error) => Err(NotKept::Failed(error)),
        }
    }
}

/// Renews until the lease is lost, or could not be renewed for too long.
async fn beat(place: Arc<Place>) {
    let mut renewed = Instant::now();
    loop {
        time::sleep(place.pace.beat).await;
        // What counts is when the last renewal that went through began.
        let begun = Instant::now();
        let written = place.write(JobState::renew);
        match time::timeout(place.pace.max_renewal(), written).await {
            Ok(Ok(())) => renewed = begun,
            Ok(Err(NotKept::Lost)) => return,
            Ok(Err(NotKept::Failed(error))) => {
                tracing::warn!(job = place.job.name(), %error, "a lease was not renewed");
            }
            Err(_) => tracing::warn!(job = place.job.name(), "a lease was not renewed in time"),
        }
        if renewed.elapsed() >= place.pace.max_silence() {
            place.lost.send_replace(true);
            return;
        }
    }
}

/// What somebody saw who waits for a lease.
#[derive(Default)]
struct Watch {
    first: Option<(u64, u64)>,
    since: Option<Instant>,
}

impl Watch {
    /// Whether the lease stood still for too long.
    fn is_dead(&self, lease: &Lease, pace: Pace) -> bool {
        self.first == Some((lease.token, lease.beats))
            && self.since.is_some_and(|since| since.elapsed() >= pace.lease)
    }

    /// Notes what is seen; false when the holder gave a sign of life.
    fn goes_on(&mut self, lease: &Lease) -> bool {
        let seen = (lease.token, lease.beats);
        match self.first {
            None => {
                self.first = Some(seen);
                self.since = Some(Instant::now());
                true
            }
            Some(first) => first == seen,
        }
    }
}
