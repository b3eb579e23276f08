//! Where runs keep what they know.

use std::{
    fs::{self, File, TryLockError},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    buckets,
    error::MigrationError,
    plan::{Options, Plan, RunId},
};

const PLAN: &str = "plan.json";
const STATE: &str = "state.json";
const LOCK: &str = "lock";

/// How the folder of a trial begins, which leaves nothing.
const TRIAL: &str = "trial-";

/// A folder of runs.
#[derive(Clone, Debug)]
pub struct Runs {
    folder: PathBuf,
}

/// One run, locked as long as the value lives. The operating system releases the lock when the process ends.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    plan: Plan,
    state: State,
    /// A trial, whose folder goes with the value.
    is_trial: bool,
    lock: File,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct State {
    pub(super) stage: Stage,
    /// The round, counted from one.
    pub(super) round: u32,
    /// How many tasks of the round are dealt with.
    pub(super) done: u64,
    /// How long the journal was then, in bytes.
    pub(super) journal: u64,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// The stores are being listed.
    #[default]
    Listing,
    /// Proofs are being copied.
    Copying,
    /// It came to its end.
    Finished,
    /// What it wrote is being removed.
    RollingBack,
    /// What it wrote was removed.
    RolledBack,
}

/// A run as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// What is moved where.
    #[serde(flatten)]
    pub plan: Plan,
    /// Where it stands.
    pub stage: Stage,
    /// The round, counted from one; 0 before the first.
    pub round: u32,
}

impl Runs {
    /// The runs in `folder`, which need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(&self, plan: Plan) -> Result<RunFolder, MigrationError> {
        let path = self.folder.join(plan.run.to_string());
        let run = RunFolder::make(path, plan, false)?;
        run.write(PLAN, &run.plan)?;
        run.write(STATE, &run.state)?;
        Ok(run)
    }

    /// Makes a folder for a run that only looks. It goes with the value; one that a kill left behind goes now.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create_trial(&self, plan: Plan) -> Result<RunFolder, MigrationError> {
        for name in self.names()?.iter().filter(|name| name.starts_with(TRIAL)) {
            let path = self.folder.join(name);
            if lock(&path.join(LOCK)).is_ok_and(|lock| lock.is_some()) {
                fs::remove_dir_all(&path).map_err(MigrationError::folder("remove", path))?;
            }
        }
        RunFolder::make(self.folder.join(format!("{TRIAL}{}", plan.run)), plan, true)
    }

    /// Opens the folder of a run.
    ///
    /// # Errors
    /// When there is none, or another process works on it.
    pub fn open(&self, run: &RunId) -> Result<RunFolder, MigrationError> {
        let path = self.folder.join(run.to_string());
        if !path.join(PLAN).is_file() {
            return Err(MigrationError::NoSuchRun(run.clone()));
        }
        let busy = || MigrationError::Busy(run.clone());
        let lock = lock(&path.join(LOCK))?.ok_or_else(busy)?;
        let (plan, state) = (read(&path.join(PLAN))?, read(&path.join(STATE))?);
        Ok(RunFolder { path, plan, state, is_trial: false, lock })
    }

    /// All runs, the oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<RunSummary>, MigrationError> {
        let mut runs = Vec::new();
        for name in self.names()? {
            let path = self.folder.join(&name);
            // Without a plan, a kill ended the run before it began.
            if name.parse::<RunId>().is_ok() && path.join(PLAN).is_file() {
                let State { stage, round, .. } = read(&path.join(STATE))?;
                runs.push(RunSummary { plan: read(&path.join(PLAN))?, stage, round });
            }
        }
        runs.sort_by(|one, other| one.plan.run.cmp(&other.plan.run));
        Ok(runs)
    }

    fn names(&self) -> Result<Vec<String>, MigrationError> {
        let failed = || MigrationError::folder("read", &self.folder);
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed())?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry.map_err(failed())?.file_name().into_string());
        }
        Ok(names)
    }
}

impl RunFolder {
    fn make(path: PathBuf, plan: Plan, is_trial: bool) -> Result<Self, MigrationError> {
        fs::create_dir_all(&path).map_err(MigrationError::folder("create", &path))?;
        let lock = lock(&path.join(LOCK))?.ok_or_else(|| MigrationError::Busy(plan.run.clone()))?;
        Ok(Self { path, plan, state: State::default(), is_trial, lock })
    }

    /// What is moved where.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where the run stands.
    pub fn stage(&self) -> Stage {
        self.state.stage
    }

    /// Changes how the run goes on: the policy, how much is done at once, and no more.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_options(&mut self, options: Options) -> Result<(), MigrationError> {
        let include_expired = self.plan.options.include_expired;
        self.plan.options = Options { include_expired, ..options };
        self.write(PLAN, &self.plan)
    }

    pub(super) fn is_trial(&self) -> bool {
        self.is_trial
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Writes down how far the run is.
    pub(super) fn set_state(&mut self, state: State) -> Result<(), MigrationError> {
        self.state = state;
        if self.is_trial { Ok(()) } else { self.write(STATE, &state) }
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    pub(super) fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    pub(super) fn kept(&self) -> PathBuf {
        self.path.join("kept")
    }

    pub(super) fn findings(&self) -> PathBuf {
        self.path.join("findings.jsonl")
    }

    /// The lists of this name: of a store, or of the journal by proofs.
    pub(super) fn listed(&self, name: &str) -> PathBuf {
        self.path.join("listed").join(name)
    }

    /// Removes what only a run that goes on needs.
    pub(super) fn remove_lists(&self) -> Result<(), MigrationError> {
        buckets::remove(&self.path.join("listed"))
    }

    /// Keeps a report.
    pub(super) fn write_report(&self, name: &str, report: &impl Serialize) -> Result<(), MigrationError> {
        if self.is_trial { Ok(()) } else { self.write(name, report) }
    }

    /// Puts `value` into the file `name`, which is never half written.
    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), MigrationError> {
        let (path, draft) = (self.path.join(name), self.path.join(format!("{name}.new")));
        let json =
            serde_json::to_vec_pretty(value).map_err(|error| MigrationError::damaged(&path, &error))?;
        let written = File::create(&draft).and_then(|mut file| {
            file.write_all(&json)?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            sync(&self.path)
        });
        written.map_err(MigrationError::folder("write", path))
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if self.is_trial {
            // What stays goes with the next trial.
            drop(fs::remove_dir_all(&self.path));
        }
        // A program that this process is just starting has a copy of the file, and closing leaves the lock with it.
        drop(self.lock.unlock());
    }
}

/// Makes the names in a folder durable.
#[cfg(unix)]
fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened for flushing.
#[cfg(not(unix))]
fn sync(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// The lock; none when somebody else has it.
fn lock(path: &Path) -> Result<Option<File>, MigrationError> {
    let file = File::create(path).map_err(MigrationError::folder("create", path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(MigrationError::folder("lock", path)(error)),
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, MigrationError> {
    let bytes = fs::read(path).map_err(MigrationError::folder("read", path))?;
    serde_json::from_slice(&bytes).map_err(|error| MigrationError::damaged(path, &error))
}
