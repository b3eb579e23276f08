//! What a run did, for one that goes on after it: one JSON object on each line, only ever added to.
//!
//! The first line is durable before anything is signed. It names the batch; the id of every proof follows from that name,
//! the place of the result and the image. So however a run is ended, the next one signs under the same ids, and what was
//! signed gets the proof that it has. The other lines say what need not be looked at again; a power cut may take those of
//! the last second, a full disk may tear one, and neither does harm.

use std::{
    collections::HashMap,
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use credlink_pipeline::{digest::Sha256Hash, proof::ProofId};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::name;

/// The journal's name in the folder of results.
pub(crate) const DEFAULT_NAME: &str = ".credlink-batch.jsonl";

/// The version of its lines.
const VERSION: u32 = 1;

/// So often the lines are flushed.
const FLUSH: Duration = Duration::from_secs(1);

/// The longest line that is read, in bytes: a path has 4096, and twice that in hexadecimal digits.
const MAX_LINE: u64 = 64 << 10;

/// The journal of one batch, held by one run.
#[derive(Debug)]
pub(crate) struct Journal {
    batch: Uuid,
    resumed: bool,
    before: HashMap<Key, Before>,
    end: Mutex<End>,
}

/// Where lines are added.
#[derive(Debug)]
struct End {
    file: File,
    flushed: Instant,
    /// The last line may be a part of one.
    torn: bool,
}

/// The beginning of the SHA-256 of a name: names are long, and there may be a million.
type Key = [u8; 16];

/// What earlier runs did with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    /// SHA-256 of the image as it was.
    pub(crate) sha256: Sha256Hash,
    /// How the file looked when its signed image was in its place; `None` when no run got so far.
    pub(crate) signed: Option<Stamp>,
}

/// What tells without reading a file whether it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    length: u64,
    /// When it was changed, in nanoseconds since 1970; 0 where nobody knows.
    modified: u64,
}

impl Stamp {
    /// That of a file.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
        let nanoseconds = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        Self { length: metadata.len(), modified: u64::try_from(nanoseconds).unwrap_or_default() }
    }
}

/// Why there is no journal. Nothing was signed then.
#[derive(Debug, Error)]
pub(crate) enum JournalError {
    /// It cannot be read or written.
    #[error("the journal {journal} cannot be used: {cause}")]
    File {
        /// Which journal.
        journal: String,
        /// Why.
        cause: io::Error,
    },
    /// A run holds it.
    #[error(
        "the journal {0} belongs to a run that has not ended; wait for it, or choose another one with --journal"
    )]
    Held(String),
    /// Its batch is not at its end.
    #[error(
        "the batch of the journal {0} is not at its end: go on with --resume, or remove the journal to sign all of it anew"
    )]
    Unfinished(String),
    /// Its batch was begun with other options.
    #[error(
        "the batch of the journal {0} was begun with other options; repeat them to go on, or choose another journal with \
         --journal"
    )]
    OtherOptions(String),
    /// A later version of this program wrote it.
    #[error("the journal {0} is of a later version of credlink; go on with that one")]
    Later(String),
}

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "camelCase")]
enum Line {
    #[serde(rename_all = "camelCase")]
    Batch {
        version: u32,
        id: Uuid,
        options: Sha256Hash,
    },
    #[serde(rename_all = "camelCase")]
    Begun {
        file: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file_hex: Option<String>,
        sha256: Sha256Hash,
    },
    #[serde(rename_all = "camelCase")]
    Signed {
        file: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file_hex: Option<String>,
        sha256: Sha256Hash,
        #[serde(flatten)]
        stamp: Stamp,
        proof_uri: String,
    },
    Ended {},
}

impl Journal {
    /// Opens the journal at `path` for a batch with these options, or begins it.
    ///
    /// # Errors
    /// When there is one already and `resume` does not say to go on with it, unless its batch is at its end; and when it
    /// is not this batch's.
    pub(crate) fn open(path: &Path, options: Sha256Hash, resume: bool) -> Result<Self, JournalError> {
        let shown = || name::text(path);
        let failed = |cause| JournalError::File { journal: shown(), cause };
        let mut file = open_file(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Held(shown())),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let read = Read::from(&file).map_err(failed)?;
        match read.batch {
            // A run that was killed before its first line was durable has signed nothing.
            None => Self::begin(file, options).map_err(failed),
            Some((version, ..)) if version > VERSION => Err(JournalError::Later(shown())),
            Some(_) if read.is_ended && !resume => Self::begin(file, options).map_err(failed),
            Some(_) if !resume => Err(JournalError::Unfinished(shown())),
            Some((_, _, begun_with)) if begun_with != options => Err(JournalError::OtherOptions(shown())),
            Some((_, batch, _)) => {
                file.seek(SeekFrom::End(0)).map_err(failed)?;
                let end = End { file, flushed: Instant::now(), torn: read.is_torn };
                Ok(Self { batch, resumed: true, before: read.before, end: Mutex::new(end) })
            }
        }
    }

