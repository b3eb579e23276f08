//! The record of the active signer, read again from time to time.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{error::RecordsError, record::SignerRecord, records::SignerRecords};

/// How old a record gets before it is read again: within this time, readers follow an activation.
pub const MAX_AGE: Duration = Duration::from_secs(30);

/// How old a record may get while the table is not available.
pub const MAX_AGE_WHILE_UNAVAILABLE: Duration = Duration::from_secs(10 * 60);

/// The pause after a failure. Each attempt keeps one caller waiting.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// The active signer's record, kept in memory. One caller at a time reads it again; the others use what is there.
pub struct CachedRecord {
    records: SignerRecords,
    state: Mutex<State>,
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    /// How often the table was asked.
    reads: u64,
    /// Why the last time brought nothing.
    failure: Option<RecordsError>,
}

#[derive(Clone)]
struct Kept {
    record: Arc<SignerRecord>,
    read_at: Instant,
    next_read: Instant,
}

impl CachedRecord {
    /// Nothing is read yet.
    pub fn new(records: SignerRecords) -> Self {
        Self { records, state: Mutex::default(), reading: tokio::sync::Mutex::default() }
    }

    /// Reads the record, for the start of a process.
    ///
    /// # Errors
    /// As [`CachedRecord::record`].
    pub async fn load(&self) -> Result<(), RecordsError> {
        self.record(Instant::now()).await.map(drop)
    }

    /// The record of the signer that is active at `now`, at most [`MAX_AGE`] old; at most
    /// [`MAX_AGE_WHILE_UNAVAILABLE`] when the table cannot be read for a passing reason.
    ///
    /// # Errors
    /// [`RecordsError::NoActiveSigner`]; else why the record cannot be read.
    pub async fn record(&self, now: Instant) -> Result<Arc<SignerRecord>, RecordsError> {
        let (kept, reads) = {
            let state = self.state();
            (state.kept.clone(), state.reads)
        };
        let _turn = match kept {
            Some(kept) if kept.is_current(now) => return Ok(kept.record),
            Some(kept) if kept.may_go_on(now) => match self.reading.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Ok(kept.record),
            },
            _ => self.reading.lock().await,
        };
        if let Some(outcome) = self.read_meanwhile(reads, now) {
            return outcome;
        }
        let outcome = self.records.active().await;
        self.keep(outcome, now)
    }

    /// What another caller found while this one waited for its turn.
    fn read_meanwhile(&self, reads: u64, now: Instant) -> Option<Result<Arc<SignerRecord>, RecordsError>> {
        let state = self.state();
        match (&state.kept, &state.failure) {
            (Some(kept), _) if kept.is_current(now) => Some(Ok(Arc::clone(&kept.record))),
            // The failure is this caller's too. To try once more for each would add up their waiting.
            (_, Some(failure)) if state.reads > reads => Some(Err(failure.clone())),
            _ => None,
        }
    }

    fn keep(
        &self,
        outcome: Result<Option<SignerRecord>, RecordsError>,
        now: Instant,
    ) -> Result<Arc<SignerRecord>, RecordsError> {
        let missing = || RecordsError::NoActiveSigner { table: self.records.table().to_owned() };
        let outcome = outcome.and_then(|found| found.ok_or_else(missing));
        let mut state = self.state();
        state.reads = state.reads.saturating_add(1);
        state.failure = None;
        match outcome {
            Ok(record) => Ok(state.remember(record, now)),
            Err(error) => state.go_on_without(error, now),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remember(&mut self, record: SignerRecord, now: Instant) -> Arc<SignerRecord> {
        let version = record.version();
        if self.kept.as_ref().is_none_or(|kept| kept.record.version() != version) {
            tracing::info!(version, key = record.key_arn(), "this signer is active");
        }
        let record = Arc::new(record);
        self.kept = Some(Kept { record: Arc::clone(&record), read_at: now, next_read: now + MAX_AGE });
        record
    }

    /// The record that is there, if it may go on; what does not pass by itself ends its use.
    fn go_on_without(
        &mut self,
        error: RecordsError,
        now: Instant,
    ) -> Result<Arc<SignerRecord>, RecordsError> {
        if let RecordsError::Unavailable { .. } = error
            && let Some(kept) = self.kept.as_mut().filter(|kept| kept.may_go_on(now))
        {
            let age_seconds = kept.age(now).as_secs();
            tracing::warn!(%error, age_seconds, "the active signer cannot be read again; the last one goes on");
            kept.next_read = now + RETRY_PAUSE;
            return Ok(Arc::clone(&kept.record));
        }
        self.kept = None;
        self.failure = Some(error.clone());
        Err(error)
    }
}

impl Kept {
    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.read_at)
    }

    /// Whether it is used without asking the table.
    fn is_current(&self, now: Instant) -> bool {
        now < self.next_read && self.may_go_on(now)
    }

    fn may_go_on(&self, now: Instant) -> bool {
        self.age(now) <= MAX_AGE_WHILE_UNAVAILABLE
    }
}
