//! The state of jobs in a folder of this machine, which several processes may use at once.
//!
//! ```text
//! jobs/<name>.json     the state of a job
//! jobs/<name>.lock     held for the moment in which it is replaced
//! jobs/<name>.new      half written, when a process was killed; the next one writes over it
//! ```
//!
//! Whoever reads sees the old text or the new. The revision is the digest of the text, so that a change by hand counts
//! as one too.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use credlink_pipeline::digest::Sha256Hash;
use tokio::task;

use super::{
    job::JobName,
    store::{JobStore, JobStoreError, Kept, MAX_DOCUMENT_BYTES},
};

/// How long others may hold the lock. They need milliseconds.
const MAX_LOCK_TIME: Duration = Duration::from_secs(10);

/// How often the lock is looked at.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// The state of jobs in a folder.
#[derive(Clone, Debug)]
pub struct LocalJobStore {
    folder: PathBuf,
}

impl LocalJobStore {
    /// The states in `folder`, which is made when something is written.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    fn path(&self, job: JobName, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", job.name()))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        job: JobName,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Result<T, JobStoreError> {
        let store = self.clone();
        let done = task::spawn_blocking(move || work(&store)).await;
        let result = done.unwrap_or_else(|error| Err(io::Error::other(error)));
        result.map_err(|error| {
            let (place, reason) = (self.place(job), error.to_string());
            match error.kind() {
                ErrorKind::InvalidData => JobStoreError::Damaged { place, reason },
                _ => JobStoreError::Unavailable { place, reason },
            }
        })
    }

    fn read_now(&self, job: JobName) -> io::Result<Option<Kept>> {
        let file = match File::open(self.path(job, "json")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut text = String::new();
        file.take(MAX_DOCUMENT_BYTES as u64 + 1).read_to_string(&mut text)?;
        if text.len() > MAX_DOCUMENT_BYTES {
            let reason = format!("it has more than {MAX_DOCUMENT_BYTES} bytes");
            return Err(io::Error::new(ErrorKind::InvalidData, reason));
        }
        Ok(Some(Kept { revision: Sha256Hash::of(text.as_bytes()).to_string(), text }))
    }

    fn replace_now(&self, job: JobName, text: &str, expected: Option<&str>) -> io::Result<bool> {
        fs::create_dir_all(&self.folder)?;
        let _lock = lock(&self.path(job, "lock"))?;
        let now = self.read_now(job)?;
        if now.map(|kept| kept.revision).as_deref() != expected {
            return Ok(false);
        }
        let new = self.path(job, "new");
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, self.path(job, "json"))?;
        flush_folder(&self.folder)?;
        Ok(true)
    }
}

#[async_trait]
impl JobStore for LocalJobStore {
    fn place(&self, job: JobName) -> String {
        self.path(job, "json").display().to_string()
    }

    async fn read(&self, job: JobName) -> Result<Option<Kept>, JobStoreError> {
        self.blocking(job, move |store| store.read_now(job)).await
    }

    async fn replace(&self, job: JobName, text: &str, expected: Option<&str>) -> Result<bool, JobStoreError> {
        let (text, expected) = (text.to_owned(), expected.map(str::to_owned));
        self.blocking(job, move |store| store.replace_now(job, &text, expected.as_deref())).await
    }
}

/// The operating system lets go of it when its holder dies; one that hangs is not waited for long.
fn lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let deadline = Instant::now() + MAX_LOCK_TIME;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => {
                let reason = format!("another process holds {} and does not let go of it", path.display());
                return Err(io::Error::new(ErrorKind::TimedOut, reason));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Makes the new name durable. Only Unix opens a folder as a file.
fn flush_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::jobs::{JobBook, contract};

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_the_contract() {
        let folders = tempfile::tempdir().unwrap();
        let mut number = 0;
        let mut next = || {
            number += 1;
            folders.path().join(number.to_string())
        };
        let next = std::sync::Mutex::new(&mut next);
        contract::verify(async || {
            let folder = (next.lock().unwrap())();
            Arc::new(LocalJobStore::new(folder)) as Arc<dyn JobStore>
        })
        .await;
    }

    #[tokio::test]
    async fn looking_makes_no_folder() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("jobs");
        let book = JobBook::new(Arc::new(LocalJobStore::new(&folder)));
        assert!(book.state(JobName::ProofCleanup).await.unwrap().enabled);
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn what_is_no_text_is_damage_and_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let book = JobBook::new(Arc::new(LocalJobStore::new(folder.path())));
        let file = folder.path().join("proof-cleanup.json");
        for bytes in [vec![0xff; 10], vec![b' '; MAX_DOCUMENT_BYTES + 1]] {
            fs::write(&file, bytes).unwrap();
            let error = book.state(JobName::ProofCleanup).await.unwrap_err();
            assert!(matches!(&error, JobStoreError::Damaged { .. }), "{error}");
            assert!(error.to_string().contains("proof-cleanup.json"), "{error}");
        }
        assert!(book.state(JobName::HealthMetrics).await.is_ok());
    }

    #[tokio::test]
    async fn a_half_written_file_of_a_dead_process_is_no_matter() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("proof-cleanup.new"), "{\"sch").unwrap();
        let book = JobBook::new(Arc::new(LocalJobStore::new(folder.path())));
        book.set_enabled(JobName::ProofCleanup, false).await.unwrap();
        assert!(!book.state(JobName::ProofCleanup).await.unwrap().enabled);
        assert!(!folder.path().join("proof-cleanup.new").exists());
    }

    #[tokio::test]
    async fn a_change_by_hand_counts() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalJobStore::new(folder.path());
        assert!(store.replace(JobName::ProofCleanup, "one", None).await.unwrap());
        let kept = store.read(JobName::ProofCleanup).await.unwrap().unwrap();
        fs::write(folder.path().join("proof-cleanup.json"), "by hand").unwrap();
        assert!(!store.replace(JobName::ProofCleanup, "two", Some(&kept.revision)).await.unwrap());
    }
}