    /// Whether an earlier run began the batch.
    pub(crate) fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// What earlier runs did with the file whose result is called `key`.
    pub(crate) fn before(&self, key: &Path) -> Option<Before> {
        self.before.get(&short(key)).copied()
    }

    /// What names the signature of this image in this place, in this batch and in no other.
    pub(crate) fn seed(&self, key: &Path, image: Sha256Hash) -> Sha256Hash {
        let key = Sha256Hash::of(key.as_os_str().as_encoded_bytes());
        Sha256Hash::of_pieces(&[self.batch.as_bytes(), key.as_bytes(), image.as_bytes()])
    }

    /// The proof that this signature has.
    pub(crate) fn proof_id(&self, key: &Path, image: Sha256Hash) -> ProofId {
        ProofId::derived_from(self.seed(key, image))
    }

    /// Notes that a file is going to be signed.
    ///
    /// # Errors
    /// When that cannot be noted; then it must not be signed.
    pub(crate) fn note_begun(&self, key: &Path, sha256: Sha256Hash) -> io::Result<()> {
        self.add(&Line::Begun { file: name::text(key), file_hex: name::hex_unless_text(key), sha256 })
    }

    /// Notes that a file is signed, and looks like this.
    ///
    /// # Errors
    /// When that cannot be noted; a later run looks at the file again then.
    pub(crate) fn note_signed(
        &self,
        key: &Path,
        sha256: Sha256Hash,
        stamp: Stamp,
        proof_uri: &str,
    ) -> io::Result<()> {
        let (file, file_hex) = (name::text(key), name::hex_unless_text(key));
        self.add(&Line::Signed { file, file_hex, sha256, stamp, proof_uri: proof_uri.to_owned() })
    }

    /// Makes all lines durable; and notes that nothing is left to be done, if that is so.
    ///
    /// # Errors
    /// When that cannot be.
    pub(crate) fn close(&self, is_done: bool) -> io::Result<()> {
        if is_done {
            self.add(&Line::Ended {})?;
        }
        self.end.lock().unwrap_or_else(PoisonError::into_inner).file.sync_data()
    }

    fn begin(mut file: File, options: Sha256Hash) -> io::Result<Self> {
        let batch = Uuid::new_v4();
        file.set_len(0)?;
        file.rewind()?;
        let mut end = End { file, flushed: Instant::now(), torn: false };
        end.write(&Line::Batch { version: VERSION, id: batch, options })?;
        end.file.sync_all()?;
        Ok(Self { batch, resumed: false, before: HashMap::new(), end: Mutex::new(end) })
    }

    /// Others go on while a line is flushed.
    fn add(&self, line: &Line) -> io::Result<()> {
        let flush = {
            let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
            end.write(line)?;
            end.is_due().then(|| end.file.try_clone()).transpose()?
        };
        flush.map_or(Ok(()), |file| file.sync_data())
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // A program that this process is just starting has a copy of the file, and closing leaves the lock with it.
        drop(self.file.unlock());
    }
}

impl End {
    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = if self.torn { vec![b'\n'] } else { Vec::new() };
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
        self.torn = true;
        self.file.write_all(&text)?;
        self.torn = false;
        Ok(())
    }

    fn is_due(&mut self) -> bool {
        let due = self.flushed.elapsed() >= FLUSH;
        if due {
            self.flushed = Instant::now();
        }
        due
    }
}

/// What a journal says.
#[derive(Default)]
struct Read {
    /// The version, the name of the batch, and its options.
    batch: Option<(u32, Uuid, Sha256Hash)>,
    before: HashMap<Key, Before>,
    is_ended: bool,
    is_torn: bool,
}

