//! The work on the folder, blocking.
//!
//! ```text
//! <upload id>.upload         what was announced, as JSON
//! <upload id>.upload.data    what came; its time of modification is when
//! <name>.result              how a result is served, as JSON; it comes after the data
//! <name>.result.data         the result
//! <random>.partial           what is being written
//! ```
//!
//! Files are written under another name and renamed, so that each is whole or not there. They are not flushed: what a
//! crash of the machine cuts off is too short, and then counts as not there.

use std::{
    ffi::OsStr,
    fmt::Display,
    fs::{self, DirEntry, File},
    io::{self, ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use credlink_pipeline::timestamp::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{Announced, LocalResult, MAX_KEPT};
use crate::uploads::{LIFETIME, UploadError, UploadId};

/// A caller has one lifetime to send an upload, and another one to use it.
const MAX_AGE: Duration = LIFETIME.saturating_mul(2);

/// The longest JSON file, in bytes.
const MAX_HEAD_LENGTH: usize = 16 << 10;

const UPLOAD: &str = "upload";
const RESULT: &str = "result";
const PARTIAL: &str = "partial";

/// A folder of uploads and results.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

/// How a result is served.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResultHead {
    pub(super) content_type: String,
    pub(super) content_disposition: String,
    pub(super) expires_at: Timestamp,
    /// Of all pieces together, in bytes.
    pub(super) length: usize,
}

/// A file that this folder is for.
pub(super) struct OurFile {
    pub(super) path: PathBuf,
    /// What its name begins with.
    pub(super) id: String,
    pub(super) kind: Kind,
}

/// What a file belongs to.
pub(super) enum Kind {
    Upload,
    Result,
    Partial,
}

impl Folder {
    pub(super) fn open(path: PathBuf, now: Timestamp) -> Result<Self, UploadError> {
        make_private(&path).map_err(cannot("make the folder of uploads"))?;
        let folder = Self(path);
        folder.sweep(now)?;
        Ok(folder)
    }

    /// The folder as it is; it need not exist.
    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn announce(
        &self,
        id: UploadId,
        announced: &Announced,
        now: Timestamp,
    ) -> Result<(), UploadError> {
        self.make_room(UPLOAD, now)?;
        self.write(&self.head(id, UPLOAD), &[&json(announced)?])
    }

    pub(super) fn announced(&self, id: UploadId) -> Result<Option<Announced>, UploadError> {
        read_head(&self.head(id, UPLOAD))
    }

    pub(super) fn keep_upload(&self, id: UploadId, bytes: &[u8]) -> Result<(), UploadError> {
        self.write(&self.data(id, UPLOAD), &[bytes])
    }

    pub(super) fn upload(
        &self,
        id: UploadId,
        max_bytes: usize,
        now: Timestamp,
    ) -> Result<Option<Bytes>, UploadError> {
        let Some(announced) = self.announced(id)? else { return Ok(None) };
        let Some(mut file) = existing(File::open(self.data(id, UPLOAD)))? else { return Ok(None) };
        let came =
            file.metadata().and_then(|metadata| metadata.modified()).map_err(cannot("read an upload"))?;
        if is_older(came, LIFETIME, now) {
            return Ok(None);
        }
        read_data(&mut file, announced.content_length, max_bytes)
    }

    pub(super) fn keep_result(
        &self,
        name: UploadId,
        head: &ResultHead,
        pieces: &[Bytes],
        now: Timestamp,
    ) -> Result<(), UploadError> {
        self.make_room(RESULT, now)?;
        let pieces: Vec<&[u8]> = pieces.iter().map(AsRef::as_ref).collect();
        self.write(&self.data(name, RESULT), &pieces)?;
        self.write(&self.head(name, RESULT), &[&json(head)?])
    }

    pub(super) fn result(
        &self,
        name: UploadId,
        max_bytes: usize,
        now: Timestamp,
    ) -> Result<Option<LocalResult>, UploadError> {
        let Some(head) = read_head::<ResultHead>(&self.head(name, RESULT))? else { return Ok(None) };
        if now >= head.expires_at {
            return Ok(None);
        }
        let Some(mut file) = existing(File::open(self.data(name, RESULT)))? else { return Ok(None) };
        let bytes = read_data(&mut file, head.length, max_bytes)?;
        Ok(bytes.map(|bytes| LocalResult {
            content_type: head.content_type,
            content_disposition: head.content_disposition,
            bytes,
        }))
    }

    fn head(&self, id: UploadId, kind: &str) -> PathBuf {
        self.0.join(format!("{id}.{kind}"))
    }

    fn data(&self, id: UploadId, kind: &str) -> PathBuf {
        self.0.join(format!("{id}.{kind}.data"))
    }

    /// Refuses another one when there are too many of its kind already.
    fn make_room(&self, kind: &str, now: Timestamp) -> Result<(), UploadError> {
        let kept = self.sweep(now)?;
        if kept.iter().filter(|name| name.extension() == Some(OsStr::new(kind))).count() < MAX_KEPT {
            return Ok(());
        }
        Err(UploadError::Unavailable(format!("{MAX_KEPT} are kept already")))
    }

    /// Removes what is past its time, and what a killed process left; gives what is still there. Files of others are
    /// left alone.
    fn sweep(&self, now: Timestamp) -> Result<Vec<PathBuf>, UploadError> {
        let (past, kept) = self.files(now, MAX_AGE)?;
        for file in past {
            existing(fs::remove_file(&file.path))?;
        }
        Ok(kept)
    }

    /// What has been past its time for `margin` seconds at `now`.
    pub(super) fn files_past_their_time(
        &self,
        now: Timestamp,
        margin: u64,
    ) -> Result<Vec<OurFile>, UploadError> {
        let (past, _) = self.files(now, MAX_AGE.saturating_add(Duration::from_secs(margin)))?;
        Ok(past)
    }

    /// Our files that are of this age at `now`, and all others.
    fn files(&self, now: Timestamp, age: Duration) -> Result<(Vec<OurFile>, Vec<PathBuf>), UploadError> {
        let (mut old, mut others) = (Vec::new(), Vec::new());
        let Some(entries) = existing(fs::read_dir(&self.0))? else { return Ok((old, others)) };
        for entry in entries {
            let entry = entry.map_err(cannot("read the folder of uploads"))?;
            let path = entry.path();
            // Somebody else may have removed it meanwhile.
            let Some(modified) = existing(modified(&entry))? else { continue };
            match OurFile::at(&path).filter(|_| is_older(modified, age, now)) {
                Some(file) => old.push(file),
                None => others.push(path),
            }
        }
        Ok((old, others))
    }

    fn write(&self, path: &Path, pieces: &[&[u8]]) -> Result<(), UploadError> {
        let partial = self.0.join(format!("{}.{PARTIAL}", Uuid::new_v4()));
        let written = File::create_new(&partial).and_then(|mut file| {
            pieces.iter().try_for_each(|piece| file.write_all(piece))?;
            drop(file);
            fs::rename(&partial, path)
        });
        written.map_err(|error| {
            // A full disk is the likely reason. What cannot be removed now, a later sweep removes.
            let _gone_or_swept_later = fs::remove_file(&partial);
            cannot("keep an upload")(error)
        })
    }
}

fn modified(entry: &DirEntry) -> io::Result<SystemTime> {
    entry.metadata()?.modified()
}

impl OurFile {
    /// `None` for a file of somebody else.
    fn at(path: &Path) -> Option<Self> {
        let (id, kind) = path.file_name()?.to_str()?.split_once('.')?;
        let kind = match kind {
            UPLOAD | "upload.data" => Kind::Upload,
            RESULT | "result.data" => Kind::Result,
            PARTIAL => Kind::Partial,
            _ => return None,
        };
        id.parse::<UploadId>().ok()?;
        Some(Self { path: path.to_owned(), id: id.to_owned(), kind })
    }
}

fn is_older(time: SystemTime, age: Duration, now: Timestamp) -> bool {
    SystemTime::from(now.as_offset_date_time()).duration_since(time).is_ok_and(|passed| passed >= age)
}

fn json(head: &impl Serialize) -> Result<Vec<u8>, UploadError> {
    serde_json::to_vec(head).map_err(|error| UploadError::Failed(error.to_string()))
}

fn read_head<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, UploadError> {
    let Some(file) = existing(File::open(path))? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(MAX_HEAD_LENGTH as u64).read_to_end(&mut bytes).map_err(cannot("read what was announced"))?;
    let head = serde_json::from_slice(&bytes).ok();
    if head.is_none() {
        tracing::warn!("a file beside an upload is damaged; the upload counts as unknown");
    }
    Ok(head)
}

/// The `expected` bytes of a file; `None` when it has another length.
fn read_data(file: &mut File, expected: usize, max_bytes: usize) -> Result<Option<Bytes>, UploadError> {
    if expected > max_bytes {
        return Err(UploadError::TooLarge { limit: max_bytes });
    }
    let mut bytes = Vec::with_capacity(expected);
    file.take(expected as u64 + 1).read_to_end(&mut bytes).map_err(cannot("read an upload"))?;
    if bytes.len() == expected {
        return Ok(Some(bytes.into()));
    }
    tracing::warn!("a kept upload has another length than what came; it counts as unknown");
    Ok(None)
}

/// `None` when there is no such file.
fn existing<T>(result: io::Result<T>) -> Result<Option<T>, UploadError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot("reach an upload")(error)),
    }
}

