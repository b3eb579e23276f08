//! Whose turn it is to remove names from a folder.

use std::{
    fs::{File, TryLockError},
    io::{self, ErrorKind},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use credlink_pipeline::proof::ProofStoreError;

use super::folder::cannot;

/// How long somebody waits for others, who take some milliseconds each.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// How long somebody waits between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// The turn in one folder, among all processes, until it is dropped. The operating system takes it from a process that
/// dies.
#[derive(Debug)]
pub(super) struct Turn {
    _lock: Option<File>,
}

impl Turn {
    /// Waits for the turn in `dir`. Nobody needs one where there is no folder.
    pub(super) fn take(dir: &Path) -> Result<Self, ProofStoreError> {
        let lock = match open(dir) {
            Ok(lock) => lock,
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(cannot("open", dir)(error)),
        };
        if let Some(lock) = &lock {
            wait_for(lock).map_err(cannot("lock", dir))?;
        }
        Ok(Self { _lock: lock })
    }
}

fn wait_for(lock: &File) -> io::Result<()> {
    let until = Instant::now() + MAX_WAIT;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(ErrorKind::TimedOut, "another process keeps it locked"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[cfg(unix)]
fn open(dir: &Path) -> io::Result<Option<File>> {
    File::open(dir).map(Some)
}

/// Elsewhere a folder cannot be opened. Then two who remove the same proof may remove one that was put in between.
#[cfg(not(unix))]
fn open(_dir: &Path) -> io::Result<Option<File>> {
    Ok(None)
}
