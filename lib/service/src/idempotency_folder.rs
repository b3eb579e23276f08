//! The folder of idempotency keys, as far as it must be cleaned up.
//!
//! ```text
//! <2>/<SHA-256 of the key>.json      what was answered, as a JSON object
//! <2>/<random>.partial               what is being written
//! ```
//!
//! `<2>` stands for the first two digits of the name. The object has a number `ttl`: when its time is over, in seconds since
//! 1970, as the attribute of this name in the table on AWS (docs/cleanup.md).

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, ErrorKind, Read as _},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use async_trait::async_trait;
use credlink_pipeline::digest::Sha256Hash;
use credlink_proofs::upkeep::{Sweep, SweptPage, Upkeep, UpkeepError};
use serde::Deserialize;
use tokio::task;

/// The longest file that is looked into, in bytes.
const MAX_LENGTH: u64 = 64 << 10;

/// Idempotency keys in a folder, which need not exist.
#[derive(Clone, Debug)]
pub struct IdempotencyFolder(PathBuf);

#[derive(Deserialize)]
struct Kept {
    ttl: i64,
}

/// What a file is to the cleanup.
enum Past {
    Key,
    Partial,
}

impl IdempotencyFolder {
    /// The keys in `folder`. Nothing is read or made.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Goes through the parts of the folder behind `after`.
    fn clean_up(&self, sweep: Sweep, after: &str) -> io::Result<SweptPage> {
        let mut page = SweptPage::default();
        let mut parts = names_in(&self.0)?;
        parts.sort_unstable();
        let mut seen = 0;
        for part in parts.into_iter().filter(|part| part.as_str() > after) {
            seen += clean_up_part(&self.0.join(&part), sweep, &mut page)?;
            if seen >= sweep.page {
                page.next = Some(part);
                break;
            }
        }
        Ok(page)
    }
}

#[async_trait]
impl Upkeep for IdempotencyFolder {
    fn subject(&self) -> &'static str {
        "idempotency-keys"
    }

    /// Removes keys whose time has been over for a day, and what was left half-written. What cannot be read, and files of
    /// others, are left alone.
    async fn sweep_page(&self, sweep: Sweep, after: Option<&str>) -> Result<SweptPage, UpkeepError> {
        let (folder, after) = (self.clone(), after.unwrap_or_default().to_owned());
        let page = task::spawn_blocking(move || folder.clean_up(sweep, &after)).await;
        page.map_err(io::Error::other).flatten().map_err(|error| {
            UpkeepError::Failed(format!("cannot clean up the folder {}: {error}", self.0.display()))
        })
    }
}

/// How many files were seen.
fn clean_up_part(part: &Path, sweep: Sweep, page: &mut SweptPage) -> io::Result<usize> {
    let names = names_in(part)?;
    for name in &names {
        let path = part.join(name);
        let Some(past) = what_is_past(&path, sweep)? else { continue };
        if !sweep.dry_run
            && let Err(error) = fs::remove_file(&path)
        {
            page.faults.add(&format!("cannot remove {}: {error}", path.display()));
            continue;
        }
        match past {
            Past::Key => page.tally.idempotency_keys_removed += 1,
            Past::Partial => page.tally.temporary_files_removed += 1,
        }
    }
    Ok(names.len())
}

fn what_is_past(path: &Path, sweep: Sweep) -> io::Result<Option<Past>> {
    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    match path.extension().and_then(OsStr::to_str) {
        Some("json") if stem.parse::<Sha256Hash>().is_ok() => {
            let ttl = if_there(read_ttl(path))?.flatten();
            Ok(ttl.filter(|ttl| sweep.is_old(*ttl)).map(|_| Past::Key))
        }
        Some("partial") => {
            let written = if_there(fs::symlink_metadata(path).and_then(|metadata| metadata.modified()))?;
            let seconds = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let seconds = seconds.and_then(|since| i64::try_from(since.as_secs()).ok());
            Ok(seconds.filter(|seconds| sweep.is_old(*seconds)).map(|_| Past::Partial))
        }
        _ => Ok(None),
    }
}

fn read_ttl(path: &Path) -> io::Result<Option<i64>> {
    let mut json = Vec::new();
    File::open(path)?.take(MAX_LENGTH).read_to_end(&mut json)?;
    Ok(serde_json::from_slice::<Kept>(&json).ok().map(|kept| kept.ttl))
}

/// The names in a folder; none when it is no folder.
fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

/// `None` when somebody else removed it meanwhile.
fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