/// Paths hold the ids of uploads, and stand in no error.
fn cannot<E: Display>(what: &'static str) -> impl Fn(E) -> UploadError {
    move |error| UploadError::Unavailable(format!("cannot {what}: {error}"))
}

/// Uploads are for nobody else on this machine.
fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use credlink_pipeline::asset::Format;

    use super::*;

    fn after(minutes: u64) -> Timestamp {
        Timestamp::new((SystemTime::now() + Duration::from_secs(60 * minutes)).into())
    }

    fn three_bytes() -> Announced {
        Announced { format: Format::Png, content_length: 3, sha256: None, expires_at: after(15) }
    }

    #[test]
    fn what_is_past_its_time_goes_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path().join("uploads"), after(0)).unwrap();
        let id = UploadId::random();
        let announced = three_bytes();
        folder.announce(id, &announced, after(0)).unwrap();
        folder.keep_upload(id, b"abc").unwrap();
        fs::write(folder.0.join(format!("{}.{PARTIAL}", Uuid::new_v4())), b"abc").unwrap();
        fs::write(folder.0.join("notes.txt"), b"mine").unwrap();
        assert_eq!(folder.sweep(after(29)).unwrap().len(), 4);
        Folder::open(folder.0.clone(), after(31)).unwrap();
        assert_eq!(folder.sweep(after(31)).unwrap(), [folder.0.join("notes.txt")]);
    }

    #[test]
    fn only_so_many_are_kept() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path().join("uploads"), after(0)).unwrap();
        let announced = three_bytes();
        for _ in 0..MAX_KEPT {
            folder.announce(UploadId::random(), &announced, after(0)).unwrap();
        }
        let refused = folder.announce(UploadId::random(), &announced, after(0));
        assert!(matches!(refused, Err(UploadError::Unavailable(_))), "{refused:?}");
        folder.announce(UploadId::random(), &announced, after(31)).unwrap();
    }

    #[test]
    fn what_was_cut_off_is_not_there() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path().join("uploads"), after(0)).unwrap();
        let id = UploadId::random();
        let announced = three_bytes();
        folder.announce(id, &announced, after(0)).unwrap();
        folder.keep_upload(id, b"abc").unwrap();
        assert_eq!(folder.upload(id, 3, after(14)).unwrap().as_deref(), Some(&b"abc"[..]));
        assert_eq!(folder.upload(id, 3, after(16)), Ok(None));
        fs::write(folder.data(id, UPLOAD), b"ab").unwrap();
        assert_eq!(folder.upload(id, 3, after(0)), Ok(None));
        fs::write(folder.head(id, UPLOAD), b"{").unwrap();
        assert_eq!(folder.upload(id, 3, after(0)), Ok(None));
    }
}
