//! The work on the folder, blocking.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{MAX_PROOFS_PER_IMAGE, Proof, ProofId, ProofRecord, ProofStoreError},
    timestamp::Timestamp,
};

use super::{
    file::{self, ReadError},
    layout::{IndexEntry, Layout, id_of_proof_file, is_shard, shard},
    session::{Session, ignore_missing, remove_dead},
    turn::Turn,
};

/// An open proof folder.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) layout: Layout,
    /// Begun by the first write, so that a process that only reads writes nothing.
    session: Mutex<Option<Arc<Session>>>,
    /// Shards whose own name is on the disk for certain; at most 2 × 4096.
    durable_shards: Mutex<HashSet<PathBuf>>,
}

impl Folder {
    pub(super) fn open(dir: &Path) -> Result<Self, ProofStoreError> {
        let layout = Layout::new(dir);
        for part in [&layout.by_id, &layout.by_hash, &layout.sessions] {
            if !part.is_dir() {
                fs::create_dir_all(part)
                    .and_then(|()| sync_dir(dir))
                    .map_err(cannot("create the folder", part))?;
            }
        }
        let folder = Self { layout, session: Mutex::default(), durable_shards: Mutex::default() };
        // What cannot be cleaned up harms nobody, and proofs can be read from a folder that is read-only.
        let sessions = &folder.layout.sessions;
        if let Err(error) = remove_dead(sessions, |entry| folder.settle(entry)) {
            tracing::warn!(folder = %sessions.display(), %error, "cannot remove what killed processes left");
        }
        Ok(folder)
    }

    pub(super) fn open_for_reading(dir: &Path) -> Result<Self, ProofStoreError> {
        let layout = Layout::new(dir);
        fs::read_dir(&layout.by_id).map_err(cannot("read", &layout.by_id))?;
        Ok(Self { layout, session: Mutex::default(), durable_shards: Mutex::default() })
    }

    pub(super) fn put(&self, proof: &Proof) -> Result<(), ProofStoreError> {
        let id = proof.record.id;
        let head = file::encode_head(proof).map_err(|reason| ProofStoreError::Damaged { id, reason })?;
        let place = self.layout.proof(id);
        // Spares the flush in the usual case; the link below decides.
        if place.try_exists().map_err(cannot("look for", &place))? {
            return Err(ProofStoreError::AlreadyExists(id));
        }

        let entry = IndexEntry::of(&proof.record);
        let entry_path = self.layout.entry(entry);
        let hash_shard = self.layout.hash_shard(entry.image_hash);
        let id_shard = self.layout.id_shard(id);
        make_dir(&hash_shard)?;
        make_dir(&id_shard)?;

        let temp = self.temp(Some(entry))?;
        let mut file = File::create_new(&temp.path).map_err(cannot("create", &temp.path))?;
        file.write_all(&head)
            .and_then(|()| file.write_all(&proof.manifest_store))
            .map_err(cannot("write", &temp.path))?;
        link(&temp.path, &entry_path).map_err(cannot("create", &entry_path))?;
        file.sync_all().map_err(cannot("flush", &temp.path))?;
        self.make_durable(&hash_shard, &self.layout.by_hash)?;

        match fs::hard_link(&temp.path, &place) {
            Ok(()) => self.make_durable(&id_shard, &self.layout.by_id),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(ProofStoreError::AlreadyExists(id)),
            Err(error) => Err(cannot("create", &place)(error)),
        }
    }

    pub(super) fn record(&self, id: ProofId) -> Result<Option<ProofRecord>, ProofStoreError> {
        let record = self.read(&self.layout.proof(id), id, file::read_record)?;
        Ok(record.map(|record| self.with_stamp(record)))
    }

    pub(super) fn proof(&self, id: ProofId) -> Result<Option<Proof>, ProofStoreError> {
        let proof = self.read(&self.layout.proof(id), id, file::read_proof)?;
        Ok(proof.map(|proof| Proof { record: self.with_stamp(proof.record), ..proof }))
    }

    pub(super) fn find_by_image_hash(
        &self,
        hash: Sha256Hash,
        now: Timestamp,
    ) -> Result<Vec<ProofRecord>, ProofStoreError> {
        let prefix = hash.to_string();
        let mut entries: Vec<IndexEntry> = Vec::new();
        for_each_name(&self.layout.hash_shard(hash), |name| {
            if name.starts_with(&prefix) {
                entries.extend(name.parse::<IndexEntry>());
            }
        })?;
        entries.sort_unstable_by_key(IndexEntry::newest_first);

        let mut found = Vec::new();
        for entry in entries {
            match self.record(entry.id) {
                Ok(Some(record)) if IndexEntry::of(&record) == entry && now < record.expires_at => {
                    found.push(record);
                }
                Ok(_) => {}
                Err(error @ ProofStoreError::Damaged { .. }) => {
                    tracing::warn!(%error, "left out of a look-up by image hash");
                }
                Err(error) => return Err(error),
            }
            if found.len() == MAX_PROOFS_PER_IMAGE {
                break;
            }
        }
        Ok(found)
    }

