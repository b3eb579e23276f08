//! The port to where the state of jobs is kept, and how it is changed by several processes at once.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::Deserialize;
use thiserror::Error;
use tokio::time;
use uuid::Uuid;

use super::{
    job::JobName,
    state::{JobState, SCHEMA},
};

/// How often a change is begun anew when somebody else was faster.
const ATTEMPTS: u32 = 20;

/// The longest pause before that, in milliseconds; a random part of it is taken.
const MAX_PAUSE: u64 = 50;

/// The longest document, in bytes. Fifty runs and the longest progress have less.
pub const MAX_DOCUMENT_BYTES: usize = 380 * 1024;

/// Keeps one text for each job, replaced as a whole.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// For people: where the text of a job stands.
    fn place(&self, job: JobName) -> String;

    /// The text of a job; `None` when there never was one.
    ///
    /// # Errors
    /// [`JobStoreError::Unavailable`], and [`JobStoreError::Damaged`] when what stands there is no text.
    async fn read(&self, job: JobName) -> Result<Option<Kept>, JobStoreError>;

    /// Replaces the text of a job if it still has the revision `expected`, or if there is none and that is `None`. True
    /// when it did; false when somebody else wrote meanwhile. After [`JobStoreError::Unavailable`] it may have been
    /// replaced all the same. A text that was replaced is there after a power cut.
    ///
    /// # Errors
    /// [`JobStoreError::Unavailable`].
    async fn replace(&self, job: JobName, text: &str, expected: Option<&str>) -> Result<bool, JobStoreError>;
}

/// A text as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What tells this version from others; only its store understands it.
    pub revision: String,
    /// The text.
    pub text: String,
}

/// Why the state of a job is not known or was not changed. Each concerns one job; the others go on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JobStoreError {
    /// It may work later.
    #[error("{place} cannot be used: {reason}")]
    Unavailable {
        /// Where the state stands.
        place: String,
        /// What is in the way.
        reason: String,
    },
    /// What stands there is not what this program wrote.
    #[error(
        "{place} is damaged: {reason}; put back what was there, or remove it: the job then begins anew, without its \
         history"
    )]
    Damaged {
        /// Where the state stands.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer program wrote it.
    #[error(
        "{place} has version {found} of its form, and this program knows {SCHEMA}: use the newer program that wrote \
         it"
    )]
    Newer {
        /// Where the state stands.
        place: String,
        /// Its version.
        found: u64,
    },
    /// Others change it all the time.
    #[error("{place} is changed by others all the time; nothing was changed, try again")]
    Contended {
        /// Where the state stands.
        place: String,
    },
}

/// The states of all jobs in a store.
#[derive(Clone)]
pub struct JobBook {
    store: Arc<dyn JobStore>,
}

impl JobBook {
    /// The states in `store`.
    pub fn new(store: Arc<dyn JobStore>) -> Self {
        Self { store }
    }

    /// The state of a job; that of a job that never ran when nothing is kept.
    ///
    /// # Errors
    /// [`JobStoreError`].
    pub async fn state(&self, job: JobName) -> Result<JobState, JobStoreError> {
        Ok(self.read(job).await?.1)
    }

    /// Lets a job run, or run no more.
    ///
    /// # Errors
    /// [`JobStoreError`].
    pub async fn set_enabled(&self, job: JobName, enabled: bool) -> Result<(), JobStoreError> {
        let changed = self.change(job, |state| {
            state.enabled = enabled;
            Ok::<(), Infallible>(())
        });
        changed.await.map(drop)
    }

    /// Changes the state of a job with `change`, which may be called several times: each time that somebody else was
    /// faster. When it gives an error, nothing is changed.
    ///
    /// # Errors
    /// [`JobStoreError`]; the inner error is that of `change`.
    pub async fn change<T, E>(
        &self,
        job: JobName,
        mut change: impl FnMut(&mut JobState) -> Result<T, E> + Send,
    ) -> Result<Result<T, E>, JobStoreError> {
        let mut written = None;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                time::sleep(short_pause()).await;
            }
            let (revision, mut state) = self.read(job).await?;
            // An answer that got lost made a change look as if somebody else had been faster.
            if let Some((mine, value)) = written.take()
                && state.change == mine
            {
                return Ok(Ok(value));
            }
            let before = state.clone();
            let value = match change(&mut state) {
                Ok(value) if state == before => return Ok(Ok(value)),
                Ok(value) => value,
                Err(error) => return Ok(Err(error)),
            };
            state.change = Uuid::new_v4();
            let text = self.write(job, &state)?;
            if self.store.replace(job, &text, revision.as_deref()).await? {
                return Ok(Ok(value));
            }
            written = Some((state.change, value));
        }
        Err(JobStoreError::Contended { place: self.store.place(job) })
    }

    async fn read(&self, job: JobName) -> Result<(Option<String>, JobState), JobStoreError> {
        Ok(match self.store.read(job).await? {
            Some(kept) => (Some(kept.revision), parse(&kept.text, || self.store.place(job))?),
            None => (None, JobState::default()),
        })
    }

    /// Several lines: on one machine people look at it.
    fn write(&self, job: JobName, state: &JobState) -> Result<String, JobStoreError> {
        let failed = |reason| JobStoreError::Unavailable { place: self.store.place(job), reason };
        let text = serde_json::to_string_pretty(state).map_err(|error| failed(error.to_string()))?;
        if text.len() > MAX_DOCUMENT_BYTES {
            return Err(failed(format!("it would have more than {MAX_DOCUMENT_BYTES} bytes")));
        }
        Ok(text)
    }
}

/// The version is looked at first, because a newer form may have anything else.
fn parse(text: &str, place: impl Fn() -> String) -> Result<JobState, JobStoreError> {
    #[derive(Deserialize)]
    struct Versioned {
        schema: u64,
    }
    let damaged =
        |error: serde_json::Error| JobStoreError::Damaged { place: place(), reason: error.to_string() };
    let Versioned { schema } = serde_json::from_str(text).map_err(damaged)?;
    if schema > u64::from(SCHEMA) {
        return Err(JobStoreError::Newer { place: place(), found: schema });
    }
    let state: JobState = serde_json::from_str(text).map_err(damaged)?;
    let reason = if schema == 0 {
        "there is no version 0"
    } else if state.lease.as_ref().is_some_and(|lease| lease.token > state.token) {
        "its lease has a higher token than any that was given"
    } else {
        return Ok(state);
    };
    Err(JobStoreError::Damaged { place: place(), reason: reason.to_owned() })
}

fn short_pause() -> Duration {
    let random = Uuid::new_v4().as_u64_pair().1;
    Duration::from_millis(random % MAX_PAUSE)
}