impl Read {
    fn from(file: &File) -> io::Result<Self> {
        let mut lines = BufReader::new(file);
        let mut read = Self::default();
        let mut text = Vec::new();
        loop {
            text.clear();
            if lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut text)? == 0 {
                return Ok(read);
            }
            read.is_torn = text.last() != Some(&b'\n');
            match serde_json::from_slice(&text) {
                Ok(Line::Batch { version, id, options }) if read.batch.is_none() => {
                    read.batch = Some((version, id, options));
                }
                // What stands before the first line, or is torn, says nothing.
                Ok(line) if read.batch.is_some() => read.take(line),
                _ => {}
            }
        }
    }

    fn take(&mut self, line: Line) {
        self.is_ended = matches!(line, Line::Ended {});
        let (key, before) = match line {
            Line::Begun { file, file_hex, sha256 } => {
                (key_of(&file, file_hex), Before { sha256, signed: None })
            }
            Line::Signed { file, file_hex, sha256, stamp, .. } => {
                (key_of(&file, file_hex), Before { sha256, signed: Some(stamp) })
            }
            Line::Batch { .. } | Line::Ended {} => return,
        };
        if let Some(key) = key {
            self.before.insert(key, before);
        }
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    match OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(file),
        Ok(_) => Err(io::Error::new(ErrorKind::InvalidInput, "it is no file")),
        Err(error) => Err(error),
    }
}

fn key_of(file: &str, file_hex: Option<String>) -> Option<Key> {
    match file_hex {
        None => Some(short(Path::new(file))),
        Some(digits) => {
            let bytes = hex::decode(digits).ok()?;
            Some(short(&PathBuf::from(name::from_bytes(bytes)?)))
        }
    }
}

fn short(key: &Path) -> Key {
    let hash = Sha256Hash::of(key.as_os_str().as_encoded_bytes());
    let mut short = Key::default();
    for (byte, of_hash) in short.iter_mut().zip(hash.as_bytes()) {
        *byte = *of_hash;
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> Sha256Hash {
        Sha256Hash::of(text.as_bytes())
    }

    #[test]
    fn a_run_goes_on_where_another_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/journal");
        let stamp = Stamp { length: 3, modified: 5 };
        let odd = PathBuf::from(name::from_bytes(b"caf\xe9".to_vec()).unwrap());
        let first = Journal::open(&path, hash("options"), true).unwrap();
        assert!(!first.is_resumed());
        let id = first.proof_id(&odd, hash("image"));
        first.note_begun(Path::new("a"), hash("image")).unwrap();
        first.note_begun(&odd, hash("image")).unwrap();
        first.note_signed(&odd, hash("image"), stamp, "https://a.example/1").unwrap();
        assert!(matches!(Journal::open(&path, hash("options"), true), Err(JournalError::Held(_))));
        drop(first);
        // As a full disk or a killed process leaves it.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"line\":\"begun\",\"file\":\"b").unwrap();
        drop(file);

        let second = Journal::open(&path, hash("options"), true).unwrap();
        assert!(second.is_resumed());
        assert_eq!(second.before(&odd), Some(Before { sha256: hash("image"), signed: Some(stamp) }));
        assert_eq!(second.before(Path::new("a")), Some(Before { sha256: hash("image"), signed: None }));
        assert_eq!(second.before(Path::new("b")), None);
        assert_eq!(second.proof_id(&odd, hash("image")), id);
        assert_ne!(second.proof_id(Path::new("a"), hash("image")), id);
        assert_ne!(second.proof_id(&odd, hash("another")), id);
        second.note_begun(Path::new("c"), hash("image")).unwrap();
        drop(second);
        let third = Journal::open(&path, hash("options"), true).unwrap();
        assert!(third.before(Path::new("c")).is_some(), "the torn line did not swallow the next");
    }

    #[test]
    fn a_batch_is_not_begun_twice_nor_continued_with_other_options() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let first = Journal::open(&path, hash("options"), false).unwrap();
        let id = first.proof_id(Path::new("a"), hash("image"));
        drop(first);
        assert!(matches!(Journal::open(&path, hash("options"), false), Err(JournalError::Unfinished(_))));
        assert!(matches!(Journal::open(&path, hash("others"), true), Err(JournalError::OtherOptions(_))));
        Journal::open(&path, hash("options"), true).unwrap().close(true).unwrap();
        let anew = Journal::open(&path, hash("others"), false).unwrap();
        assert!(!anew.is_resumed());
        assert_ne!(anew.proof_id(Path::new("a"), hash("image")), id);
    }

    #[test]
    fn what_is_no_journal_of_this_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let line = Line::Batch { version: VERSION + 1, id: Uuid::new_v4(), options: hash("options") };
        fs::write(&path, serde_json::to_vec(&line).unwrap()).unwrap();
        assert!(matches!(Journal::open(&path, hash("options"), true), Err(JournalError::Later(_))));
        assert!(matches!(
            Journal::open(folder.path(), hash("options"), true),
            Err(JournalError::File { .. })
        ));
    }
}