    pub(super) fn delete(&self, id: ProofId) -> Result<bool, ProofStoreError> {
        let _turn = Turn::take(&self.layout.id_shard(id))?;
        let entries = match self.record(id) {
            Ok(None) => return Ok(false),
            Ok(Some(record)) => vec![IndexEntry::of(&record)],
            Err(ProofStoreError::Damaged { .. }) => self.entries_of(id)?,
            Err(error) => return Err(error),
        };
        // Names the entry, so that somebody else can finish this. A full disk may have no room for it.
        let temp = self.temp(entries.first().copied()).ok();
        if !take_away(&self.layout.proof(id), temp.as_ref().map(|temp| temp.path.as_path()))? {
            return Ok(false);
        }
        let shard = self.layout.id_shard(id);
        sync_dir(&shard).map_err(cannot("flush", &shard))?;
        self.remove_stamp_without_proof(id);
        for entry in entries {
            self.settle(entry);
        }
        Ok(true)
    }

    pub(super) fn check(&self) -> Result<(), ProofStoreError> {
        for part in [&self.layout.by_id, &self.layout.by_hash] {
            fs::read_dir(part).map_err(cannot("read", part))?;
        }
        let temp = self.temp(None)?;
        fs::write(&temp.path, [0; 4096]).map_err(cannot("write", &temp.path))
    }

    pub(super) fn ids_after(
        &self,
        after: Option<ProofId>,
        limit: usize,
    ) -> Result<Vec<ProofId>, ProofStoreError> {
        let after_text = after.map(|id| id.to_string());
        let first_shard = after_text.as_deref().map_or("", shard);
        let shards = shards_from(&self.layout.by_id, first_shard)?;
        let mut ids = Vec::new();
        for shard in shards {
            if ids.len() >= limit {
                break;
            }
            let shard_begins = ids.len();
            for_each_name(&self.layout.by_id.join(shard), |name| {
                ids.extend(id_of_proof_file(name).filter(|id| after.is_none_or(|after| *id > after)));
            })?;
            if let Some(of_shard) = ids.get_mut(shard_begins..) {
                of_shard.sort_unstable();
            }
        }
        ids.truncate(limit);
        Ok(ids)
    }

    /// All index entries of a proof whose record cannot be read. Goes through the whole index.
    fn entries_of(&self, id: ProofId) -> Result<Vec<IndexEntry>, ProofStoreError> {
        let mut entries = Vec::new();
        for shard in shards_from(&self.layout.by_hash, "")? {
            for_each_name(&self.layout.by_hash.join(shard), |name| {
                entries.extend(name.parse::<IndexEntry>().ok().filter(|entry| entry.id == id));
            })?;
        }
        Ok(entries)
    }

