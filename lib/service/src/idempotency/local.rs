//! Entries in a folder, which several processes may share.
//!
//! ```text
//! <2>/<hash of the key>.json   an entry, as a JSON object
//! <2>/<random>.partial         what is being written
//! lock                         held while an entry is read and written
//! ```
//!
//! `<2>` stands for the first two digits of the hash. The number `ttl` in the object says when its time is over, in
//! seconds since 1970, for whoever cleans up.
//!
//! Files are renamed into place, so each is whole or not there. They are not flushed: when the machine loses power, the
//! worst is that a repeated request is signed again.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;
use serde::Serialize;
use tokio::task;
use uuid::Uuid;

use super::{Claim, Entry, IdempotencyError, IdempotencyKey, IdempotencyStore};

/// The longest file, in bytes.
const MAX_LENGTH: u64 = 4 << 10;

/// An entry as it is written.
#[derive(Serialize)]
struct Kept<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    ttl: i64,
}

/// Keeps entries in a folder.
#[derive(Clone, Debug)]
pub struct LocalIdempotency(PathBuf);

impl LocalIdempotency {
    /// The entries in `folder`. It is made when the first one is written.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    fn claim_now(&self, key: IdempotencyKey, wanted: &Entry, now: Timestamp) -> io::Result<Claim> {
        let _held = self.lock()?;
        let path = self.path(key);
        let claim = match read(&path)? {
            Some(there) => there.answer(wanted, now),
            None => Claim::Granted(wanted.clone()),
        };
        if let Claim::Granted(entry) = &claim {
            self.write(&path, entry)?;
        }
        Ok(claim)
    }

    /// Replaces the entry of `key`, if `holder` still holds it, or removes it.
    fn change(&self, key: IdempotencyKey, holder: Uuid, entry: Option<&Entry>) -> io::Result<()> {
        let _held = self.lock()?;
        let path = self.path(key);
        match (read(&path)?.is_some_and(|there| there.holder == holder), entry) {
            (false, _) => Ok(()),
            (true, Some(entry)) => self.write(&path, entry),
            (true, None) => fs::remove_file(&path),
        }
    }

    /// Waits until nobody else reads and writes; that lasts as long as two small files take. The lock goes with the
    /// file, also when the process is killed.
    fn lock(&self) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let file = private().open(self.0.join("lock"))?;
        file.lock()?;
        Ok(file)
    }

    fn write(&self, path: &Path, entry: &Entry) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.0);
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let kept = Kept { entry, ttl: entry.expires_at.unix_seconds().saturating_add(1) };
        let partial = folder.join(format!("{}.partial", Uuid::new_v4()));
        let written = private().open(&partial).and_then(|mut file| {
            file.write_all(&serde_json::to_vec(&kept)?)?;
            fs::rename(&partial, path)
        });
        written.inspect_err(|_| {
            // What is left has another ending, so nobody takes it for an entry.
            let _left_behind = fs::remove_file(&partial);
        })
    }

    fn path(&self, key: IdempotencyKey) -> PathBuf {
        let name = key.to_string();
        self.0.join(name.get(..2).unwrap_or_default()).join(format!("{name}.json"))
    }

    /// Files are waited for elsewhere.
    async fn do_apart<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Result<T, IdempotencyError> {
        let entries = self.clone();
        let done = task::spawn_blocking(move || work(&entries)).await;
        done.map_err(io::Error::other).flatten().map_err(|error| IdempotencyError(error.to_string()))
    }
}

#[async_trait]
impl IdempotencyStore for LocalIdempotency {
    async fn claim(
        &self,
        key: IdempotencyKey,
        wanted: &Entry,
        now: Timestamp,
    ) -> Result<Claim, IdempotencyError> {
        let wanted = wanted.clone();
        self.do_apart(move |entries| entries.claim_now(key, &wanted, now)).await
    }

    async fn update(&self, key: IdempotencyKey, entry: &Entry) -> Result<(), IdempotencyError> {
        let entry = entry.clone();
        self.do_apart(move |entries| entries.change(key, entry.holder, Some(&entry))).await
    }

    async fn release(&self, key: IdempotencyKey, entry: &Entry) -> Result<(), IdempotencyError> {
        let holder = entry.holder;
        self.do_apart(move |entries| entries.change(key, holder, None)).await
    }
}

/// Keys are nobody else's business.
fn private() -> OpenOptions {
    let mut options = File::options();
    options.write(true).create(true).truncate(false).mode(0o600);
    options
}

/// An entry; `None` when there is none, or when what is there is none: then the key is free.
fn read(path: &Path) -> io::Result<Option<Entry>> {
    let mut json = Vec::new();
    match File::open(path).and_then(|file| file.take(MAX_LENGTH).read_to_end(&mut json)) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    Ok(match serde_json::from_slice(&json) {
        Ok(entry) => Some(entry),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "an entry of an idempotency key cannot be read, and is replaced");
            None
        }
    })
}
