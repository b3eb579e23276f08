//! Where a process keeps files on their way in or out, so that they can be told from those of dead ones.

use std::{
    ffi::OsStr,
    fmt,
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use uuid::Uuid;

use super::layout::IndexEntry;

/// The lock's name inside a session's folder.
const LOCK: &str = "lock";

/// A folder without this prefix is locked by its owner, or its owner is dead.
const UNFINISHED: &str = "new-";

/// How often a session is begun anew when somebody who cleans up removes its unfinished folder. Each such
/// cleaning happens once, when a process opens the folder or cleans it up.
const ATTEMPTS: usize = 20;

/// A folder of temporary files, locked as long as the value lives.
#[derive(Debug)]
pub(super) struct Session {
    dir: PathBuf,
    /// Holds the lock; the operating system releases it at the latest when the process ends.
    _lock: File,
    next: AtomicU64,
}

impl Session {
    /// Begins a session in the folder of sessions.
    pub(super) fn begin(sessions: &Path) -> io::Result<Self> {
        let mut failure = io::Error::from(ErrorKind::NotFound);
        for _ in 0..ATTEMPTS {
            match Self::try_begin(sessions) {
                Err(error) if error.kind() == ErrorKind::NotFound => failure = error,
                done => return done,
            }
        }
        Err(failure)
    }

    /// The folder gets its lasting name after its lock is held, so that nobody ever sees it unlocked.
    fn try_begin(sessions: &Path) -> io::Result<Self> {
        let name = Uuid::new_v4().to_string();
        let unfinished = sessions.join(format!("{UNFINISHED}{name}"));
        let dir = sessions.join(name);
        fs::create_dir(&unfinished)?;
        let lock = File::create_new(unfinished.join(LOCK))?;
        lock.lock()?;
        fs::rename(&unfinished, &dir)?;
        Ok(Self { dir, _lock: lock, next: AtomicU64::new(0) })
    }

    /// Whether the folder still stands; an operator may have emptied the folder of sessions.
    pub(super) fn is_there(&self) -> bool {
        self.dir.is_dir()
    }

    /// A path that was not given out before, for a file whose name in the index is or was `entry`.
    pub(super) fn path_for(&self, entry: Option<IndexEntry>) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.dir.join(TempName { number, entry }.to_string())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What cannot be removed now is removed by whoever opens the folder next.
        if fs::remove_file(self.dir.join(LOCK)).is_ok() {
            drop(fs::remove_dir(&self.dir));
        }
    }
}

/// Removes the sessions of dead processes; how many files lay in them. `settle` is called for the index entry of each of
/// their files, before the file is removed.
pub(super) fn remove_dead(sessions: &Path, mut settle: impl FnMut(IndexEntry)) -> io::Result<u64> {
    let mut removed = 0;
    for session in fs::read_dir(sessions)? {
        let dir = session?.path();
        if is_unfinished(&dir) {
            drop(fs::remove_dir_all(&dir));
        } else if let Some(_lock) = Death::of(&dir)? {
            removed += remove_session(&dir, &mut settle)?;
        }
    }
    Ok(removed)
}

/// How many files [`remove_dead`] would remove.
pub(super) fn count_dead(sessions: &Path) -> io::Result<u64> {
    let mut files = 0;
    for session in fs::read_dir(sessions)? {
        let dir = session?.path();
        if !is_unfinished(&dir)
            && let Some(_lock) = Death::of(&dir)?
        {
            files += temporaries(&dir)?.len() as u64;
        }
    }
    Ok(files)
}

/// A session whose owner is dead. As long as this lives, nobody else takes it for one.
struct Death {
    /// None when its owner or an earlier cleaning got as far as the lock.
    _lock: Option<File>,
}

impl Death {
    fn of(session: &Path) -> io::Result<Option<Self>> {
        let lock = match File::open(session.join(LOCK)) {
            Ok(lock) => lock,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(Self { _lock: None })),
            Err(error) => return Err(error),
        };
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { _lock: Some(lock) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

fn is_unfinished(session: &Path) -> bool {
    session.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes()))
}

/// The lock goes last but one: until then, whoever comes next can do the rest.
fn remove_session(dir: &Path, settle: &mut impl FnMut(IndexEntry)) -> io::Result<u64> {
    let temporaries = temporaries(dir)?;
    for temp in &temporaries {
        if let Some(entry) = temp.file_name().and_then(OsStr::to_str).and_then(TempName::entry_in) {
            settle(entry);
        }
        ignore_missing(fs::remove_file(temp))?;
    }
    ignore_missing(fs::remove_file(dir.join(LOCK)))?;
    ignore_missing(fs::remove_dir(dir))?;
    Ok(temporaries.len() as u64)
}

/// The files in a session's folder, without the lock.
fn temporaries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name() != LOCK {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// The success of a removal, which somebody else may have done already.
pub(super) fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The name of a temporary file: `<number>-<index entry>`.
struct TempName {
    number: u64,
    entry: Option<IndexEntry>,
}

impl TempName {
    fn entry_in(name: &str) -> Option<IndexEntry> {
        name.split_once('-')?.1.parse().ok()
    }
}

impl fmt::Display for TempName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.number)?;
        self.entry.map_or(Ok(()), |entry| entry.fmt(f))
    }
}