    /// What the file at `path` holds of the proof `id`.
    pub(super) fn read<T>(
        &self,
        path: &Path,
        id: ProofId,
        read: impl FnOnce(&mut File, ProofId) -> Result<T, ReadError>,
    ) -> Result<Option<T>, ProofStoreError> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("open", path)(error)),
        };
        match read(&mut file, id) {
            Ok(read) => Ok(Some(read)),
            Err(ReadError::Io(error)) => Err(cannot("read", path)(error)),
            Err(ReadError::Damaged(reason)) => {
                Err(ProofStoreError::Damaged { id, reason: format!("{reason} ({})", path.display()) })
            }
        }
    }

    /// A temporary path, cleared when it is dropped.
    pub(super) fn temp(&self, entry: Option<IndexEntry>) -> Result<Temp<'_>, ProofStoreError> {
        let session = self.session()?;
        let path = session.path_for(entry);
        Ok(Temp { folder: self, _session: session, entry, path })
    }

    fn session(&self) -> Result<Arc<Session>, ProofStoreError> {
        let mut session = locked(&self.session);
        if let Some(session) = session.as_ref().filter(|session| session.is_there()) {
            return Ok(Arc::clone(session));
        }
        let sessions = &self.layout.sessions;
        let begun = Session::begin(sessions).map(Arc::new).map_err(cannot("begin a session in", sessions))?;
        Ok(Arc::clone(session.insert(begun)))
    }

    /// Flushes the names in `shard`, and its own name in `parent` where that was not done yet.
    fn make_durable(&self, shard: &Path, parent: &Path) -> Result<(), ProofStoreError> {
        sync_dir(shard).map_err(cannot("flush", shard))?;
        if !locked(&self.durable_shards).contains(shard) {
            sync_dir(parent).map_err(cannot("flush", parent))?;
            locked(&self.durable_shards).insert(shard.to_owned());
        }
        Ok(())
    }

    /// Makes the index agree with the proof: the entry is there when the proof exists and says the same, and
    /// gone otherwise. Whoever changed the one or the other calls this last, so that of two who do it at the
    /// same time the later one sees what both did.
    pub(super) fn settle(&self, entry: IndexEntry) {
        self.remove_stamp_without_proof(entry.id);
        if let Err(error) = self.try_settle(entry) {
            tracing::warn!(id = %entry.id, %error, "the index by image hash may lack this proof");
        }
    }

    pub(super) fn try_settle(&self, entry: IndexEntry) -> Result<(), ProofStoreError> {
        let entry_path = self.layout.entry(entry);
        if !self.confirms(entry)? {
            ignore_missing(fs::remove_file(&entry_path)).map_err(cannot("remove", &entry_path))?;
            if !self.confirms(entry)? {
                return Ok(());
            }
        }
        match fs::hard_link(self.layout.proof(entry.id), &entry_path) {
            Ok(()) => {
                let shard = self.layout.hash_shard(entry.image_hash);
                sync_dir(&shard).map_err(cannot("flush", &shard))
            }
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => Ok(()),
            Err(error) => Err(cannot("create", &entry_path)(error)),
        }
    }

    /// Whether the proof exists and its entry is this one. A damaged proof confirms: nobody knows better.
    pub(super) fn confirms(&self, entry: IndexEntry) -> Result<bool, ProofStoreError> {
        match self.record(entry.id) {
            Ok(record) => Ok(record.is_some_and(|record| IndexEntry::of(&record) == entry)),
            Err(ProofStoreError::Damaged { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// A temporary file on its way in or out. When it is dropped, whether all went well or not, the index is made
/// to agree with the proof and the file is removed.
pub(super) struct Temp<'a> {
    folder: &'a Folder,
    /// Keeps the session's lock.
    _session: Arc<Session>,
    entry: Option<IndexEntry>,
    pub(super) path: PathBuf,
}

impl Drop for Temp<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry {
            self.folder.settle(entry);
        }
        if let Err(error) = ignore_missing(fs::remove_file(&self.path)) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a temporary file");
        }
    }
}

/// Moves the proof to the temporary path or, where that does not work, removes it; false when it is gone
/// already. Of several who try exactly one succeeds.
fn take_away(proof: &Path, temp: Option<&Path>) -> Result<bool, ProofStoreError> {
    let moved = match temp {
        Some(temp) => fs::rename(proof, temp).or_else(|_| fs::remove_file(proof)),
        None => fs::remove_file(proof),
    };
    match moved {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(cannot("remove", proof)(error)),
    }
}

/// Gives the file a second name; that it has it already is as good.
fn link(file: &Path, name: &Path) -> io::Result<()> {
    match fs::hard_link(file, name) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn make_dir(dir: &Path) -> Result<(), ProofStoreError> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(cannot("create the folder", dir)(error))
        }
        _ => Ok(()),
    }
}

/// The names of the shards in `parent`, in order, from `first` on.
pub(super) fn shards_from(parent: &Path, first: &str) -> Result<Vec<String>, ProofStoreError> {
    let mut shards = Vec::new();
    for_each_name(parent, |name| {
        if is_shard(name) && name >= first {
            shards.push(name.to_owned());
        }
    })?;
    shards.sort_unstable();
    Ok(shards)
}

/// Calls `f` with the names in the folder, in no order; with none when there is no such folder.
pub(super) fn for_each_name(dir: &Path, mut f: impl FnMut(&str)) -> Result<(), ProofStoreError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(cannot("read", dir))?,
    };
    for entry in entries {
        if let Some(name) = entry.map_err(cannot("read", dir))?.file_name().to_str() {
            f(name);
        }
    }
    Ok(())
}

/// Makes the names in the folder durable.
#[cfg(unix)]
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Elsewhere a folder cannot be opened for flushing; the file system's own journal has to do.
#[cfg(not(unix))]
pub(super) fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// No change behind these locks can be interrupted half way by a panic, so a poisoned one is as good as any.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn cannot<'a>(what: &'a str, path: &'a Path) -> impl Fn(io::Error) -> ProofStoreError + 'a {
    move |error| ProofStoreError::Unavailable(format!("cannot {what} {}: {error}", path.display()))
}
